package conformance

import (
	"context"
	"os"
	"sort"
	"strconv"
	"testing"
	"time"
)

// TestScenarios plays every scenario against a server in this process, or against the one at DOWNBEAT_BASE, and holds the
// outcome against pending.txt: it fails when a scenario outside the list does not pass, and when one on it does.
// DOWNBEAT_PATIENCE is a factor on all waiting times, for loaded machines. What a server elsewhere publishes is not seen:
// of the scenarios in `events` only the calls are played then.
func TestScenarios(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT RUN: the scenarios take minutes")
	}
	base := os.Getenv("DOWNBEAT_BASE")
	var published func(context.Context) ([][]byte, error)
	if base == "" {
		local, err := StartLocal(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer local.Close()
		base, published = local.URL(), local.Published
	}
	patience := 1.0
	if text := os.Getenv("DOWNBEAT_PATIENCE"); text != "" {
		var err error
		if patience, err = strconv.ParseFloat(text, 64); err != nil || patience <= 0 {
			t.Fatalf("DOWNBEAT_PATIENCE: %q is not a factor above 0", text)
		}
	}
	scenarios, pending := all(t)
	stub, err := StartStub("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stub.Close()

	const jobs = 32 // they mostly wait
	client := NewClient(60*time.Second, jobs)
	failed := map[string]bool{}
	options := func(s *Scenario) Options {
		o := Options{Base: base, Stub: stub.URL(), Patience: patience, Client: client, Poll: 50 * time.Millisecond, Published: published}
		if pending[s.Name] != "" {
			// What is known not to end is not waited for at full length; the price is that a pending scenario that has
			// begun to pass, but slowly, is noticed late.
			o.MaxWait, o.MaxEventWait = 2*time.Second, 2*time.Second
		}
		return o
	}
	PlayAll(t.Context(), scenarios, jobs, options, func(s *Scenario, r Report) {
		if len(r.Differences) == 0 {
			return
		}
		failed[s.Name] = true
		if pending[s.Name] == "" {
			t.Errorf("%s (%s; %s)", s.Name, s.About, s.Spec)
			for _, d := range r.Differences {
				t.Log("    " + d)
			}
		}
	})
	var names []string
	for name := range pending {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if !failed[name] {
			t.Errorf("%s passes: take it out of pending.txt", name)
		}
	}
	t.Logf("%d scenarios, %d passed, %d pending", len(scenarios), len(scenarios)-len(failed), len(pending))
}

// all loads the scenarios of this repository and the list of pending ones.
func all(t *testing.T) ([]*Scenario, map[string]string) {
	t.Helper()
	list, err := List(Files(), "scenarios", "events")
	if err != nil {
		t.Fatal(err)
	}
	var scenarios []*Scenario
	var names []string
	for _, file := range list {
		s, err := Load(Files(), file)
		if err != nil {
			t.Fatal(err)
		}
		scenarios, names = append(scenarios, s), append(names, s.Name)
	}
	pending, err := Pending(Files(), names)
	if err != nil {
		t.Fatal(err)
	}
	return scenarios, pending
}

func TestEveryScenarioIsWellFormed(t *testing.T) {
	scenarios, _ := all(t)
	if len(scenarios) < 297 {
		t.Errorf("%d scenarios: some were lost", len(scenarios))
	}
	p := &player{names: map[string]any{"run": "abc", "stub": "http://127.0.0.1:1"}}
	for _, s := range scenarios {
		if s.About == "" || len(s.Steps) == 0 {
			t.Errorf("%s: says nothing or does nothing", s.Name)
		}
		if s.Area() == "events" && s.Events == nil {
			t.Errorf("%s: names no events", s.Name)
		}
		for i, step := range s.Steps {
			if step.Body != nil {
				if _, err := p.fillJSON(step.Body); err != nil {
					t.Errorf("%s: step %d: %v", s.Name, i+1, err)
				}
			}
			if e := step.Expect; e != nil && e.Body != nil {
				if _, err := decode(e.Body); err != nil {
					t.Errorf("%s: step %d: %v", s.Name, i+1, err)
				}
			}
		}
	}
}
