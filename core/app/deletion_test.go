package app_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
)

// TestDeletion: what runs forbids a deletion; a deleted workflow is unknown at once, takes no starts, cannot be pushed
// until its data are gone, and goes on counting its instances afterwards (P15).
func TestDeletion(t *testing.T) {
	s := newSystem(t)
	s.runtimes[step.SimulatedType] = &step.Simulated{Hint: true}
	s.restart()
	ann := definition.NamedUser("ann")
	s.push("w", sequential, chain)
	s.push("w", sequential, job)
	s.mustStart("w", request1)
	s.handle()
	if _, err := s.proc.Delete(t.Context(), "w", ann); fault.CodeOf(err) != fault.BadRequest {
		t.Fatalf("while a run goes on: %v", err)
	}
	s.pass(time.Minute)
	if got := s.statuses("w"); got != "SUCCEEDED" {
		t.Fatal(got)
	}
	uuid := s.run("w", 1).Attempts()[0].UUID
	if _, err := s.proc.Delete(t.Context(), "w", ann); err != nil {
		t.Fatal(err)
	}
	if _, err := s.start("w", request2); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("start: %v", err)
	}
	if _, err := s.proc.Delete(t.Context(), "w", ann); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a second deletion: %v", err)
	}
	// Late messages about its run.
	late, err := events.Completion{UUID: uuid, Workflow: "w", Instance: 1, Run: 1, Step: "job.1", Attempt: 1, Result: []byte(`{"format": 1, "state": "DONE"}`)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s.messages = append(s.messages, message{queue: queue.Complete, body: late, at: s.now + 300_000})
	s.poke("run", "w", 1, 1)
	s.poke("lane", "w", 0, 0)
	s.pass(time.Hour)
	if n := s.counts["DroppedMessages"]; n < 1 || len(s.dead) != 0 {
		t.Errorf("%v dropped, %d dead", n, len(s.dead))
	}
	if left := s.items("run#w#", "p#w#", "start#w#", "ver#w#", "ctl#w", "failed#w", "bp#w", "del#w"); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	s.push("w", sequential, chain)
	if st := s.mustStart("w", request1); st.Duplicated || st.Version != 1 || st.Instance != 2 {
		t.Errorf("after the deletion a start is answered %+v", st)
	}
	s.pass(time.Minute)
	if got := s.statuses("w"); got != "SUCCEEDED" {
		t.Errorf("after the deletion: %s", got)
	}
}

// TestDeletionSurvivesCrashes: whoever dies in the middle of a deletion leaves either the workflow as it was, or a
// deletion that comes to its end.
func TestDeletionSurvivesCrashes(t *testing.T) {
	everyDeath(t, func(s *system, arm func()) {
		ann := definition.NamedUser("ann")
		s.push("w", sequential, chain)
		s.push("w", sequential, chain)
		for _, r := range []string{request1, request2, request3} {
			s.mustStart("w", r)
		}
		s.pass(time.Minute)
		arm()
		_, errFirst := s.proc.Delete(s.t.Context(), "w", ann)
		s.handle()
		s.lose()
		s.restart()
		s.pass(time.Hour)
		ctl, err := s.proc.Control(s.t.Context(), "w")
		gone := fault.CodeOf(err) == fault.NotFound || ctl == nil && err == nil
		if err != nil && !gone {
			s.t.Fatal(err)
		}
		if !gone {
			if errFirst == nil {
				s.t.Error("an accepted deletion has left the workflow")
			}
			if got := s.statuses("w"); got != "SUCCEEDED SUCCEEDED SUCCEEDED" {
				s.t.Errorf("not deleted: %s", got)
			}
			s.mustStart("w", "44444444-4444-4444-8444-444444444444")
			return
		}
		if left := s.items("run#w#", "p#w#", "start#w#", "ver#w#", "ctl#w", "del#w"); len(left) != 0 {
			s.t.Errorf("left behind: %q", left)
		}
		s.push("w", sequential, chain)
		if st := s.mustStart("w", request1); st.Duplicated || st.Version != 1 || st.Instance != 4 {
			s.t.Errorf("after the deletion a start is answered %+v", st)
		}
	})
}

// TestOldDeletionLeavesTheNextLife: a deletion that stood still while the workflow was deleted by others, and pushed again,
// takes no breakpoint of the new one away, and does not keep it from being started.
func TestOldDeletionLeavesTheNextLife(t *testing.T) {
	s := newSystem(t)
	ctx := t.Context()
	s.push("w", sequential, chain)
	if _, err := s.proc.SetBreakpoint(ctx, "w", "job.1", "ann"); err != nil {
		t.Fatal(err)
	}
	s.slow = 60 // the deletion goes on by messages
	if _, err := s.proc.Delete(ctx, "w", definition.NamedUser("ann")); err != nil {
		t.Fatal(err)
	}
	var old []table.Item // the deletion, in each of its stages
	for len(s.messages) > 0 {
		it, _, err := s.table.Get(ctx, store.DeletionKey("w"))
		if err != nil {
			t.Fatal(err)
		}
		if it.Exists() {
			old = append(old, it)
		}
		m := s.messages[0]
		s.messages = s.messages[1:]
		s.proc.HandleBatch(ctx, m.queue, []queue.Delivery{{Receipt: "r", Body: m.body, Receives: 1}})
	}
	if got := s.items("bp#w"); len(got) > 0 || len(old) == 0 {
		t.Fatalf("after the deletion: %q; seen in %d stages", got, len(old))
	}
	s.push("w", sequential, chain)
	if _, err := s.proc.SetBreakpoint(ctx, "w", "job.1", "ann"); err != nil {
		t.Fatal(err)
	}
	s.slow = 5000   // each stage takes a message of its own
	first := old[0] // and as it was when it was asked for
	first.Data = regexp.MustCompile(`"stage":\d+`).ReplaceAll(first.Data, []byte(`"stage":0`))
	for _, it := range append([]table.Item{first}, old...) {
		if _, err := s.table.Write(ctx, table.Write{Item: it}); err != nil {
			t.Fatal(err)
		}
		s.proc.HandleBatch(ctx, queue.Advance, []queue.Delivery{{Receipt: "r", Body: events.Poke{Kind: events.PokeDelete, Workflow: "w"}.Encode(), Receives: 1}})
		if got, err := s.proc.Breakpoints(ctx, "w", "job.1"); err != nil || len(got) != 1 {
			t.Errorf("breakpoints of the new one: %v, error %v", got, err)
		}
		if _, err := s.start("w", ""); err != nil {
			t.Errorf("a start of the new one: %v", err)
		}
	}
}
