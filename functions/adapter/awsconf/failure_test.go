package awsconf_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
)

func TestPortCode(t *testing.T) {
	status := func(code int, err error) error {
		return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: code}}, Err: err}
	}
	api := func(code string) error { return &smithy.GenericAPIError{Code: code} }
	byName := func(name string) port.Code {
		return map[string]port.Code{"Busy": port.CodeThrottled, "Wrong": port.CodeInvalid}[name]
	}
	for _, c := range []struct {
		err  error
		want port.Code
	}{
		{api("Busy"), port.CodeThrottled},
		{api("com.amazonaws.sqs#Busy"), port.CodeThrottled},
		{status(400, api("Wrong")), port.CodeInvalid},
		{status(503, api("Busy")), port.CodeThrottled},
		{status(500, api("Other")), port.CodeUnknown},
		{status(503, errors.New("no JSON")), port.CodeUnknown},
		{status(403, api("AccessDenied")), port.CodeInternal},
		{api("Other"), port.CodeInternal},
		{&smithyhttp.RequestSendError{Err: io.EOF}, port.CodeUnknown},
		{&net.OpError{Op: "read", Err: errors.New("connection reset")}, port.CodeUnknown},
		{&smithy.DeserializationError{Err: io.ErrUnexpectedEOF}, port.CodeUnknown},
		{io.ErrUnexpectedEOF, port.CodeUnknown},
		{context.Canceled, port.CodeUnknown},
		{context.DeadlineExceeded, port.CodeUnknown},
		{ratelimit.QuotaExceededError{}, port.CodeThrottled},
		{errors.Join(&smithyhttp.RequestSendError{Err: io.EOF}, ratelimit.QuotaExceededError{}), port.CodeUnknown},
		{awsconf.ErrRest, port.CodeThrottled},
		{errors.New("anything"), port.CodeInternal},
	} {
		wrapped := &smithy.OperationError{ServiceID: "SQS", OperationName: "SendMessageBatch", Err: fmt.Errorf("wrapped: %w", c.err)}
		if got := awsconf.PortCode(wrapped, byName); got != c.want {
			t.Errorf("%T %v: %s, want %s", c.err, c.err, got, c.want)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		sizes       []int
		most, bytes int
		want        [][]int
	}{
		{nil, 3, 10, nil},
		{[]int{1, 1, 1, 1}, 3, 10, [][]int{{1, 1, 1}, {1}}},
		{[]int{5, 5, 1}, 3, 10, [][]int{{5, 5}, {1}}},
		{[]int{5, 6, 4, 1}, 3, 10, [][]int{{5}, {6, 4}, {1}}},
		{[]int{50, 1, 50}, 3, 10, [][]int{{50}, {1}, {50}}},
	} {
		got := awsconf.Split(c.sizes, c.most, c.bytes, func(n int) int { return n })
		if !slices.EqualFunc(got, c.want, slices.Equal) {
			t.Errorf("%v in parts of %d items and %d bytes: %v, want %v", c.sizes, c.most, c.bytes, got, c.want)
		}
	}
}

func TestRest(t *testing.T) {
	var waits []time.Duration
	w := awsconf.Waiter{Rand: func() float64 { return 1 }, Sleep: func(_ context.Context, d time.Duration) error {
		waits = append(waits, d/time.Millisecond)
		return nil
	}}
	var r awsconf.Rest
	var err error
	for err == nil {
		err = r.Wait(t.Context(), w, false)
	}
	if want := []time.Duration{25, 50, 100, 200, 400, 800, 800, 800}; !errors.Is(err, awsconf.ErrRest) || !slices.Equal(waits, want) {
		t.Errorf("waits of %d ms, then %v, want %d", waits, err, want)
	}
	if err := r.Wait(t.Context(), w, true); err != nil || waits[len(waits)-1] != 25 {
		t.Errorf("after progress: waits %d ms, error %v", waits, err)
	}
	down := errors.New("the caller gave up")
	w.Sleep = func(context.Context, time.Duration) error { return down }
	if err := r.Wait(t.Context(), w, false); !errors.Is(err, down) {
		t.Errorf("error %v", err)
	}
}

func TestEach(t *testing.T) {
	parts := make([]int, 100)
	for i := range parts {
		parts[i] = i
	}
	done := make(chan int, len(parts))
	if err := awsconf.Each(t.Context(), parts, func(_ context.Context, i int) error { done <- i; return nil }); err != nil || len(done) != 100 {
		t.Errorf("%d parts were done, error %v", len(done), err)
	}
	down := errors.New("down")
	done = make(chan int, len(parts))
	err := awsconf.Each(t.Context(), parts, func(ctx context.Context, i int) error {
		done <- i
		if i == 3 {
			return down
		}
		return ctx.Err()
	})
	if !errors.Is(err, down) {
		t.Errorf("error %v, want the first one", err)
	}
	if len(done) == len(parts) {
		t.Error("all parts were done after one had failed")
	}
}
