package api_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/api"
	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/localstack/fileblob"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// host is the whole application with a clock that a test moves and queues that it empties: nothing happens but in the
// test's own goroutine, so that a test says in which order things happen.
type host struct {
	t       *testing.T
	app     *app.App
	handler http.Handler
	time    int64
	ids     uint64
	waiting []message
	// hops counts the messages delivered by queue, dead those given up.
	hops map[queue.Name]int
	dead int
	// published are the status events, refuse the error that the bus answers in place of taking them.
	published [][]byte
	refuse    error
	// deaf are workflows whose lane takes no writes, as if its partition were throttled.
	deaf map[string]bool
}

// hostTable is the host's table with its faults.
type hostTable struct {
	table.Table
	h *host
}

func (t hostTable) Write(ctx context.Context, w table.Write) (table.Units, error) {
	if wf, ok := store.ParseLaneKey(w.Item.Key); ok && t.h.deaf[wf] {
		return table.Units{}, &table.Error{Code: table.CodeThrottled, Op: "write", Key: w.Item.Key}
	}
	return t.Table.Write(ctx, w)
}

type message struct {
	queue    queue.Name
	body     []byte
	at       int64
	receives int
}

const dawn = 1_700_000_000_000

func newHost(t *testing.T, runtimes step.Registry, set app.Settings) *host {
	t.Helper()
	h := &host{t: t, time: dawn, hops: map[queue.Name]int{}}
	var err error
	h.app, err = app.New(app.Config{
		Table: hostTable{memtable.New(), h}, Queue: h, Blob: fileblob.Memory(), Bus: h, Clock: h, IDs: h, Runtimes: runtimes,
		Log: slog.New(slog.DiscardHandler), Settings: set,
	})
	if err != nil {
		t.Fatal(err)
	}
	if h.handler, err = api.New(api.Config{App: h.app}); err != nil {
		t.Fatal(err)
	}
	return h
}

// Now, Sleep: clock.Clock.
func (h *host) Now() int64 { return h.time }

func (h *host) Sleep(ctx context.Context, d time.Duration) error {
	h.time += max(d.Milliseconds(), 1)
	return ctx.Err()
}

// NewUUID, Token, Float: clock.IDs.
func (h *host) NewUUID() string {
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", h.Token())
}
func (h *host) Token() uint64  { h.ids++; return h.ids }
func (h *host) Float() float64 { return 0.5 }

// Send: queue.Sender.
func (h *host) Send(_ context.Context, name queue.Name, msgs []queue.Message) error {
	for _, m := range msgs {
		if err := m.Check(); err != nil {
			return err
		}
		h.waiting = append(h.waiting, message{queue: name, body: m.Body, at: h.time + m.Delay.Milliseconds()})
	}
	return nil
}

// Publish: bus.Publisher.
func (h *host) Publish(_ context.Context, events [][]byte) error {
	if h.refuse != nil {
		return h.refuse
	}
	for _, e := range events {
		h.published = append(h.published, append([]byte(nil), e...))
	}
	return nil
}

// deliver hands every message that is visible now to its handler, and those that follow, until none is left.
func (h *host) deliver() {
	h.t.Helper()
	for n := 0; ; n++ {
		if n > 100_000 {
			h.t.Fatal("the messages do not end")
		}
		k := -1
		for i, m := range h.waiting {
			if m.at <= h.time {
				k = i
				break
			}
		}
		if k < 0 {
			return
		}
		h.take(k)
	}
}

func (h *host) take(k int) {
	m := h.waiting[k]
	h.waiting = append(h.waiting[:k:k], h.waiting[k+1:]...)
	m.receives++
	h.hops[m.queue]++
	var receipt [8]byte
	binary.BigEndian.PutUint64(receipt[:], h.Token())
	d := queue.Delivery{Receipt: string(receipt[:]), Body: m.body, Receives: m.receives}
	if again := h.app.HandleBatch(context.Background(), m.queue, []queue.Delivery{d}); len(again) > 0 {
		if m.receives >= queue.MaxReceives {
			h.dead++
			return
		}
		m.at = h.time + 6*60_000
		h.waiting = append(h.waiting, m)
	}
}

// pass lets time go by, with the sweep of every minute and the messages when they are visible.
func (h *host) pass(d time.Duration) {
	h.t.Helper()
	end := h.time + d.Milliseconds()
	h.deliver()
	for h.time < end {
		next := min(end, (h.time/60_000+1)*60_000)
		for _, m := range h.waiting {
			next = min(next, max(m.at, h.time+1))
		}
		h.time = next
		if h.time%60_000 == 0 {
			if err := h.app.Sweep(context.Background(), h.time); err != nil {
				h.t.Fatal(err)
			}
		}
		h.deliver()
	}
}

// reply is an answer of the API.
type reply struct {
	status int
	body   any
	text   string
}

// at gives a member of the answer by names and list indexes, nil when there is none.
func (r reply) at(path ...any) any {
	v := r.body
	for _, p := range path {
		switch k := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			l, _ := v.([]any)
			if k >= len(l) {
				return nil
			}
			v = l[k]
		}
	}
	return v
}

// call makes a REST call as user tester, such as "PUT /demo/instances/1/actions/stop"; paths begin below /api/v3/workflows.
func (h *host) call(line string, body ...string) reply {
	h.t.Helper()
	method, path, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(method, "/api/v3/workflows"+path, strings.NewReader(strings.Join(body, "")))
	r.Header.Set("user", "tester")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	out := reply{status: w.Code, text: w.Body.String()}
	if out.text != "" && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal([]byte(out.text), &out.body); err != nil {
			h.t.Fatalf("%s answers no JSON: %s", line, out.text)
		}
	}
	return out
}

// must makes a call that has to succeed.
func (h *host) must(line string, body ...string) reply {
	h.t.Helper()
	r := h.call(line, body...)
	if r.status/100 != 2 {
		h.t.Fatalf("%s: %d %s", line, r.status, r.text)
	}
	return r
}

// push pushes a workflow with these steps, given as JSON, and start starts it.
func (h *host) push(id, steps, properties string) {
	h.t.Helper()
	h.must("POST ", `{"properties":{"owner":"tester"`+properties+`},"workflow":{"id":"`+id+`","steps":[`+steps+`]}}`)
}

func (h *host) start(id string) {
	h.t.Helper()
	h.must("POST /"+id+"/versions/latest/actions/start", `{"initiator":{"type":"manual"}}`)
	h.deliver()
}

// step is the status of the newest attempt of a step.
func (h *host) step(run, step string) string {
	h.t.Helper()
	r := h.call("GET /" + run + "/steps/" + step + "/attempts/latest")
	if r.status == http.StatusNotFound {
		return "NOT_CREATED"
	}
	s, ok := r.at("runtime_state", "status").(string)
	if !ok {
		h.t.Fatalf("step %s of %s: %d %s", step, run, r.status, r.text)
	}
	return s
}

func (h *host) status(run string) string {
	h.t.Helper()
	s, _ := h.must("GET /" + run).at("status").(string)
	return s
}
