package snsbus_test

// Tests on SNS, or something like it, with a queue that subscribes as Maestro's own does: with raw delivery.

import (
	"bytes"
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/downbeat/downbeat/core/bus/bustest"
	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/events"
	"github.com/downbeat/downbeat/functions/adapter/awsconf/awstest"
	"github.com/downbeat/downbeat/functions/adapter/snsbus"
	"github.com/downbeat/downbeat/localstack/sysclock"
)

func adapter(t testing.TB, client snsbus.Client, topic string, bundle bool) *snsbus.Bus {
	t.Helper()
	sys := sysclock.New()
	b, err := snsbus.New(snsbus.Config{Client: client, Topic: topic, Bundle: bundle, Sleep: sys.Sleep, Rand: sys.Float})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// createTopic makes a topic that delivers to a queue, and deletes both after the test.
func createTopic(t testing.TB, client *sns.Client, to *awstest.Subscriber) string {
	t.Helper()
	ctx := context.Background()
	out, err := client.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String(awstest.Name())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: out.TopicArn}); err != nil {
			t.Errorf("topic %s is left: %v", *out.TopicArn, err)
		}
	})
	if _, err := client.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: out.TopicArn, Protocol: aws.String("sqs"), Endpoint: &to.ARN, Attributes: map[string]string{"RawMessageDelivery": "true"},
	}); err != nil {
		t.Fatal(err)
	}
	return *out.TopicArn
}

func TestConformance(t *testing.T) {
	client := snsbus.NewClient(awstest.Config(t, "SNS"))
	t.Run("one message an event", func(t *testing.T) {
		to := awstest.NewSubscriber(t, awstest.Config(t, "SQS"), "sns.amazonaws.com")
		b := adapter(t, client, createTopic(t, client, to), false)
		bustest.Run(t, func(*testing.T) bustest.Backend { return bustest.Backend{Publisher: b, Next: to.Next} })
	})
	t.Run("bundles", func(t *testing.T) {
		to := awstest.NewSubscriber(t, awstest.Config(t, "SQS"), "sns.amazonaws.com")
		b := adapter(t, client, createTopic(t, client, to), true)
		next := func(ctx context.Context) ([][]byte, error) {
			bodies, err := to.Next(ctx)
			if err != nil {
				return nil, err
			}
			var list [][]byte
			for _, body := range bodies {
				bundle, err := events.ParseBundle(body)
				if err != nil {
					return nil, err
				}
				for _, raw := range bundle.Events {
					list = append(list, raw)
				}
			}
			return list, nil
		}
		bustest.Run(t, func(*testing.T) bustest.Backend { return bustest.Backend{Publisher: b, Next: next} })
	})
}

// TestMaestrosOwnFormat wants the message to be the event, byte by byte.
func TestMaestrosOwnFormat(t *testing.T) {
	client := snsbus.NewClient(awstest.Config(t, "SNS"))
	to := awstest.NewSubscriber(t, awstest.Config(t, "SQS"), "sns.amazonaws.com")
	event, err := events.EncodePublished(events.WorkflowStatusChange{WorkflowID: "w", InstanceID: 1, RunID: 1, NewStatus: "SUCCEEDED"}, "test", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := adapter(t, client, createTopic(t, client, to), false).Publish(t.Context(), [][]byte{event}); err != nil {
		t.Fatal(err)
	}
	got, err := to.Next(t.Context())
	if err != nil || len(got) != 1 || !bytes.Equal(got[0], event) {
		t.Errorf("got %q, error %v, want %q", got, err, event)
	}
}

func TestNoSuchTopic(t *testing.T) {
	client := snsbus.NewClient(awstest.Config(t, "SNS"))
	err := adapter(t, client, "arn:aws:sns:us-east-1:000000000000:"+awstest.Name(), false).Publish(t.Context(), [][]byte{[]byte(`{}`)})
	if port.CodeOf(err) != port.CodeInternal {
		t.Errorf("error %v, want code internal", err)
	}
}
