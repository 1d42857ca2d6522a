// Package awsconf loads the configuration of the AWS SDK for all adapters: credentials and region from the environment,
// the endpoint from AWS_ENDPOINT_URL where an emulator is used, and retries.
package awsconf

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
)

// The retries of the SDK: the one place where requests are repeated without a decision. Waits are 0 to 50, 100, 200, 400
// ms with jitter; when the service throttles, all requests of a client slow down (adaptive mode).
const (
	MaxAttempts = 5
	MaxBackOff  = 400 * time.Millisecond
)

// Time-outs of connections. An answer may take the 20 s of a long poll; everything else is bounded by the context.
const (
	dialTimeout     = 2 * time.Second
	responseTimeout = 25 * time.Second
	// idleConns is how many connections to one service are kept; an invocation has a few requests under way at once.
	idleConns = 64
)

// Load reads the environment. Options may change the result, in tests most of all.
func Load(ctx context.Context, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns = idleConns
			t.MaxIdleConnsPerHost = idleConns
			t.ResponseHeaderTimeout = responseTimeout
		})
	cfg, err := config.LoadDefaultConfig(ctx, append([]func(*config.LoadOptions) error{
		config.WithHTTPClient(client),
		config.WithRetryer(NewRetryer),
	}, options...)...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("AWS configuration: %w", err)
	}
	return cfg, nil
}

// NewRetryer makes the retries of one client.
func NewRetryer() aws.Retryer {
	return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.StandardOptions = append(o.StandardOptions, func(o *retry.StandardOptions) {
			o.MaxAttempts = MaxAttempts
			o.MaxBackoff = MaxBackOff
			o.Backoff = retry.BackoffDelayerFunc(backOff)
		})
	})
}

// Emulated tells whether requests go to an endpoint of somebody's own, which needs S3's path style.
func Emulated(cfg aws.Config) bool { return cfg.BaseEndpoint != nil && *cfg.BaseEndpoint != "" }
