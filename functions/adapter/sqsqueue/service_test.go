package sqsqueue_test

// Tests on SQS, or something like it.

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/queue/queuetest"
	"github.com/downbeat/downbeat/functions/adapter/awsconf/awstest"
	"github.com/downbeat/downbeat/functions/adapter/sqsqueue"
	"github.com/downbeat/downbeat/localstack/sysclock"
)

func adapter(t testing.TB, client sqsqueue.Client, url, dead string) *sqsqueue.Queue {
	t.Helper()
	sys := sysclock.New()
	q, err := sqsqueue.New(sqsqueue.Config{
		Client: client, URLs: map[queue.Name]string{queue.Advance: url}, DeadURLs: map[queue.Name]string{queue.Advance: dead},
		Sleep: sys.Sleep, Rand: sys.Float,
	})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// createQueue makes a queue with dead letters as the stack does, and deletes both after the test.
func createQueue(t testing.TB, client *sqs.Client) (url, dead string) {
	t.Helper()
	ctx := context.Background()
	create := func(name string, attributes map[string]string) string {
		out, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: out.QueueUrl}); err != nil {
				t.Errorf("queue %s is left: %v", name, err)
			}
		})
		return *out.QueueUrl
	}
	name := awstest.Name()
	dead = create(name+"-dead", nil)
	arn := string(types.QueueAttributeNameQueueArn)
	got, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &dead, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := json.Marshal(map[string]string{
		"deadLetterTargetArn": got.Attributes[arn], "maxReceiveCount": strconv.Itoa(queue.MaxReceives),
	})
	if err != nil {
		t.Fatal(err)
	}
	return create(name, map[string]string{string(types.QueueAttributeNameRedrivePolicy): string(policy)}), dead
}

func TestConformance(t *testing.T) {
	client := sqsqueue.NewClient(awstest.Config(t, "SQS"))
	queuetest.Run(t, queuetest.Config{Shared: os.Getenv(awstest.QueueURL) != "", Open: func(t *testing.T) queuetest.Backend {
		url, dead := os.Getenv(awstest.QueueURL), os.Getenv(awstest.DeadQueueURL)
		if url == "" {
			url, dead = createQueue(t, client)
		}
		q := adapter(t, client, url, dead)
		return queuetest.Backend{Sender: q, Receiver: q, Name: queue.Advance}
	}})
}

// TestGroupsArrive wants the fairness group with the message, where the service has to see it.
func TestGroupsArrive(t *testing.T) {
	client := sqsqueue.NewClient(awstest.Config(t, "SQS"))
	url, dead := createQueue(t, client)
	if err := adapter(t, client, url, dead).Send(t.Context(), queue.Advance, []queue.Message{{Body: []byte("x"), Group: "run#w"}}); err != nil {
		t.Fatal(err)
	}
	out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: aws.String(url), WaitTimeSeconds: 20,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameMessageGroupId},
	})
	if err != nil || len(out.Messages) != 1 {
		t.Fatal(out, err)
	}
	if got := out.Messages[0].Attributes["MessageGroupId"]; got != "run#w" {
		t.Errorf("group %q, want run#w", got)
	}
}
