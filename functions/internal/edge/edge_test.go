package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/events"
	"github.com/downbeat/downbeat/functions/emf"
	"github.com/downbeat/downbeat/functions/env"
)

// outbox is a queue that keeps what it was given.
type outbox struct {
	sent     []queue.Message
	released []string // receipts
	err      error
}

func (o *outbox) Release(_ context.Context, _ queue.Name, receipt string, d time.Duration) error {
	if d != unreadableDelay {
		return fmt.Errorf("released for %s", d)
	}
	o.released = append(o.released, receipt)
	return o.err
}

func (o *outbox) Send(_ context.Context, _ queue.Name, msgs []queue.Message) error {
	o.sent = append(o.sent, msgs...)
	return o.err
}

func testEdge(logs, metrics io.Writer) Edge {
	l := NewLogs(logs, "DEBUG", "test")
	return Edge{Log: slog.New(l), Logs: l, Metrics: emf.New(metrics, "downbeat", "test", func() time.Time { return time.UnixMilli(0) })}
}

func sqsEvent(bodies ...string) lambdaevents.SQSEvent {
	var e lambdaevents.SQSEvent
	for i, b := range bodies {
		e.Records = append(e.Records, lambdaevents.SQSMessage{
			MessageId: fmt.Sprint("m", i), ReceiptHandle: fmt.Sprint("h", i), Body: b, Attributes: map[string]string{"ApproximateReceiveCount": "2", "MessageGroupId": "g"},
		})
	}
	return e
}

func failures(r lambdaevents.SQSEventResponse) string {
	var ids []string
	for _, f := range r.BatchItemFailures {
		ids = append(ids, f.ItemIdentifier)
	}
	return strings.Join(ids, " ")
}

func TestQueueFates(t *testing.T) {
	run := func(i int) string {
		return string(events.Poke{Kind: events.PokeRun, Workflow: "w", Instance: int64(i), Run: 1}.Encode())
	}
	const rule = `{"v":1,"mapping":{"name":"a","workflow":"w","version":"active","user":"u"},"event":{"id":"e"}}`
	for name, c := range map[string]struct {
		queue   queue.Name
		bodies  []string
		again   []int // which of the handled messages must come again
		sendErr error
		handled int
		failed  string
		back    int
		soon    string // receipts of those that come again soon
	}{
		"handled":                        {queue: queue.Advance, bodies: []string{run(1), run(2)}, handled: 2},
		"some come again":                {queue: queue.Advance, bodies: []string{run(1), run(2), run(3)}, again: []int{1}, handled: 3, failed: "m1"},
		"equal pokes are handled once":   {queue: queue.Advance, bodies: []string{run(1), run(1), run(2)}, handled: 2},
		"and share their fate":           {queue: queue.Advance, bodies: []string{run(1), run(2), run(1)}, again: []int{0}, handled: 2, failed: "m0 m2"},
		"unreadable that stays late":     {queue: queue.Execute, bodies: []string{"rubbish"}, sendErr: errors.New("down"), failed: "m0", soon: "h0"},
		"unreadable stays":               {queue: queue.Execute, bodies: []string{"rubbish", `{"v":1,"op":"start"}`}, failed: "m0 m1", soon: "h0 h1"},
		"unknown kind is passed on":      {queue: queue.Advance, bodies: []string{`{"v":1,"kind":"dance"}`}, handled: 1},
		"newer is put back":              {queue: queue.Complete, bodies: []string{`{"v":99}`}, back: 1},
		"newer that cannot be put back":  {queue: queue.Complete, bodies: []string{`{"v":99}`}, sendErr: errors.New("down"), failed: "m0", back: 1},
		"completions go in one call":     {queue: queue.Complete, bodies: []string{completion("a"), completion("b"), completion("a")}, again: []int{0}, handled: 2, failed: "m0 m2"},
		"work goes in one call":          {queue: queue.Execute, bodies: []string{work("a"), work("b"), work("a")}, again: []int{1}, handled: 2, failed: "m1"},
		"event of a rule":                {queue: queue.Trigger, bodies: []string{rule, rule}, handled: 1},
		"event of newer code's rule":     {queue: queue.Trigger, bodies: []string{`{"v":2,"mapping":{},"event":{}}`}, back: 1},
		"event without id":               {queue: queue.Trigger, bodies: []string{strings.Replace(rule, `"id":"e"`, "", 1)}, failed: "m0", soon: "h0"},
		"nothing":                        {queue: queue.Advance},
		"one bad message harms no other": {queue: queue.Advance, bodies: []string{"rubbish", run(1)}, handled: 1, failed: "m0", soon: "h0"},
	} {
		t.Run(name, func(t *testing.T) {
			var logs bytes.Buffer
			box := &outbox{err: c.sendErr}
			var mu sync.Mutex
			var handled []queue.Delivery
			calls := 0
			q := &Queue{Edge: testEdge(&logs, io.Discard), Name: c.queue, Messages: box}
			q.Batch = func(ctx context.Context, name queue.Name, batch []queue.Delivery) (again []string) {
				mu.Lock()
				defer mu.Unlock()
				calls++
				handled = append(handled, batch...)
				for _, d := range batch {
					if name != c.queue || d.Receives != 2 {
						t.Errorf("handed %s %+v", name, d)
					}
					for _, i := range c.again {
						if d.Receipt == fmt.Sprint("m", i) {
							again = append(again, d.Receipt)
						}
					}
				}
				return again
			}
			r, err := q.Handle(context.Background(), sqsEvent(c.bodies...))
			if err != nil {
				t.Fatal(err)
			}
			if len(handled) != c.handled || failures(r) != c.failed || len(box.sent) != c.back {
				t.Errorf("handled %d, failed %q, put back %d; want %d, %q, %d", len(handled), failures(r), len(box.sent), c.handled, c.failed, c.back)
			}
			if got := strings.Join(box.released, " "); got != c.soon {
				t.Errorf("%q come again soon, want %q", got, c.soon)
			}
			for _, m := range box.sent {
				if m.Delay != laterDelay || m.Group != "g" {
					t.Errorf("put back as %+v", m)
				}
			}
			if (c.queue == queue.Complete || c.queue == queue.Execute) && c.handled > 0 && calls != 1 {
				t.Errorf("%d calls", calls)
			}
			if c.queue == queue.Trigger {
				for _, d := range handled {
					if s, err := events.ParseStart(d.Body); err != nil || s.Workflow != "w" {
						t.Errorf("handed %s: %v", d.Body, err)
					}
				}
			}
			if data, err := json.Marshal(r); err != nil || !strings.HasPrefix(string(data), `{"batchItemFailures":[`) {
				t.Errorf("%s: a null list would fail the whole batch", data)
			}
			if unread := strings.Contains(logs.String(), "cannot be read"); unread != strings.Contains(strings.Join(c.bodies, ""), "rubbish") && !strings.Contains(name, "id") {
				t.Errorf("log: %s", logs.String())
			}
		})
	}
}

