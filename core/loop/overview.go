package loop

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/view"
	"github.com/downbeat/downbeat/core/wire"
)

// Child is what a pass is told of a run that a step has started, or named and not started yet.
type Child struct {
	ID, Run int64
	// Status is InstanceNone for one that has no head yet.
	Status engine.InstanceStatus
	// Known tells that it is known to have ended: it is read only to see whether this run of the step has launched it.
	Known bool
	// Leaves is the roll-up of its runtime overview; nil while it has none.
	Leaves *view.Rollup
}

// numStatuses is the size of an array that is indexed by instance status.
const numStatuses = int(engine.InstanceSucceeded) + 1

// Overview is what a foreach step knows of its iterations (engine-json-and-events.md 5.6).
type Overview struct {
	// Checkpoint is the first iteration that is not known to be terminal; 0 before the first look.
	Checkpoint int64
	Ended      *view.Rollup // of the terminal iterations; nil before there is one
	Running    *view.Rollup // of the others
	// Details are the iterations by status.
	Details [numStatuses]intervals
	// Counted is set when an iteration had ended that runs again: the counts are there then, also with nothing in them.
	Counted bool
	// Restarted are the iterations restarted inside this run of the step and not terminal since.
	Restarted intervals
}

// ended tells whether an iteration is known to be terminal.
func (o *Overview) ended(id int64) bool {
	for s := range o.Details {
		if engine.InstanceStatus(s).Terminal() && o.Details[s].Has(id) {
			return true
		}
	}
	return false
}

// refresh takes in what was read of the iterations that are not known to be terminal. named is how many iterations this
// run of the step has launched without a gap, from the first.
func (o *Overview) refresh(children []Child, named int64) {
	for s := range o.Details {
		if !engine.InstanceStatus(s).Terminal() {
			o.Details[s] = nil
		}
	}
	o.Running = nil
	next := o.Checkpoint
	if named > 0 {
		next = max(next, named+1)
	}
	open := int64(0)
	for _, c := range children {
		if c.Known && c.Status == engine.InstanceNone {
			continue // of an earlier run
		}
		if !o.Restarted.Has(c.ID) {
			next = max(next, c.ID+1)
			if !c.Status.Terminal() && (open == 0 || c.ID < open) {
				open = c.ID
			}
		}
		if c.Status.Terminal() {
			if o.ended(c.ID) && !o.Restarted.Has(c.ID) {
				continue
			}
			o.Restarted = o.Restarted.without(c.ID)
			o.Details[c.Status] = o.Details[c.Status].with(c.ID)
			o.Ended = sum(o.Ended, c.Leaves)
			continue
		}
		status := max(c.Status, engine.InstanceCreated)
		o.Details[status] = o.Details[status].with(c.ID)
		o.Running = sum(o.Running, c.Leaves)
	}
	if open != 0 {
		next = open
	}
	o.Checkpoint = max(o.Checkpoint, next)
}

// Take moves an iteration that is restarted out of what is counted as ended. old is its result so far.
func (o *Overview) Take(id int64, leaves *view.Rollup) {
	for s := range o.Details {
		if engine.InstanceStatus(s).Terminal() {
			o.Details[s] = o.Details[s].without(id)
		}
	}
	o.Details[engine.InstanceCreated] = o.Details[engine.InstanceCreated].with(id)
	o.Counted = true
	o.Ended = less(o.Ended, leaves)
	o.Restarted = o.Restarted.with(id)
}

// Forget takes away what an iteration that will run again has counted.
func (o *Overview) Forget(leaves *view.Rollup) {
	if o.Ended != nil && leaves != nil {
		o.Ended = less(o.Ended, leaves)
	}
}

// LeavesOf is the roll-up of an overview, nil for none.
func LeavesOf(o *view.Overview) *view.Rollup {
	if o == nil {
		return nil
	}
	return &o.Rollup
}

func sum(a, b *view.Rollup) *view.Rollup {
	s := &view.Rollup{}
	s.Add(a)
	s.Add(b)
	return s
}

func less(a, b *view.Rollup) *view.Rollup {
	s := sum(a, nil)
	s.Sub(b)
	return s
}

// AppendJSON leaves out what is empty.
func (o *Overview) AppendJSON(b []byte) []byte {
	w := wire.NewWriter(b)
	w.Open()
	w.Long("checkpoint", o.Checkpoint)
	counts := func(name string, terminal bool) {
		open := terminal && o.Counted
		if open {
			w.Object(name)
		}
		for s, ids := range o.Details {
			if st := engine.InstanceStatus(s); len(ids) > 0 && st.Terminal() == terminal {
				if !open {
					w.Object(name)
					open = true
				}
				w.Long(st.String(), ids.count())
			}
		}
		if open {
			w.Close()
		}
	}
	counts("stats", true)
	counts("running_stats", false)
	if o.Ended != nil {
		w.Append("rollup", o.Ended)
	}
	if o.Running != nil {
		w.Append("running_rollup", o.Running)
	}
	open := false
	for s, ids := range o.Details {
		if len(ids) == 0 {
			continue
		}
		if !open {
			w.Object("details")
			open = true
		}
		w.Append(engine.InstanceStatus(s).String(), ids)
	}
	if open {
		w.Close()
	}
	if len(o.Restarted) > 0 {
		w.List("restart_info")
		for id := range o.Restarted.all {
			w.LongItem(id)
		}
		w.CloseList()
	}
	w.Close()
	return w.Bytes()
}

// UnmarshalJSON reads what AppendJSON writes. The counts follow from the details.
func (o *Overview) UnmarshalJSON(data []byte) error {
	var in struct {
		Checkpoint int64                `json:"checkpoint"`
		Ended      *view.Rollup         `json:"rollup"`
		Running    *view.Rollup         `json:"running_rollup"`
		Details    map[string]intervals `json:"details"`
		Restarted  []int64              `json:"restart_info"`
		Stats      map[string]int64     `json:"stats"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("foreach_overview: %w", err)
	}
	*o = Overview{Checkpoint: in.Checkpoint, Ended: in.Ended, Running: in.Running, Counted: in.Stats != nil}
	for name, ids := range in.Details {
		s, ok := engine.ParseInstanceStatus(name)
		if !ok {
			return fmt.Errorf("foreach_overview: details: %s is no status", name)
		}
		o.Details[s] = ids
	}
	slices.Sort(in.Restarted)
	for _, id := range in.Restarted {
		o.Restarted = o.Restarted.with(id)
	}
	return nil
}
