// Package queuetest is the conformance suite of the Queue port. Every implementation runs it, and so does any endpoint
// that the environment names. It asks for what SQS standard queues promise: a message may come twice and out of order.
package queuetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/core/queue"
)

// Backend is what one test runs on.
type Backend struct {
	queue.Sender
	queue.Receiver
	// Name is a queue that nobody else uses at the time; whatever is in it is deleted. After queue.MaxReceives receives its messages
	// go to its dead-letter queue.
	Name queue.Name
}

// Config says how the suite runs.
type Config struct {
	// Open gives a backend and, through t, closes it.
	Open func(t *testing.T) Backend
	// Virtual runs each test in a bubble of testing/synctest, where time stands still until everybody waits: for
	// implementations in this process, which must then take their time from package time.
	Virtual bool
	// Shared says that all backends are of one queue: the tests then run one after the other.
	Shared bool
}

// Run runs the suite.
func Run(t *testing.T, cfg Config) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"messages come whole", testWhole},
		{"batches beyond the limits of a request", testBatches},
		{"messages that can never be sent are refused", testInvalid},
		{"requests that can never succeed are refused", testInvalidReceive},
		{"a delayed message is not early", testDelay},
		{"the longest delay is taken", testLongestDelay},
		{"a received message is hidden for a while", testHidden},
		{"what is not deleted comes again", testRedelivery},
		{"what is deleted does not", testDelete},
		{"receipts of messages that are gone are ignored", testGone},
		{"released messages come early", testRelease},
		{"a message that always fails is a dead letter", testDead},
		{"dead letters come back when redriven", testRedrive},
		{"groups are no filter", testGroups},
		{"a queue that is unknown", testUnknownQueue},
		{"a caller that gave up", testCancelled},
		{"many senders and receivers", testConcurrency},
		{"slices are not shared", testOwnership},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := func(t *testing.T) {
				b := cfg.Open(t)
				s := &suite{T: t, Backend: b, ctx: t.Context(), prefix: fmt.Sprintf("t%016x ", rand.Uint64())}
				c.test(s)
			}
			if cfg.Virtual {
				synctest.Test(t, run)
				return
			}
			if !cfg.Shared {
				t.Parallel()
			}
			run(t)
		})
	}
}

type suite struct {
	*testing.T
	Backend
	ctx    context.Context
	prefix string // of all bodies
}

// Times. A service counts in seconds and is given much longer than it should need; what ends early costs nothing.
const (
	hide    = 600 * time.Second // longer than any test takes
	patient = 120 * time.Second // until what must come has come
	short   = 20 * time.Second  // for which an answer that is lost on its way hides its messages
	quiet   = 3 * time.Second   // for which nothing may come
	early   = 100 * time.Millisecond
)

func (s *suite) body(text string) []byte { return []byte(s.prefix + text) }

func (s *suite) send(msgs ...queue.Message) {
	s.Helper()
	if err := s.Send(s.ctx, s.Name, msgs); err != nil {
		s.Fatal(err)
	}
}

// text is what the test sent; messages of others are not its concern.
func (s *suite) text(d queue.Delivery) (string, bool) {
	return strings.CutPrefix(string(d.Body), s.prefix)
}

// next waits for messages of the test for so long, and returns none when none came.
func (s *suite) next(max int, visibility, wait time.Duration) []queue.Delivery {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, wait)
	defer cancel()
	deadline := time.Now().Add(wait)
	// A service that waits in whole seconds would be asked again and again in what is left of the last one.
	for first := true; ctx.Err() == nil && (first || time.Until(deadline) >= time.Second); first = false {
		got, err := s.Receive(ctx, s.Name, max, visibility)
		if err != nil && ctx.Err() == nil {
			s.Fatal(err)
		}
		if len(got) > max {
			s.Fatalf("%d messages were received, at most %d were asked for", len(got), max)
		}
		var own []queue.Delivery
		for _, d := range got {
			if _, ok := s.text(d); ok {
				own = append(own, d)
			} else if err := s.Delete(s.ctx, s.Name, []string{d.Receipt}); err != nil {
				s.Fatal(err)
			}
		}
		if len(own) > 0 {
			return own
		}
	}
	return nil
}

