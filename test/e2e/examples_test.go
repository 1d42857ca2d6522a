package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// example is what a file of examples/ is expected to do when it is pushed and started.
type example struct {
	// status and steps are those of the first instance at its end.
	status string
	steps  map[string]string
	// address is the param that tells the address of the service that the example calls.
	address string
	// needs are files that are pushed before.
	needs []string
	// script, if set, does what the example is about, after the push and in place of the one start.
	script func(*play)
	// check, if set, looks further at the run that has ended.
	check func(*play)
}

// The examples by their file. Of what cannot run here the expectation says how it ends.
var examples = map[string]example{
	"hello.json":                {status: "SUCCEEDED", steps: map[string]string{"greet": "SUCCEEDED"}},
	"nightly-orders.json":       {status: "SUCCEEDED", steps: map[string]string{"extract": "SUCCEEDED", "load_full": "SUCCEEDED", "load_delta": "UNSATISFIED", "publish": "SUCCEEDED"}},
	"daily-at-three.json":       {status: "SUCCEEDED", steps: map[string]string{"report": "SUCCEEDED"}},
	"alerts.json":               {status: "SUCCEEDED", steps: map[string]string{"report": "SUCCEEDED"}},
	"nightly-features.yaml":     {status: "SUCCEEDED", steps: map[string]string{"extract": "SUCCEEDED", "big": "SUCCEEDED", "small": "UNSATISFIED"}},
	"params-of-every-type.json": {status: "SUCCEEDED", steps: map[string]string{"report": "SUCCEEDED"}, check: checkParams},
	"expressions.json":          {status: "SUCCEEDED", steps: map[string]string{"plan": "SUCCEEDED", "split": "SUCCEEDED", "direct": "UNSATISFIED"}, check: checkExpressions},
	"call-a-service.json": {
		status: "SUCCEEDED", steps: map[string]string{"fetch": "SUCCEEDED", "store": "SUCCEEDED", "nothing_today": "UNSATISFIED"},
		address: "service", check: checkCall,
	},
	"flaky-export.json": {
		status: "SUCCEEDED", steps: map[string]string{"export": "SUCCEEDED", "notify": "SUCCEEDED"}, address: "service",
		check: func(p *play) {
			if at := p.step("export"); at.Attempt != 3 {
				p.t.Errorf("export succeeded at attempt %d, want 3", at.Attempt)
			}
		},
	},
	"time-limits.json": {status: "TIMED_OUT", steps: map[string]string{"slow": "TIMED_OUT", "report": "NOT_CREATED"}},
	"failure-modes.json": {status: "FAILED", address: "service", steps: map[string]string{
		"optional": "COMPLETED_WITH_ERROR", "goes_on": "SUCCEEDED", "needed": "FATALLY_FAILED", "never_reached": "NOT_CREATED", "runs_to_its_end": "SUCCEEDED"}},
	"fetch-a-table.json": {
		status: "SUCCEEDED", steps: map[string]string{"customers": "SUCCEEDED"}, address: "catalogue",
		check: func(p *play) {
			if got := string(p.step("customers").Params["response_body"].Result); got != `"table customers"` {
				p.t.Errorf("the template's step got %s", got)
			}
		},
	},
	"many-at-once.json":             {script: playManyAtOnce},
	"stop-the-line.json":            {script: playStopTheLine},
	"not-twice.json":                {script: playNotTwice},
	"newest-wins.json":              {script: playNewestWins},
	"look-before-publish.json":      {script: playBreakpoint},
	"share-the-warehouse.json":      {script: playPermit},
	"restart-from-the-failure.json": {script: playRestart},

	"reload-per-country.json": {status: "SUCCEEDED", steps: map[string]string{"per_country": "SUCCEEDED", "announce": "SUCCEEDED"}},
	"wait-until-ready.json":   {status: "SUCCEEDED", steps: map[string]string{"poll": "SUCCEEDED"}},
	"count-down.yaml":         {status: "SUCCEEDED", steps: map[string]string{"countdown": "SUCCEEDED", "launch": "SUCCEEDED"}, needs: []string{"hello.json"}},
	// The workflows that it starts belong to others: without them its first step cannot.
	"month-end.json":                        {status: "FAILED", steps: map[string]string{"close_books": "FATALLY_FAILED", "archive": "NOT_CREATED"}},
	"train-model.json":                      {status: "FAILED", steps: map[string]string{"prepare": "FATALLY_FAILED", "fit": "NOT_CREATED"}},
	"when-orders-and-users-are-loaded.json": {script: playSignalTrigger},
	"publish-after-upstream.json":           {script: playSignalWait},
}

