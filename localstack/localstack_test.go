package localstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/events"
)

// fastClock passes a hundred times as fast as the machine's: a message that comes again after a second does so after
// ten milliseconds.
type fastClock struct{ begin time.Time }

const faster = 100

func (c fastClock) Now() int64 {
	return c.begin.Add(time.Since(c.begin) * faster).UnixMilli()
}

func (c fastClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d / faster)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transcript is a log that can be read while it is written.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func post(t *testing.T, url, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("user", "ann")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", url, resp.Status, text, err)
	}
}

// await looks until seen is true.
func await(t *testing.T, what string, seen func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !seen() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not seen: %s", what)
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func succeeded(t *testing.T, s *Server, instance int) {
	t.Helper()
	url := fmt.Sprintf("%s/api/v3/workflows/w/instances/%d", s.URL(), instance)
	await(t, fmt.Sprintf("instance %d SUCCEEDED", instance), func() bool { return strings.Contains(get(t, url), `"status":"SUCCEEDED","request_time"`) })
}

// callingWorkflow has a step that goes through the queue `execute`.
func callingWorkflow(url string) string {
	return fmt.Sprintf(`{"properties": {"owner": "ann", "run_strategy": {"rule": "PARALLEL", "workflow_concurrency": 20}}, "workflow": {"id": "w", "steps": [
		{"step": {"id": "job.1", "type": "Http", "params": {"http": {"type": "MAP", "value": {"url": {"type": "STRING", "value": %q}}}}, "transition": {"successors": {"job.2": "true"}}}},
		{"step": {"id": "job.2", "type": "NoOp"}}]}}`, url)
}

const manual = `{"initiator": {"type": "manual"}}`

// corrupt are messages that nothing can be done with, by queue.
func corrupt() map[queue.Name][]string {
	return map[queue.Name][]string{
		queue.Advance:  {"not JSON", `{"v": 1, "kind": "wish", "wf": "w"}`, `{"v": 1, "kind": "run", "wf": "w"}`, `["an array"]`},
		queue.Execute:  {"not JSON", `{"v": 1, "op": "start", "wf": "w", "i": 1, "r": 1}`},
		queue.Complete: {"not JSON", `{"v": 1, "uuid": "u", "wf": "w", "i": 1, "r": 1, "step": "a", "a": 1, "result": 7}`},
		queue.Trigger:  {"not JSON", `{"v": 1, "wf": "w"}`},
	}
}

// counter counts what the app counts.
type counter struct {
	mu     sync.Mutex
	counts map[string]float64 // guarded by mu
}

func (c *counter) Count(name string, n float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[name] += n
}

func (c *counter) of(name string) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[name]
}