// one waits for one message and wants it to be the one.
func (s *suite) one(text string, visibility time.Duration) queue.Delivery {
	s.Helper()
	got := s.next(1, visibility, patient)
	if len(got) == 0 {
		s.Fatalf("%q did not come", text)
	}
	if have, _ := s.text(got[0]); have != text {
		s.Fatalf("received %.60q, want %.60q", have, text)
	}
	return got[0]
}

func (s *suite) delete(receipts ...string) {
	s.Helper()
	if err := s.Delete(s.ctx, s.Name, receipts); err != nil {
		s.Fatal(err)
	}
}

// drain receives and deletes messages until it has seen all that are wanted, by their texts. Others are errors.
func (s *suite) drain(want []string) {
	s.Helper()
	missing := map[string]bool{}
	for _, w := range want {
		missing[w] = true
	}
	deadline := time.Now().Add(patient)
	for len(missing) > 0 {
		got := s.next(10, short, time.Until(deadline))
		if len(got) == 0 {
			s.Fatalf("%d of %d messages did not come", len(missing), len(want))
		}
		var receipts []string
		for _, d := range got {
			text, _ := s.text(d)
			if !slices.Contains(want, text) {
				s.Fatalf("received %.60q, which was not sent", text)
			}
			delete(missing, text)
			receipts = append(receipts, d.Receipt)
		}
		s.delete(receipts...)
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
	texts := []string{
		"", "plain", "\"quotes\" & <tags> 'and' \\ %41 +", "tab\tline\nreturn\r\nend", "grüße, 你好, 🙂, \u2028\u00a0\uFFFD\u007f", "  spaces  ",
		`{"v":1,"kind":"run","wf":"w","i":1,"r":1}`, strings.Repeat("x", queue.MaxBody-len(s.prefix)),
	}
	for _, text := range texts {
		s.send(queue.Message{Body: s.body(text)})
	}
	s.drain(texts)
	s.send() // nothing
}

func testBatches(s *suite) {
	var msgs []queue.Message
	var texts []string
	add := func(text string) {
		texts = append(texts, text)
		msgs = append(msgs, queue.Message{Body: s.body(text)})
	}
	for i := range 45 {
		add(fmt.Sprint("small ", i))
	}
	for i := range 7 {
		add(fmt.Sprint("large ", i) + strings.Repeat("é", 50<<10))
	}
	s.send(msgs...)
	s.drain(texts)
}

func testInvalid(s *suite) {
	good := queue.Message{Body: s.body("good")}
	for name, m := range map[string]queue.Message{
		"empty body":         {},
		"too long body":      {Body: bytes.Repeat([]byte("x"), queue.MaxBody+1)},
		"no UTF-8":           {Body: []byte("a\xffb")},
		"control character":  {Body: []byte("a\x00b")},
		"no XML character":   {Body: []byte("a\uFFFEb")},
		"neither":            {Body: []byte("a\uFFFF")},
		"negative delay":     {Body: s.body("x"), Delay: -time.Second},
		"delay is too long":  {Body: s.body("x"), Delay: queue.MaxDelay + time.Millisecond},
		"group is too long":  {Body: s.body("x"), Group: strings.Repeat("g", queue.MaxGroup+1)},
		"escape is not sent": {Body: []byte("\x1b[0m")},
	} {
		err := s.Send(s.ctx, s.Name, []queue.Message{good, m})
		if port.CodeOf(err) != port.CodeInvalid {
			s.Errorf("%s: error %v, want code invalid", name, err)
		}
	}
	// None of the good messages beside them was sent.
	s.send(queue.Message{Body: s.body("after")})
	s.drain([]string{"after"})
	if got := s.next(10, hide, quiet); len(got) > 0 {
		s.Errorf("%d messages of calls that were refused came", len(got))
	}
}

func testInvalidReceive(s *suite) {
	_, err := s.Receive(s.ctx, s.Name, 0, hide)
	s.wantCode(err, port.CodeInvalid)
	_, err = s.Receive(s.ctx, s.Name, 1, -time.Second)
	s.wantCode(err, port.CodeInvalid)
	_, err = s.Receive(s.ctx, s.Name, 1, queue.MaxVisibility+time.Second)
	s.wantCode(err, port.CodeInvalid)
	s.send(queue.Message{Body: s.body("m")})
	d := s.one("m", hide)
	s.wantCode(s.Release(s.ctx, s.Name, d.Receipt, -time.Second), port.CodeInvalid)
	s.wantCode(s.Release(s.ctx, s.Name, d.Receipt, queue.MaxVisibility+time.Second), port.CodeInvalid)
}

func testDelay(s *suite) {
	const delay = 3 * time.Second
	start := time.Now()
	s.send(
		queue.Message{Body: s.body("late"), Delay: delay}, queue.Message{Body: s.body("part of a second"), Delay: 1500 * time.Millisecond},
		queue.Message{Body: s.body("now")},
	)
	due := map[string]time.Duration{"late": delay, "part of a second": 1500 * time.Millisecond, "now": 0}
	seen := map[string]bool{}
	for len(seen) < len(due) {
		got := s.next(10, hide, patient)
		if len(got) == 0 {
			s.Fatalf("of %d messages only %v came", len(due), seen)
		}
		for _, d := range got {
			text, _ := s.text(d)
			if after := time.Since(start); after < due[text]-early {
				s.Errorf("%q came after %s, its delay is %s", text, after, due[text])
			}
			seen[text] = true
			s.delete(d.Receipt)
		}
	}
}

func testLongestDelay(s *suite) {
	s.send(queue.Message{Body: s.body("in 15 minutes"), Delay: queue.MaxDelay}, queue.Message{Body: s.body("now")})
	s.drain([]string{"now"})
	if got := s.next(10, hide, quiet); len(got) > 0 {
		s.Errorf("%q came 15 minutes early", got[0].Body)
	}
}

// testHidden wants most messages to be hidden: that one comes again all the same is rare, and allowed.
func testHidden(s *suite) {
	const n = 20
	var msgs []queue.Message
	for i := range n {
		msgs = append(msgs, queue.Message{Body: s.body(fmt.Sprint(i))})
	}
	s.send(msgs...)
	seen := map[string]bool{}
	for len(seen) < n {
		got := s.next(10, hide, patient)
		if len(got) == 0 {
			s.Fatalf("%d of %d messages came", len(seen), n)
		}
		for _, d := range got {
			text, _ := s.text(d)
			seen[text] = true
		}
	}
	again := map[string]bool{}
	deadline := time.Now().Add(quiet)
	for {
		got := s.next(10, hide, time.Until(deadline))
		if len(got) == 0 {
			break
		}
		for _, d := range got {
			text, _ := s.text(d)
			again[text] = true
		}
	}
	if len(again) > n/2 {
		s.Errorf("%d of %d messages came again while they were hidden", len(again), n)
	}
}

func testRedelivery(s *suite) {
	const visibility = 2 * time.Second
	s.send(queue.Message{Body: s.body("m")})
	first := s.one("m", visibility)
	if first.Receives != 1 {
		s.Errorf("the first delivery counts %d receives", first.Receives)
	}
	second := s.one("m", visibility)
	if second.Receives < 2 {
		s.Errorf("a later delivery counts %d receives", second.Receives)
	}
	if second.Receipt == first.Receipt {
		s.Error("two deliveries have the same receipt")
	}
	third := s.one("m", hide)
	if third.Receives <= second.Receives {
		s.Errorf("receives are counted %d, then %d", second.Receives, third.Receives)
	}
	s.delete(third.Receipt)
}

func testDelete(s *suite) {
	const visibility = time.Second
	var msgs []queue.Message
	var keep []string
	for i := range 24 { // more than a request takes
		msgs = append(msgs, queue.Message{Body: s.body(fmt.Sprint(i))})
	}
	s.send(msgs...)
	receipts := map[string]string{}
	for len(receipts) < len(msgs) {
		got := s.next(10, hide, patient)
		if len(got) == 0 {
			s.Fatalf("%d of %d messages came", len(receipts), len(msgs))
		}
		for _, d := range got {
			text, _ := s.text(d)
			receipts[text] = d.Receipt
		}
	}
	var gone []string
	for text, r := range receipts {
		if text == "7" || text == "13" {
			keep = append(keep, text)
			if err := s.Release(s.ctx, s.Name, r, visibility); err != nil {
				s.Fatal(err)
			}
			continue
		}
		gone = append(gone, r)
	}
	s.delete(gone...)
	s.delete() // nothing
	s.drain(keep)
}

func testGone(s *suite) {
	s.send(queue.Message{Body: s.body("m")})
	first := s.one("m", time.Second)
	second := s.one("m", hide)
	// The receipt of an older delivery: it may end the message or be ignored, and is no error.
	if err := s.Release(s.ctx, s.Name, first.Receipt, hide); err != nil {
		s.Errorf("release with an old receipt: %v", err)
	}
	s.delete(second.Receipt)
	s.delete(first.Receipt, second.Receipt)
	if err := s.Release(s.ctx, s.Name, second.Receipt, 0); err != nil {
		s.Errorf("release of a deleted message: %v", err)
	}
	if got := s.next(1, hide, quiet); len(got) > 0 {
		s.Error("the release of a deleted message brought it back")
	}
}

func testRelease(s *suite) {
	s.send(queue.Message{Body: s.body("m")})
	d := s.one("m", hide)
	if err := s.Release(s.ctx, s.Name, d.Receipt, 0); err != nil {
		s.Fatal(err)
	}
	d = s.one("m", hide) // long before it would be visible by itself
	const later = 2 * time.Second
	start := time.Now()
	if err := s.Release(s.ctx, s.Name, d.Receipt, later); err != nil {
		s.Fatal(err)
	}
	d = s.one("m", hide)
	if after := time.Since(start); after < later-early {
		s.Errorf("a message that was released for after %s came after %s", later, after)
	}
	s.delete(d.Receipt)
}

// fail receives a message as often as it takes to make it a dead letter.
func (s *suite) fail(text string) {
	s.Helper()
	for range queue.MaxReceives {
		d := s.one(text, hide)
		if err := s.Release(s.ctx, s.Name, d.Receipt, 0); err != nil {
			s.Fatal(err)
		}
	}
}

// dead waits until there are so many dead letters: a service moves them when it looks at the queue.
func (s *suite) dead(n int) []string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, patient)
	defer cancel()
	for {
		if got := s.next(1, 0, quiet); len(got) > 0 {
			text, _ := s.text(got[0])
			s.Fatalf("%q came once more instead of being a dead letter", text)
		}
		got, err := s.Dead(ctx, s.Name, 100)
		if err != nil {
			s.Fatal(err)
		}
		var texts []string
		for _, d := range got {
			if text, ok := s.text(d); ok && !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
		if len(texts) >= n {
			slices.Sort(texts)
			return texts
		}
	}
}