// TestExamples pushes every file of examples/ and runs it to the end that is expected of it.
func TestExamples(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	base := startLocal(ctx, t) + "/api/v3"
	services := &services{calls: map[string]int{}, gates: map[string]chan struct{}{}}
	stub := httptest.NewServer(services)
	t.Cleanup(func() {
		services.openAll()
		stub.Close()
	})
	const dir = "../../examples"
	templates := filepath.Join(dir, "job-templates")
	for _, template := range slices.Concat(glob(t, templates, "*.json"), glob(t, templates, "*.yaml")) {
		if err := push(ctx, base+"/job-templates", filepath.Join(templates, template)); err != nil {
			t.Fatal(err)
		}
	}
	files := slices.Concat(glob(t, dir, "*.json"), glob(t, dir, "*.yaml"))
	known := slices.Sorted(maps.Keys(examples))
	if names := slices.Sorted(slices.Values(files)); !slices.Equal(names, known) {
		t.Fatalf("files %q\nexpectations for %q", names, known)
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.Contains(string(readme), "`"+file+"`") {
			t.Errorf("README.md does not name %s", file)
		}
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			id := strings.TrimSuffix(file, filepath.Ext(file))
			p := &play{t: t, ctx: ctx, base: base + "/workflows", id: id, services: services, service: stub.URL + "/" + id, address: examples[file].address}
			for _, f := range append(examples[file].needs, file) {
				if err := push(ctx, p.base, filepath.Join(dir, f)); err != nil {
					t.Fatal(err)
				}
			}
			p.run(examples[file])
		})
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s/%s: %d files, %v", dir, pattern, len(paths), err)
	}
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return paths
}

// push sends a file as a person does it with curl: YAML goes to a path of its own.
func push(ctx context.Context, url, path string) error {
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	content := "application/json"
	if strings.HasSuffix(path, ".yaml") {
		url, content = url+"/yaml", "application/yaml"
	}
	a, err := call(ctx, http.MethodPost, url, content, string(body))
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("%s: %d: %s", filepath.Base(path), a.status, a.body)
	}
	return nil
}

// services are what the examples call, each below its own path: /orders and /ledger answer, /jobs does at the third
// call, /tables/NAME names the table, all else is missing. Calls below a path whose gate is shut wait.
type services struct {
	mu    sync.Mutex
	calls map[string]int           // guarded by mu
	gates map[string]chan struct{} // guarded by mu; closed when it opens
}

func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls[r.URL.Path]++
	n := s.calls[r.URL.Path]
	id, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	gate := s.gates[id]
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case rest == "orders":
		fmt.Fprint(w, `["a", "b"]`)
	case rest == "ledger":
		fmt.Fprint(w, "posted")
	case rest == "jobs" && n > 2:
		w.WriteHeader(http.StatusCreated)
	case rest == "jobs":
		http.Error(w, "busy", http.StatusServiceUnavailable)
	case strings.HasPrefix(rest, "tables/"):
		fmt.Fprint(w, "table "+strings.TrimPrefix(rest, "tables/"))
	default:
		http.NotFound(w, r)
	}
}

// shut has the calls of an example wait until its gate opens.
func (s *services) shut(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gates[id] = make(chan struct{})
}

func (s *services) open(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.gates[id]; g != nil {
		close(g)
		delete(s.gates, id)
	}
}

func (s *services) openAll() {
	s.mu.Lock()
	ids := slices.Collect(maps.Keys(s.gates))
	s.mu.Unlock()
	for _, id := range ids {
		s.open(id)
	}
}

// play is an example being played.
type play struct {
	t        *testing.T
	ctx      context.Context
	base, id string
	services *services
	service  string // the address of its services
	address  string
}

func (p *play) run(e example) {
	p.t.Helper()
	if e.script != nil {
		e.script(p)
		return
	}
	p.start()
	p.await(1, e.status)
	if got := p.views(1); !maps.Equal(got, e.steps) {
		p.t.Errorf("steps %v\nwant  %v", got, e.steps)
	}
	if e.check != nil {
		e.check(p)
	}
}

func (p *play) startBody() string {
	if p.address == "" {
		return `{"initiator": {"type": "manual"}}`
	}
	return fmt.Sprintf(`{"initiator": {"type": "manual"}, "run_params": {%q: {"type": "STRING", "value": %q}}}`, p.address, p.service)
}

// start starts the example and returns the answer.
func (p *play) start() started {
	p.t.Helper()
	var s started
	p.do(http.MethodPost, "/"+p.id+"/versions/latest/actions/start", p.startBody(), &s)
	return s
}

// do makes a call that must succeed.
func (p *play) do(method, path, body string, v any) {
	p.t.Helper()
	if err := callJSON(p.ctx, method, p.base+path, body, v); err != nil {
		p.t.Fatal(err)
	}
}

func (p *play) instance(n int64) (i instance) {
	p.t.Helper()
	p.do(http.MethodGet, fmt.Sprintf("/%s/instances/%d", p.id, n), "", &i)
	return i
}

