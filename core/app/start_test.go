package app_test

import (
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/store"
)

// TestStartRetriedAfterCrash: a start whose process died at any point is finished by whoever asks again with the same
// request id, and exists once; an answer that was given stands (P12).
func TestStartRetriedAfterCrash(t *testing.T) {
	everyDeath(t, func(s *system, arm func()) {
		s.push("w", sequential, chain)
		arm()
		first, errFirst := s.start("w", request1)
		s.lose()
		s.restart()
		again, err := s.start("w", request1)
		if err != nil {
			s.t.Fatal(err)
		}
		switch {
		case errFirst == nil && (first.Duplicated || first.Instance != 1 || first.Run != 1):
			s.t.Errorf("the first start is answered %+v", first)
		case again.Duplicated && again.Instance != 0, !again.Duplicated && (again.Instance != 1 || again.Run != 1):
			s.t.Errorf("the retry is answered %+v", again)
		}
		s.pass(10 * time.Minute)
		if got := s.statuses("w"); got != "SUCCEEDED" {
			s.t.Errorf("instances %s", got)
		}
		if got := s.run("w", 1).Body().UUID; got != request1 {
			s.t.Errorf("instance 1 is of request %s", got)
		}
	})
}

// TestStartNotRetriedAfterCrash: nobody asks again. Either the start exists and runs, or nothing of it is seen; the next
// start has the next number.
func TestStartNotRetriedAfterCrash(t *testing.T) {
	everyDeath(t, func(s *system, arm func()) {
		s.push("w", sequential, chain)
		arm()
		_, errFirst := s.start("w", request1)
		s.lose()
		s.restart()
		second := s.mustStart("w", request2)
		s.pass(10 * time.Minute)
		want := "SUCCEEDED SUCCEEDED"
		if second.Instance == 1 {
			want = "SUCCEEDED"
		}
		if got := s.statuses("w"); got != want || errFirst == nil && second.Instance != 2 {
			s.t.Errorf("first answered with %v, the second is instance %d, all are %s", errFirst, second.Instance, got)
		}
		if got := s.run("w", second.Instance).Body().UUID; got != request2 {
			s.t.Errorf("instance %d is of request %s", second.Instance, got)
		}
	})
}

// TestRestartRetriedAfterCrash: the same for a restart, whose number is that of a run (P14).
func TestRestartRetriedAfterCrash(t *testing.T) {
	everyDeath(t, func(s *system, arm func()) {
		s.push("w", sequential, chain)
		s.mustStart("w", request1)
		s.pass(time.Minute)
		restart := func() (int64, bool, error) {
			v, err := s.proc.Run(s.t.Context(), store.RunID{Workflow: "w", Instance: 1})
			if err != nil {
				return 0, false, err
			}
			if v.ID().Run == 2 {
				return 0, true, nil // the restart is there: a caller who looks sees it
			}
			st, err := s.proc.Restart(s.t.Context(), v, engine.RestartRequest{RequestID: request2, Policy: engine.RestartFromBeginning, User: "ann"})
			if err != nil {
				return 0, false, err
			}
			return st.Run, st.Duplicated, nil
		}
		arm()
		run, _, errFirst := restart()
		if errFirst == nil && run != 2 {
			s.t.Errorf("the restart is answered run %d", run)
		}
		s.lose()
		s.restart()
		run, known, err := restart()
		if err != nil || !known && run != 2 {
			s.t.Errorf("the retry is answered run %d, known %v, %v; the first: %v", run, known, err, errFirst)
		}
		s.pass(10 * time.Minute)
		v := s.run("w", 1)
		if v.ID().Run != 2 || v.State().Run.Status != engine.InstanceSucceeded || v.Body().UUID != request2 {
			s.t.Errorf("run %d of request %s is %s", v.ID().Run, v.Body().UUID, v.State().Run.Status)
		}
		if got := s.statuses("w"); got != "SUCCEEDED" {
			s.t.Errorf("instances %s", got)
		}
	})
}

// TestDuplicated: the same request id is the same start for ever, within its workflow.
func TestDuplicated(t *testing.T) {
	s := newSystem(t)
	s.push("w", sequential, chain)
	s.push("v", sequential, chain)
	s.mustStart("w", request1)
	for range 2 {
		if st := s.mustStart("w", request1); !st.Duplicated || st.Instance != 0 || st.Run != 0 || st.UUID != request1 {
			t.Errorf("answered %+v", st)
		}
		s.restart()
		s.pass(time.Hour)
	}
	if st := s.mustStart("v", request1); st.Duplicated || st.Instance != 1 {
		t.Errorf("another workflow's start is answered %+v", st)
	}
	if st := s.mustStart("w", request2); st.Duplicated || st.Instance != 2 {
		t.Errorf("another start is answered %+v", st)
	}
}

