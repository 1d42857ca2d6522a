package snsbus

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
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
	fault    bool
	requests [][]types.PublishBatchRequestEntry
	taken    map[string]int // messages, by how often they were taken
}

func (r *reluctant) PublishBatch(_ context.Context, in *sns.PublishBatchInput, _ ...func(*sns.Options)) (*sns.PublishBatchOutput, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, in.PublishBatchRequestEntries)
	n := r.most
	if r.busy > 0 {
		r.busy--
		n = 0
	}
	out := &sns.PublishBatchOutput{}
	for _, e := range in.PublishBatchRequestEntries {
		switch {
		case r.word != "" && strings.Contains(*e.Message, r.word):
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: &r.code, SenderFault: r.fault})
		case n == 0:
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError")})
		default:
			n--
			r.taken[*e.Message]++
		}
	}
	return out, nil
}

func withFake(t *testing.T, r *reluctant, bundle bool) *Bus {
	t.Helper()
	r.taken = map[string]int{}
	if r.most == 0 {
		r.most = maxEntries
	}
	b, err := New(Config{
		Client: r, Topic: "arn", Bundle: bundle, Rand: func() float64 { return 1 }, Sleep: func(context.Context, time.Duration) error { return nil },
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
	var list [][]byte
	for i := range 500 {
		list = append(list, event(i, i%700))
	}
	for i := range 4 {
		list = append(list, event(5000+i, (60+40*i)<<10))
	}
	for _, bundle := range []bool{false, true} {
		r := &reluctant{}
		if err := withFake(t, r, bundle).Publish(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		messages := map[string]int{}
		for _, request := range r.requests {
			sum := 0
			for _, e := range request {
				sum += len(*e.Message)
				if e.Subject != nil || e.MessageAttributes != nil || e.MessageStructure != nil {
					t.Errorf("a message has more than its text: %+v", e)
				}
				if !bundle {
					messages[*e.Message]++
					continue
				}
				b, err := events.ParseBundle([]byte(*e.Message))
				if err != nil || len(*e.Message) > billedBytes && len(b.Events) > 1 {
					t.Errorf("a message of %d bytes holds %d events, error %v", len(*e.Message), len(b.Events), err)
				}
				for _, raw := range b.Events {
					messages[string(raw)]++
				}
			}
			if len(request) > 10 || sum > 256<<10 {
				t.Errorf("a request has %d entries of %d bytes", len(request), sum)
			}
		}
		for _, e := range list {
			if messages[string(e)] != 1 {
				t.Fatalf("bundles %v: %.20s was published %d times", bundle, e, messages[string(e)])
			}
		}
	}
}

func TestPublishAsksForTheRest(t *testing.T) {
	var list [][]byte
	for i := range 30 {
		list = append(list, event(i, 10))
	}
	for _, c := range []struct {
		name string
		r    *reluctant
		code port.Code
	}{
		{"all at once", &reluctant{}, 0},
		{"in parts", &reluctant{most: 3}, 0},
		{"busy for a while", &reluctant{busy: 5}, 0},
		{"busy for ever", &reluctant{busy: 10000}, port.CodeThrottled},
		{"one is throttled for ever", &reluctant{word: `"n":7,`, code: "Throttled", fault: true}, port.CodeThrottled},
		{"one can never be published", &reluctant{word: `"n":7,`, code: "InvalidParameter", fault: true}, port.CodeInvalid},
		{"one is refused", &reluctant{word: `"n":7,`, code: "AuthorizationError", fault: true}, port.CodeInternal},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := withFake(t, c.r, false).Publish(t.Context(), list)
			if port.CodeOf(err) != c.code {
				t.Fatalf("error %v, want code %s", err, c.code)
			}
			for m, n := range c.r.taken {
				if n > 1 {
					t.Errorf("%s was published %d times though it had been taken", m, n)
				}
			}
			if c.code == 0 && len(c.r.taken) != len(list) {
				t.Errorf("%d of %d events were published", len(c.r.taken), len(list))
			}
		})
	}
}

func TestTranslate(t *testing.T) {
	b := withFake(t, &reluctant{}, false)
	for _, c := range []struct {
		err  error
		want port.Code
	}{
		{&types.ThrottledException{}, port.CodeThrottled},
		{&types.KMSThrottlingException{}, port.CodeThrottled},
		{&types.InvalidParameterException{}, port.CodeInvalid},
		{&types.InvalidParameterValueException{}, port.CodeInvalid},
		{&types.BatchRequestTooLongException{}, port.CodeInvalid},
		{&types.InternalErrorException{}, port.CodeUnknown},
		{&smithyhttp.RequestSendError{Err: io.EOF}, port.CodeUnknown},
		{&types.NotFoundException{}, port.CodeInternal},
		{&types.AuthorizationErrorException{}, port.CodeInternal},
		{&smithy.GenericAPIError{Code: "EndpointDisabled"}, port.CodeInternal},
	} {
		if got := port.CodeOf(b.translate(fmt.Errorf("wrapped: %w", c.err))); got != c.want {
			t.Errorf("%T %v: %s, want %s", c.err, c.err, got, c.want)
		}
	}
}

func TestConfig(t *testing.T) {
	if _, err := New(Config{Client: &reluctant{}, Topic: "arn"}); err == nil {
		t.Error("no Sleep is no error")
	}
}
