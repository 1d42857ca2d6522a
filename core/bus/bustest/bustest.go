// Package bustest is the conformance suite of the Bus port. Every implementation runs it, and so does any endpoint that
// the environment names. An event may come twice and out of order.
package bustest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/bus"
	"github.com/downbeat/downbeat/core/port"
)

// Backend is what one test runs on.
type Backend struct {
	bus.Publisher
	// Next waits for what a subscriber gets and returns at least one event, as published but for white space and the order
	// of members, or the error of ctx. It may return events of other tests.
	Next func(ctx context.Context) ([][]byte, error)
}

// Run runs the suite, one test after the other. open gives a backend and, through t, closes it.
func Run(t *testing.T, open func(t *testing.T) Backend) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"events come whole", testWhole},
		{"many events of all sizes", testMany},
		{"nothing is published", testNothing},
		{"events that can never be published are refused", testInvalid},
		{"many publishers", testConcurrency},
		{"slices are not shared", testOwnership},
		{"a caller that gave up", testCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(&suite{T: t, Backend: open(t), ctx: t.Context(), test: fmt.Sprintf("%016x", rand.Uint64())})
		})
	}
}

type suite struct {
	*testing.T
	Backend
	ctx  context.Context
	test string // in all events
}

// patient is how long events may take.
const patient = 120 * time.Second

// event is one of this test; members is a piece of JSON that begins with a comma, or nothing.
func (s *suite) event(id, members string) []byte {
	return fmt.Appendf(nil, `{"type":"STEP_INSTANCE_STATUS_CHANGE_EVENT","test":%q,"id":%q%s}`, s.test, id, members)
}

func (s *suite) publish(events ...[]byte) {
	s.Helper()
	if err := s.Publish(s.ctx, events); err != nil {
		s.Fatal(err)
	}
}

// parse reads a document so that numbers keep their digits.
func parse(data []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var doc map[string]any
	return doc, dec.Decode(&doc)
}

// receive waits until all that are wanted have come, unchanged. Any other event of this test is an error.
func (s *suite) receive(want ...[]byte) {
	s.Helper()
	docs := map[string]map[string]any{}
	missing := map[string]bool{}
	for _, w := range want {
		doc, err := parse(w)
		if err != nil {
			s.Fatal(err)
		}
		id := doc["id"].(string)
		docs[id], missing[id] = doc, true
	}
	ctx, cancel := context.WithTimeout(s.ctx, patient)
	defer cancel()
	for len(missing) > 0 {
		got, err := s.Next(ctx)
		if err != nil {
			s.Fatalf("%d of %d events did not come: %v", len(missing), len(want), err)
		}
		for _, e := range got {
			doc, err := parse(e)
			if err != nil {
				s.Fatalf("received %.200q: %v", e, err)
			}
			if doc["test"] != s.test {
				continue
			}
			id, _ := doc["id"].(string)
			if docs[id] == nil {
				s.Fatalf("received %.200q, which was not published", e)
			}
			if !reflect.DeepEqual(doc, docs[id]) {
				s.Fatalf("received %.200q, published was %.200v", e, docs[id])
			}
			delete(missing, id)
		}
	}
}

func (s *suite) wantCode(err error, want port.Code) {
	s.Helper()
	var pe *port.Error
	if !errors.As(err, &pe) {
		s.Fatalf("error %v is not the port's, want code %s", err, want)
	}
	if pe.Code != want {
		s.Fatalf("error %v has code %s, want %s", err, pe.Code, want)
	}
}

func testWhole(s *suite) {
	events := [][]byte{
		s.event("plain", ""),
		s.event("times", `,"event_time":1700000000123,"records":[{"old_status":"NOT_CREATED","new_status":"CREATED","event_time":1}]`),
		s.event("text", `,"a":"\"quotes\" & <tags> \\ \n\t","b":"grüße, 你好, 🙂","c":"\u2028"`),
		s.event("values", `,"n":null,"t":true,"f":[],"o":{},"d":[1,[2,[3]]]`),
		append([]byte(" \n"), s.event("white space", ` , "a" : [ 1 , 2 ]
`)...),
		s.event("large", `,"a":"`+strings.Repeat("é", 50<<10)+`"`),
	}
	s.publish(events...)
	s.receive(events...)
}

func testMany(s *suite) {
	var events [][]byte
	for i := range 150 {
		events = append(events, s.event(fmt.Sprint("small ", i), ""))
	}
	for i := range 30 { // more than a request takes
		events = append(events, s.event(fmt.Sprint("large ", i), `,"a":"`+strings.Repeat("x", 20<<10)+`"`))
	}
	for i := range 3 {
		events = append(events, s.event(fmt.Sprint("very large ", i), `,"a":"`+strings.Repeat("x", 180<<10)+`"`))
	}
	s.publish(events...)
	s.receive(events...)
}

func testNothing(s *suite) {
	s.publish()
	after := s.event("after", "")
	s.publish(after)
	s.receive(after)
}

func testInvalid(s *suite) {
	for name, e := range map[string][]byte{
		"empty": {}, "no JSON": []byte("rubbish"), "half": []byte(`{"a":`), "two": []byte(`{}{}`), "array": []byte(`[{}]`), "null": []byte("null"),
		"text": []byte(`"x"`), "too long": s.event("x", `,"a":"`+strings.Repeat("x", bus.MaxEvent)+`"`),
	} {
		err := s.Publish(s.ctx, [][]byte{s.event("beside "+name, ""), e})
		if port.CodeOf(err) != port.CodeInvalid {
			s.Errorf("%s: error %v, want code invalid", name, err)
		}
	}
	// None of those beside them was published: receive would complain.
	after := s.event("after", "")
	s.publish(after)
	s.receive(after)
}

func testConcurrency(s *suite) {
	const publishers, each = 4, 10
	var all [][]byte
	var wg sync.WaitGroup
	for i := range publishers {
		var events [][]byte
		for j := range each {
			events = append(events, s.event(fmt.Sprint(i, " ", j), ""))
		}
		all = append(all, events...)
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := s.Publish(s.ctx, events); err != nil {
				s.Error(err)
			}
		}()
	}
	wg.Wait()
	s.receive(all...)
}

func testOwnership(s *suite) {
	event := s.event("unchanged", "")
	published := bytes.Clone(event)
	s.publish(published)
	clear(published)
	s.receive(event)
}

func testCancelled(s *suite) {
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	s.wantCode(s.Publish(ctx, [][]byte{s.event("x", "")}), port.CodeUnknown)
}
