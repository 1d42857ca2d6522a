package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

var seed = flag.Uint64("seed", 0, "seed of the moments of the kills; 0 takes one from the clock")

// killed is the definition of one workflow of TestKill, with the address of the counting server to be filled in.
type killed struct {
	id, properties, steps string
	runs                  int
}

// The workflows of TestKill: decided inline, waiting for a timer, calling outside; under rules of which one lets runs
// overlap and the others do not.
func killedWorkflows(counter string) []killed {
	call := func(id, successors string) string {
		return fmt.Sprintf(`{"step": {"id": %q, "type": "Http", "transition": {"successors": {%s}}, "params": {"http": {"type": "MAP", "value": {
			"url": {"type": "STRING", "value": "%s/${workflow_id}/${workflow_instance_id}/${step_id}"}}}}}}`, id, successors, counter)
	}
	noop := func(id, successors string) string {
		return fmt.Sprintf(`{"step": {"id": %q, "type": "NoOp", "transition": {"successors": {%s}}}}`, id, successors)
	}
	wait := `{"step": {"id": "job.3", "type": "Sleep", "params": {"sleep_seconds": {"type": "LONG", "value": 1}}, "transition": {"successors": {"job.6": "true"}}}}`
	list := func(steps ...string) string { return "[" + strings.Join(steps, ",") + "]" }
	return []killed{
		{"kill.decided", `{"owner": "ann"}`, list(
			noop("job.1", `"job.2": "true", "job.3": "true", "job.4": "true"`), noop("job.2", `"job.5": "true"`), noop("job.3", `"job.5": "true"`),
			noop("job.4", `"job.6": "true"`), noop("job.5", `"job.6": "true"`), noop("job.6", "")), 60},
		{"kill.waiting", `{"owner": "ann", "run_strategy": {"rule": "PARALLEL", "workflow_concurrency": 20}}`, list(
			noop("job.1", `"job.2": "true", "job.3": "true"`), noop("job.2", `"job.6": "true"`), wait, noop("job.6", "")), 60},
		{"kill.calling", `{"owner": "ann", "run_strategy": {"rule": "PARALLEL", "workflow_concurrency": 20}}`, list(
			noop("job.1", `"job.2": "true", "job.3": "true"`), call("job.2", `"job.4": "true"`), call("job.3", `"job.4": "true"`), call("job.4", "")), 60},
		{"kill.strict", `{"owner": "ann", "run_strategy": {"rule": "STRICT_SEQUENTIAL"}}`, list(
			call("job.1", `"job.2": "true"`), noop("job.2", `"job.3": "true"`), call("job.3", "")), 20},
	}
}

// killRuns is how many runs TestKill starts, those of all its workflows; killTimes how often it kills the server while it
// starts them, and once more each for all that are answered.
const (
	killRuns      = 200
	killTimes     = 6
	killTimesMore = 3
)

