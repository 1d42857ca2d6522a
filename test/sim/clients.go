package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/permit"
	"github.com/downbeat/downbeat/core/store"
)

// The workflow ids of a simulation, each with a run strategy of its own.
var workflowIDs = []string{"sequential", "strict", "parallel", "first", "last", "serial"}

var strategies = map[string]string{
	"sequential": `"SEQUENTIAL"`, "strict": `"STRICT_SEQUENTIAL"`, "parallel": `{"rule":"PARALLEL","workflow_concurrency":3}`,
	"first": `"FIRST_ONLY"`, "last": `"LAST_ONLY"`, "serial": `"SERIAL_LATEST_ONLY"`,
}

func concurrency(workflow string) int {
	if workflow == "parallel" {
		return 3
	}
	return 1
}

// definitionOf draws a workflow: a random DAG of control steps and of jobs that run outside, some of which fail, with
// conditions, retries, timeouts and failure modes.
func (s *system) definitionOf(workflow string) string {
	r := s.w.rng
	n, edges := 1+r.IntN(8), 3
	if r.IntN(5) == 0 {
		// A wide one: with many jobs outside at once, completions go through their queue and are folded together.
		n, edges = 6+r.IntN(7), 12
	}
	var steps []string
	for i := range n {
		var next []string
		for j := i + 1; j < n; j++ {
			if r.IntN(edges) == 0 {
				next = append(next, fmt.Sprintf(`"s%d":%q`, j, []string{"true", "true", "1 < 2", "false"}[r.IntN(4)]))
			}
		}
		body := `"type":"NoOp"`
		switch r.IntN(4) {
		case 0:
			body = fmt.Sprintf(`"type":"Sleep","params":{"sleep_seconds":{"value":%d,"type":"LONG"}}`, r.IntN(20))
		case 1, 2:
			var outcomes []string
			for range 1 + r.IntN(3) {
				outcomes = append(outcomes, fmt.Sprintf("%q", []string{"DONE", "DONE", "DONE", "USER_ERROR", "PLATFORM_ERROR", "FATAL_ERROR"}[r.IntN(6)]))
			}
			body = fmt.Sprintf(`"type":"Simulated","params":{"job_duration":{"value":%d,"type":"LONG"},"outcome":{"value":[%s],"type":"STRING_ARRAY"}},`+
				`"retry_policy":{"error_retry_limit":%d,"platform_retry_limit":%d,"backoff":{"type":"FIXED_BACKOFF","error_retry_backoff_in_secs":%d,"platform_retry_backoff_in_secs":3}}`,
				r.IntN(90_000), strings.Join(outcomes, ","), r.IntN(3), r.IntN(3), 1+r.IntN(40))
			if r.IntN(5) == 0 {
				body += fmt.Sprintf(`,"timeout":"%d seconds"`, 1+r.IntN(60))
			}
		}
		if r.IntN(2) == 0 {
			body += `,"tags":["shared"]`
		}
		body += fmt.Sprintf(`,"failure_mode":%q`, []string{"FAIL_AFTER_RUNNING", "FAIL_AFTER_RUNNING", "FAIL_IMMEDIATELY", "IGNORE_FAILURE"}[r.IntN(4)])
		steps = append(steps, fmt.Sprintf(`{"step":{"id":"s%d",%s,"transition":{"successors":{%s}}}}`, i, body, strings.Join(next, ",")))
	}
	timeout := ""
	if r.IntN(8) == 0 {
		timeout = fmt.Sprintf(`"timeout":"%d seconds",`, 5+r.IntN(200))
	}
	return fmt.Sprintf(`{"properties":{"owner":"sim","run_strategy":%s},"workflow":{"id":%q,%s"steps":[%s]}}`, strategies[workflow], workflow, timeout, strings.Join(steps, ","))
}

// pushAll pushes a definition for each workflow id, without faults, and sets a limit on the shared tag.
func (s *system) pushAll() []string {
	w := s.w
	faults := w.faults
	w.faults = Faults{Skew: faults.Skew}
	done := 0
	s.invoke("setup", func(ctx context.Context, a *app.App) {
		for _, id := range workflowIDs {
			req, err := definition.ReadCreate([]byte(s.definitionOf(id)))
			if err == nil {
				err = req.Validate(a.Now())
			}
			if err == nil {
				_, err = a.Push(ctx, req, definition.NamedUser("sim"))
			}
			if err != nil {
				w.fail("push of %s: %v", id, err)
				return
			}
		}
		if w.rng.IntN(4) != 0 {
			s.sharedLimit = 1 + w.rng.IntN(2)
			if err := a.SetTagPermit(ctx, permit.LimitRequest{Tag: sharedTag, MaxAllowed: int64(s.sharedLimit)}, "sim"); err != nil {
				w.fail("tag permit: %v", err)
			}
		}
		done++
	}, nil)
	s.run(func() bool { return done > 0 }, w.now+3600_000)
	w.faults = faults
	return workflowIDs
}

