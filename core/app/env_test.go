package app

import (
	"testing"

	"github.com/downbeat/downbeat/core/engine"
)

// Of steps that begin to wait for permits in one decision the first one created is served first.
func TestPermitsAreRequestedInTheOrderOfTheSteps(t *testing.T) {
	e := &runEnv{v: &runView{}, at: 7, grants: map[string]engine.Grant{"held": engine.Granted}, pending: map[engine.Key]bool{}}
	for _, uuid := range []string{"c", "a", "held", "b", "a"} {
		want := engine.Waiting
		if uuid == "held" {
			want = engine.Granted
		}
		if got, err := e.Acquire(uuid, nil); got != want || err != nil {
			t.Errorf("%s: %v, %v", uuid, got, err)
		}
	}
	var asked string
	for _, r := range e.requests {
		asked += r.UUID
		if r.Since != 7 {
			t.Errorf("%s waits since %d", r.UUID, r.Since)
		}
	}
	if asked != "cab" {
		t.Errorf("requests in the order %s, want cab", asked)
	}
}