// TestKill starts runs while the server is killed with SIGKILL at seeded moments and started again on the same data.
// What was promised is then read back: every start that was answered has succeeded, under numbers that are dense and
// given once, and nothing that a reader had seen recorded was done again or changed.
func TestKill(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with: go test ./test/e2e -run TestKill -seed %d", *seed)
	rnd := rand.New(rand.NewPCG(*seed, 1))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // on a machine that is busy with much else
	defer cancel()

	w := &witness{t: t, calls: map[string][]int{}, recorded: map[string]record{}}
	w.servers = newServers(ctx, t, t.TempDir())
	counter := httptest.NewServer(w)
	defer counter.Close()
	workflows := killedWorkflows(counter.URL)
	for _, k := range workflows {
		body := fmt.Sprintf(`{"properties": %s, "workflow": {"id": %q, "steps": %s}}`, k.properties, k.id, k.steps)
		if err := w.ask(ctx, http.MethodPost, "/api/v3/workflows", body, nil); err != nil {
			t.Fatal(err)
		}
	}

	var requests []*request
	for _, k := range workflows {
		for range k.runs {
			requests = append(requests, &request{workflow: k.id, id: uuidOf(rnd)})
		}
	}
	rnd.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
	// The moments of the kills: after so many answers, and a few milliseconds.
	kills := make([]int, killTimes)
	for i := range kills {
		kills[i] = 1 + rnd.IntN(killRuns-1)
	}
	sort.Ints(kills)
	pauses := make([]time.Duration, killTimes+killTimesMore)
	for i := range pauses {
		pauses[i] = time.Duration(rnd.IntN(30_000)) * time.Microsecond
		if i >= killTimes {
			pauses[i] *= 10
		}
	}

	answered := make(chan struct{}, killRuns)
	var starters, watchers sync.WaitGroup
	const clients = 6
	for c := range clients {
		starters.Go(func() {
			for i := c; i < killRuns; i += clients {
				if err := w.start(ctx, requests[i]); err != nil {
					t.Errorf("start %s of %s: %v", requests[i].id, requests[i].workflow, err)
					cancel()
					return
				}
				answered <- struct{}{}
			}
		})
	}
	watch, stop := context.WithCancel(ctx)
	watchRnd := rand.New(rand.NewPCG(*seed, 2))
	watchers.Go(func() { w.watch(watch, watchRnd, requests) })

	n := 0
	for i := range pauses {
		for want := killRuns; n < want; {
			if i < killTimes {
				want = kills[i]
				if n >= want {
					break
				}
			}
			select {
			case <-answered:
				n++
			case <-ctx.Done():
				t.Fatalf("after %d answers: %v", n, ctx.Err())
			}
		}
		moment := time.NewTimer(pauses[i])
		select {
		case <-moment.C:
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
		if err := w.servers.restart(); err != nil {
			t.Fatal(err)
		}
	}
	starters.Wait()
	for _, k := range workflows {
		w.awaitAll(ctx, k.id, k.runs)
	}
	stop()
	watchers.Wait()
	if t.Failed() {
		t.Logf("the last server said:\n%s", w.servers.now().out)
		return
	}
	w.judge(ctx, workflows, requests)
	t.Logf("%d kills; %d recorded ends seen while it went on; %d calls of outside steps, %d of them repeated after a kill", len(pauses), len(w.recorded), w.total(), w.repeated())
}

// request is one start, asked for under one request id until it is answered.
type request struct {
	workflow, id string

	mu       sync.Mutex
	answer   started // guarded by mu; Status is empty while there is none
	instance int64   // guarded by mu; 0 where only DUPLICATED was heard
}

// uuidOf is a random UUID from the seed.
func uuidOf(rnd *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rnd.Uint32(), rnd.Uint32()&0xffff, rnd.Uint32()&0xfff, rnd.Uint32()&0xfff, rnd.Uint64()&0xffffffffffff)
}

// servers is the sequence of processes over one data folder: at most one lives at a time.
type servers struct {
	t   *testing.T
	ctx context.Context
	dir string

	mu         sync.Mutex
	changed    *sync.Cond
	process    *process // guarded by mu; nil while none serves
	generation int      // guarded by mu: of process, from 1
}

func newServers(ctx context.Context, t *testing.T, dir string) *servers {
	s := &servers{t: t, ctx: ctx, dir: dir}
	s.changed = sync.NewCond(&s.mu)
	if err := s.restart(); err != nil {
		t.Fatal(err)
	}
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	return s
}

// restart kills the process, if there is one, and starts the next.
func (s *servers) restart() error {
	s.mu.Lock()
	last := s.process
	s.process = nil
	s.mu.Unlock()
	if last != nil {
		last.kill()
	}
	p, err := startProcess(s.ctx, s.t, "--data", s.dir, "--http-allow", "127.0.0.1")
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
	s.generation++
	s.changed.Broadcast()
	return nil
}

// after waits for a process of a later generation than g.
func (s *servers) after(ctx context.Context, g int) (*process, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for (s.process == nil || s.generation <= g) && ctx.Err() == nil {
		s.changed.Wait()
	}
	return s.process, s.generation, ctx.Err()
}

func (s *servers) now() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

func (s *servers) current() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// record is what a reader saw of an attempt that had ended.
type record struct {
	Status, UUID string
	Attempt, End int64
}

// witness makes the calls, answers those of the Http steps, and remembers what it saw.
type witness struct {
	t       *testing.T
	servers *servers

	mu       sync.Mutex
	calls    map[string][]int  // guarded by mu: by workflow/instance/step, the generation of each call
	recorded map[string]record // guarded by mu: by workflow/instance/step
}

