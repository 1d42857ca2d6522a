// Package sqsqueue is the Queue port over SQS standard queues.
package sqsqueue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
)

// Client is what is used of *sqs.Client.
type Client interface {
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
}

var _ Client = (*sqs.Client)(nil)

// MaxWait is the longest that one request waits for messages (ReceiveMessage in the Amazon SQS API reference).
const MaxWait = 20 * time.Second

// Config says which queues. Client, URLs, Sleep and Rand are required.
type Config struct {
	Client Client
	// URLs are the queues that may be used; a function has those that it sends to. DeadURLs are their dead-letter queues,
	// which only Dead and Redrive need.
	URLs, DeadURLs map[queue.Name]string
	// Wait is how long Receive waits for messages, in whole seconds up to MaxWait. Default MaxWait.
	Wait time.Duration
	// Sleep waits between tries to send the rest of a batch, Rand, uniform in [0, 1), spreads the waits: the methods of
	// clock.Clock and clock.IDs.
	Sleep func(ctx context.Context, d time.Duration) error
	Rand  func() float64
}

func (c *Config) validate() error {
	for _, f := range []struct {
		name    string
		missing bool
	}{{"Client", c.Client == nil}, {"URLs", len(c.URLs) == 0}, {"Sleep", c.Sleep == nil}, {"Rand", c.Rand == nil}} {
		if f.missing {
			return fmt.Errorf("sqsqueue: config %s is required", f.name)
		}
	}
	for name, url := range c.URLs {
		if url == "" {
			return fmt.Errorf("sqsqueue: config URLs: that of %s is empty", name)
		}
	}
	if c.Wait == 0 {
		c.Wait = MaxWait
	}
	if c.Wait < 0 || c.Wait > MaxWait {
		return fmt.Errorf("sqsqueue: config Wait %s is not in [0, %s]", c.Wait, MaxWait)
	}
	return nil
}

// Queue is the set of queues. Use New.
type Queue struct {
	cfg    Config
	waiter awsconf.Waiter
}

var (
	_ queue.Sender   = (*Queue)(nil)
	_ queue.Receiver = (*Queue)(nil)
)

// NewClient makes the client for New.
func NewClient(cfg aws.Config) *sqs.Client { return sqs.NewFromConfig(cfg) }

// New checks the configuration. It calls nobody.
func New(cfg Config) (*Queue, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Queue{cfg: cfg, waiter: awsconf.Waiter{Sleep: cfg.Sleep, Rand: cfg.Rand}}, nil
}

func (q *Queue) url(op string, name queue.Name) (*string, error) {
	if url, ok := q.cfg.URLs[name]; ok {
		return &url, nil
	}
	return nil, &port.Error{Code: port.CodeInternal, Op: op, Name: string(name), Cause: errors.New("the configuration has no URL of this queue")}
}

func (q *Queue) deadURL(op string, name queue.Name) (*string, error) {
	if url, ok := q.cfg.DeadURLs[name]; ok {
		return &url, nil
	}
	return nil, &port.Error{Code: port.CodeInternal, Op: op, Name: string(name), Cause: errors.New("the configuration has no URL of its dead-letter queue")}
}

// seconds rounds up: a message is never early.
func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

// group is a fairness group in the characters that the service takes: letters, digits and punctuation of ASCII. A group
// with others is replaced by its hash, which groups the same messages.
func group(g string) *string {
	if g == "" {
		return nil
	}
	for i := 0; i < len(g); i++ {
		if g[i] <= ' ' || g[i] > '~' {
			sum := sha256.Sum256([]byte(g))
			g = "#" + hex.EncodeToString(sum[:])
			break
		}
	}
	return &g
}

// Send implements queue.Sender. Messages go in requests of up to queue.MaxBatch, several at once; of a request of which
// the service took a part, the rest is sent again.
func (q *Queue) Send(ctx context.Context, name queue.Name, msgs []queue.Message) error {
	const op = "send to"
	url, err := q.url(op, name)
	if err != nil {
		return err
	}
	for i, m := range msgs {
		if err := m.Check(); err != nil {
			return port.Invalid(op, string(name), fmt.Errorf("message %d: %w", i, err))
		}
	}
	parts := awsconf.Split(msgs, queue.MaxBatch, queue.MaxBody, func(m queue.Message) int { return len(m.Body) })
	return awsconf.Each(ctx, parts, func(ctx context.Context, part []queue.Message) error {
		return q.send(ctx, op, name, url, part)
	})
}