// await waits until an instance has the status; another terminal one is a failure.
func (p *play) await(n int64, status string) {
	p.t.Helper()
	err := until(p.ctx, func() (bool, error) {
		got := p.instance(n).Status
		if got != status && terminalRun(got) {
			return false, fmt.Errorf("is %s", got)
		}
		return got == status, nil
	})
	if err != nil {
		p.t.Fatalf("instance %d, awaited %s: %v", n, status, err)
	}
}

// views are the statuses of an instance's steps.
func (p *play) views(n int64) map[string]string {
	p.t.Helper()
	got := map[string]string{}
	for id, s := range p.instance(n).Aggregated.Steps {
		got[id] = s.Status
	}
	return got
}

func (p *play) awaitStep(n int64, step, status string) {
	p.t.Helper()
	last := ""
	err := until(p.ctx, func() (bool, error) {
		last = p.views(n)[step]
		return last == status, nil
	})
	if err != nil {
		p.t.Fatalf("step %s of instance %d is %s, awaited %s: %v", step, n, last, status, err)
	}
}

func (p *play) step(id string) (at attempt) {
	p.t.Helper()
	p.do(http.MethodGet, "/"+p.id+"/instances/1/steps/"+id, "", &at)
	return at
}

// results compares evaluated params.
func (p *play) results(params map[string]param, want map[string]string) {
	p.t.Helper()
	for name, text := range want {
		if got := string(params[name].Result); got != text {
			p.t.Errorf("param %s is %s, want %s", name, got, text)
		}
	}
}

func checkParams(p *play) {
	params := p.instance(1).Params
	types := map[string]bool{}
	for _, q := range params {
		types[q.Type] = true
	}
	for _, want := range []string{"STRING", "LONG", "DOUBLE", "BOOLEAN", "STRING_MAP", "MAP", "STRING_ARRAY", "LONG_ARRAY", "DOUBLE_ARRAY", "BOOLEAN_ARRAY"} {
		if !types[want] {
			p.t.Errorf("no param has the type %s", want)
		}
	}
	p.results(params, map[string]string{
		"region": `"eu"`, "doubled": "1000", "labels": `{"team":"growth","env":"eu-prod"}`, "shards": "[0,1,2,3]", "weights": "[0.5,1.25]", "flags": "[true,false]",
	})
	var target map[string]any
	if err := json.Unmarshal(params["target"].Result, &target); err != nil || target["path"] != "s3://lake/eu" || target["retention_days"] != 30.0 {
		p.t.Errorf("target is %s", params["target"].Result)
	}
	p.results(p.step("report").Params, map[string]string{"summary": `"eu: 1000 rows of [\"orders\",\"customers\"]"`})
}

func checkExpressions(p *play) {
	p.results(p.instance(1).Params, map[string]string{
		"next_day": `"20250201"`, "total": "500", "size": `"large"`, "tables": `["orders_20250131","orders_20250201"]`,
		"label": `"large: 500 rows into [\"orders_20250131\",\"orders_20250201\"]"`,
	})
	p.results(p.step("split").Params, map[string]string{"parts": "5"})
}

func checkCall(p *play) {
	p.results(p.step("fetch").Params, map[string]string{"status_code": "200", "response_body": `"[\"a\", \"b\"]"`})
	p.results(p.step("store").Params, map[string]string{"orders": `"[\"a\", \"b\"]"`, "size": "10"})
}

// hold shuts the example's gate and starts runs, of which the first n are seen to be running.
func (p *play) hold(runs int, running ...int64) {
	p.t.Helper()
	p.address = "service"
	p.services.shut(p.id)
	for range runs {
		p.start()
	}
	for _, n := range running {
		p.awaitStep(n, "load", "STARTING")
	}
}

func playManyAtOnce(p *play) {
	p.hold(5, 1, 2, 3)
	for n := int64(4); n <= 5; n++ {
		if got := p.instance(n).Status; got != "CREATED" {
			p.t.Errorf("instance %d is %s beside three that run", n, got)
		}
	}
	p.services.open(p.id)
	for n := int64(1); n <= 5; n++ {
		p.await(n, "SUCCEEDED")
	}
}

func playStopTheLine(p *play) {
	p.start() // at an address where nobody may call
	p.await(1, "FAILED")
	p.address = "service"
	p.start()
	var overview struct {
		Failed int `json:"failed_instances"`
	}
	if err := until(p.ctx, func() (bool, error) {
		p.do(http.MethodGet, "/"+p.id+"/overview", "", &overview)
		return overview.Failed == 1, nil
	}); err != nil {
		p.t.Fatalf("failed instances: %d: %v", overview.Failed, err)
	}
	if got := p.instance(2).Status; got != "CREATED" {
		p.t.Errorf("instance 2 is %s behind one that failed", got)
	}
	p.do(http.MethodPut, "/"+p.id+"/actions/unblock", "", nil)
	p.await(2, "SUCCEEDED")
}

