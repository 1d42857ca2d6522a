// Package snsbus is the Bus port over a standard topic of SNS.
package snsbus

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/downbeat/downbeat/core/bus"
	"github.com/downbeat/downbeat/events"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
)

// Client is what is used of *sns.Client.
type Client interface {
	PublishBatch(context.Context, *sns.PublishBatchInput, ...func(*sns.Options)) (*sns.PublishBatchOutput, error)
}

var _ Client = (*sns.Client)(nil)

// Limits of SNS (PublishBatch in its API reference): a topic takes 256 KiB a request unless it is told to take more.
const (
	maxEntries      = 10
	maxRequestBytes = 256 << 10
	billedBytes     = 64 << 10
)

// Config says which topic. All but Bundle are required.
type Config struct {
	Client Client
	Topic  string // its ARN
	// Bundle packs events: one message of up to 64 KB, which is what is billed, holds as many as fit (events.Bundle).
	// Default false: a message is one event and nothing else, without subject and attributes, as Maestro sends it.
	Bundle bool
	// Sleep waits between tries to publish the rest of a request, Rand, uniform in [0, 1), spreads the waits: the methods
	// of clock.Clock and clock.IDs.
	Sleep func(ctx context.Context, d time.Duration) error
	Rand  func() float64
}

// Bus is the topic. Use New.
type Bus struct {
	cfg    Config
	waiter awsconf.Waiter
}

var _ bus.Publisher = (*Bus)(nil)

// NewClient makes the client for New.
func NewClient(cfg aws.Config) *sns.Client { return sns.NewFromConfig(cfg) }

// New checks the configuration. It calls nobody.
func New(cfg Config) (*Bus, error) {
	for _, f := range []struct {
		name    string
		missing bool
	}{{"Client", cfg.Client == nil}, {"Topic", cfg.Topic == ""}, {"Sleep", cfg.Sleep == nil}, {"Rand", cfg.Rand == nil}} {
		if f.missing {
			return nil, fmt.Errorf("snsbus: config %s is required", f.name)
		}
	}
	return &Bus{cfg: cfg, waiter: awsconf.Waiter{Sleep: cfg.Sleep, Rand: cfg.Rand}}, nil
}

// Publish implements bus.Publisher. Of a request of which the service took a part, the rest is published again.
func (b *Bus) Publish(ctx context.Context, list [][]byte) error {
	if err := bus.CheckEvents(b.cfg.Topic, list); err != nil {
		return err
	}
	if b.cfg.Bundle {
		list = events.Bundles(list, billedBytes)
	}
	parts := awsconf.Split(list, maxEntries, maxRequestBytes, func(m []byte) int { return len(m) })
	return awsconf.Each(ctx, parts, b.publish)
}

func (b *Bus) publish(ctx context.Context, messages [][]byte) error {
	entries := make([]types.PublishBatchRequestEntry, len(messages))
	for i, m := range messages {
		entries[i] = types.PublishBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), Message: aws.String(string(m))}
	}
	return awsconf.Whole(ctx, b.waiter, entries, func(entries []types.PublishBatchRequestEntry) ([]types.PublishBatchRequestEntry, error) {
		out, err := b.cfg.Client.PublishBatch(ctx, &sns.PublishBatchInput{TopicArn: &b.cfg.Topic, PublishBatchRequestEntries: entries})
		if err != nil {
			return nil, b.translate(err)
		}
		return b.leftOf(entries, out.Failed)
	}, b.translate)
}

// leftOf are the entries that failed and may succeed when they are published again. One that never can is an error.
func (b *Bus) leftOf(entries []types.PublishBatchRequestEntry, failed []types.BatchResultErrorEntry) ([]types.PublishBatchRequestEntry, error) {
	refused := make([]awsconf.Refusal, len(failed))
	for i, f := range failed {
		refused[i] = awsconf.Refusal{ID: aws.ToString(f.Id), Code: aws.ToString(f.Code), Message: aws.ToString(f.Message), SenderFault: f.SenderFault}
	}
	id := func(e types.PublishBatchRequestEntry) string { return *e.Id }
	return awsconf.LeftOf(entries, id, refused, func(r awsconf.Refusal) error { return r.Err(op, b.cfg.Topic, codeOfName) })
}
