package view

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"

	"github.com/downbeat/downbeat/core/engine"
)

// Rollup counts the leaves of a tree of steps by status: steps that are not expanded into those of a loop body or a
// subworkflow (engine-json-and-events.md 5.2). For statuses that ask for attention it names them too. The zero value
// has no leaf.
type Rollup struct {
	Leaves int64
	Counts [engine.NumStepStatuses]int64
	// Refs name the leaves in statuses that keep references, by status.
	Refs [engine.NumStepStatuses][]Ref
	// Counted is set when leaves were there and are gone: there is an overview then, and nothing in it.
	Counted bool
}

// Ref names leaves of one run. Workflow is the id that the leaves have, for loop bodies the generated one.
type Ref struct {
	Workflow string
	Run      int64
	Leaves   []string // <instance id>:<step id>:<attempt id>
}

// AddLeaf counts one leaf. Attempt 0 names a result of an earlier run.
func (r *Rollup) AddLeaf(status engine.StepStatus, workflow string, instance, run int64, step string, attempt int64) {
	r.Leaves++
	r.Counts[status]++
	if status.KeepsRef() {
		r.refer(status, workflow, run, strconv.FormatInt(instance, 10)+":"+step+":"+strconv.FormatInt(attempt, 10))
	}
}

func (r *Rollup) refer(status engine.StepStatus, workflow string, run int64, leaves ...string) {
	refs := r.Refs[status]
	for i := range refs {
		if refs[i].Workflow == workflow && refs[i].Run == run {
			refs[i].Leaves = append(refs[i].Leaves, leaves...)
			return
		}
	}
	r.Refs[status] = append(refs, Ref{Workflow: workflow, Run: run, Leaves: append([]string(nil), leaves...)})
}

// Add puts the leaves of another roll-up to these. The other one is not changed, nor shared.
func (r *Rollup) Add(other *Rollup) {
	if other == nil {
		return
	}
	r.Leaves += other.Leaves
	r.Counted = r.Counted || other.Counted
	for s := range other.Counts {
		r.Counts[s] += other.Counts[s]
		for _, ref := range other.Refs[s] {
			r.refer(engine.StepStatus(s), ref.Workflow, ref.Run, ref.Leaves...)
		}
	}
}

// Sub takes the leaves of another roll-up away again, of references those that it names.
func (r *Rollup) Sub(other *Rollup) {
	if other == nil {
		return
	}
	r.Counted = r.Counted || r.Leaves > 0
	r.Leaves = max(0, r.Leaves-other.Leaves)
	for s := range other.Counts {
		r.Counts[s] = max(0, r.Counts[s]-other.Counts[s])
		var kept []Ref
		for _, ref := range r.Refs[s] {
			for _, o := range other.Refs[s] {
				if o.Workflow == ref.Workflow && o.Run == ref.Run {
					ref.Leaves = slices.DeleteFunc(slices.Clone(ref.Leaves), func(leaf string) bool { return slices.Contains(o.Leaves, leaf) })
				}
			}
			if len(ref.Leaves) > 0 {
				kept = append(kept, ref)
			}
		}
		r.Refs[s] = kept
	}
}

// SameCounts tells whether two roll-ups count the same. References do not matter: a change that only moves them is no
// reason to write.
func (r *Rollup) SameCounts(other *Rollup) bool { return r.Counts == other.Counts }

// AppendJSON appends {"total_leaf_count":n,"overview":{STATUS:{"cnt":n,"ref":{…}}}}; without leaves there is no
// `overview`.
func (r *Rollup) AppendJSON(b []byte) []byte {
	w := newWriter(b)
	w.Open()
	w.Long("total_leaf_count", r.Leaves)
	if r.Leaves > 0 || r.Counted {
		w.Object("overview")
		for s, n := range r.Counts {
			if n == 0 {
				continue
			}
			w.Object(engine.StepStatus(s).String())
			w.Long("cnt", n)
			if refs := r.Refs[s]; len(refs) > 0 {
				w.Object("ref")
				for _, ref := range refs {
					w.List(ref.Workflow + ":" + strconv.FormatInt(ref.Run, 10))
					for _, leaf := range ref.Leaves {
						w.StrItem(leaf)
					}
					w.CloseList()
				}
				w.Close()
			}
			w.Close()
		}
		w.Close()
	}
	w.Close()
	return w.Bytes()
}

// MarshalJSON writes what AppendJSON does.
func (r Rollup) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

