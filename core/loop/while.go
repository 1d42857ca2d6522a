package loop

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/view"
	"github.com/downbeat/downbeat/core/wire"
)

// WhileKey is the name of the artifact of while steps.
const WhileKey = "maestro_while"

// While is the artifact of a while step: all that it knows of its loop.
type While struct {
	WorkflowID string // of the body
	Identity   string
	Run        int64 // run id of the iterations
	ParentRun  int64
	Policy     engine.RunPolicy
	// First is the first iteration that this run of the step is responsible for; Last the last that is named, First-1 for
	// none.
	First, Last int64
	// LastStatus and LastOverview are of the last iteration; InstanceNone and nil while it was not looked at.
	LastStatus   engine.InstanceStatus
	LastOverview json.RawMessage
	Earlier      view.Rollup // of all iterations but the last
	// Values are the loop params by name: entry k-1 is what iteration k begins with.
	Values []WhileValues
}

// WhileValues are the values of one loop param.
type WhileValues struct {
	Name string
	JSON []json.RawMessage
}

// NewWhile is the artifact of an attempt that starts afresh. earlierRun is the largest run id that the body ever had.
func NewWhile(parent *engine.Body, a *engine.Attempt, start []param.Member, earlierRun int64) *While {
	w := &While{
		WorkflowID: InlineID(parent, a.StepID, true), Identity: Identity(parent, a), Run: earlierRun + 1, ParentRun: parent.RunID,
		Policy: parent.Policy, First: 1,
	}
	for _, m := range start {
		w.Values = append(w.Values, WhileValues{m.Name, []json.RawMessage{m.JSON().AppendJSON(nil)}})
	}
	return w
}

// GoOn takes over what an earlier run of the step has left, up to the iteration that it goes on from.
func (w *While) GoOn(old *While, from int64) {
	w.First, w.Last = from, from-1
	w.Values = nil
	for _, v := range old.Values {
		w.Values = append(w.Values, WhileValues{v.Name, v.JSON[:min(int64(len(v.JSON)), from)]})
	}
}

// Known tells whether the values that iteration k begins with are there.
func (w *While) Known(k int64) bool {
	for _, v := range w.Values {
		if int64(len(v.JSON)) < k {
			return false
		}
	}
	return true
}

// ValuesOf are the values that iteration k begins with, in the types of the loop params.
func (w *While) ValuesOf(k int64, types []param.Member) ([]param.Member, error) {
	values := make([]param.Member, 0, len(types))
	for i, v := range w.Values {
		if i >= len(types) || types[i].Name != v.Name || int64(len(v.JSON)) < k {
			return nil, fmt.Errorf("artifact %s: no value of loop param %s for iteration %d", WhileKey, v.Name, k)
		}
		if bytes.Equal(types[i].JSON().AppendJSON(nil), v.JSON[k-1]) {
			values = append(values, types[i]) // unchanged, and possibly of a type that no iteration takes
			continue
		}
		m, err := param.ReadMember(v.Name, types[i].Type, v.JSON[k-1])
		if err != nil {
			return nil, fmt.Errorf("artifact %s: loop param %s: %w", WhileKey, v.Name, err)
		}
		values = append(values, m)
	}
	return values, nil
}

// CheckScalars refuses loop params that no iteration can be given.
func CheckScalars(stepID string, values []param.Member) error {
	for _, m := range values {
		if !m.IsScalar() {
			return fault.New(fault.BadRequest, "loop param [%s] of step [%s] must be a STRING, LONG, DOUBLE or BOOLEAN, but is a %s", m.Name, stepID, m.Type)
		}
	}
	return nil
}

// Assign takes the values for the next iteration from the steps of the last one: of each loop param the result of the
// step param with its name, of the step created last that has one; unchanged where no step has.
func (w *While) Assign(attempts []*engine.Attempt) {
	newest := map[string]*engine.Attempt{}
	for _, a := range attempts {
		if have := newest[a.StepID]; have == nil || a.AttemptID > have.AttemptID {
			newest[a.StepID] = a
		}
	}
	for i := range w.Values {
		v := &w.Values[i]
		next := v.JSON[len(v.JSON)-1]
		last := int64(-1)
		for _, a := range newest {
			p := a.Params.Get(v.Name)
			if p == nil || !p.Evaluated || a.StepInstanceID < last {
				continue
			}
			last, next = a.StepInstanceID, param.AppendValue(nil, p.Result)
		}
		v.JSON = append(v.JSON, next)
	}
}

