package eventbridgebus

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/events"
)

// reluctant takes at most so many entries of a request, none at all while it is busy, and refuses those that hold a word.
type reluctant struct {
	mu       sync.Mutex
	most     int
	busy     int
	word     string
	code     string
	requests [][]types.PutEventsRequestEntry
	taken    map[string]int // events, by how often they were taken
}

func (r *reluctant) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, in.Entries)
	n := r.most
	if r.busy > 0 {
		r.busy--
		n = 0
	}
	out := &eventbridge.PutEventsOutput{}
	for _, e := range in.Entries {
		code := ""
		switch {
		case r.word != "" && strings.Contains(*e.Detail, r.word):
			code = r.code
		case n == 0:
			code = "ThrottlingException"
		default:
			n--
		}
		if code != "" {
			out.FailedEntryCount++
			out.Entries = append(out.Entries, types.PutEventsResultEntry{ErrorCode: &code})
			continue
		}
		out.Entries = append(out.Entries, types.PutEventsResultEntry{EventId: aws.String("id")})
		b, err := events.ParseBundle([]byte(*e.Detail))
		if err != nil {
			return nil, err
		}
		for _, raw := range b.Events {
			r.taken[string(raw)]++
		}
	}
	return out, nil
}

func withFake(t *testing.T, r *reluctant) *Bus {
	t.Helper()
	r.taken = map[string]int{}
	if r.most == 0 {
		r.most = maxEntries
	}
	b, err := New(Config{
		Client: r, Bus: "b", Rand: func() float64 { return 1 }, Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func event(i, size int) []byte {
	return fmt.Appendf(nil, `{"n":%d,"x":"%s"}`, i, strings.Repeat("x", size))
}

func TestRequestsKeepToTheLimits(t *testing.T) {
	r := &reluctant{}
	b := withFake(t, r)
	var list [][]byte
	for i := range 3000 {
		list = append(list, event(i, i%700))
	}
	for i := range 4 {
		list = append(list, event(5000+i, (60+40*i)<<10))
	}
	if err := b.Publish(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	entries, bytes := 0, 0
	for _, request := range r.requests {
		sum := 0
		for _, e := range request {
			// What counts of an entry, as AWS tells to compute it.
			size := len(*e.Source) + len(*e.DetailType) + len(*e.Detail)
			sum += size
			if bundle, err := events.ParseBundle([]byte(*e.Detail)); err != nil || size > billedBytes && len(bundle.Events) > 1 {
				t.Errorf("an entry of %d bytes holds %d events, error %v", size, len(bundle.Events), err)
			}
			if *e.EventBusName != "b" {
				t.Errorf("an entry is for bus %q", *e.EventBusName)
			}
		}
		entries, bytes = entries+len(request), bytes+sum
		if len(request) > 10 || sum > 256<<10 {
			t.Errorf("a request has %d entries of %d bytes", len(request), sum)
		}
	}
	for _, e := range list {
		if r.taken[string(e)] != 1 {
			t.Fatalf("%.20s was published %d times", e, r.taken[string(e)])
		}
	}
	if billed := bytes/billedBytes + 10; entries > billed {
		t.Errorf("%d entries for %d bytes: they are not packed", entries, bytes)
	}
}

func TestPublishAsksForTheRest(t *testing.T) {
	var list [][]byte
	for i := range 30 {
		list = append(list, event(i, 30<<10))
	}
	for _, c := range []struct {
		name string
		r    *reluctant
		code port.Code
	}{
		{"all at once", &reluctant{}, 0},
		{"in parts", &reluctant{most: 1}, 0},
		{"busy for a while", &reluctant{busy: 5}, 0},
		{"busy for ever", &reluctant{busy: 10000}, port.CodeThrottled},
		{"one fails for ever", &reluctant{word: `"n":7,`, code: "InternalFailure"}, port.CodeThrottled},
		{"one can never be published", &reluctant{word: `"n":7,`, code: "MalformedDetail"}, port.CodeInvalid},
		{"one is refused", &reluctant{word: `"n":7,`, code: "NotAuthorizedForSourceException"}, port.CodeInternal},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := withFake(t, c.r).Publish(t.Context(), list)
			if port.CodeOf(err) != c.code {
				t.Fatalf("error %v, want code %s", err, c.code)
			}
			for e, n := range c.r.taken {
				if n > 1 {
					t.Errorf("%.20s was published %d times though it had been taken", e, n)
				}
			}
			if c.code == 0 && len(c.r.taken) != len(list) {
				t.Errorf("%d of %d events were published", len(c.r.taken), len(list))
			}
		})
	}
}

func TestTranslate(t *testing.T) {
	b := withFake(t, &reluctant{})
	for _, c := range []struct {
		err  error
		want port.Code
	}{
		{&types.ThrottlingException{}, port.CodeThrottled},
		{&types.LimitExceededException{}, port.CodeThrottled},
		{&smithy.GenericAPIError{Code: "ValidationException"}, port.CodeInvalid},
		{&smithy.GenericAPIError{Code: "MalformedDetail"}, port.CodeInvalid},
		{&types.InternalException{}, port.CodeUnknown},
		{&smithy.GenericAPIError{Code: "InternalFailure"}, port.CodeUnknown},
		{&smithyhttp.RequestSendError{Err: io.EOF}, port.CodeUnknown},
		{&types.ResourceNotFoundException{}, port.CodeInternal},
		{&types.AccessDeniedException{}, port.CodeInternal},
		{&smithy.GenericAPIError{Code: "NotAuthorizedForDetailTypeException"}, port.CodeInternal},
	} {
		if got := port.CodeOf(b.translate(fmt.Errorf("wrapped: %w", c.err))); got != c.want {
			t.Errorf("%T %v: %s, want %s", c.err, c.err, got, c.want)
		}
	}
}

func TestConfig(t *testing.T) {
	if _, err := New(Config{Client: &reluctant{}, Bus: "b"}); err == nil {
		t.Error("no Sleep is no error")
	}
}