// UnmarshalJSON reads a roll-up: of `overview`, an entry may be a plain number, as old rows have it. References are
// sorted by their key.
func (r *Rollup) UnmarshalJSON(data []byte) error {
	var in struct {
		Leaves   int64                      `json:"total_leaf_count"`
		Overview map[string]json.RawMessage `json:"overview"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("rollup_overview: %w", err)
	}
	*r = Rollup{Leaves: in.Leaves, Counted: in.Overview != nil}
	for name, raw := range in.Overview {
		status, ok := engine.ParseStepStatus(name)
		if !ok {
			return fmt.Errorf("rollup_overview: %s is no step status", name)
		}
		var one struct {
			Count int64               `json:"cnt"`
			Refs  map[string][]string `json:"ref"`
		}
		if json.Unmarshal(raw, &one.Count) != nil {
			if err := json.Unmarshal(raw, &one); err != nil {
				return fmt.Errorf("rollup_overview: %s: %w", name, err)
			}
		}
		r.Counts[status] += one.Count
		keys := make([]string, 0, len(one.Refs))
		for key := range one.Refs {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			workflow, run, err := splitRun(key)
			if err != nil {
				return fmt.Errorf("rollup_overview: %s: %w", name, err)
			}
			r.refer(status, workflow, run, one.Refs[key]...)
		}
	}
	return nil
}

// splitRun reads <workflow id>:<run id>; a workflow id has no colon in it.
func splitRun(key string) (string, int64, error) {
	for i := len(key) - 1; i > 0; i-- {
		if key[i] == ':' {
			run, err := strconv.ParseInt(key[i+1:], 10, 64)
			if err != nil {
				break
			}
			return key[:i], run, nil
		}
	}
	return "", 0, fmt.Errorf("%q is not <workflow id>:<run id>", key)
}

// Children gives the roll-up of the steps that an attempt was expanded into, nil when it counts as one leaf itself.
func Children(a *engine.Attempt) (*Rollup, error) {
	r, expanded, err := children(a)
	if err == nil && expanded && r == nil {
		r = &Rollup{}
	}
	return r, err
}

// children gives the roll-up of the steps that an attempt was expanded into, from its artifacts; false when they are
// not available, so that the attempt itself counts as one leaf.
func children(a *engine.Attempt) (*Rollup, bool, error) {
	if raw, ok := a.Artifacts.Get("maestro_foreach"); ok {
		var loop struct {
			Overview *struct {
				Checkpoint int64   `json:"checkpoint"`
				Ended      *Rollup `json:"rollup"`
				Running    *Rollup `json:"running_rollup"`
			} `json:"foreach_overview"`
		}
		if err := json.Unmarshal(raw, &loop); err != nil {
			return nil, false, fmt.Errorf("maestro_foreach: %w", err)
		}
		if loop.Overview == nil || loop.Overview.Checkpoint <= 0 {
			return nil, false, nil
		}
		sum := &Rollup{}
		sum.Add(loop.Overview.Ended)
		sum.Add(loop.Overview.Running)
		return sum, true, nil
	}
	if raw, ok := a.Artifacts.Get("maestro_while"); ok {
		var loop struct {
			First   int64        `json:"first_iteration"`
			Last    int64        `json:"last_iteration"`
			Earlier *Rollup      `json:"rollup"`
			Current *runOverview `json:"last_overview"`
		}
		if err := json.Unmarshal(raw, &loop); err != nil {
			return nil, false, fmt.Errorf("maestro_while: %w", err)
		}
		if loop.Last < loop.First {
			return nil, false, nil
		}
		sum := &Rollup{}
		sum.Add(loop.Earlier)
		sum.Add(loop.Current.rollup())
		return sum, true, nil
	}
	if raw, ok := a.Artifacts.Get("maestro_subworkflow"); ok {
		var sub struct {
			Overview *runOverview `json:"subworkflow_overview"`
		}
		if err := json.Unmarshal(raw, &sub); err != nil {
			return nil, false, fmt.Errorf("maestro_subworkflow: %w", err)
		}
		if sub.Overview == nil {
			return nil, false, nil
		}
		return sub.Overview.rollup(), true, nil // a child without a roll-up contributes nothing
	}
	return nil, false, nil
}

// runOverview is what is read of a child's runtime_overview.
type runOverview struct {
	Rollup *Rollup `json:"rollup_overview"`
}

func (o *runOverview) rollup() *Rollup {
	if o == nil {
		return nil
	}
	return o.Rollup
}