func testDead(s *suite) {
	s.send(queue.Message{Body: s.body("bad")})
	s.fail("bad")
	// It is in nobody's way.
	s.send(queue.Message{Body: s.body("good")})
	s.drain([]string{"good"})
	for range 2 { // reading does not remove
		if got := s.dead(1); !slices.Equal(got, []string{"bad"}) {
			s.Errorf("dead letters %q, want \"bad\"", got)
		}
	}
}

func testRedrive(s *suite) {
	for _, text := range []string{"a", "b"} {
		s.send(queue.Message{Body: s.body(text), Group: "g"})
		s.fail(text)
	}
	if got := s.dead(2); !slices.Equal(got, []string{"a", "b"}) {
		s.Errorf("dead letters %q, want a and b", got)
	}
	n, err := s.Redrive(s.ctx, s.Name)
	if err != nil || n < 2 {
		s.Fatalf("%d messages were redriven, error %v, want 2", n, err)
	}
	var receipts []string
	seen := map[string]bool{}
	for len(seen) < 2 {
		got := s.next(10, hide, patient)
		if len(got) == 0 {
			s.Fatalf("of the redriven messages only %v came", seen)
		}
		for _, d := range got {
			text, _ := s.text(d)
			if d.Receives != 1 {
				s.Errorf("redriven %q counts %d receives", text, d.Receives)
			}
			seen[text] = true
			receipts = append(receipts, d.Receipt)
		}
	}
	s.delete(receipts...)
	if n, err := s.Redrive(s.ctx, s.Name); err != nil || n != 0 {
		s.Errorf("%d messages were redriven from an empty queue, error %v", n, err)
	}
}