// clients lets users make requests, spread over a few minutes. A start that is not answered is asked for again with the
// same request id, as a client would.
func (s *system) clients(ids []string) {
	w := s.w
	n := s.opts.Requests
	if n == 0 {
		n = 8 + w.rng.IntN(25)
	}
	// A few workflow ids get everything: that is where requests meet.
	few := append([]string(nil), ids...)
	w.rng.Shuffle(len(few), func(i, j int) { few[i], few[j] = few[j], few[i] })
	few = few[:1+w.rng.IntN(3)]
	for i := range n {
		workflow := few[w.rng.IntN(len(few))]
		// Half of them come in bursts, where they meet.
		at := w.rng.Int64N(240_000)
		if w.rng.IntN(2) == 0 {
			at = at/60_000*60_000 + w.rng.Int64N(200)
		}
		kind := w.rng.IntN(10)
		uuid := fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i)
		s.open++
		w.after(at, func() {
			if kind < 7 {
				s.start(workflow, uuid, 0)
			} else {
				s.act(workflow, kind, uuid)
			}
		})
	}
}

// start asks for a run until it is answered.
func (s *system) start(workflow, uuid string, try int) {
	w := s.w
	again := false
	id := uuid
	if uuid[len(uuid)-1]%3 == 0 {
		// This client leaves the request id to the application: asking again is another start.
		id = ""
	}
	s.invoke("client-start", func(ctx context.Context, a *app.App) {
		started, err := a.Start(ctx, workflow, "active", "sim", engine.StartRequest{Initiator: engine.Initiator{Type: engine.Manual}, RequestID: id, RequestTime: a.Now()})
		switch {
		case err == nil && started.Duplicated:
			w.logf("start %s of %s: duplicated", uuid, workflow)
		case err == nil:
			w.logf("start %s of %s: instance %d", uuid, workflow, started.Instance)
			id, uuid := store.RunID{Workflow: workflow, Instance: started.Instance, Run: started.Run}, started.UUID
			if other, dup := s.answered[uuid]; dup && other != id {
				w.fail("start %s was answered with %s and with %s", uuid, other, id)
			}
			for u, other := range s.answered {
				if other == id && u != uuid {
					w.fail("run %s was given to start %s and to start %s", id, u, uuid)
				}
			}
			s.answered[uuid] = id
		case final(err):
			w.logf("start %s of %s: refused: %v", uuid, workflow, err)
		default:
			w.logf("start %s of %s: %v", uuid, workflow, err)
			again = true
			return
		}
		s.open--
	}, func(crashed bool) {
		if (crashed || again) && w.failure == nil {
			if try > 200 {
				w.fail("start %s of %s is not answered after %d tries", uuid, workflow, try)
				return
			}
			w.after(500+w.rng.Int64N(5000), func() { s.start(workflow, uuid, try+1) })
		}
	})
}

// final tells whether asking again is pointless.
func final(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Code != fault.InternalError
}

// act makes one other request, about an instance that exists; whether it is accepted is up to the decider.
func (s *system) act(workflow string, kind int, uuid string) {
	w := s.w
	s.invoke("client-act", func(ctx context.Context, a *app.App) {
		latest, err := a.LatestInstance(ctx, workflow)
		if err != nil || latest == 0 {
			return
		}
		id := store.RunID{Workflow: workflow, Instance: 1 + w.rng.Int64N(latest)}
		step := fmt.Sprintf("s%d", w.rng.IntN(8))
		switch w.rng.IntN(9) {
		case 0:
			_, err = a.Act(ctx, id, engine.Action{Kind: engine.ActionStop, User: "sim"})
		case 1:
			_, err = a.Act(ctx, id, engine.Action{Kind: engine.ActionKill, User: "sim"})
		case 2:
			_, err = a.Act(ctx, id, engine.Action{Kind: engine.ActionStop, StepID: step, User: "sim"})
		case 3:
			_, err = a.Act(ctx, id, engine.Action{Kind: engine.ActionKill, StepID: step, User: "sim"})
		case 4:
			_, err = a.Act(ctx, id, engine.Action{Kind: engine.ActionSkip, StepID: step, User: "sim"})
		case 5:
			_, _, err = a.EndAll(ctx, workflow, "sim", "", w.rng.IntN(2) == 0)
		case 6:
			_, err = a.Unblock(ctx, workflow, 0, "sim")
		default:
			var v *app.RunView
			if v, err = a.Run(ctx, id); err == nil {
				_, err = a.Restart(ctx, v, engine.RestartRequest{Policy: []engine.RunPolicy{engine.RestartFromBeginning, engine.RestartFromIncomplete}[w.rng.IntN(2)], RequestID: uuid, User: "sim"})
			}
		}
		w.logf("request %d on %s: %v", kind, id, err)
	}, func(bool) { s.open-- })
}