func playNotTwice(p *play) {
	p.hold(1, 1)
	if s := p.start(); s.Status != "STOPPED" || s.Instance != 2 {
		p.t.Errorf("a second start is answered %+v", s)
	}
	p.await(2, "STOPPED")
	p.services.open(p.id)
	p.await(1, "SUCCEEDED")
	p.start()
	p.await(3, "SUCCEEDED")
}

func playNewestWins(p *play) {
	p.hold(1, 1)
	p.start()
	p.await(1, "STOPPED")
	p.services.open(p.id)
	p.await(2, "SUCCEEDED")
}

func playBreakpoint(p *play) {
	where := "/steps/breakpoints?workflowId=" + p.id + "&stepId=publish"
	p.do(http.MethodPost, "/steps/breakpoints", fmt.Sprintf(`{"workflow_id": %q, "step_id": "publish"}`, p.id), nil)
	p.start()
	p.awaitStep(1, "publish", "PAUSED")
	p.do(http.MethodDelete, where+"&resume=true", "", nil)
	p.await(1, "SUCCEEDED")
}

func playPermit(p *play) {
	permits := strings.TrimSuffix(p.base, "/workflows") + "/tag-permits"
	set := func(n int) {
		a, err := call(p.ctx, http.MethodPost, permits, "application/json", fmt.Sprintf(`{"tag": "warehouse-slots", "max_allowed": %d}`, n))
		if err != nil || a.status != http.StatusOK {
			p.t.Fatalf("permit: %d %s %v", a.status, a.body, err)
		}
	}
	set(0)
	p.start()
	p.awaitStep(1, "plan", "SUCCEEDED")
	p.awaitStep(1, "orders", "WAITING_FOR_PERMITS")
	p.awaitStep(1, "customers", "WAITING_FOR_PERMITS")
	set(1)
	p.await(1, "SUCCEEDED")
	orders, customers := p.step("orders"), p.step("customers")
	if orders.State.Start < customers.State.EndTime && customers.State.Start < orders.State.EndTime {
		p.t.Errorf("with one permit two steps ran at once: %+v, %+v", orders.State, customers.State)
	}
}

func playRestart(p *play) {
	p.address = "service"
	p.start()
	p.await(1, "FAILED")
	var s started
	p.do(http.MethodPost, "/"+p.id+"/instances/1/actions/restart",
		`{"restart_policy": "RESTART_FROM_INCOMPLETE", "run_params": {"book": {"type": "STRING", "value": "ledger"}}}`, &s)
	if s.Run != 2 {
		p.t.Errorf("restart is answered %+v", s)
	}
	p.await(1, "SUCCEEDED")
	var steps []attempt
	p.do(http.MethodGet, "/"+p.id+"/instances/1/runs/2/steps", "", &steps)
	var ran []string
	for _, at := range steps {
		ran = append(ran, at.Step)
	}
	if !slices.Equal(ran, []string{"post", "confirm"}) {
		p.t.Errorf("the second run did %v", ran)
	}
}

// playSignalWait: the step waits for a signal and can be stopped while it does; with the signal it goes on.
func playSignalWait(p *play) {
	p.start()
	p.awaitStep(1, "load", "WAITING_FOR_SIGNALS")
	p.do(http.MethodPut, "/"+p.id+"/instances/1/actions/stop", "", nil)
	p.await(1, "STOPPED")
	p.start()
	p.awaitStep(2, "load", "WAITING_FOR_SIGNALS")
	p.announce("upstream.eu.ready", `{"day": 20991231}`)
	p.await(2, "SUCCEEDED")
}

// playSignalTrigger: the signals of one day start a run, which reads them.
func playSignalTrigger(p *play) {
	p.announce("users.loaded", `{"day": 20250102}`)
	p.announce("orders.loaded", `{"day": 20250101, "region": "eu"}`)
	p.announce("users.loaded", `{"day": 20250101}`)
	err := until(p.ctx, func() (bool, error) {
		a, err := call(p.ctx, http.MethodGet, p.base+"/"+p.id+"/instances/1", "", "")
		return a.status == http.StatusOK, err
	})
	if err != nil {
		p.t.Fatalf("no run is started: %v", err)
	}
	p.await(1, "SUCCEEDED")
	p.results(p.step("join").Params, map[string]string{"day": "20250101", "origin": `"orders and users"`})
}

func (p *play) announce(name, params string) {
	p.t.Helper()
	if err := callJSON(p.ctx, http.MethodPost, strings.TrimSuffix(p.base, "/workflows")+"/signals", fmt.Sprintf(`{"name": %q, "params": %s}`, name, params), nil); err != nil {
		p.t.Fatal(err)
	}
}
