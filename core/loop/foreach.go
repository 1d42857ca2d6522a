package loop

import (
	"encoding/json"
	"fmt"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/view"
	"github.com/downbeat/downbeat/core/wire"
)

// launchesAPass is how many iterations one pass names at most.
const launchesAPass = 50

// ForeachKey is the name of the artifact of foreach steps.
const ForeachKey = "maestro_foreach"

// Foreach is the artifact of a foreach step: all that it knows of its loop.
type Foreach struct {
	WorkflowID string // of the body
	Identity   string
	Run        int64 // run id of the iterations
	ParentRun  int64
	Policy     engine.RunPolicy
	Total      int64
	Next       int64  // how many iterations are named
	Ancestors  *int64 // how many iterations earlier runs had; nil in a fresh run
	Overview   Overview
	Pending    *PendingRestart
}

// PendingRestart is an iteration that is to be restarted while the loop runs.
type PendingRestart struct {
	ID, Run int64 // Run 0 is its latest
	Config  *engine.RestartConfig
	User    string
	Time    int64
}

// NewForeach is the artifact of an attempt that starts afresh. earlierRun is the largest run id that the body ever had.
func NewForeach(parent *engine.Body, a *engine.Attempt, total, earlierRun int64) *Foreach {
	return &Foreach{
		WorkflowID: InlineID(parent, a.StepID, false), Identity: Identity(parent, a), Run: earlierRun + 1, ParentRun: parent.RunID,
		Policy: parent.Policy, Total: total,
	}
}

// GoOn takes over what an earlier run of the step has left: the iterations that succeeded, or with a target, which alone is
// to run again, all that ended. It returns those that had ended and run again.
func (f *Foreach) GoOn(old *Foreach, target int64) (again []Child) {
	kept := intervals{}
	f.Overview.Ended = sum(old.Overview.Ended, nil)
	last := int64(0)
	for s, ids := range old.Overview.Details {
		status := engine.InstanceStatus(s)
		last = max(last, ids.last())
		if !status.Terminal() {
			continue
		}
		if status == engine.InstanceSucceeded || target != 0 {
			f.Overview.Details[s] = ids
			for id := range ids.all {
				kept = kept.with(id)
			}
			continue
		}
		for id := range ids.all {
			again = append(again, Child{ID: id})
		}
	}
	if old.Ancestors != nil {
		last = max(last, *old.Ancestors)
	}
	f.Ancestors = &last
	if len(kept) > 0 && kept[0][0] == 1 {
		f.Overview.Checkpoint = kept[0][1]
	}
	f.Next = f.Overview.Checkpoint
	return again
}

// Iteration is an iteration with its values, for the run with that number.
func (f *Foreach) Iteration(space engine.Space, id, run int64) (engine.Iteration, error) {
	values, err := space.Values(id)
	return engine.Iteration{
		WorkflowID: f.WorkflowID, Identity: f.Identity, ID: id, Values: values, UUID: IterationUUID(f.WorkflowID, run, id, false),
	}, err
}

// Wanted are the iterations that a pass must be told of, with the run of each; run 0 is the latest.
func (f *Foreach) Wanted() []Child {
	var list []Child
	for id := max(f.Overview.Checkpoint, 1); id <= f.Next; id++ {
		known := f.Overview.ended(id)
		if known && (f.Ancestors == nil || id > *f.Ancestors) || f.Overview.Restarted.Has(id) {
			continue
		}
		list = append(list, Child{ID: id, Run: f.Run, Known: known})
	}
	for id := range f.Overview.Restarted.all {
		list = append(list, Child{ID: id})
	}
	return list
}

// Foreach settings of a step.
type ForeachStep struct {
	Limit           int64 // iterations at a time
	Strict          bool  // the limit is a window that the oldest unfinished iteration holds
	FailImmediately bool
}

// Pass is what comes of looking at a loop.
type Pass struct {
	State step.State
	// Kill asks for the step to be killed: the failure of an iteration ends the others.
	Kill bool
}

// Pass takes in what was read of the wanted iterations, and names those that are to be launched next.
func (f *Foreach) Pass(children []Child, s ForeachStep) Pass {
	if f.Next > 0 || f.Ancestors != nil {
		f.Overview.refresh(children, f.launched())
	}
	running, oldest, newest := int64(0), int64(0), int64(0)
	for _, c := range children {
		if c.Known {
			continue
		}
		newest = max(newest, c.ID)
		if !c.Status.Terminal() {
			running++
			if oldest == 0 || c.ID < oldest {
				oldest = c.ID
			}
		}
	}
	n := running
	if s.Strict && running > 0 {
		n = max(newest, f.Next) - oldest + 1
	}
	failed := len(f.Overview.Details[engine.InstanceFailed]) > 0
	switch {
	case failed && s.FailImmediately && running > 0:
		return Pass{State: step.Continue, Kill: true}
	case running == 0 && f.Pending == nil && (failed || f.Next >= f.Total):
		return Pass{State: f.result()}
	case failed:
		return Pass{State: step.Continue}
	}
	room := min(max(0, s.Limit-n), launchesAPass)
	for ; room > 0 && f.Next < f.Total; f.Next++ {
		// Iterations that an earlier run of the step has brought to an end are passed over.
		if f.Overview.ended(f.Next + 1) {
			continue
		}
		room--
	}
	for f.Next < f.Total && f.Overview.ended(f.Next+1) {
		f.Next++
	}
	if running == 0 && f.Next >= f.Total && f.Pending == nil && f.nothingNamed() {
		return Pass{State: f.result()}
	}
	return Pass{State: step.Continue}
}