func work(uuid string) string {
	return string(events.Work{Op: events.WorkStart, Workflow: "w", Instance: 1, Run: 1, Step: "s", Attempt: 1, UUID: uuid}.Encode())
}

func completion(uuid string) string {
	body, err := events.Completion{UUID: uuid, Workflow: "w", Instance: 1, Run: 1, Result: json.RawMessage(`{}`)}.Encode()
	if err != nil {
		panic(err)
	}
	return string(body)
}

func TestWorkEndsBeforeTheDeadline(t *testing.T) {
	for _, c := range []struct{ timeout, reserve time.Duration }{
		{60 * time.Second, 2 * time.Second}, {8 * time.Second, 2 * time.Second}, {4 * time.Second, time.Second},
	} {
		if got := reserve(c.timeout); got != c.reserve {
			t.Errorf("of %s, %s are kept, want %s", c.timeout, got, c.reserve)
		}
	}
	outer := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(context.Background(), outer)
	defer cancel()
	q := &Queue{Edge: testEdge(io.Discard, io.Discard), Name: queue.Advance}
	q.Batch = func(ctx context.Context, _ queue.Name, _ []queue.Delivery) []string {
		if inner, ok := ctx.Deadline(); !ok || outer.Sub(inner) != 2*time.Second {
			t.Errorf("the application has until %v, the function until %v", inner, outer)
		}
		return nil
	}
	if _, err := q.Handle(ctx, sqsEvent(string(events.Poke{Kind: events.PokeLane, Workflow: "w"}.Encode()))); err != nil {
		t.Fatal(err)
	}
}

func TestLinesAreCorrelated(t *testing.T) {
	var logs, metrics bytes.Buffer
	e := testEdge(&logs, &metrics)
	q := &Queue{Edge: e, Name: queue.Advance}
	q.Batch = func(ctx context.Context, _ queue.Name, _ []queue.Delivery) []string {
		e.Log.WarnContext(ctx, "with context")
		e.Log.With("k", 1).Warn("without")
		e.Metrics.Count("Decisions", 1)
		return nil
	}
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: "req-1"})
	if _, err := q.Handle(ctx, sqsEvent(string(events.Poke{Kind: events.PokeLane, Workflow: "w"}.Encode()))); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(logs.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%q", lines)
	}
	for i, want := range [][]string{
		{`"function":"test"`, `"request_id":"req-1"`, `"message_id":"m0"`}, {`"function":"test"`, `"request_id":"req-1"`, `"k":1`},
	} {
		for _, w := range want {
			if !strings.Contains(lines[i], w) {
				t.Errorf("%s lacks %s", lines[i], w)
			}
		}
	}
	if !strings.Contains(metrics.String(), `"Decisions":1`) {
		t.Errorf("metrics are not written at the end of the invocation: %q", metrics.String())
	}
}

