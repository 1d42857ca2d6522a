// Package dag is the graph of the steps of one level: which step follows which, whether there is a
// cycle, and the part of it that a run executes (the runtime DAG). A loop body is a graph of its own;
// edges never cross levels.
//
// Only successors define edges; predecessors are derived from them. Everything is a pure function,
// takes time linear in steps and edges, and keeps the order of the definition, because that order is
// seen in step_overview and must not change once a run is stored.
package dag

import (
	"fmt"
	"slices"
	"strings"
)

// Edge leads to a successor under a condition, an expression that is evaluated when the step completes.
type Edge struct {
	To        string
	Condition string
	// Null is set for a condition given as null: it is accepted at push and fails at run time.
	Null bool
}

// Transition says what is before and after a step. In a definition Predecessors is what the author
// declared (usually nothing); in a Graph it is complete.
type Transition struct {
	Predecessors []string
	Successors   []Edge
}

// Node is a step with its transition.
type Node struct {
	ID string
	Transition
}

// Graph is an ordered set of steps whose predecessors are filled in. Its zero value is empty.
type Graph struct {
	Nodes []Node
	index map[string]int
}

// Of makes a graph of nodes that are complete already, as they come out of storage.
func Of(nodes []Node) *Graph {
	g := &Graph{Nodes: nodes, index: make(map[string]int, len(nodes))}
	for i := range nodes {
		g.index[nodes[i].ID] = i
	}
	return g
}

// Len is the number of steps.
func (g *Graph) Len() int { return len(g.Nodes) }

// Ordinal is the 0-based place of a step, false when the graph does not have it.
func (g *Graph) Ordinal(id string) (int, bool) {
	i, ok := g.index[id]
	return i, ok
}

// Node is the step of that id, nil when the graph does not have it. The graph owns it.
func (g *Graph) Node(id string) *Node {
	if i, ok := g.index[id]; ok {
		return &g.Nodes[i]
	}
	return nil
}

// Roots are the steps without predecessors inside the graph, in order. A declared predecessor outside
// the graph does not count: its complete earlier result stands.
func (g *Graph) Roots() []string {
	var roots []string
	for i := range g.Nodes {
		inside := slices.ContainsFunc(g.Nodes[i].Predecessors, func(p string) bool { _, ok := g.index[p]; return ok })
		if !inside {
			roots = append(roots, g.Nodes[i].ID)
		}
	}
	return roots
}

// CycleError is a graph in which not every step can ever start.
type CycleError struct {
	WorkflowID string
	Steps      []string // those in a cycle or behind one, in order
}

func (e *CycleError) Error() string {
	return fmt.Sprintf("Invalid workflow definition [%s], where DAG contains cycle", e.WorkflowID)
}

// SuccessorError is an edge to a step that is not on the level.
type SuccessorError struct {
	StepID    string
	Successor string
}

func (e *SuccessorError) Error() string {
	return fmt.Sprintf("[workflow step transition] is invalid for step [%s]'s successor step id [%s], which does not exist in steps",
		e.StepID, e.Successor)
}

// PredecessorError is a declared list of predecessors that is not the set derived from the successors.
type PredecessorError struct {
	StepID   string
	Declared []string
	Derived  []string
}

// Error has Maestro's text, in which a "not" is missing.
func (e *PredecessorError) Error() string {
	derived := "null"
	if len(e.Derived) > 0 {
		derived = "[" + strings.Join(e.Derived, ", ") + "]"
	}
	return fmt.Sprintf("[workflow step transition] is invalid for step [%s]'s predecessors list [[%s]], which does match computed one [%s] based on the DAG",
		e.StepID, strings.Join(e.Declared, ", "), derived)
}

// CheckTransitions looks for the first successor that does not exist, then for the first non-empty
// declared predecessor list that differs, as a set, from the derived one (workflow-definition.md 7.2).
// It returns *SuccessorError, *PredecessorError or nil. It does not look for cycles.
func CheckTransitions(nodes []Node) error {
	known := make(map[string]struct{}, len(nodes))
	for i := range nodes {
		known[nodes[i].ID] = struct{}{}
	}
	for i := range nodes {
		for _, e := range nodes[i].Successors {
			if _, ok := known[e.To]; !ok {
				return &SuccessorError{StepID: nodes[i].ID, Successor: e.To}
			}
		}
	}
	before := derive(nodes)
	for i := range nodes {
		n := &nodes[i]
		if len(n.Predecessors) > 0 && !sameSet(n.Predecessors, before[n.ID]) {
			return &PredecessorError{StepID: n.ID, Declared: n.Predecessors, Derived: before[n.ID]}
		}
	}
	return nil
}

func sameSet(a, b []string) bool {
	set := make(map[string]bool, len(a))
	for _, s := range a {
		set[s] = false
	}
	for _, s := range b {
		if _, ok := set[s]; !ok {
			return false
		}
		set[s] = true
	}
	for _, seen := range set {
		if !seen {
			return false
		}
	}
	return true
}

// derive lists for each step those that name it as successor, in the order of the definition.
func derive(nodes []Node) map[string][]string {
	before := make(map[string][]string, len(nodes))
	for i := range nodes {
		for _, e := range nodes[i].Successors {
			before[e.To] = append(before[e.To], nodes[i].ID)
		}
	}
	return before
}

// Cyclic gives the steps that can never start because they are in a cycle or behind one, in order; nil
// when there is none. A step that leads to itself is a cycle. Edges to unknown steps are ignored.
//
// These are also the only unreachable steps: every other one is reachable from some root.
func Cyclic(nodes []Node) []string {
	index := make(map[string]int, len(nodes))
	for i := range nodes {
		index[nodes[i].ID] = i
	}
	incoming := make([]int, len(nodes))
	for i := range nodes {
		for _, e := range nodes[i].Successors {
			if j, ok := index[e.To]; ok {
				incoming[j]++
			}
		}
	}
	ready := make([]int, 0, len(nodes))
	for i, n := range incoming {
		if n == 0 {
			ready = append(ready, i)
		}
	}
	for k := 0; k < len(ready); k++ {
		for _, e := range nodes[ready[k]].Successors {
			j, ok := index[e.To]
			if !ok {
				continue
			}
			if incoming[j]--; incoming[j] == 0 {
				ready = append(ready, j)
			}
		}
	}
	if len(ready) == len(nodes) {
		return nil
	}
	var stuck []string
	for i, n := range incoming {
		if n > 0 {
			stuck = append(stuck, nodes[i].ID)
		}
	}
	return stuck
}