// Look takes in what was read of the last iteration. It returns the end of the loop when that iteration ended it, or
// step.Continue.
func (w *While) Look(c Child, overview []byte) step.State {
	w.LastStatus = max(c.Status, engine.InstanceCreated)
	w.LastOverview = nil
	if len(overview) > 0 {
		w.LastOverview = append(json.RawMessage(nil), overview...)
	}
	switch c.Status {
	case engine.InstanceFailed:
		return step.FatalError
	case engine.InstanceStopped:
		return step.Stopped
	case engine.InstanceTimedOut:
		return step.TimedOut
	}
	return step.Continue
}

// Name names the next iteration. The error is for the user.
func (w *While) Name(stepID string) error {
	if w.Last >= engine.MaxIterations {
		return fault.New(fault.BadRequest, "the loop of step [%s] has more than %d iterations", stepID, engine.MaxIterations)
	}
	if len(w.LastOverview) > 0 {
		var last struct {
			Rollup *view.Rollup `json:"rollup_overview"`
		}
		if err := json.Unmarshal(w.LastOverview, &last); err != nil {
			return fmt.Errorf("artifact %s: last_overview: %w", WhileKey, err)
		}
		w.Earlier.Add(last.Rollup)
	}
	w.Last++
	w.LastStatus, w.LastOverview = engine.InstanceNone, nil
	return nil
}

// AppendJSON writes the artifact.
func (w *While) AppendJSON(b []byte) []byte {
	o := wire.NewWriter(b)
	o.Open()
	o.Str("loop_workflow_id", w.WorkflowID)
	o.Str("loop_identity", w.Identity)
	o.Long("loop_run_id", w.Run)
	o.Long("run_id", w.ParentRun)
	o.Str("run_policy", string(w.Policy))
	o.Long("first_iteration", w.First)
	o.Long("last_iteration", w.Last)
	o.StrIf("last_status", w.LastStatus.String())
	o.RawIf("last_overview", w.LastOverview)
	o.Append("rollup", &w.Earlier)
	o.Object("loop_param_values")
	for _, v := range w.Values {
		o.List(v.Name)
		for _, j := range v.JSON {
			o.RawItem(j)
		}
		o.CloseList()
	}
	o.Close()
	o.Str("type", "WHILE")
	o.Close()
	return o.Bytes()
}

// ReadWhile reads the artifact of a while step.
func ReadWhile(data []byte) (*While, error) {
	var in struct {
		WorkflowID   string           `json:"loop_workflow_id"`
		Identity     string           `json:"loop_identity"`
		Run          int64            `json:"loop_run_id"`
		ParentRun    int64            `json:"run_id"`
		Policy       engine.RunPolicy `json:"run_policy"`
		First        int64            `json:"first_iteration"`
		Last         int64            `json:"last_iteration"`
		LastStatus   string           `json:"last_status"`
		LastOverview json.RawMessage  `json:"last_overview"`
		Earlier      view.Rollup      `json:"rollup"`
		Values       json.RawMessage  `json:"loop_param_values"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("artifact %s: %w", WhileKey, err)
	}
	w := &While{
		WorkflowID: in.WorkflowID, Identity: in.Identity, Run: in.Run, ParentRun: in.ParentRun, Policy: in.Policy, First: in.First, Last: in.Last,
		LastOverview: in.LastOverview, Earlier: in.Earlier,
	}
	if in.LastStatus != "" {
		s, ok := engine.ParseInstanceStatus(in.LastStatus)
		if !ok {
			return nil, fmt.Errorf("artifact %s: last_status: %s is no status", WhileKey, in.LastStatus)
		}
		w.LastStatus = s
	}
	values, err := orderedLists(in.Values)
	if err != nil {
		return nil, fmt.Errorf("artifact %s: loop_param_values: %w", WhileKey, err)
	}
	w.Values = values
	return w, nil
}

// orderedLists reads an object of arrays in the order of its keys.
func orderedLists(data json.RawMessage) ([]WhileValues, error) {
	if len(data) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("not an object")
	}
	var list []WhileValues
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		v := WhileValues{Name: name}
		if err := dec.Decode(&v.JSON); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// StartOf are the values that the first iteration of a while step begins with, which also tell the types.
func StartOf(a *engine.Attempt) ([]param.Member, error) {
	p := a.Params.Get("loop_params")
	if p == nil {
		return nil, fault.New(fault.BadRequest, "step [%s] has no loop_params", a.StepID)
	}
	return p.Members()
}