// TestCorruptMessages: a message that cannot be read holds up no other, comes as often as any may, and then is a dead letter that
// the log has told of, its body included.
func TestCorruptMessages(t *testing.T) {
	stub := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer stub.Close()
	var log transcript
	metrics := &counter{counts: map[string]float64{}}
	s := start(t, Config{
		Memory: true, HTTPAllow: []string{"127.0.0.1"}, Clock: fastClock{time.Now()}, Metrics: metrics,
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	defer s.Close()
	post(t, s.URL()+"/api/v3/workflows", callingWorkflow(stub.URL))
	start := s.URL() + "/api/v3/workflows/w/versions/latest/actions/start"
	bodies := 0
	for name, list := range corrupt() {
		for _, body := range list {
			bodies++
			if err := s.Queue.Send(t.Context(), name, []queue.Message{{Body: []byte(body), Group: "w"}}); err != nil {
				t.Fatal(err)
			}
		}
		// Behind it in the queue, in the same group, what can be handled.
		post(t, start, manual)
	}
	for i := range len(corrupt()) {
		succeeded(t, s, i+1)
	}
	for name, list := range corrupt() {
		await(t, fmt.Sprintf("dead letters of %s", name), func() bool { return s.Queue.Depth(name).Dead == len(list) })
		dead, err := s.Queue.Dead(t.Context(), name, 10)
		if err != nil {
			t.Fatal(err)
		}
		kept := map[string]bool{}
		for _, d := range dead {
			kept[string(d.Body)] = true
			if d.Receives != queue.MaxReceives {
				t.Errorf("%s: %s was received %d times", name, d.Body, d.Receives)
			}
		}
		for _, body := range list {
			if !kept[body] {
				t.Errorf("%s: %s has disappeared", name, body)
			}
			told := fmt.Sprintf("level=ERROR msg=%q queue=%s receives=%d body=%q", "message is set aside as a dead letter: it could not be handled", name, queue.MaxReceives, body)
			if n := strings.Count(log.String(), told); n != 1 {
				t.Errorf("the log tells %d times: %s\n%s", n, told, log.String())
			}
		}
	}
	if got := metrics.of(app.CountRetried); got < float64(bodies*queue.MaxReceives) {
		t.Errorf("counted %v messages that came again, want %d at least", got, bodies*queue.MaxReceives)
	}
}

// TestMessagesAboutNothing: readable, but about a run that does not exist (any more): acknowledged and counted (P15).
func TestMessagesAboutNothing(t *testing.T) {
	metrics := &counter{counts: map[string]float64{}}
	s := start(t, Config{Memory: true, Clock: fastClock{time.Now()}, Metrics: metrics})
	defer s.Close()
	completion, err := events.Completion{UUID: "u", Workflow: "gone", Instance: 1, Run: 1, Step: "a", Attempt: 1, Result: []byte(`{"format": 1, "state": "DONE"}`)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[queue.Name][]byte{
		queue.Advance:  events.Poke{Kind: events.PokeRun, Workflow: "gone", Instance: 1, Run: 1}.Encode(),
		queue.Execute:  events.Work{Op: events.WorkStart, Workflow: "gone", Instance: 1, Run: 1, Step: "a", Attempt: 1, UUID: "u"}.Encode(),
		queue.Complete: completion,
	} {
		if err := s.Queue.Send(t.Context(), name, []queue.Message{{Body: body}}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "all handled", func() bool { return metrics.of(app.CountDone)+metrics.of(app.CountDropped) == 3 })
	for _, name := range queue.Names() {
		await(t, "queue empty", func() bool { return s.Queue.Depth(name).Hidden == 0 })
		if d := s.Queue.Depth(name); d.Dead+d.Visible != 0 {
			t.Errorf("%s: %+v is left", name, d)
		}
	}
}

// TestDeadLettersLast: a completion is the fact itself until it is folded (P18); one that is dead is there after a
// restart too.
func TestDeadLettersLast(t *testing.T) {
	dir := t.TempDir()
	for round := range 2 {
		var log transcript
		s := start(t, Config{Data: dir, Clock: fastClock{time.Now()}, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if round == 0 {
			if err := s.Queue.Send(t.Context(), queue.Complete, []queue.Message{{Body: []byte("not JSON")}}); err != nil {
				t.Fatal(err)
			}
		}
		await(t, "dead letter", func() bool { return s.Queue.Depth(queue.Complete).Dead == 1 })
		if !strings.Contains(log.String(), "set aside as a dead letter") {
			t.Errorf("round %d: the log says %q", round, log.String())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestClose: what is being handled comes to its end, and is not done again by the next start.
func TestClose(t *testing.T) {
	called, answer := make(chan struct{}, 10), make(chan struct{})
	var calls atomic.Int32
	stub := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		calls.Add(1)
		called <- struct{}{}
		<-answer
	}))
	defer stub.Close()
	dir := t.TempDir()
	s := start(t, Config{Data: dir, HTTPAllow: []string{"127.0.0.1"}})
	post(t, s.URL()+"/api/v3/workflows", callingWorkflow(stub.URL))
	post(t, s.URL()+"/api/v3/workflows/w/versions/latest/actions/start", manual)
	<-called
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	await(t, "no request is taken", func() bool {
		resp, err := http.Get(s.URL() + "/actuator/health")
		if err == nil {
			resp.Body.Close()
		}
		return err != nil
	})
	close(answer)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	s = start(t, Config{Data: dir, HTTPAllow: []string{"127.0.0.1"}})
	defer s.Close()
	succeeded(t, s, 1)
	if n := calls.Load(); n != 1 {
		t.Errorf("the step made %d calls", n)
	}
}

func TestConfigErrors(t *testing.T) {
	taken := start(t, Config{Data: t.TempDir()})
	defer taken.Close()
	addr := strings.TrimPrefix(taken.URL(), "http://")
	for _, tt := range []struct {
		cfg   Config
		field string
		inUse bool
	}{
		{Config{Addr: "8080"}, "Addr", false},
		{Config{Addr: "127.0.0.1:x"}, "Addr", false},
		{Config{Addr: "127.0.0.1:-1"}, "Addr", false},
		{Config{Addr: addr, Memory: true}, "Addr", true},
		{Config{Addr: "127.0.0.1:0", HTTPAllow: []string{"localhost", "a:80"}, Memory: true}, "HTTPAllow", false},
		{Config{Addr: "127.0.0.1:0", Data: taken.cfg.Data}, "Data", true},
		{Config{Addr: "127.0.0.1:0", Memory: true, EventsLog: t.TempDir()}, "EventsLog", false},
	} {
		s, err := Start(t.Context(), tt.cfg)
		if err == nil {
			s.Close()
		}
		var c *ConfigError
		if !errors.As(err, &c) || c.Field != tt.field || c.InUse != tt.inUse {
			t.Errorf("%+v: %v", tt.cfg, err)
		}
	}
}

// leapClock stands still until it is set forward.
type leapClock struct {
	mu     sync.Mutex
	now    time.Time          // guarded by mu
	leaped chan struct{}      // guarded by mu; closed by the next leap
	asked  map[time.Time]bool // guarded by mu: until when somebody has slept, or sleeps
}

func (c *leapClock) Now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now.UnixMilli()
}

func (c *leapClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	until := c.now.Add(d)
	c.asked[until] = true
	for c.now.Before(until) {
		leaped := c.leaped
		c.mu.Unlock()
		select {
		case <-leaped:
		case <-ctx.Done():
			return ctx.Err()
		}
		c.mu.Lock()
	}
	c.mu.Unlock()
	return nil
}

func (c *leapClock) sleeps(until time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[until]
}

func (c *leapClock) leap(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = to
	close(c.leaped)
	c.leaped = make(chan struct{})
}

// TestTimeTriggersAfterSleep: a machine that slept for hours starts at once what time triggers have missed.
func TestTimeTriggersAfterSleep(t *testing.T) {
	at := func(clock string) time.Time {
		v, err := time.Parse(time.DateTime, "2025-01-01 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	clk := &leapClock{now: at("00:10:00"), leaped: make(chan struct{}), asked: map[time.Time]bool{}}
	s := start(t, Config{Memory: true, Clock: clk})
	defer s.Close()
	post(t, s.URL()+"/api/v3/workflows", `{"properties": {"owner": "ann"}, "is_active": true, "workflow": {"id": "w",
		"time_triggers": [{"type": "CRON", "cron": "0 * * * *"}], "steps": [{"step": {"id": "job", "type": "NoOp"}}]}}`)
	await(t, "the sweep waits for its minute", func() bool { return clk.sleeps(at("00:11:00")) })
	clk.leap(at("05:30:00"))
	succeeded(t, s, 5)
	for i := 1; i <= 5; i++ {
		want := fmt.Sprintf(`"trigger_time":%d`, at(fmt.Sprintf("%02d:00:00", i)).UnixMilli())
		if run := get(t, fmt.Sprintf("%s/api/v3/workflows/w/instances/%d", s.URL(), i)); !strings.Contains(run, want) {
			t.Errorf("instance %d is not that of %s: %s", i, want, run)
		}
	}
}
