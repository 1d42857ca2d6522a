package dag

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// graph reads "a>b,c b>d(c) d": a leads to b and c, b to d, whose author declared the predecessor c.
// Declared predecessors stand in brackets after the step.
func graph(text string) []Node {
	var nodes []Node
	for _, f := range strings.Fields(text) {
		head, tail, _ := strings.Cut(f, ">")
		id, declared, ok := strings.Cut(head, "(")
		n := Node{ID: id}
		if ok {
			n.Predecessors = strings.Split(strings.TrimSuffix(declared, ")"), ",")
		}
		if tail != "" {
			for _, to := range strings.Split(tail, ",") {
				n.Successors = append(n.Successors, Edge{To: to, Condition: "true"})
			}
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func show(g *Graph) string {
	var parts []string
	for _, n := range g.Nodes {
		parts = append(parts, n.ID+"("+strings.Join(n.Predecessors, ",")+")")
	}
	return strings.Join(parts, " ")
}

func TestCheckTransitions(t *testing.T) { // workflow-definition.md 7.2
	for _, c := range []struct{ graph, want string }{
		{"a>b b", ""},
		{"a>b,c b>d c>d d(c,b)", ""},
		{"a b(a)", "[workflow step transition] is invalid for step [b]'s predecessors list [[a]], which does match computed one [null] based on the DAG"},
		{"a>b b(a,c) c", "[workflow step transition] is invalid for step [b]'s predecessors list [[a, c]], which does match computed one [[a]] based on the DAG"},
		{"a>b c>b b(a)", "[workflow step transition] is invalid for step [b]'s predecessors list [[a]], which does match computed one [[a, c]] based on the DAG"},
		{"a>z b", "[workflow step transition] is invalid for step [a]'s successor step id [z], which does not exist in steps"},
		{"a>a", ""}, // cycles are found later
	} {
		got := ""
		if err := CheckTransitions(graph(c.graph)); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.graph, got, c.want)
		}
	}
}

func TestCyclic(t *testing.T) {
	for _, c := range []struct {
		graph string
		want  []string
	}{
		{"a>b b>c c", nil},
		{"a b c", nil},
		{"a>a", []string{"a"}},
		{"a>b b>c c>b d", []string{"b", "c"}},
		{"a>b b>a,c c", []string{"a", "b", "c"}},
		{"a>b,b b", nil},
		{"a>z", nil},
	} {
		if got := Cyclic(graph(c.graph)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.graph, got, c.want)
		}
	}
}

func TestRuntimeDAG(t *testing.T) { // engine.md 5.1
	for _, c := range []struct{ name, graph, start, want string }{
		{"fresh: predecessors in definition order", "d a>b,c c>d b>d", "*", "d(c,b) a() c(a) b(a)"},
		{"fresh keeps a declared list as it is", "a>c b>c c(b,a)", "*", "a() b() c(b,a)"},
		{"incomplete: from the failed step on", "a>b b>c c", "b", "b() c(b)"},
		{"a start step behind another keeps its order", "a>b b>c c", "b,c", "b() c(b)"},
		{"declared lists go from the start set", "a>c b>c c(a,b)>d d", "c", "c() d(c)"},
		{"declared lists stay elsewhere, names outside included", "a>c b>c c(a,b)>d d", "b", "b() c(a,b) d(c)"},
		{"a join loses what is not run again", "a>c b>c c", "b", "b() c(b)"},
		{"an empty start set is an empty graph", "a>b b", "", ""},
		{"unknown names are ignored", "a>b b", "z,b", "b()"},
	} {
		var g *Graph
		var err error
		if c.start == "*" {
			g, err = Fresh("w", graph(c.graph))
		} else {
			g, err = Restart("w", graph(c.graph), strings.Split(c.start, ","))
		}
		if err != nil || show(g) != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.name, show(g), err, c.want)
		}
	}
}

func TestRuntimeDAGIsRefused(t *testing.T) {
	if _, err := Fresh("w", graph("a>b b>a")); err == nil || err.Error() != "Invalid workflow definition [w], where DAG contains cycle" {
		t.Errorf("got %v, want the cycle error", err)
	}
	if _, err := Fresh("w", graph("a>z")); err == nil {
		t.Error("an edge to an unknown step makes no DAG")
	}
	if g, err := Restart("w", graph("a>b b>a c"), []string{"c"}); err != nil || show(g) != "c()" {
		t.Errorf("a cycle outside the restarted part does not matter: got %v", err)
	}
}

func TestBuildingLeavesTheDefinitionAlone(t *testing.T) {
	nodes := graph("a>b b(a)")
	if _, err := Restart("w", nodes, []string{"b"}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(nodes, graph("a>b b(a)")) {
		t.Errorf("the definition's nodes changed: %v", nodes)
	}
}

func TestGraphLookups(t *testing.T) {
	g, err := Restart("w", graph("a>c b>c c(a,b)"), []string{"b"})
	if err != nil {
		t.Fatal(err)
	}
	if i, ok := g.Ordinal("c"); !ok || i != 1 || g.Node("c").ID != "c" || g.Len() != 2 {
		t.Errorf("c: got %d %v", i, ok)
	}
	if _, ok := g.Ordinal("a"); ok || g.Node("a") != nil {
		t.Error("a is outside")
	}
	if got := g.Roots(); !reflect.DeepEqual(got, []string{"b"}) {
		t.Errorf("roots: got %v", got)
	}
}

func wide(n int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i].ID = fmt.Sprintf("s%d", i)
		for j := i + 1; j < n && j <= i+20; j++ {
			nodes[i].Successors = append(nodes[i].Successors, Edge{To: fmt.Sprintf("s%d", j), Condition: "true"})
		}
	}
	return nodes
}

func BenchmarkFresh300(b *testing.B) {
	nodes := wide(300)
	for b.Loop() {
		if _, err := Fresh("w", nodes); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCompileConditions(t *testing.T) { // workflow-definition.md 14
	nodes := []Node{{ID: "a", Transition: Transition{Successors: []Edge{
		{To: "b", Condition: "true"}, {To: "c", Condition: "rows > 10"}, {To: "d", Condition: "this is ] not an expression"}, {To: "e", Null: true}}}}}
	bad := CompileConditions(nodes)
	if len(bad) != 1 || bad[0].StepID != "a" || bad[0].Successor != "d" || bad[0].Unwrap() == nil {
		t.Errorf("got %v, want the condition to d", bad)
	}
}
