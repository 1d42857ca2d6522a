package eventbridgebus_test

// Tests on EventBridge, or something like it, with a rule that delivers to a queue.

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/downbeat/downbeat/core/bus/bustest"
	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/events"
	"github.com/downbeat/downbeat/functions/adapter/awsconf/awstest"
	"github.com/downbeat/downbeat/functions/adapter/eventbridgebus"
	"github.com/downbeat/downbeat/localstack/sysclock"
)

func adapter(t testing.TB, client eventbridgebus.Client, name string) *eventbridgebus.Bus {
	t.Helper()
	sys := sysclock.New()
	b, err := eventbridgebus.New(eventbridgebus.Config{Client: client, Bus: name, Sleep: sys.Sleep, Rand: sys.Float})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// createBus makes a bus whose events of this adapter go to a queue, and deletes both after the test.
func createBus(t testing.TB, client *eventbridge.Client, to *awstest.Subscriber) string {
	t.Helper()
	ctx := context.Background()
	name, rule, target := awstest.Name(), "all", "queue"
	if _, err := client.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: &name}); err != nil {
		t.Fatal(err)
	}
	pattern := fmt.Sprintf(`{"source":[%q],"detail-type":[%q]}`, events.BusSource, events.BundleType)
	if _, err := client.PutRule(ctx, &eventbridge.PutRuleInput{Name: &rule, EventBusName: &name, EventPattern: &pattern}); err != nil {
		t.Fatal(err)
	}
	out, err := client.PutTargets(ctx, &eventbridge.PutTargetsInput{
		Rule: &rule, EventBusName: &name, Targets: []types.Target{{Id: &target, Arn: &to.ARN}},
	})
	if err != nil || out.FailedEntryCount > 0 {
		t.Fatal(out, err)
	}
	t.Cleanup(func() {
		_, err := client.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &rule, EventBusName: &name, Ids: []string{target}})
		if err == nil {
			_, err = client.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &rule, EventBusName: &name})
		}
		if err == nil {
			_, err = client.DeleteEventBus(ctx, &eventbridge.DeleteEventBusInput{Name: &name})
		}
		if err != nil {
			t.Errorf("bus %s is left: %v", name, err)
		}
	})
	return name
}

func TestConformance(t *testing.T) {
	cfg := awstest.Config(t, "EVENTBRIDGE")
	client := eventbridgebus.NewClient(cfg)
	to := awstest.NewSubscriber(t, awstest.Config(t, "SQS"), "events.amazonaws.com")
	b := adapter(t, client, createBus(t, client, to))
	next := func(ctx context.Context) ([][]byte, error) {
		bodies, err := to.Next(ctx)
		if err != nil {
			return nil, err
		}
		var list [][]byte
		for _, body := range bodies {
			e, ok, err := events.ParseBusEvent(body)
			if err != nil || !ok {
				return nil, fmt.Errorf("%.200q is no event of a bus: %w", body, err)
			}
			bundle, err := events.ParseBundle(e.Detail)
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
}

func TestNoSuchBus(t *testing.T) {
	client := eventbridgebus.NewClient(awstest.Config(t, "EVENTBRIDGE"))
	err := adapter(t, client, awstest.Name()).Publish(t.Context(), [][]byte{[]byte(`{}`)})
	// The service takes events for a bus that is not there; others refuse them.
	if err != nil && port.CodeOf(err) != port.CodeInternal {
		t.Errorf("error %v, want none or code internal", err)
	}
}