func testGroups(s *suite) {
	var msgs []queue.Message
	var texts []string
	for i, group := range []string{
		"", "a", "run#w#1", "with space", "grüße", strings.Repeat("g", queue.MaxGroup), strings.Repeat("é", queue.MaxGroup/2), "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
	} {
		texts = append(texts, fmt.Sprint(i))
		msgs = append(msgs, queue.Message{Body: s.body(fmt.Sprint(i)), Group: group})
	}
	s.send(msgs...)
	s.drain(texts)
}

func testUnknownQueue(s *suite) {
	const name = queue.Name("there-is-no-such-queue")
	s.wantCode(s.Send(s.ctx, name, []queue.Message{{Body: s.body("x")}}), port.CodeInternal)
	_, err := s.Receive(s.ctx, name, 1, hide)
	s.wantCode(err, port.CodeInternal)
	s.wantCode(s.Delete(s.ctx, name, []string{"x"}), port.CodeInternal)
	s.wantCode(s.Release(s.ctx, name, "x", 0), port.CodeInternal)
	_, err = s.Dead(s.ctx, name, 1)
	s.wantCode(err, port.CodeInternal)
	_, err = s.Redrive(s.ctx, name)
	s.wantCode(err, port.CodeInternal)
}

func testCancelled(s *suite) {
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := s.Receive(ctx, s.Name, 1, hide); err != nil {
				ended <- err
				return
			}
		}
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		s.Errorf("a receiver that gave up got %v", err)
	}
	s.wantCode(s.Send(ctx, s.Name, []queue.Message{{Body: s.body("x")}}), port.CodeUnknown)
}

