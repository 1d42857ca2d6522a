package app

import (
	"context"
	"errors"
	"strings"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/loop"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/view"
)

// LeafQuery asks for a step inside loops, at every iteration of these.
type LeafQuery struct {
	// Run is that of the workflow around the outermost loop. What ran for it counts, and for iterations that did not run
	// again what ran for the runs before it.
	Run  store.RunID
	Step string
	// After and Before leave out ranks that are not greater or not less; "" leaves out none.
	After, Before string
	Falling       bool
	// At, unless it is empty, are the iterations of the one entry that is wanted, from the outermost.
	At []int64
}

// leafWindow is how many iterations are read in one batch.
const leafWindow = 50

// Leaves hands the newest attempts of the step to yield in the order of their ranks, until it wants no more. Iterations
// at which the step was not created are left out; there are none of a run or step that does not exist. Nothing is kept
// for this view: it reads each iteration, with those of loops inside.
func (a *App) Leaves(ctx context.Context, q LeafQuery, yield func(*view.Leaf) (more bool)) error {
	if q.Run.Instance < 1 || q.Run.Run < 1 || definition.IsInlineID(q.Run.Workflow) {
		return nil
	}
	newest, err := a.LatestRunNumber(ctx, q.Run.Workflow, q.Run.Instance)
	if err != nil || newest == 0 {
		return err
	}
	q.Run.Run = min(q.Run.Run, newest)
	root, err := a.loadRun(ctx, q.Run, "")
	if errors.Is(err, errNoRun) {
		return nil
	}
	if err != nil {
		return err
	}
	w := &leafWalk{a: a, LeafQuery: q, yield: yield}
	way := loop.Way(root.body.Workflow.Steps, q.Step)
	if len(way) == 0 || len(q.At) > 0 && len(q.At) != len(way) {
		return nil
	}
	for _, s := range way {
		if s.Type == definition.Foreach {
			w.params = append(w.params, s.LoopParams().Names()...)
		}
	}
	_, err = w.in(ctx, root.body, way, q.At, "")
	return err
}

// leafWalk is a walk over the iterations around a step.
type leafWalk struct {
	a *App
	LeafQuery
	params []string // of the foreach steps around
	yield  func(*view.Leaf) bool
}

// in walks the iterations of the first loop of way in a run of which as much is known as loop.Inside tells. It tells
// whether more is wanted.
func (w *leafWalk) in(ctx context.Context, parent *engine.Body, way []*definition.Step, at []int64, outer string) (bool, error) {
	s := way[0]
	inline := loop.Inside(parent, s, 0).WorkflowID
	latest, err := w.a.LatestInstance(ctx, inline)
	if err != nil {
		return false, err
	}
	innermost := len(way) == 1
	var ids []int64
	for id := int64(1); id <= latest; id++ {
		if (len(at) == 0 || id == at[0]) && w.wants(view.JoinRank(outer, id), innermost) {
			ids = append(ids, id)
		}
	}
	if w.Falling {
		for i, j := 0, len(ids)-1; i < j; i, j = i+1, j-1 {
			ids[i], ids[j] = ids[j], ids[i]
		}
	}
	if innermost {
		return w.leaves(ctx, inline, ids)
	}
	for _, id := range ids {
		more, err := w.in(ctx, loop.Inside(parent, s, id), way[1:], at[min(1, len(at)):], view.JoinRank(outer, id))
		if err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// wants tells whether a rank, or of an outer loop any that begins so, lies within the bounds.
func (w *leafWalk) wants(rank string, whole bool) bool {
	if w.Before != "" && rank >= w.Before {
		return false
	}
	return w.After == "" || rank > w.After || !whole && strings.HasPrefix(w.After, rank+"-")
}

// leaves reads the iterations of an innermost loop, in the order of ids, which are dense but for the bounds.
func (w *leafWalk) leaves(ctx context.Context, inline string, ids []int64) (bool, error) {
	for len(ids) > 0 {
		window := ids[:min(leafWindow, len(ids))]
		ids = ids[len(window):]
		low, high := window[0], window[len(window)-1]
		views, err := w.a.Instances(ctx, inline, min(low, high), max(low, high))
		if err != nil {
			return false, err
		}
		for i := range views {
			v := views[i]
			if w.Falling {
				v = views[len(views)-1-i]
			}
			l, err := w.leaf(ctx, v)
			if err != nil {
				return false, err
			}
			if l != nil && !w.yield(l) {
				return false, nil
			}
		}
	}
	return true, nil
}

// leaf is the newest attempt of the step at an iteration whose newest run was read, nil when there is none.
func (w *leafWalk) leaf(ctx context.Context, v *RunView) (*view.Leaf, error) {
	for id := v.ID(); ; {
		l := &view.Leaf{Body: v.Body()}
		for _, at := range v.Attempts() {
			if at.StepID == w.Step && (l.Attempt == nil || at.AttemptID > l.Attempt.AttemptID) {
				l.Attempt = at
			}
		}
		if l.Attempt != nil && l.RootRun() <= w.Run.Run {
			for _, name := range w.params {
				if p := v.Body().Params.Get(name); p != nil && p.Evaluated {
					l.Params = append(l.Params, view.LoopValue{Name: name, Text: p.Result.Text()})
				}
			}
			return l, nil
		}
		// The newest run ran for a later run of the root, or without the step: what ran before stands.
		for {
			if id.Run--; id.Run < 1 {
				return nil, nil
			}
			earlier, err := w.a.readRun(ctx, id)
			if err == nil {
				v = earlier
				break
			}
			if !errors.Is(err, errNoRun) {
				return nil, err
			}
		}
	}
}