func (q *Queue) send(ctx context.Context, op string, name queue.Name, url *string, msgs []queue.Message) error {
	entries := make([]types.SendMessageBatchRequestEntry, len(msgs))
	for i, m := range msgs {
		entries[i] = types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(string(m.Body)),
			DelaySeconds: seconds(m.Delay), MessageGroupId: group(m.Group),
		}
	}
	return awsconf.Whole(ctx, q.waiter, entries, func(entries []types.SendMessageBatchRequestEntry) ([]types.SendMessageBatchRequestEntry, error) {
		out, err := q.cfg.Client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries})
		if err != nil {
			return nil, translate(op, name, err)
		}
		return leftOf(op, name, entries, out.Failed, func(e types.SendMessageBatchRequestEntry) string { return *e.Id })
	}, func(err error) error { return translate(op, name, err) })
}

// leftOf are the entries of a batch that failed and may succeed when they are sent again. One that never can is an error.
func leftOf[T any](op string, name queue.Name, entries []T, failed []types.BatchResultErrorEntry, id func(T) string) ([]T, error) {
	refused := make([]awsconf.Refusal, len(failed))
	for i, f := range failed {
		refused[i] = refusal(f)
	}
	return awsconf.LeftOf(entries, id, refused, func(r awsconf.Refusal) error { return r.Err(op, string(name), codeOfName) })
}

// Receive implements queue.Receiver. It gives at most queue.MaxBatch messages.
func (q *Queue) Receive(ctx context.Context, name queue.Name, max int, visibility time.Duration) ([]queue.Delivery, error) {
	const op = "receive from"
	url, err := q.url(op, name)
	if err != nil {
		return nil, err
	}
	if err := queue.CheckReceive(max, visibility); err != nil {
		return nil, port.Invalid(op, string(name), err)
	}
	got, err := q.receive(ctx, url, max, visibility, waitFor(ctx, q.cfg.Wait))
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, translate(op, name, err)
	}
	var out []queue.Delivery
	for _, m := range got {
		out = append(out, delivery(m))
	}
	return out, nil
}

// waitFor is how long the service may wait for messages: its answer must come before ctx ends. What it gives to somebody
// who has hung up is hidden from everybody until the visibility time-out.
func waitFor(ctx context.Context, wait time.Duration) time.Duration {
	const answer = 500 * time.Millisecond
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)-answer)
	}
	return max(wait, 0).Truncate(time.Second)
}

// receive asks once. The error is the SDK's.
func (q *Queue) receive(ctx context.Context, url *string, max int, visibility, wait time.Duration) ([]types.Message, error) {
	out, err := q.cfg.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: int32(min(max, queue.MaxBatch)),
		VisibilityTimeout: seconds(visibility), WaitTimeSeconds: seconds(wait),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameApproximateReceiveCount, types.MessageSystemAttributeNameMessageGroupId,
		},
	})
	if err != nil {
		return nil, err
	}
	return out.Messages, nil
}

func delivery(m types.Message) queue.Delivery {
	d := queue.Delivery{Receipt: aws.ToString(m.ReceiptHandle), Body: []byte(aws.ToString(m.Body)), Receives: 1}
	// The count is the service's approximation and may be missing; this receive is one for certain.
	if n, err := strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]); err == nil && n > 1 {
		d.Receives = n
	}
	return d
}

// Delete implements queue.Receiver.
func (q *Queue) Delete(ctx context.Context, name queue.Name, receipts []string) error {
	const op = "delete from"
	url, err := q.url(op, name)
	if err != nil {
		return err
	}
	return q.delete(ctx, op, name, url, receipts)
}

