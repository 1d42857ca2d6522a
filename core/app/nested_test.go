package app_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/signal"
	"github.com/downbeat/downbeat/core/store"
)

const (
	loops = `{"foreach": {"id": "each", "concurrency": 2, "transition": {"successors": {"round": "true"}},
	   "params": {"loop_params": {"type": "MAP", "value": {"n": {"type": "LONG_ARRAY", "value": [1, 2, 3]}}}},
	   "steps": [{"step": {"id": "x", "type": "NoOp", "params": {"twice": {"type": "LONG", "expression": "n * 2"}}}}]}},
	 {"while": {"id": "round", "condition": "k < 2", "transition": {"successors": {"call": "true"}},
	   "params": {"loop_params": {"type": "MAP", "value": {"k": {"type": "LONG", "value": 0}}}},
	   "steps": [{"step": {"id": "y", "type": "NoOp", "params": {"k": {"type": "LONG", "expression": "k + 1"}}}}]}},
	 {"subworkflow": {"id": "call", "transition": {"successors": {"sum": "true"}}, "params": {"subworkflow_id": {"type": "STRING", "value": "kid"}}}},
	 {"step": {"id": "sum", "type": "NoOp", "params": {"all": {"type": "LONG_ARRAY", "expression": "params.getFromForeach('each', 'x', 'twice')"}}}}`

	held = `{"foreach": {"id": "each", "concurrency": 2,
	   "params": {"loop_params": {"type": "MAP", "value": {"n": {"type": "LONG_ARRAY", "value": [1, 2, 3]}}}},
	   "steps": [{"step": {"id": "x", "type": "NoOp", "signal_dependencies": [{"name": "go"}]}}]}},
	 {"subworkflow": {"id": "call", "params": {"subworkflow_id": {"type": "STRING", "value": "kid"}}}}`

	waits     = `{"step": {"id": "wait", "type": "NoOp", "signal_dependencies": [{"name": "go"}]}}`
	announces = `{"step": {"id": "tell", "type": "NoOp", "signal_outputs": [{"name": "go", "params": {"day": {"type": "LONG", "value": 7}}}]}}`
)

// artifact reads an artifact of the newest attempt of a step.
func (s *system) artifact(workflow, stepID, key string, into any) {
	s.t.Helper()
	at := engine.LatestAttempt(s.run(workflow, 1).State(), stepID)
	if at == nil {
		s.t.Fatalf("step %s has no attempt", stepID)
	}
	raw, ok := at.Artifacts.Get(key)
	if !ok {
		s.t.Fatalf("step %s, which is %s, has no artifact %s", stepID, at.Status, key)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		s.t.Fatal(err)
	}
}

// TestNestedSurviveCrashes: whoever dies at any call while loops and children run leaves nothing undone and nothing done
// twice: every iteration ran once, the child was started once (P24).
func TestNestedSurviveCrashes(t *testing.T) {
	everyDeath(t, func(s *system, arm func()) {
		s.push("kid", parallel, chain)
		s.push("dad", parallel, loops)
		arm()
		_, err := s.start("dad", request1)
		s.handle()
		s.lose()
		s.restart()
		s.pass(3 * time.Hour)
		if err != nil {
			s.mustStart("dad", request1)
			s.pass(3 * time.Hour)
		}
		if got := s.statuses("dad"); got != "SUCCEEDED" {
			s.t.Fatalf("dad is %s", got)
		}
		if got := s.statuses("kid"); got != "SUCCEEDED" {
			s.t.Errorf("kid is %s", got)
		}
		var each struct {
			ID       string `json:"foreach_workflow_id"`
			Overview struct {
				Details map[string][][]int64 `json:"details"`
				Rollup  struct {
					Leaves int `json:"total_leaf_count"`
				} `json:"rollup"`
			} `json:"foreach_overview"`
		}
		s.artifact("dad", "each", "maestro_foreach", &each)
		if d := fmt.Sprint(each.Overview.Details); d != "map[SUCCEEDED:[[1 3]]]" || each.Overview.Rollup.Leaves != 3 {
			s.t.Errorf("foreach: %s, %d leaves", d, each.Overview.Rollup.Leaves)
		}
		for i := int64(1); i <= 3; i++ {
			if n := len(s.run(each.ID, i).Attempts()); n != 1 {
				s.t.Errorf("iteration %d has %d attempts", i, n)
			}
			if n, err := s.proc.LatestRunNumber(s.t.Context(), each.ID, i); n != 1 || err != nil {
				s.t.Errorf("iteration %d has %d runs, %v", i, n, err)
			}
		}
		var round struct {
			Last   int64              `json:"last_iteration"`
			Values map[string][]int64 `json:"loop_param_values"`
		}
		s.artifact("dad", "round", "maestro_while", &round)
		if v := fmt.Sprint(round.Values); round.Last != 2 || v != "map[k:[0 1 2]]" {
			s.t.Errorf("while: %d iterations, %s", round.Last, v)
		}
		sum := engine.LatestAttempt(s.run("dad", 1).State(), "sum")
		if v, ok := sum.Params.Result("all"); !ok || fmt.Sprint(v.AsLongs()) != "[2 4 6]" {
			s.t.Errorf("the loop's params are read as %v", v)
		}
	})
}

