// Package eventbridgebus is the Bus port over an event bus of EventBridge. Events are packed: one entry of the bus, which
// is billed by 64 KB, holds as many as fit (events.Bundle).
package eventbridgebus

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/downbeat/downbeat/core/bus"
	"github.com/downbeat/downbeat/events"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
)

// Client is what is used of *eventbridge.Client.
type Client interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

var _ Client = (*eventbridge.Client)(nil)

// Limits of EventBridge ("Calculating PutEvents event entry size" and "Amazon EventBridge quotas" in its user guide). AWS
// takes 1 MB a request since 2026; other implementations still hold 256 KB. Requests are not billed, entries are.
const (
	maxEntries      = 10
	maxRequestBytes = 256 << 10
	billedBytes     = 64 << 10
	// overhead is what counts of an entry beside its detail.
	overhead = len(events.BusSource) + len(events.BundleType)
)

// Config says which bus. All are required.
type Config struct {
	Client Client
	Bus    string // its name or ARN
	// Sleep waits between tries to publish the rest of a request, Rand, uniform in [0, 1), spreads the waits: the methods
	// of clock.Clock and clock.IDs.
	Sleep func(ctx context.Context, d time.Duration) error
	Rand  func() float64
}

// Bus is the bus. Use New.
type Bus struct {
	cfg    Config
	waiter awsconf.Waiter
}

var _ bus.Publisher = (*Bus)(nil)

// NewClient makes the client for New.
func NewClient(cfg aws.Config) *eventbridge.Client { return eventbridge.NewFromConfig(cfg) }

// New checks the configuration. It calls nobody.
func New(cfg Config) (*Bus, error) {
	for _, f := range []struct {
		name    string
		missing bool
	}{{"Client", cfg.Client == nil}, {"Bus", cfg.Bus == ""}, {"Sleep", cfg.Sleep == nil}, {"Rand", cfg.Rand == nil}} {
		if f.missing {
			return nil, fmt.Errorf("eventbridgebus: config %s is required", f.name)
		}
	}
	return &Bus{cfg: cfg, waiter: awsconf.Waiter{Sleep: cfg.Sleep, Rand: cfg.Rand}}, nil
}

// Publish implements bus.Publisher. Of a request of which the service took a part, the rest is published again.
func (b *Bus) Publish(ctx context.Context, list [][]byte) error {
	if err := bus.CheckEvents(b.cfg.Bus, list); err != nil {
		return err
	}
	bundles := events.Bundles(list, billedBytes-overhead)
	parts := awsconf.Split(bundles, maxEntries, maxRequestBytes, func(doc []byte) int { return len(doc) + overhead })
	return awsconf.Each(ctx, parts, b.put)
}

func (b *Bus) put(ctx context.Context, details [][]byte) error {
	entries := make([]types.PutEventsRequestEntry, len(details))
	for i, d := range details {
		entries[i] = types.PutEventsRequestEntry{
			EventBusName: &b.cfg.Bus, Source: aws.String(events.BusSource), DetailType: aws.String(events.BundleType),
			Detail: aws.String(string(d)),
		}
	}
	return awsconf.Whole(ctx, b.waiter, entries, func(entries []types.PutEventsRequestEntry) ([]types.PutEventsRequestEntry, error) {
		out, err := b.cfg.Client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
		if err != nil {
			return nil, b.translate(err)
		}
		return b.leftOf(entries, out)
	}, b.translate)
}

// leftOf are the entries that failed and may succeed when they are put again: the answer has one for each, in their
// order. One that never can is an error.
func (b *Bus) leftOf(entries []types.PutEventsRequestEntry, out *eventbridge.PutEventsOutput) ([]types.PutEventsRequestEntry, error) {
	if out.FailedEntryCount == 0 {
		return nil, nil
	}
	var left []types.PutEventsRequestEntry
	for i, e := range out.Entries {
		if aws.ToString(e.ErrorCode) == "" || i >= len(entries) {
			continue
		}
		if err := b.translateEntry(e); awsconf.Final(err) {
			return nil, err
		}
		left = append(left, entries[i])
	}
	return left, nil
}