func (q *Queue) delete(ctx context.Context, op string, name queue.Name, url *string, receipts []string) error {
	parts := awsconf.Split(receipts, queue.MaxBatch, queue.MaxBody, func(r string) int { return len(r) })
	return awsconf.Each(ctx, parts, func(ctx context.Context, part []string) error {
		entries := make([]types.DeleteMessageBatchRequestEntry, len(part))
		for i, r := range part {
			entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(r)}
		}
		return awsconf.Whole(ctx, q.waiter, entries, func(entries []types.DeleteMessageBatchRequestEntry) ([]types.DeleteMessageBatchRequestEntry, error) {
			out, err := q.cfg.Client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: entries})
			if err != nil {
				return nil, translate(op, name, err)
			}
			var failed []types.BatchResultErrorEntry
			for _, f := range out.Failed {
				if !gone(nameOf(f)) {
					failed = append(failed, f)
				}
			}
			return leftOf(op, name, entries, failed, func(e types.DeleteMessageBatchRequestEntry) string { return *e.Id })
		}, func(err error) error { return translate(op, name, err) })
	})
}

// Release implements queue.Receiver.
func (q *Queue) Release(ctx context.Context, name queue.Name, receipt string, d time.Duration) error {
	const op = "release to"
	url, err := q.url(op, name)
	if err != nil {
		return err
	}
	if err := queue.CheckVisibility(d); err != nil {
		return port.Invalid(op, string(name), err)
	}
	return q.release(ctx, op, name, url, receipt, d)
}

func (q *Queue) release(ctx context.Context, op string, name queue.Name, url *string, receipt string, d time.Duration) error {
	_, err := q.cfg.Client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: url, ReceiptHandle: &receipt, VisibilityTimeout: seconds(d),
	})
	if err != nil && !gone(awsconf.NameOf(err)) {
		return translate(op, name, err)
	}
	return nil
}

// How dead letters are read: hidden for a while, so that the next request finds others, and waited for a little, so that
// the service asks all of its servers.
const (
	deadVisibility = 30 * time.Second
	deadWait       = time.Second
)

// Dead implements queue.Receiver. Nobody else sees what it reads for a moment.
func (q *Queue) Dead(ctx context.Context, name queue.Name, max int) ([]queue.Delivery, error) {
	const op = "read the dead letters of"
	url, err := q.deadURL(op, name)
	if err != nil {
		return nil, err
	}
	var out []queue.Delivery
	for len(out) < max {
		got, err := q.receive(ctx, url, max-len(out), deadVisibility, deadWait)
		if err != nil {
			return nil, translate(op, name, err)
		}
		if len(got) == 0 {
			break
		}
		for _, m := range got {
			out = append(out, delivery(m))
		}
	}
	for _, d := range out {
		if err := q.release(ctx, op, name, url, d.Receipt, 0); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Redrive implements queue.Receiver. It sends each dead letter to its queue and deletes it then, so that a crash in
// between doubles messages and loses none. (The service's own move task needs more permissions and is not awaited.)
func (q *Queue) Redrive(ctx context.Context, name queue.Name) (int, error) {
	const op = "redrive"
	url, err := q.url(op, name)
	if err != nil {
		return 0, err
	}
	dead, err := q.deadURL(op, name)
	if err != nil {
		return 0, err
	}
	for n := 0; ; {
		got, err := q.receive(ctx, dead, queue.MaxBatch, deadVisibility, deadWait)
		if err != nil {
			return n, translate(op, name, err)
		}
		if len(got) == 0 {
			return n, nil
		}
		var msgs []queue.Message
		var receipts []string
		for _, m := range got {
			msgs = append(msgs, queue.Message{
				Body: []byte(aws.ToString(m.Body)), Group: m.Attributes[string(types.MessageSystemAttributeNameMessageGroupId)],
			})
			receipts = append(receipts, aws.ToString(m.ReceiptHandle))
		}
		for _, part := range awsconf.Split(msgs, queue.MaxBatch, queue.MaxBody, func(m queue.Message) int { return len(m.Body) }) {
			if err := q.send(ctx, op, name, url, part); err != nil {
				return n, err
			}
		}
		if err := q.delete(ctx, op, name, dead, receipts); err != nil {
			return n, err
		}
		n += len(got)
	}
}
