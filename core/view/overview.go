package view

import (
	"fmt"

	"github.com/downbeat/downbeat/core/engine"
)

// Overview is the runtime overview of a run: where its steps are, and the leaves of the whole tree below it.
type Overview struct {
	Total int // steps in the DAG, created or not
	// Steps are the created ones by status, each list in the order of the DAG.
	Steps  [engine.NumStepStatuses][]StepTimes
	Rollup Rollup
	// RunStatus is the run's own result where the instance's status is another; InstanceNone otherwise.
	RunStatus engine.InstanceStatus
}

// StepTimes is a step by its 1-based place in the DAG, with the times of its latest attempt in this run; 0: not yet.
type StepTimes struct {
	Ordinal    int
	Start, End int64
}

// OverviewOf makes the overview of a run out of its state. It is nil for a run that is queued, or ended in the queue:
// the overview comes with the first decision. The error names an artifact that cannot be read.
//
// base counts the leaves of steps outside the DAG, whose results stand from earlier runs (Base). It may be nil.
func OverviewOf(st *engine.State, base *Rollup) (*Overview, error) {
	if !st.Run.Executed || st.Run.Status == engine.InstanceCreated {
		return nil, nil
	}
	body := st.Body
	o := &Overview{Total: len(st.Steps), RunStatus: st.Run.RunStatus}
	for i := range st.Steps {
		a := st.Steps[i].Latest
		if a == nil {
			continue
		}
		o.Steps[a.Status] = append(o.Steps[a.Status], StepTimes{Ordinal: i + 1, Start: a.Times.Start, End: a.Times.End})
		below, expanded, err := children(a)
		if err != nil {
			return nil, fmt.Errorf("step %s: %w", a.StepID, err)
		}
		if expanded {
			o.Rollup.Add(below)
		} else {
			o.Rollup.AddLeaf(a.Status, body.WorkflowID, body.InstanceID, body.RunID, a.StepID, a.AttemptID)
		}
	}
	if o.Total > 0 { // an empty DAG has no base, although its aggregated view shows the earlier steps
		o.Rollup.Add(base)
	}
	return o, nil
}

// Base counts the leaves of the steps that are outside a restart's DAG and keep their result from an earlier run.
// expanded gives the roll-up of a loop or subworkflow step's attempt in that run, nil for a step that is a leaf; it may
// be nil when there is no such step. Base is nil for a run without earlier ones and for one that restarts everything.
func Base(body *engine.Body, expanded func(v engine.StepView) *Rollup) *Rollup {
	if body.Baseline == nil || body.Policy.Fresh() || body.Policy == engine.RestartFromBeginning {
		return nil
	}
	base := &Rollup{}
	for _, v := range body.Baseline.Views {
		if _, inside := body.DAG.Ordinal(v.StepID); inside || v.Status == engine.StepNotCreated {
			continue
		}
		if expanded != nil {
			if below := expanded(v); below != nil {
				base.Add(below)
				continue
			}
		}
		base.AddLeaf(v.Status, body.WorkflowID, body.InstanceID, v.RunID, v.StepID, 0)
	}
	return base
}

// AppendJSON appends the overview.
func (o *Overview) AppendJSON(b []byte) []byte {
	w := newWriter(b)
	w.Open()
	w.Long("total_step_count", int64(o.Total))
	w.Object("step_overview")
	for s, list := range o.Steps {
		if len(list) == 0 {
			continue
		}
		w.Object(engine.StepStatus(s).String())
		w.Long("cnt", int64(len(list)))
		w.List("steps")
		for _, t := range list {
			w.OpenList()
			w.LongItem(int64(t.Ordinal))
			w.timeItem(t.Start)
			w.timeItem(t.End)
			w.CloseList()
		}
		w.CloseList()
		w.Close()
	}
	w.Close()
	w.Append("rollup_overview", &o.Rollup)
	if o.RunStatus != engine.InstanceNone {
		w.Str("run_status", o.RunStatus.String())
	}
	w.Close()
	return w.Bytes()
}

// MarshalJSON writes what AppendJSON does.
func (o Overview) MarshalJSON() ([]byte, error) { return o.AppendJSON(nil), nil }
