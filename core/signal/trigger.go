package signal

import (
	"context"
	"sort"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/wire"
)

// Subscription is a trigger of an active version with how far it has consumed each of its streams.
type Subscription struct {
	WorkflowID  string
	TriggerUUID string
	// Names are the signals of the trigger, sorted; Seen is the checkpoint of each: what is not above it is consumed.
	Names []string
	Seen  []int64
	// InternalID is that of the workflow, Made when the subscription was made, in epoch milliseconds: one whose trigger is
	// not active may belong to a change that is not committed yet, while it is young.
	InternalID, Made int64
}

// Subscribe makes the subscription of a trigger. latest are the numbers that its streams have reached: earlier instances
// never fire it.
func Subscribe(workflow, uuid string, t *definition.SignalTrigger, latest func(name string) int64) *Subscription {
	s := &Subscription{WorkflowID: workflow, TriggerUUID: uuid, Names: NamesOf(t)}
	for _, n := range s.Names {
		s.Seen = append(s.Seen, latest(n))
	}
	return s
}

// NamesOf are the signals of a trigger, sorted.
func NamesOf(t *definition.SignalTrigger) []string {
	var names []string
	for _, d := range t.Definitions {
		names = append(names, d.Name)
	}
	sort.Strings(names)
	return names
}

const subscriptionFormat = 1

// Encode is the stored form.
func (s *Subscription) Encode() []byte {
	var w pack.Writer
	w.Format(subscriptionFormat)
	w.Str(s.WorkflowID)
	w.Str(s.TriggerUUID)
	w.Uint(uint64(len(s.Names)))
	for i, n := range s.Names {
		w.Str(n)
		w.Int(s.Seen[i])
	}
	w.Int(s.InternalID)
	w.Int(s.Made)
	return w.Buf
}

// DecodeSubscription reads the stored form.
func DecodeSubscription(data []byte) (*Subscription, error) {
	r, _, err := pack.NewReader(data, subscriptionFormat)
	if err != nil {
		return nil, err
	}
	s := &Subscription{WorkflowID: r.Str(), TriggerUUID: r.Str()}
	for n := r.Count(); n > 0; n-- {
		s.Names = append(s.Names, r.Str())
		s.Seen = append(s.Seen, r.Int())
	}
	s.InternalID, s.Made = r.Int(), r.Int()
	return s, r.Err()
}

// checkpoint is how far a stream is consumed.
func (s *Subscription) checkpoint(name string) int64 {
	for i, n := range s.Names {
		if n == name {
			return s.Seen[i]
		}
	}
	return 0
}

// Find looks a stream up: the smallest instance above a number that meets the conditions; nil when there is none.
type Find func(name string, above int64, conditions []Condition) (*Instance, error)

// Match tells which instances fire the trigger when one more has arrived: one of each of its signals, by the names of
// the subscription; nil when it does not fire. It changes nothing (P32: the run is started first, the checkpoint moves
// after it).
func Match(s *Subscription, t *definition.SignalTrigger, arrived *Instance, find Find) ([]int64, error) {
	entry := map[string]*definition.SignalEntry{}
	for _, d := range t.Definitions {
		entry[d.Name] = d.Entry
	}
	if arrived.Seq <= s.checkpoint(arrived.Name) || !Holds(ConditionsOf(entry[arrived.Name]), arrived) {
		return nil, nil
	}
	values, ok := joined(entry[arrived.Name], arrived)
	if !ok {
		return nil, nil
	}
	chosen := make([]int64, len(s.Names))
	for i, name := range s.Names {
		if name == arrived.Name {
			chosen[i] = arrived.Seq
			continue
		}
		conditions := ConditionsOf(entry[name])
		if e := entry[name]; e != nil {
			for k, key := range e.JoinKeys {
				if key == nil || k >= len(values) {
					return nil, nil
				}
				conditions = append(conditions, Condition{Name: *key, Value: &values[k], Operator: definition.Equal})
			}
		}
		partner, err := find(name, s.Seen[i], conditions)
		if err != nil || partner == nil {
			return nil, err
		}
		chosen[i] = partner.Seq
	}
	return chosen, nil
}

// Consume moves the checkpoints.
func (s *Subscription) Consume(chosen []int64) {
	for i, n := range chosen {
		s.Seen[i] = max(s.Seen[i], n)
	}
}

// Firing is what a trigger makes of the signals that it has matched.
type Firing struct {
	RequestID string
	Params    *param.Params // of the trigger, evaluated
}

// Fire evaluates a trigger. The error says why it starts nothing, for good: the signals stay consumed.
func Fire(s *Subscription, t *definition.SignalTrigger, chosen []int64, now int64, environment string) (*Firing, error) {
	f := &Firing{Params: &param.Params{}}
	alone := func() *param.Scope {
		return &param.Scope{
			Env: &param.Env{Now: now, Environment: environment, Instance: param.Instance{WorkflowID: s.WorkflowID}},
			Own: &param.Params{}, Workflow: &param.Params{},
		}
	}
	ctx := context.Background()
	for name, d := range t.Params.All() {
		p := &param.Param{Definition: *d}
		if err := alone().Evaluate(ctx, name, p); err != nil {
			return nil, err
		}
		f.Params.Set(name, p)
	}
	if t.Condition != "" {
		p := &param.Param{Definition: param.Definition{Type: sel.ParamBoolean, Expression: &t.Condition}}
		if err := alone().Evaluate(ctx, "condition", p); err != nil {
			return nil, err
		}
		if !p.Result.AsBool() {
			return nil, fault.New(fault.BadRequest, "the condition of the trigger is false")
		}
	}
	f.RequestID = nameUUID(dedupText(s, t, chosen))
	if t.DedupExpr != "" {
		p := &param.Param{Definition: param.Definition{Type: sel.ParamString, Expression: &t.DedupExpr}}
		if alone().Evaluate(ctx, "dedup_expr", p) == nil {
			f.RequestID = nameUUID([]byte(p.Result.AsString()))
		}
	}
	return f, nil
}

// dedupText names what fired: the same signals fire a trigger once.
func dedupText(s *Subscription, t *definition.SignalTrigger, chosen []int64) []byte {
	w := wire.NewWriter(nil)
	w.Open()
	w.Str("workflow_id", s.WorkflowID)
	w.Str("trigger_uuid", s.TriggerUUID)
	w.Object("signal_ids")
	for i, n := range s.Names {
		w.Long(n, chosen[i])
	}
	w.Close()
	w.StrIf("condition", t.Condition)
	w.StrIf("dedup_expr", t.DedupExpr)
	w.Close()
	return w.Bytes()
}