func testConcurrency(s *suite) {
	const senders, receivers, each = 4, 4, 50
	var sending sync.WaitGroup
	for i := range senders {
		sending.Add(1)
		go func() {
			defer sending.Done()
			var msgs []queue.Message
			for j := range each {
				msgs = append(msgs, queue.Message{Body: s.body(fmt.Sprint(i, " ", j)), Group: fmt.Sprint("g", i)})
			}
			if err := s.Send(s.ctx, s.Name, msgs); err != nil {
				s.Error(err)
			}
		}()
	}
	ctx, cancel := context.WithTimeout(s.ctx, patient)
	defer cancel()
	var mu sync.Mutex // guards seen
	seen := map[string]bool{}
	var receiving sync.WaitGroup
	for range receivers {
		receiving.Add(1)
		go func() {
			defer receiving.Done()
			for ctx.Err() == nil {
				got, err := s.Receive(ctx, s.Name, 10, hide)
				if err != nil {
					if ctx.Err() == nil {
						s.Error(err)
						cancel()
					}
					return
				}
				var receipts []string
				mu.Lock()
				for _, d := range got {
					if text, ok := s.text(d); ok {
						seen[text] = true
					}
					receipts = append(receipts, d.Receipt)
				}
				all := len(seen) == senders*each
				mu.Unlock()
				if err := s.Delete(s.ctx, s.Name, receipts); err != nil {
					s.Error(err)
				}
				if all {
					cancel()
				}
			}
		}()
	}
	sending.Wait()
	receiving.Wait()
	if len(seen) != senders*each {
		s.Errorf("%d of %d messages came", len(seen), senders*each)
	}
}

func testOwnership(s *suite) {
	body := s.body("unchanged")
	s.send(queue.Message{Body: body})
	for i := range body {
		body[i] = 'x'
	}
	d := s.one("unchanged", time.Second)
	for i := range d.Body {
		d.Body[i] = 'y'
	}
	s.delete(s.one("unchanged", hide).Receipt)
}
