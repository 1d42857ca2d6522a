package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/signal"
	"github.com/downbeat/downbeat/events"
)

// pushTriggered pushes a version of a workflow that the signal "go" starts, active or not.
func (s *system) pushTriggered(id string, active bool) {
	s.t.Helper()
	state := "false"
	if active {
		state = "true"
	}
	req, err := definition.ReadCreate([]byte(`{"properties": {"owner": "ann", "run_strategy": {"rule": "PARALLEL"}}, "is_active": ` + state + `, "workflow": {"id": "` + id + `",
		"signal_triggers": [{"definitions": {"go": {}}}], "steps": [` + chain + `]}}`))
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.proc.Push(s.t.Context(), req, definition.NamedUser("ann")); err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) announce(id string) {
	s.t.Helper()
	if _, err := s.proc.AnnounceSignal(s.t.Context(), signal.Instance{Name: "go", ID: id}); err != nil {
		s.t.Fatal(err)
	}
}

// TestSubscriptionOutlivesSignals: a signal that comes at any moment of an activation does not take away what makes the
// trigger fire on the next one.
func TestSubscriptionOutlivesSignals(t *testing.T) {
	everyMoment(t, func(s *system) { s.announce("early"); s.pass(time.Second) }, func(s *system, arm func()) {
		arm()
		s.pushTriggered("w", true)
		s.restart()
		s.pass(time.Minute)
		before := s.statuses("w")
		s.announce("late")
		s.pass(time.Minute)
		if got := s.statuses("w"); got != strings.TrimSpace(before+" SUCCEEDED") {
			s.t.Errorf("runs before the signal: %q, after it: %q", before, got)
		}
	})
}

// TestSubscriptionOutlivesItsEnd: who ends a trigger, and stands still at any moment of it while another brings the trigger
// back, does not take the new subscription away.
func TestSubscriptionOutlivesItsEnd(t *testing.T) {
	everyMoment(t, func(s *system) {
		must(s, s.deactivate("w"))
		must(s, s.activate("w", 1))
	}, func(s *system, arm func()) {
		s.pushTriggered("w", true)
		arm()
		must(s, s.deactivate("w"))
		s.restart()
		s.pass(time.Minute)
		ctl, err := s.proc.Control(s.t.Context(), "w")
		must(s, err)
		want := ""
		if ctl.ActiveVersion != 0 {
			want = "SUCCEEDED"
		}
		s.announce("late")
		s.pass(time.Minute)
		if got := s.statuses("w"); got != want {
			s.t.Errorf("version %d is active and the signal started %q", ctl.ActiveVersion, got)
		}
	})
}

// TestChangeStaysInItsLife: who changes a workflow, and stands still at any moment of it while another deletes the workflow,
// pushes it again and changes it as often as before, or less or more often, changes nothing of what is there then, or knows it.
func TestChangeStaysInItsLife(t *testing.T) {
	for changes := range 6 {
		second := int64(0) // the internal id of the second life
		everyMoment(t, func(s *system) {
			_, err := s.proc.Delete(s.t.Context(), "w", definition.NamedUser("ann"))
			must(s, err)
			s.pass(time.Hour)
			s.push("w", sequential, chain)
			for range changes {
				must(s, s.activate("w", 1))
				must(s, s.deactivate("w"))
			}
			ctl, err := s.proc.Control(s.t.Context(), "w")
			must(s, err)
			second = ctl.InternalID
		}, func(s *system, arm func()) {
			s.push("w", sequential, chain)
			s.push("w", sequential, chain)
			must(s, s.activate("w", 2))
			s.pass(time.Hour)
			second = 0
			arm()
			must(s, s.deactivate("w"))
			s.restart()
			s.pass(time.Hour)
			ctl, err := s.proc.Control(s.t.Context(), "w")
			must(s, err)
			if second != 0 && (ctl.InternalID != second || ctl.LatestVersion != 1) {
				s.t.Errorf("version %d of life %d, want version 1 of life %d", ctl.LatestVersion, ctl.InternalID, second)
			}
			if left := s.items("del#w"); len(left) > 0 {
				s.t.Errorf("the deletion has not come to its end: %q", left)
			}
		})
	}
}

