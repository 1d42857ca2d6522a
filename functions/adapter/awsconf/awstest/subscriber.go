package awstest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Name is a new name for something that a test makes.
func Name() string { return fmt.Sprintf("downbeat-test-%08x", rand.Uint32()) }

// Subscriber is a queue to which a bus or topic delivers.
type Subscriber struct {
	Client   *sqs.Client
	URL, ARN string
}

// NewSubscriber makes the queue, to which service, such as "events.amazonaws.com", may send, and deletes it after the
// test.
func NewSubscriber(t testing.TB, cfg aws.Config, service string) *Subscriber {
	t.Helper()
	ctx := context.Background()
	s := &Subscriber{Client: sqs.NewFromConfig(cfg)}
	name := Name()
	out, err := s.Client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	s.URL = *out.QueueUrl
	t.Cleanup(func() {
		if _, err := s.Client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &s.URL}); err != nil {
			t.Errorf("queue %s is left: %v", name, err)
		}
	})
	got, err := s.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &s.URL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.ARN = got.Attributes[string(types.QueueAttributeNameQueueArn)]
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]string{"Service": service}, "Action": "sqs:SendMessage", "Resource": s.ARN,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
		QueueUrl: &s.URL, Attributes: map[string]string{string(types.QueueAttributeNamePolicy): string(policy)},
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// Next waits for messages and takes them off the queue.
func (s *Subscriber) Next(ctx context.Context) ([][]byte, error) {
	for {
		out, err := s.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &s.URL, MaxNumberOfMessages: 10, WaitTimeSeconds: 10})
		if err != nil {
			return nil, err
		}
		if len(out.Messages) == 0 {
			continue
		}
		var bodies [][]byte
		var done []types.DeleteMessageBatchRequestEntry
		for i, m := range out.Messages {
			bodies = append(bodies, []byte(aws.ToString(m.Body)))
			done = append(done, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
		}
		if _, err := s.Client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &s.URL, Entries: done}); err != nil {
			return nil, err
		}
		return bodies, nil
	}
}