// TestStopReachesAllChildren: a stop that is carried out by somebody who dies at any call ends all that lies below (P24).
func TestStopReachesAllChildren(t *testing.T) {
	everyDeath(t, func(s *system, arm func()) {
		s.push("kid", parallel, waits)
		s.push("dad", parallel, held)
		s.mustStart("dad", request1)
		s.pass(time.Minute)
		if got := s.statuses("kid"); got != "IN_PROGRESS" {
			s.t.Fatalf("before: kid is %s", got)
		}
		arm()
		stop := func() error {
			_, err := s.proc.Act(s.t.Context(), store.RunID{Workflow: "dad", Instance: 1}, engine.Action{Kind: engine.ActionStop, User: "ann"})
			return err
		}
		err := stop()
		s.handle()
		s.lose()
		s.restart()
		if err != nil && !s.run("dad", 1).State().Run.Status.Terminal() {
			_ = stop() // it may have been accepted, and the answer lost
		}
		s.pass(3 * time.Hour)
		var each struct {
			ID string `json:"foreach_workflow_id"`
		}
		s.artifact("dad", "each", "maestro_foreach", &each)
		for what, got := range map[string]string{"dad": s.statuses("dad"), "kid": s.statuses("kid")} {
			if got != "STOPPED" {
				s.t.Errorf("%s is %s", what, got)
			}
		}
		if got := s.statuses(each.ID); got != "STOPPED STOPPED" {
			s.t.Errorf("iterations are %s", got)
		}
	})
}

// TestSignalsSurviveCrashes: whoever dies at any call while a step announces what another waits for, and what starts a
// workflow, loses neither and does neither twice (P31, P32).
func TestSignalsSurviveCrashes(t *testing.T) {
	everyDeath(t, func(s *system, arm func()) {
		s.push("waiter", parallel, waits)
		req, err := definition.ReadCreate([]byte(`{"properties": {"owner": "ann"}, "is_active": true, "workflow": {"id": "triggered",
			"signal_triggers": [{"definitions": {"go": {"match_params": {"day": {"value": 7, "operator": "="}}}}}], "steps": [` + chain + `]}}`))
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.proc.Push(s.t.Context(), req, definition.NamedUser("ann")); err != nil {
			s.t.Fatal(err)
		}
		s.push("teller", parallel, announces)
		s.mustStart("waiter", request1)
		s.pass(time.Minute)
		arm()
		_, err = s.start("teller", request2)
		s.handle()
		s.lose()
		s.restart()
		s.pass(time.Hour)
		if err != nil {
			s.mustStart("teller", request2)
			s.pass(time.Hour)
		}
		for wf, want := range map[string]string{"teller": "SUCCEEDED", "waiter": "SUCCEEDED", "triggered": "SUCCEEDED"} {
			if got := s.statuses(wf); got != want {
				s.t.Errorf("%s: %s, want %s", wf, got, want)
			}
		}
		if n, err := s.proc.LatestSignal(s.t.Context(), "go"); n != 1 || err != nil {
			s.t.Errorf("the stream has %d instances, %v", n, err)
		}
		out := engine.LatestAttempt(s.run("teller", 1).State(), "tell").SignalOutputs
		if out == nil || len(out.Outputs) != 1 || out.Outputs[0].SignalID != 1 {
			s.t.Errorf("the step has announced %+v", out)
		}
		if left := s.items("sigw#"); len(left) != 0 {
			s.t.Errorf("still waiting: %q", left)
		}
	})
}

// TestDeletionTakesChildrenAlong: of a workflow that is deleted neither iterations nor subscriptions are left.
func TestDeletionTakesChildrenAlong(t *testing.T) {
	s := newSystem(t)
	s.push("kid", parallel, chain)
	s.push("dad", parallel, loops)
	s.mustStart("dad", request1)
	s.pass(time.Minute)
	if got := s.statuses("dad"); got != "SUCCEEDED" {
		t.Fatalf("dad is %s", got)
	}
	if len(s.items("run#maestro_foreach", "run#maestro_while")) == 0 {
		t.Fatal("there are no iterations to be deleted")
	}
	if _, err := s.proc.Delete(t.Context(), "dad", definition.NamedUser("ann")); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Hour)
	if left := s.items("run#dad#", "run#maestro_", "p#dad#", "p#maestro_", "start#dad#", "start#maestro_", "inline#", "subs#dad", "ver#dad#", "del#dad"); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	if got := s.statuses("kid"); got != "SUCCEEDED" {
		t.Errorf("the child of another workflow is %s", got)
	}
}

// TestAnnounceOnce: the same id is one instance, whoever announces it and however often.
func TestAnnounceOnce(t *testing.T) {
	s := newSystem(t)
	in := signal.Instance{Name: "s", ID: "one"}
	first, duplicate, err := s.proc.Announce(t.Context(), in)
	if err != nil || duplicate || first.Seq != 1 {
		t.Fatalf("%+v, %v, %v", first, duplicate, err)
	}
	again, duplicate, err := s.proc.Announce(t.Context(), in)
	if err != nil || !duplicate || again.Seq != 1 {
		t.Errorf("again: %+v, %v, %v", again, duplicate, err)
	}
	in.ID = "two"
	if next, duplicate, err := s.proc.Announce(t.Context(), in); err != nil || duplicate || next.Seq != 2 {
		t.Errorf("another: %+v, %v, %v", next, duplicate, err)
	}
}
