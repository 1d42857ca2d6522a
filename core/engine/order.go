package engine

import (
	"slices"
	"unicode/utf16"

	"github.com/downbeat/downbeat/core/dag"
)

// The order of a run's steps, which its clients see as ordinals in step_overview. Maestro stores runtime_dag in the order
// of a Java hash map; a drop-in server has the same, or its overviews differ from recorded ones.

// ordered puts the steps of a runtime DAG into Maestro's order: that of a hash map into which a fresh run puts them from
// the last of the definition to the first, and a restart in topological order.
func ordered(g *dag.Graph, fresh bool) *dag.Graph {
	var in []int
	if fresh {
		for i := g.Len() - 1; i >= 0; i-- {
			in = append(in, i)
		}
	} else {
		in = topological(g)
	}
	buckets := 16
	for g.Len()*4 > buckets*3 {
		buckets *= 2
	}
	bucket := make([]int, g.Len())
	for i := range g.Nodes {
		h := javaHash(g.Nodes[i].ID)
		bucket[i] = int(h^h>>16) & (buckets - 1)
	}
	slices.SortStableFunc(in, func(a, b int) int { return bucket[a] - bucket[b] })
	nodes := make([]dag.Node, len(in))
	for k, i := range in {
		nodes[k] = g.Nodes[i]
	}
	return dag.Of(nodes)
}

// topological lists the ordinals with every step behind its predecessors, otherwise in order.
func topological(g *dag.Graph) []int {
	incoming := make([]int, g.Len())
	for i := range g.Nodes {
		for _, e := range g.Nodes[i].Successors {
			if s, ok := g.Ordinal(e.To); ok {
				incoming[s]++
			}
		}
	}
	var list []int
	for i, n := range incoming {
		if n == 0 {
			list = append(list, i)
		}
	}
	for k := 0; k < len(list); k++ {
		for _, e := range g.Nodes[list[k]].Successors {
			if s, ok := g.Ordinal(e.To); ok {
				if incoming[s]--; incoming[s] == 0 {
					list = append(list, s)
				}
			}
		}
	}
	return list
}

// javaHash is Java's String.hashCode.
func javaHash(s string) uint32 {
	var h uint32
	for _, u := range utf16.Encode([]rune(s)) {
		h = 31*h + uint32(u)
	}
	return h
}