// TestLateEnds: the end of a run is folded once, while its lane lists it; what comes late, or again, blocks nothing that
// was unblocked (P14).
func TestLateEnds(t *testing.T) {
	s := newSystem(t)
	s.runtimes[step.SimulatedType] = &step.Simulated{Hint: true}
	s.push("w", strict, failing)
	s.mustStart("w", request1)
	s.pass(time.Minute)
	s.push("w", strict, chain)
	s.mustStart("w", request2)
	s.pass(time.Hour)
	if got := s.statuses("w"); got != "FAILED CREATED" {
		t.Fatalf("behind a failure: %s", got)
	}
	if n, err := s.proc.Unblock(t.Context(), "w", 0, "ann"); err != nil || n != 1 {
		t.Fatalf("%d unblocked, %v", n, err)
	}
	s.pass(time.Minute)
	if got := s.statuses("w"); got != "FAILED SUCCEEDED" {
		t.Fatalf("unblocked: %s", got)
	}
	// The end of run 1 is told again, by its run and by its lane, in a process that knows nothing of it.
	s.restart()
	s.poke("run", "w", 1, 1)
	s.poke("lane", "w", 0, 0)
	s.pass(time.Minute)
	s.mustStart("w", request3)
	s.pass(time.Minute)
	if got := s.statuses("w"); got != "FAILED SUCCEEDED SUCCEEDED" {
		t.Errorf("after late ends: %s", got)
	}
}

// TestStartOfNobody: what cannot be started is refused, and leaves nothing.
func TestStartOfNobody(t *testing.T) {
	s := newSystem(t)
	s.push("w", sequential, chain)
	before := len(s.keys)
	for _, tt := range []struct {
		workflow, version string
		code              fault.Code
	}{
		{"nobody", "latest", fault.NotFound}, {"w", "9", fault.NotFound}, {"w", "newest", fault.BadRequest}, {"w", "0", fault.BadRequest},
	} {
		if _, err := s.proc.Start(t.Context(), tt.workflow, tt.version, "ann", manual(request1)); fault.CodeOf(err) != tt.code {
			t.Errorf("%s %s: %v", tt.workflow, tt.version, err)
		}
	}
	if len(s.keys) != before {
		t.Errorf("%d items, %d before", len(s.keys), before)
	}
}

// TestUnblockingLeavesALaterFailure: who unblocks a run takes its mark away, and not that of a run which failed since.
func TestUnblockingLeavesALaterFailure(t *testing.T) {
	s := newSystem(t)
	s.runtimes[step.SimulatedType] = &step.Simulated{Hint: true}
	s.restart()
	s.push("w", strict, failing)
	s.mustStart("w", request1)
	s.pass(time.Minute)
	first := s.run("w", 1)
	if _, err := s.proc.Restart(t.Context(), first, engine.RestartRequest{RequestID: request2, Policy: engine.RestartFromBeginning, User: "ann"}); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Minute)
	if err := s.proc.Unblocked(t.Context(), first.ID()); err != nil {
		t.Fatal(err)
	}
	s.mustStart("w", request3)
	s.pass(time.Hour)
	if got := s.statuses("w"); got != "FAILED CREATED" {
		t.Fatalf("behind a run that failed later: %s", got)
	}
	if n, err := s.proc.Unblock(t.Context(), "w", 1, "ann"); err != nil || n != 1 {
		t.Fatalf("%d unblocked, error %v", n, err)
	}
	s.pass(time.Minute)
	if got := s.statuses("w"); got != "FAILED FAILED" {
		t.Errorf("unblocked: %s", got)
	}
}

// TestSecondOfTwoStartsIsDuplicated: who asks again after the lane has given a number, and before it is on the start, is
// told that it has one.
func TestSecondOfTwoStartsIsDuplicated(t *testing.T) {
	numbered := false
	everyDeath(t, func(s *system, arm func()) {
		s.push("w", sequential, chain)
		arm()
		_, _ = s.start("w", request1)
		s.lose()
		s.restart()
		before := s.items("start#w#" + request1)
		latest, err := s.proc.LatestInstance(s.t.Context(), "w")
		if err != nil {
			s.t.Fatal(err)
		}
		again := s.mustStart("w", request1)
		if again.Duplicated != (latest == 1) {
			s.t.Errorf("newest number %d: answered %+v", latest, again)
		}
		numbered = numbered || latest == 1 && len(before) == 1
		s.pass(10 * time.Minute)
		if got := s.statuses("w"); got != "SUCCEEDED" {
			s.t.Errorf("instances %s", got)
		}
	})
	if !numbered && !testing.Short() {
		t.Error("no death left a number on the lane alone")
	}
}