// nothingNamed tells whether every iteration that is named is known to be terminal.
func (f *Foreach) nothingNamed() bool {
	for _, c := range f.Wanted() {
		if !c.Known {
			return false
		}
	}
	return true
}

// launched is how many iterations this run of the step has launched without a gap, as far as it is known by itself.
func (f *Foreach) launched() int64 {
	if f.Ancestors == nil {
		return f.Next
	}
	return 0
}

// Look takes in what was read of the wanted iterations, for a reader.
func (f *Foreach) Look(children []Child) {
	if f.Next > 0 || f.Ancestors != nil {
		f.Overview.refresh(children, f.launched())
	}
}

// Stopping takes in what was read, and tells whether every named iteration has come to its end.
func (f *Foreach) Stopping(children []Child) (over bool) {
	f.Overview.refresh(children, f.launched())
	for _, c := range children {
		if !c.Known && !c.Status.Terminal() {
			return false
		}
	}
	return true
}

// result is the end of a loop whose iterations have all ended.
func (f *Foreach) result() step.State {
	d := &f.Overview.Details
	switch {
	case len(d[engine.InstanceFailed]) > 0:
		return step.FatalError
	case len(d[engine.InstanceTimedOut]) > 0:
		return step.TimedOut
	case len(d[engine.InstanceStopped]) > 0:
		return step.Stopped
	}
	return step.Done
}

// AppendJSON writes the artifact.
func (f *Foreach) AppendJSON(b []byte) []byte {
	w := wire.NewWriter(b)
	w.Open()
	w.Str("foreach_workflow_id", f.WorkflowID)
	w.Str("foreach_identity", f.Identity)
	w.Long("foreach_run_id", f.Run)
	w.Long("run_id", f.ParentRun)
	w.Str("run_policy", string(f.Policy))
	w.Long("total_loop_count", f.Total)
	w.Long("next_loop_index", f.Next)
	w.LongOpt("ancestor_iteration_count", f.Ancestors)
	w.Append("foreach_overview", &f.Overview)
	if p := f.Pending; p != nil {
		w.Object("pending_action")
		w.Long("instance_id", p.ID)
		w.Long("instance_run_id", p.Run)
		if p.Config != nil {
			w.Raw("restart_config", view.AppendRestartConfig(nil, p.Config))
		}
		w.Str("action", string(engine.ActionRestart))
		w.Str("user", p.User)
		w.Long("create_time", p.Time)
		w.Close()
	}
	w.Str("type", "FOREACH")
	w.Close()
	return w.Bytes()
}

// ReadForeach reads the artifact of a foreach step.
func ReadForeach(data []byte) (*Foreach, error) {
	var in struct {
		WorkflowID string           `json:"foreach_workflow_id"`
		Identity   string           `json:"foreach_identity"`
		Run        int64            `json:"foreach_run_id"`
		ParentRun  int64            `json:"run_id"`
		Policy     engine.RunPolicy `json:"run_policy"`
		Total      int64            `json:"total_loop_count"`
		Next       int64            `json:"next_loop_index"`
		Ancestors  *int64           `json:"ancestor_iteration_count"`
		Overview   Overview         `json:"foreach_overview"`
		Pending    *struct {
			ID     int64           `json:"instance_id"`
			Run    int64           `json:"instance_run_id"`
			Config json.RawMessage `json:"restart_config"`
			User   string          `json:"user"`
			Time   int64           `json:"create_time"`
		} `json:"pending_action"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("artifact %s: %w", ForeachKey, err)
	}
	f := &Foreach{
		WorkflowID: in.WorkflowID, Identity: in.Identity, Run: in.Run, ParentRun: in.ParentRun, Policy: in.Policy,
		Total: in.Total, Next: in.Next, Ancestors: in.Ancestors, Overview: in.Overview,
	}
	if p := in.Pending; p != nil {
		f.Pending = &PendingRestart{ID: p.ID, Run: p.Run, User: p.User, Time: p.Time}
		if len(p.Config) > 0 {
			c, err := view.ReadRestartConfig(p.Config)
			if err != nil {
				return nil, fmt.Errorf("artifact %s: pending_action: %w", ForeachKey, err)
			}
			f.Pending.Config = c
		}
	}
	return f, nil
}
