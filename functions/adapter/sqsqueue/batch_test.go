package sqsqueue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/functions/adapter/sqsqueue"
)

// reluctant takes at most so many entries of a request, none at all while it is busy, and refuses some.
type reluctant struct {
	sqsqueue.Client // nil: other calls are not expected

	mu      sync.Mutex
	most    int
	busy    int
	refuse  map[string]types.BatchResultErrorEntry // by body or receipt
	fail    error                                  // the next request fails
	sizes   []int                                  // entries of each request
	bytes   []int                                  // of each request
	sent    map[string]types.SendMessageBatchRequestEntry
	times   map[string]int // how often each was accepted
	deleted []string
	polls   []sqs.ReceiveMessageInput
}

// judge says which of the entries fail.
func (r *reluctant) judge(names, ids []string) (failed []types.BatchResultErrorEntry, taken []int) {
	n := r.most
	if r.busy > 0 {
		r.busy--
		n = 0
	}
	for i, name := range names {
		f, refused := r.refuse[name]
		switch {
		case refused:
			f.Id = &ids[i]
			failed = append(failed, f)
		case len(taken) == n:
			failed = append(failed, types.BatchResultErrorEntry{Id: &ids[i], Code: aws.String("ServiceUnavailable")})
		default:
			taken = append(taken, i)
		}
	}
	return failed, taken
}

func (r *reluctant) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var bodies, ids []string
	size := 0
	for _, e := range in.Entries {
		bodies, ids = append(bodies, *e.MessageBody), append(ids, *e.Id)
		size += len(*e.MessageBody)
	}
	r.sizes, r.bytes = append(r.sizes, len(bodies)), append(r.bytes, size)
	if err := r.fail; err != nil {
		r.fail = nil
		return nil, err
	}
	failed, taken := r.judge(bodies, ids)
	for _, i := range taken {
		r.sent[bodies[i]] = in.Entries[i]
		r.times[bodies[i]]++
	}
	return &sqs.SendMessageBatchOutput{Failed: failed}, nil
}

func (r *reluctant) DeleteMessageBatch(_ context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var receipts, ids []string
	for _, e := range in.Entries {
		receipts, ids = append(receipts, *e.ReceiptHandle), append(ids, *e.Id)
	}
	r.sizes = append(r.sizes, len(receipts))
	failed, taken := r.judge(receipts, ids)
	for _, i := range taken {
		r.deleted = append(r.deleted, receipts[i])
	}
	return &sqs.DeleteMessageBatchOutput{Failed: failed}, nil
}

func (r *reluctant) ReceiveMessage(_ context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	r.polls = append(r.polls, *in)
	return &sqs.ReceiveMessageOutput{}, nil
}

