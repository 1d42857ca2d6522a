package engine

import (
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/dag"
)

func TestJavaHash(t *testing.T) { // the check values of engine.md 1.3
	for text, want := range map[string]int32{"": 0, "a": 97, "[sample-dag-test-3][1][1]": -1598810758, "[demo.wf][7][2]": 637077379} {
		if got := int32(javaHash(text)); got != want {
			t.Errorf("javaHash(%q) = %d, want %d", text, got, want)
		}
	}
}

// The orders are those in which Maestro numbered the steps of recorded runs.
func TestOrderOfSteps(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []string
		start []string // of a restart; nil: a fresh run
		want  string
	}{
		{"fresh, in the order of buckets", []string{"extract -> load", "stage -> audit", "load", "audit -> rank", "rank"}, nil, "extract load stage audit rank"},
		{"fresh, the last of a bucket first", []string{"stage -> collect", "collect", "sync"}, nil, "stage sync collect"},
		{"restart, predecessors first in a bucket", []string{"extract -> stage, collect", "stage -> sync", "collect -> sync", "sync"}, []string{"stage", "collect", "sync"}, "stage collect sync"},
		{"restart", []string{"stage -> collect", "collect", "sync"}, []string{"stage", "collect", "sync"}, "stage sync collect"},
		{"one", []string{"a"}, nil, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var nodes []dag.Node
			for _, line := range c.steps {
				s := parseTestStep(t, line)
				nodes = append(nodes, dag.Node{ID: s.id, Transition: dag.Transition{Successors: s.successors}})
			}
			g, err := dag.Fresh("w", nodes)
			if c.start != nil {
				g, err = dag.Restart("w", nodes, c.start)
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range ordered(g, c.start == nil).Nodes {
				got = append(got, n.ID)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s, want %s", strings.Join(got, " "), c.want)
			}
		})
	}
}
