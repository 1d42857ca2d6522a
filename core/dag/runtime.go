package dag

// The runtime DAG: what one run executes, computed once at its creation (engine.md 5.1).

// Fresh is the runtime DAG of a fresh run and of RESTART_FROM_BEGINNING: all steps, with the
// predecessors derived where the author declared none. workflowID only stands in the error.
//
// It returns *CycleError, or *SuccessorError for an edge to an unknown step, which is possible in loop
// bodies: they are not checked at push.
func Fresh(workflowID string, nodes []Node) (*Graph, error) {
	return build(workflowID, nodes, nil, nil)
}

// Restart is the runtime DAG of a restart: the start set and everything reachable from it. The caller
// makes the start set: for RESTART_FROM_INCOMPLETE the steps whose aggregated status is NOT_CREATED, or
// terminal and not complete; for RESTART_FROM_SPECIFIC also the restarted step. Names in it that are no
// steps are ignored.
//
// Declared predecessors are dropped from the start set and kept on the others, where names outside the
// DAG do not block. A step of the start set that is behind another one gets its predecessors back by
// the derivation. An empty start set gives an empty graph. Errors as in Fresh.
func Restart(workflowID string, nodes []Node, start []string) (*Graph, error) {
	index := make(map[string]int, len(nodes))
	for i := range nodes {
		index[nodes[i].ID] = i
	}
	included, emptied := make([]bool, len(nodes)), make([]bool, len(nodes))
	var queue []int
	for _, id := range start {
		if i, ok := index[id]; ok && !included[i] {
			included[i], emptied[i] = true, true
			queue = append(queue, i)
		}
	}
	for k := 0; k < len(queue); k++ {
		for _, e := range nodes[queue[k]].Successors {
			if j, ok := index[e.To]; ok && !included[j] {
				included[j] = true
				queue = append(queue, j)
			}
		}
	}
	return build(workflowID, nodes, included, emptied)
}

// build keeps the included nodes (all when nil) in definition order and completes their predecessors.
func build(workflowID string, nodes []Node, included, emptied []bool) (*Graph, error) {
	kept := make([]Node, 0, len(nodes))
	for i := range nodes {
		if included != nil && !included[i] {
			continue
		}
		n := nodes[i]
		if emptied != nil && emptied[i] {
			n.Predecessors = nil
		}
		kept = append(kept, n)
	}
	g := Of(kept)
	for i := range kept {
		for _, e := range kept[i].Successors {
			if _, ok := g.index[e.To]; !ok {
				return nil, &SuccessorError{StepID: kept[i].ID, Successor: e.To}
			}
		}
	}
	if stuck := Cyclic(kept); stuck != nil {
		return nil, &CycleError{WorkflowID: workflowID, Steps: stuck}
	}
	before := derive(kept)
	for i := range kept {
		if len(kept[i].Predecessors) == 0 {
			kept[i].Predecessors = before[kept[i].ID]
		}
	}
	return g, nil
}