// TestDeletionStaysInItsLife: who deletes a workflow, and stands still at any moment of it while the deletion is brought to
// its end by others and the workflow pushed again, takes nothing of the next life away and does not keep it from being
// started.
func TestDeletionStaysInItsLife(t *testing.T) {
	second := false
	everyMoment(t, func(s *system) {
		s.pass(time.Hour)
		if ctl, err := s.proc.Control(s.t.Context(), "w"); err != nil {
			s.t.Fatal(err)
		} else if ctl != nil {
			_, err := s.proc.Delete(s.t.Context(), "w", definition.NamedUser("bob"))
			must(s, err)
			s.pass(time.Hour)
		}
		s.push("w", sequential, chain)
		s.mustStart("w", request2)
		s.pass(time.Minute)
		second = true
	}, func(s *system, arm func()) {
		s.push("w", sequential, chain)
		s.mustStart("w", request1)
		s.pass(time.Minute)
		second = false
		arm()
		_, err := s.proc.Delete(s.t.Context(), "w", definition.NamedUser("ann"))
		if err != nil && !second {
			s.t.Fatal(err)
		}
		s.restart()
		s.pass(time.Hour)
		if left := s.items("del#w"); len(left) > 0 {
			s.t.Errorf("the deletion has not come to its end: %q", left)
		}
		ctl, err := s.proc.Control(s.t.Context(), "w")
		must(s, err)
		if ctl == nil { // it was deleted as it was when the caller looked at it first
			if left := s.items("run#w#", "start#w#", "ver#w#"); len(left) > 0 {
				s.t.Errorf("left behind: %q", left)
			}
			return
		}
		if !second {
			s.t.Fatal("the workflow is there still")
		}
		s.mustStart("w", request3)
		s.pass(time.Minute)
		if got := s.statuses("w"); got != "SUCCEEDED SUCCEEDED" {
			s.t.Errorf("the runs of the next life: %q", got)
		}
	})
}

// TestTimesStandStill: who starts what time triggers are due to start, and stands still at any moment of it while others do
// the same, or the workflow changes, starts no run twice and none that was not to be.
func TestTimesStandStill(t *testing.T) {
	for _, tt := range []struct {
		name      string
		meanwhile func(s *system)
		want      []string // what may be fired at last: with and without what was due before the change
	}{
		{"others fire", func(s *system) { s.until("03:30:00") },
			[]string{"01:00 v1, 02:00 v1, 03:00 v1, 04:00 v1, 05:00 v1, 06:00 v1, 07:00 v1"}},
		{"deactivated and activated", func(s *system) {
			must(s, s.deactivate("w"))
			s.until("04:30:00")
			must(s, s.activate("w", 1))
		}, []string{"05:00 v1, 06:00 v1, 07:00 v1", "01:00 v1, 05:00 v1, 06:00 v1, 07:00 v1", "01:00 v1, 02:00 v1, 05:00 v1, 06:00 v1, 07:00 v1"}},
		{"other triggers", func(s *system) {
			s.pushTimed("w", parallel, true, "30 * * * *")
			s.until("04:15:00")
		}, []string{
			"02:30 v2, 03:30 v2, 04:30 v2, 05:30 v2, 06:30 v2", "01:00 v1, 02:30 v2, 03:30 v2, 04:30 v2, 05:30 v2, 06:30 v2",
			"01:00 v1, 02:00 v1, 02:30 v2, 03:30 v2, 04:30 v2, 05:30 v2, 06:30 v2",
		}},
		{"deleted and pushed again", func(s *system) {
			if _, err := s.proc.Delete(s.t.Context(), "w", definition.NamedUser("ann")); err != nil {
				s.pass(time.Minute) // a run that it was just starting ends first
				_, err := s.proc.Delete(s.t.Context(), "w", definition.NamedUser("ann"))
				must(s, err)
			}
			s.until("04:15:00")
			s.pushTimed("w", parallel, true, "0 * * * *")
		}, []string{"05:00 v1, 06:00 v1, 07:00 v1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			changed := false
			everyMoment(t, func(s *system) { changed = true; tt.meanwhile(s) }, func(s *system, arm func()) {
				changed = false
				s.pushTimed("w", parallel, true, "0 * * * *")
				s.until("00:10:00")
				s.now += 2 * 3600_000
				s.lose()
				arm()
				s.poke(events.PokeTime, "w", 0, 0)
				s.handle()
				s.restart()
				s.until("07:15:00")
				want := tt.want
				if !changed {
					want = []string{"01:00 v1, 02:00 v1, 03:00 v1, 04:00 v1, 05:00 v1, 06:00 v1, 07:00 v1"}
				}
				// In order: a start that was stored before the change, and numbered after it, comes behind those of the new triggers.
				got := strings.Split(s.fired("w"), ", ")
				slices.Sort(got)
				if !slices.Contains(want, strings.Join(got, ", ")) {
					s.t.Errorf("fired at %q", got)
				}
			})
		})
	}
}
