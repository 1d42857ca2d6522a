// Package awstest gives the tests of adapters an endpoint to run on: an emulator or an account that the environment
// names. Without one they are skipped.
package awstest

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/downbeat/downbeat/functions/adapter/awsconf"
)

// The variables.
const (
	// Endpoint is the endpoint of all services; EndpointPrefix with DYNAMODB, SQS … that of one. Both are the SDK's.
	Endpoint       = "AWS_ENDPOINT_URL"
	EndpointPrefix = "AWS_ENDPOINT_URL_"
	// Account, if not empty, lets the tests use the account whose credentials the environment has. They make what they
	// need under names of their own and delete it.
	Account = "DOWNBEAT_TEST_AWS"
	// What to run on instead of something that a test makes and deletes: a table as the stack makes it (the tests use keys
	// of their own, which stay), a queue with its dead-letter queue (what is in it is deleted), a bucket.
	Table        = "DOWNBEAT_TEST_TABLE"
	QueueURL     = "DOWNBEAT_TEST_QUEUE_URL"
	DeadQueueURL = "DOWNBEAT_TEST_DEAD_QUEUE_URL"
	Bucket       = "DOWNBEAT_TEST_BUCKET"
	// Require, if not empty, makes a test fail that has no endpoint.
	Require = "DOWNBEAT_TEST_REQUIRE"
)

// Config is the SDK's configuration for tests of one service, named as in EndpointPrefix. It skips the test where there
// is no endpoint.
func Config(t testing.TB, service string, options ...func(*config.LoadOptions) error) aws.Config {
	t.Helper()
	if os.Getenv(Endpoint) == "" && os.Getenv(EndpointPrefix+service) == "" && os.Getenv(Account) == "" {
		if os.Getenv(Require) != "" {
			t.Fatalf("no endpoint for %s: set %s, %s%s or %s", service, Endpoint, EndpointPrefix, service, Account)
		}
		t.Skipf("SKIPPED: NOT TESTED ON %s. Set %s, %s%s or %s; `make peers` does.", service, Endpoint, EndpointPrefix, service, Account)
	}
	if os.Getenv(Account) == "" {
		// An emulator takes any credentials, and must never be shown real ones.
		options = append([]func(*config.LoadOptions) error{
			config.WithRegion("us-east-1"),
			config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("000000000000", "none", "")),
		}, options...)
	}
	cfg, err := awsconf.Load(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