func TestSweepMinute(t *testing.T) {
	var got []int64
	var fail error
	s := &Sweep{Edge: testEdge(io.Discard, io.Discard), Run: func(_ context.Context, minute int64) error {
		got = append(got, minute)
		return fail
	}}
	at := time.Date(2026, 3, 1, 10, 20, 59, 999, time.UTC)
	if err := s.Handle(context.Background(), lambdaevents.EventBridgeEvent{Time: at}); err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 3, 1, 10, 20, 0, 0, time.UTC).UnixMilli(); !slices.Equal(got, []int64{want}) {
		t.Errorf("swept %v, want %d", got, want)
	}
	fail = errors.New("down")
	if err := s.Handle(context.Background(), lambdaevents.EventBridgeEvent{Time: at}); !errors.Is(err, fail) {
		t.Errorf("Lambda must invoke again: %v", err)
	}
}

func TestCaller(t *testing.T) {
	iam := &lambdaevents.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		IAM: &lambdaevents.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: "arn:aws:iam::1:user/ana"},
	}
	jwt := &lambdaevents.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		JWT: &lambdaevents.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: map[string]string{"email": "ana@example"}},
	}
	for name, c := range map[string]struct {
		user, header string
		auth         *lambdaevents.APIGatewayV2HTTPRequestContextAuthorizerDescription
		want         string
	}{
		"the header, where configured":     {user: "header", header: "bo", want: "bo"},
		"no header, where configured":      {user: "header", want: ""},
		"iam over a header":                {user: "iam", header: "root", auth: iam, want: "arn:aws:iam::1:user/ana"},
		"iam without a signer":             {user: "iam", header: "root", want: ""},
		"jwt over a header":                {user: "jwt:email", header: "root", auth: jwt, want: "ana@example"},
		"jwt without the claim":            {user: "jwt:name", header: "root", auth: jwt, want: ""},
		"a token is no signature":          {user: "iam", header: "root", auth: jwt, want: ""},
		"and a signature is no such token": {user: "jwt:email", header: "root", auth: iam, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			h := NewHTTP(testEdge(io.Discard, io.Discard), c.user, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Header.Values("user")
				w.WriteHeader(http.StatusTeapot)
			}))
			for _, spelling := range []string{"user", "User"} {
				request := lambdaevents.APIGatewayV2HTTPRequest{RawPath: "/api/v3/x", Headers: map[string]string{"host": "h"}}
				request.RequestContext.HTTP.Method = http.MethodGet
				request.RequestContext.Authorizer = c.auth
				if c.header != "" {
					request.Headers[spelling] = c.header
				}
				response, err := h.Handle(context.Background(), request)
				if err != nil || response.StatusCode != http.StatusTeapot {
					t.Fatal(response.StatusCode, err)
				}
				if strings.Join(got, ",") != c.want {
					t.Errorf("caller %q, want %q", got, c.want)
				}
			}
		})
	}
}

func TestSilentHandlerAnswers200(t *testing.T) {
	h := NewHTTP(testEdge(io.Discard, io.Discard), "header", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
	}))
	request := lambdaevents.APIGatewayV2HTTPRequest{RawPath: "/api/v3/x"}
	request.RequestContext.HTTP.Method = http.MethodHead
	response, err := h.Handle(context.Background(), request)
	if err != nil || response.StatusCode != http.StatusOK || response.Headers["Content-Type"] != "application/json" {
		t.Errorf("%+v, %v", response, err)
	}
}

// TestPathsArriveAsWritten: the HTTP API decodes paths; the REST API sees them as they were sent.
func TestPathsArriveAsWritten(t *testing.T) {
	for raw, want := range map[string]string{
		"/api/v3/signals/a.b-c_~1":   "/api/v3/signals/a.b-c_~1",
		"/api/v3/signals/x #1?é[2]":  "/api/v3/signals/x%20%231%3F%C3%A9%5B2%5D",
		"/api/v3/signals/50%25 %zz%": "/api/v3/signals/50%25%20%25zz%25",
	} {
		got := ""
		h := NewHTTP(testEdge(io.Discard, io.Discard), env.UserHeader, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.URL.EscapedPath() }))
		request := lambdaevents.APIGatewayV2HTTPRequest{RawPath: raw, RawQueryString: "a=b%20c"}
		request.RequestContext.HTTP.Method = http.MethodGet
		if response, err := h.Handle(context.Background(), request); err != nil || response.StatusCode != http.StatusOK || got != want {
			t.Errorf("%s: %d %v: %s, want %s", raw, response.StatusCode, err, got, want)
		}
	}
}
