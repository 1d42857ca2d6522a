package api_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/step"
)

// slow is a runtime whose start lasts as long as the test wants: during is what happens meanwhile.
type slow struct {
	during func()
	start  func() (step.Result, error)
	stop   func() (step.Result, error)
	stops  int
}

func (s *slow) Start(context.Context, step.Call) (step.Result, error) {
	if s.during != nil {
		s.during()
	}
	return s.start()
}

func (s *slow) Poll(context.Context, step.Call) (step.Result, error) {
	return step.Result{State: step.Continue}, nil
}

func (s *slow) Stop(context.Context, step.Call) (step.Result, error) {
	s.stops++
	if s.stop != nil {
		return s.stop()
	}
	return step.Result{State: step.Stopped}, nil
}

func answers(state step.State) func() (step.Result, error) {
	return func() (step.Result, error) { return step.Result{State: state}, nil }
}

const oneJob = `{"step":{"id":"job","type":"Simulated"}}`

// While a start is under way a stop is pending: api.md 12 and engine-runs-and-actions.md 4.3, 4.5.
func TestStopOfAStartUnderWayIsPending(t *testing.T) {
	for name, state := range map[string]step.State{"the call has succeeded": step.FatalError, "a job runs": step.Continue} {
		t.Run(name, func(t *testing.T) {
			runtime := &slow{start: answers(state)}
			h := newHost(t, step.Registry{step.SimulatedType: runtime}, app.Settings{})
			h.push("w", oneJob, "")
			runtime.during = func() {
				h.must("PUT /w/instances/1/steps/job/actions/stop?blocking=false")
				h.deliver()
				if got := h.step("w/instances/1/runs/1", "job"); got != "STARTING" {
					t.Errorf("the step is %s while its start is under way", got)
				}
				for _, action := range []string{"kill", "stop", "skip"} {
					if r := h.call("PUT /w/instances/1/steps/job/actions/" + action); r.status != 409 || r.at("status") != "CONFLICT" {
						t.Errorf("%s while a stop is pending: %d %s", action, r.status, r.text)
					}
				}
				if runtime.stops != 0 {
					t.Error("the runtime was asked to stop what it is starting")
				}
			}
			h.start("w")
			h.deliver()
			if got := h.step("w/instances/1/runs/1", "job"); got != "STOPPED" {
				t.Errorf("the step is %s after its start has ended", got)
			}
			if got := h.status("w/instances/1/runs/1"); got != "STOPPED" {
				t.Errorf("the run is %s", got)
			}
			if want := map[bool]int{true: 1, false: 0}[state == step.Continue]; runtime.stops != want {
				t.Errorf("the runtime was asked to stop %d times, want %d", runtime.stops, want)
			}
		})
	}
}

func TestBlockingStopOfAStartUnderWayTimesOutAndStays(t *testing.T) {
	runtime := &slow{start: answers(step.Done)}
	h := newHost(t, step.Registry{step.SimulatedType: runtime}, app.Settings{})
	h.push("w", oneJob, "")
	runtime.during = func() {
		before := h.time
		r := h.call("PUT /w/instances/1/steps/job/actions/stop")
		if r.status != 408 || r.at("status") != "REQUEST_TIMEOUT" {
			t.Errorf("a blocking stop: %d %s", r.status, r.text)
		}
		if waited := h.time - before; waited < 5000 || waited > 6000 {
			t.Errorf("it waited %d ms", waited)
		}
		if r := h.call("PUT /w/instances/1/steps/job/actions/stop"); r.status != 409 {
			t.Errorf("a second stop: %d %s", r.status, r.text)
		}
		runtime.during = nil
	}
	runtime.start = answers(step.Continue)
	h.start("w")
	h.deliver()
	if got := h.step("w/instances/1/runs/1", "job"); got != "STOPPED" {
		t.Errorf("the step is %s", got)
	}
}

// A start that dies with its invocation keeps its claim; the stop takes it over when it is old (P20).
func TestStopAfterAStartThatDied(t *testing.T) {
	runtime := &slow{start: func() (step.Result, error) { panic("the invocation is gone") }}
	h := newHost(t, step.Registry{step.SimulatedType: runtime}, app.Settings{})
	h.push("w", oneJob, "")
	h.start("w")
	h.must("PUT /w/instances/1/steps/job/actions/kill?blocking=false")
	h.deliver()
	if got := h.step("w/instances/1/runs/1", "job"); got != "STARTING" {
		t.Fatalf("the step is %s: nobody knows yet whether the start is under way", got)
	}
	h.pass(20 * time.Minute)
	if got := h.step("w/instances/1/runs/1", "job"); got != "FATALLY_FAILED" {
		t.Errorf("the step is %s", got)
	}
	if runtime.stops == 0 {
		t.Error("what the dead start may have started was not stopped")
	}
}

// A stop that finds nobody starting keeps a late start out, and one that fails is made again.
func TestStopBeforeTheStart(t *testing.T) {
	started := false
	runtime := &slow{start: func() (step.Result, error) { started = true; return step.Result{State: step.Continue}, nil }}
	failures := 1
	runtime.stop = func() (step.Result, error) {
		if failures--; failures >= 0 {
			return step.Result{}, errors.New("the service does not answer")
		}
		return step.Result{State: step.Stopped}, nil
	}
	h := newHost(t, step.Registry{step.SimulatedType: runtime}, app.Settings{})
	h.push("w", oneJob, "")
	h.must("POST /w/versions/latest/actions/start", `{"initiator":{"type":"manual"}}`)
	for k := 0; k < len(h.waiting); {
		if strings.Contains(string(h.waiting[k].body), `"start"`) {
			break
		}
		h.take(k)
	}
	h.must("PUT /w/instances/1/actions/stop")
	h.deliver()
	h.pass(10 * time.Minute)
	if started {
		t.Error("the step was started after its stop")
	}
	if got := h.status("w/instances/1/runs/1"); got != "STOPPED" {
		t.Errorf("the run is %s", got)
	}
	if h.dead != 0 {
		t.Errorf("%d messages were given up", h.dead)
	}
}