// ask makes a call until a server answers it.
func (w *witness) ask(ctx context.Context, method, path, body string, v any) error {
	generation := 0
	for {
		p, g, err := w.servers.after(ctx, generation)
		if err != nil {
			return err
		}
		err = callJSON(ctx, method, p.url+path, body, v)
		var no *refused
		if err == nil || errors.As(err, &no) {
			return err
		}
		generation = g // that process was killed before it answered
	}
}

func (w *witness) start(ctx context.Context, r *request) error {
	var a started
	err := w.ask(ctx, http.MethodPost, "/api/v3/workflows/"+r.workflow+"/versions/latest/actions/start",
		fmt.Sprintf(`{"initiator": {"type": "manual"}, "request_id": %q}`, r.id), &a)
	if err != nil {
		return err
	}
	if a.UUID != r.id || a.Status != "CREATED" && a.Status != "DUPLICATED" || (a.Status == "CREATED") != (a.Instance > 0) {
		return fmt.Errorf("answered with %+v", a)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer, r.instance = a, a.Instance
	return nil
}

// ServeHTTP is what the Http steps call. While it is being called the step cannot have ended; whoever reads it as ended
// has found a step that runs again although it was recorded.
func (w *witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	key := strings.Trim(r.URL.Path, "/")
	parts := strings.Split(key, "/")
	if len(parts) != 3 {
		w.t.Errorf("call of %s", r.URL.Path)
		return
	}
	w.mu.Lock()
	w.calls[key] = append(w.calls[key], w.servers.current())
	w.mu.Unlock()
	if p := w.servers.now(); p != nil {
		var at attempt
		err := callJSON(r.Context(), http.MethodGet, fmt.Sprintf("%s/api/v3/workflows/%s/instances/%s/steps/%s", p.url, parts[0], parts[1], parts[2]), "", &at)
		var no *refused
		if errors.As(err, &no) || err == nil && terminalStep(at.State.Status) {
			w.t.Errorf("step %s is called and reads %s (%v)", key, at.State.Status, err)
		}
	}
	fmt.Fprint(out, "counted")
}

func (w *witness) total() (n int) {
	for _, c := range w.calls {
		n += len(c)
	}
	return n
}

func (w *witness) repeated() (n int) { return w.total() - len(w.calls) }

// watch reads runs at random and remembers what has ended, as long as ctx lives.
func (w *witness) watch(ctx context.Context, rnd *rand.Rand, requests []*request) {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for ctx.Err() == nil {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		r := requests[rnd.IntN(len(requests))]
		r.mu.Lock()
		n := r.instance
		r.mu.Unlock()
		p := w.servers.now()
		if n == 0 || p == nil {
			continue
		}
		steps, err := w.steps(ctx, p, r.workflow, n)
		if err != nil {
			continue // killed meanwhile, or nothing has begun
		}
		w.mu.Lock()
		for _, at := range steps {
			if terminalStep(at.State.Status) {
				key := fmt.Sprintf("%s/%d/%s", r.workflow, n, at.Step)
				now := recordOf(at)
				if before, ok := w.recorded[key]; ok && before != now {
					w.t.Errorf("step %s read %+v, later %+v", key, before, now)
				}
				w.recorded[key] = now
			}
		}
		w.mu.Unlock()
	}
}

func recordOf(at attempt) record {
	return record{Status: at.State.Status, UUID: at.UUID, Attempt: at.Attempt, End: at.State.EndTime}
}

func (w *witness) steps(ctx context.Context, p *process, workflow string, n int64) ([]attempt, error) {
	var steps []attempt
	return steps, callJSON(ctx, http.MethodGet, fmt.Sprintf("%s/api/v3/workflows/%s/instances/%d/runs/1/steps", p.url, workflow, n), "", &steps)
}

// awaitAll waits until all runs of a workflow have succeeded.
func (w *witness) awaitAll(ctx context.Context, workflow string, n int) {
	statuses := map[string]int{}
	err := until(ctx, func() (bool, error) {
		var list page
		if err := w.ask(ctx, http.MethodGet, "/api/v3/workflows/"+workflow+"/instances?first=200&aggregated=false", "", &list); err != nil {
			return false, err
		}
		clear(statuses)
		for _, e := range list.Elements {
			statuses[e.Status]++
			if terminalRun(e.Status) && e.Status != "SUCCEEDED" {
				return false, fmt.Errorf("instance %d is %s", e.Instance, e.Status)
			}
		}
		return statuses["SUCCEEDED"] >= n, nil
	})
	if err != nil {
		w.t.Errorf("workflow %s: %v; of %d runs: %v", workflow, err, n, statuses)
	}
}

// judge compares all that can be read at the end with what was answered and seen on the way.
func (w *witness) judge(ctx context.Context, workflows []killed, requests []*request) {
	t := w.t
	byID := map[string]*request{}
	for _, r := range requests {
		byID[r.id] = r
	}
	p := w.servers.now()
	for _, k := range workflows {
		var list page
		if err := callJSON(ctx, http.MethodGet, p.url+"/api/v3/workflows/"+k.id+"/instances?first=200", "", &list); err != nil {
			t.Fatal(err)
		}
		want := k.runs
		if list.Total != want || len(list.Elements) != want || list.Info.HasNext {
			t.Errorf("workflow %s: %d instances in %d elements, want %d", k.id, list.Total, len(list.Elements), want)
		}
		numbers := map[int64]bool{}
		var steps []struct {
			Step struct {
				ID string `json:"id"`
			} `json:"step"`
		}
		if err := json.Unmarshal([]byte(k.steps), &steps); err != nil {
			t.Fatal(err)
		}
		for _, e := range list.Elements {
			r := byID[e.UUID]
			switch {
			case r == nil || r.workflow != k.id:
				t.Errorf("%s instance %d has the uuid %s, which nobody asked for or another instance has", k.id, e.Instance, e.UUID)
				continue
			case r.instance != 0 && r.instance != e.Instance:
				t.Errorf("%s start %s was answered instance %d and is %d", k.id, e.UUID, r.instance, e.Instance)
			case numbers[e.Instance] || e.Instance < 1 || e.Instance > int64(want):
				t.Errorf("%s instance number %d is not dense and unique", k.id, e.Instance)
			}
			delete(byID, e.UUID)
			numbers[e.Instance] = true
			var one instance
			if err := callJSON(ctx, http.MethodGet, fmt.Sprintf("%s/api/v3/workflows/%s/instances/%d", p.url, k.id, e.Instance), "", &one); err != nil {
				t.Fatal(err)
			}
			var statuses []string
			for _, l := range one.Timeline {
				if l.Type == "STATUS" {
					statuses = append(statuses, l.Status)
				}
			}
			if got := strings.Join(statuses, " "); got != "CREATED IN_PROGRESS SUCCEEDED" || one.Run != 1 {
				t.Errorf("%s instance %d, run %d went %s", k.id, e.Instance, one.Run, got)
			}
			attempts, err := w.steps(ctx, p, k.id, e.Instance)
			if err != nil {
				t.Fatal(err)
			}
			if len(attempts) != len(steps) {
				t.Errorf("%s instance %d has %d steps, want %d", k.id, e.Instance, len(attempts), len(steps))
			}
			for _, at := range attempts {
				key := fmt.Sprintf("%s/%d/%s", k.id, e.Instance, at.Step)
				if at.State.Status != "SUCCEEDED" || at.Attempt != 1 {
					t.Errorf("step %s: attempt %d is %s", key, at.Attempt, at.State.Status)
				}
				if seen, ok := w.recorded[key]; ok && seen != recordOf(at) {
					t.Errorf("step %s was seen as %+v and is %+v", key, seen, recordOf(at))
				}
			}
			for _, s := range steps {
				key := fmt.Sprintf("%s/%d/%s", k.id, e.Instance, s.Step.ID)
				calls := w.calls[key]
				if strings.Contains(k.steps, fmt.Sprintf(`{"id": %q, "type": "Http"`, s.Step.ID)) != (len(calls) > 0) {
					t.Errorf("step %s was called %d times", key, len(calls))
				}
				for i := 1; i < len(calls); i++ {
					// Who calls an outside that knows no client token may repeat it after a crash, and only then (P20).
					if calls[i] == calls[i-1] {
						t.Errorf("step %s was called twice by the server of generation %d", key, calls[i])
					}
				}
			}
		}
	}
	for id, r := range byID {
		t.Errorf("start %s of %s was answered %s and does not exist", id, r.workflow, r.answer.Status)
	}
}