// withFake gives a queue over the fake and the waits between its tries.
func withFake(t *testing.T, r *reluctant) (*sqsqueue.Queue, func() []time.Duration) {
	t.Helper()
	r.sent, r.times = map[string]types.SendMessageBatchRequestEntry{}, map[string]int{}
	if r.most == 0 {
		r.most = 10
	}
	var mu sync.Mutex
	var waits []time.Duration
	q, err := sqsqueue.New(sqsqueue.Config{
		Client: r, URLs: map[queue.Name]string{queue.Advance: "http://q"}, Rand: func() float64 { return 1 },
		Sleep: func(_ context.Context, d time.Duration) error {
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, d)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return q, func() []time.Duration { return waits }
}

func TestRequestsKeepToTheLimits(t *testing.T) {
	r := &reluctant{}
	q, _ := withFake(t, r)
	var msgs []queue.Message
	for i := range 47 {
		msgs = append(msgs, queue.Message{Body: fmt.Append(nil, i, strings.Repeat(" x", i*i*20))})
	}
	msgs = append(msgs, queue.Message{Body: []byte(strings.Repeat("y", queue.MaxBody))})
	if err := q.Send(t.Context(), queue.Advance, msgs); err != nil {
		t.Fatal(err)
	}
	for i, n := range r.sizes {
		if n > queue.MaxBatch || r.bytes[i] > queue.MaxBody {
			t.Errorf("a request has %d entries of %d bytes", n, r.bytes[i])
		}
	}
	for _, m := range msgs {
		if r.times[string(m.Body)] != 1 {
			t.Errorf("%.10q was sent %d times", m.Body, r.times[string(m.Body)])
		}
	}
}

func TestEntries(t *testing.T) {
	r := &reluctant{}
	q, _ := withFake(t, r)
	long := strings.Repeat("é", queue.MaxGroup/2)
	for body, m := range map[string]queue.Message{
		"plain": {}, "half": {Delay: 1500 * time.Millisecond}, "one": {Delay: time.Millisecond}, "longest": {Delay: queue.MaxDelay},
		"group": {Group: "run#w.1"}, "odd": {Group: "with space"}, "long": {Group: long},
	} {
		m.Body = []byte(body)
		if err := q.Send(t.Context(), queue.Advance, []queue.Message{m}); err != nil {
			t.Fatal(err)
		}
	}
	for body, want := range map[string]int32{"plain": 0, "half": 2, "one": 1, "longest": 900} {
		if got := r.sent[body].DelaySeconds; got != want {
			t.Errorf("%s: delayed %d s, want %d", body, got, want)
		}
	}
	if g := r.sent["plain"].MessageGroupId; g != nil {
		t.Errorf("no group is sent as %q", *g)
	}
	if g := aws.ToString(r.sent["group"].MessageGroupId); g != "run#w.1" {
		t.Errorf("group %q", g)
	}
	for _, body := range []string{"odd", "long"} {
		g := aws.ToString(r.sent[body].MessageGroupId)
		if len(g) == 0 || len(g) > queue.MaxGroup || strings.ContainsFunc(g, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%s: group %q is refused by the service", body, g)
		}
	}
	if aws.ToString(r.sent["odd"].MessageGroupId) == aws.ToString(r.sent["long"].MessageGroupId) {
		t.Error("two groups became one")
	}
}

func TestSendAsksForTheRest(t *testing.T) {
	var msgs []queue.Message
	for i := range 25 {
		msgs = append(msgs, queue.Message{Body: fmt.Append(nil, i)})
	}
	refused := func(code string, fault bool) map[string]types.BatchResultErrorEntry {
		return map[string]types.BatchResultErrorEntry{"7": {Code: &code, SenderFault: fault}}
	}
	for _, c := range []struct {
		name string
		r    *reluctant
		code port.Code
		all  bool // all messages are there in the end
	}{
		{"all at once", &reluctant{}, 0, true},
		{"in parts", &reluctant{most: 3}, 0, true},
		{"busy for a while", &reluctant{busy: 5}, 0, true},
		{"busy for ever", &reluctant{busy: 1000}, port.CodeThrottled, false},
		{"one is throttled for ever", &reluctant{refuse: refused("RequestThrottled", true)}, port.CodeThrottled, false},
		{"one can never be sent", &reluctant{refuse: refused("InvalidMessageContents", true)}, port.CodeInvalid, false},
		{"one is refused", &reluctant{refuse: refused("AccessDenied", true)}, port.CodeInternal, false},
		{"the service does not know why", &reluctant{refuse: refused("Strange", false)}, port.CodeThrottled, false},
		{"a request fails", &reluctant{fail: &types.RequestThrottled{}}, port.CodeThrottled, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, waits := withFake(t, c.r)
			err := q.Send(t.Context(), queue.Advance, msgs)
			if port.CodeOf(err) != c.code {
				t.Fatalf("error %v, want code %s", err, c.code)
			}
			for _, w := range waits() {
				if w > 800*time.Millisecond {
					t.Errorf("waits %v exceed 800ms", waits())
				}
			}
			for body, n := range c.r.times {
				if n > 1 {
					t.Errorf("%q was sent %d times though it had been taken", body, n)
				}
			}
			if c.all && len(c.r.times) != len(msgs) {
				t.Errorf("%d of %d messages were sent", len(c.r.times), len(msgs))
			}
		})
	}
}

func TestDeleteIgnoresWhatIsGone(t *testing.T) {
	var receipts []string
	for i := range 23 {
		receipts = append(receipts, fmt.Sprint(i))
	}
	entry := func(code string) types.BatchResultErrorEntry {
		return types.BatchResultErrorEntry{Code: &code, SenderFault: true}
	}
	r := &reluctant{most: 4, refuse: map[string]types.BatchResultErrorEntry{"3": entry("ReceiptHandleIsInvalid"), "14": entry("com.amazonaws.sqs#ReceiptHandleIsInvalid")}}
	q, _ := withFake(t, r)
	if err := q.Delete(t.Context(), queue.Advance, receipts); err != nil {
		t.Fatal(err)
	}
	if len(r.deleted) != 21 || slices.Contains(r.deleted, "3") || slices.Contains(r.deleted, "14") {
		t.Errorf("deleted %v", r.deleted)
	}
	r = &reluctant{refuse: map[string]types.BatchResultErrorEntry{"3": entry("AccessDenied")}}
	q, _ = withFake(t, r)
	if err := q.Delete(t.Context(), queue.Advance, receipts); port.CodeOf(err) != port.CodeInternal {
		t.Errorf("error %v, want code internal", err)
	}
}

// TestPollsEndBeforeTheCaller: what the service gives to somebody who has hung up is hidden for the visibility time-out.
func TestPollsEndBeforeTheCaller(t *testing.T) {
	for _, c := range []struct {
		left time.Duration // until the caller's deadline; 0 is none
		want int32
	}{{0, 20}, {time.Hour, 20}, {10*time.Second + 400*time.Millisecond, 9}, {900 * time.Millisecond, 0}} {
		r := &reluctant{}
		q, _ := withFake(t, r)
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if c.left > 0 {
			ctx, cancel = context.WithTimeout(ctx, c.left)
		}
		if _, err := q.Receive(ctx, queue.Advance, 100, 90*time.Second); err != nil {
			t.Fatal(err)
		}
		cancel()
		in := r.polls[0]
		if in.WaitTimeSeconds != c.want || in.MaxNumberOfMessages != 10 || in.VisibilityTimeout != 90 {
			t.Errorf("with %s left: waits %d s for %d messages hidden for %d s, want %d, 10 and 90",
				c.left, in.WaitTimeSeconds, in.MaxNumberOfMessages, in.VisibilityTimeout, c.want)
		}
	}
}

func TestConfig(t *testing.T) {
	good := func() sqsqueue.Config {
		return sqsqueue.Config{
			Client: &reluctant{}, URLs: map[queue.Name]string{queue.Advance: "u"}, Rand: func() float64 { return 0 },
			Sleep: func(context.Context, time.Duration) error { return nil },
		}
	}
	if _, err := sqsqueue.New(good()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*sqsqueue.Config){
		"Client": func(c *sqsqueue.Config) { c.Client = nil },
		"URLs":   func(c *sqsqueue.Config) { c.URLs = nil },
		"empty":  func(c *sqsqueue.Config) { c.URLs[queue.Advance] = "" },
		"Sleep":  func(c *sqsqueue.Config) { c.Sleep = nil },
		"Rand":   func(c *sqsqueue.Config) { c.Rand = nil },
		"Wait":   func(c *sqsqueue.Config) { c.Wait = sqsqueue.MaxWait + 1 },
	} {
		c := good()
		change(&c)
		if _, err := sqsqueue.New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	q, err := sqsqueue.New(good())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Dead(t.Context(), queue.Advance, 1); port.CodeOf(err) != port.CodeInternal || errors.Unwrap(err) == nil {
		t.Errorf("dead letters without a URL: %v", err)
	}
}
