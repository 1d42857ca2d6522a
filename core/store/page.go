package store

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/timeline"
	"github.com/downbeat/downbeat/core/wire"
)

// pageFormat is the newest stored format of a page.
// 2 has recInherited.
const pageFormat = 2

// Bits of a record that say what is not the ordinary case. An ordinary record is that of a step that ran once with the
// default retry policy, holds nothing and waits for nothing.
const (
	recUUID      = 1 << iota // the uuid is not the one that follows from the run, step and attempt
	recRetry                 // a retry policy or counter that is not the default
	recTimeout               // a declared timeout
	recTags                  // tags
	recSignals               // signal dependencies
	recOutputs               // signal outputs that are not empty
	recNoOutputs             // signal outputs are absent, not empty
	recArtifacts             // artifacts
	recOutput                // output data
	recTimeline              // a timeline that is not the two lines about permits
	recRestart               // a restart config
	recOutside               // outside
	recPermit                // holds a permit
	recEnding                // an ending
	recRetryAt               // a time to retry at
	recPollAt                // a time to poll at
	recPolls                 // polls
	recNoParams              // params are absent
	recInherited             // the permit is held under another name
)

// EncodePage encodes records of attempts of one run, compactly: against its definition, without what follows from it.
// What repeats between records is left to the compression of the whole page.
func EncodePage(records []*engine.Attempt, body *engine.Body) ([]byte, error) {
	var w pack.Writer
	w.Format(pageFormat)
	w.Uint(uint64(len(records)))
	base := body.CreateTime
	w.Int(base)
	for _, a := range records {
		if err := writeAttempt(&w, a, body, base); err != nil {
			return nil, fmt.Errorf("attempt %d of step %s: %w", a.AttemptID, a.StepID, err)
		}
	}
	return w.Buf, nil
}

// DecodePage reads what EncodePage wrote.
func DecodePage(data []byte, body *engine.Body) ([]*engine.Attempt, error) {
	r, _, err := pack.NewReader(data, pageFormat)
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	n := r.Count()
	base := r.Int()
	records := make([]*engine.Attempt, 0, n)
	for range n {
		a, err := readAttempt(r, body, base)
		if err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		records = append(records, a)
	}
	return records, r.Err()
}

// times of an attempt in the order in which they are stored.
func times(t *engine.Times) [11]*int64 {
	return [11]*int64{&t.Create, &t.Initialize, &t.Pause, &t.WaitSignal, &t.EvaluateParam, &t.WaitPermit, &t.Start, &t.Execute, &t.Finish, &t.End, &t.Modify}
}

func writeAttempt(w *pack.Writer, a *engine.Attempt, body *engine.Body, base int64) error {
	ordinal, ok := body.DAG.Ordinal(a.StepID)
	if !ok {
		return fmt.Errorf("step is not part of the run")
	}
	var bits uint64
	set := func(bit uint64, on bool) {
		if on {
			bits |= bit
		}
	}
	set(recUUID, a.UUID != engine.StepUUID(body, a.StepID, a.AttemptID))
	set(recRetry, a.Retry != engine.DefaultRetry())
	set(recTimeout, a.TimeoutMillis != 0)
	set(recTags, len(a.Tags) > 0)
	set(recSignals, a.SignalDependencies != nil)
	set(recOutputs, a.SignalOutputs != nil && (len(a.SignalOutputs.Outputs) > 0 || a.SignalOutputs.Info != nil))
	set(recNoOutputs, a.SignalOutputs == nil)
	set(recArtifacts, len(a.Artifacts) > 0)
	set(recOutput, a.Output != nil)
	set(recTimeline, len(a.Timeline) > 0)
	set(recRestart, a.RestartConfig != nil)
	set(recOutside, a.Outside)
	set(recPermit, a.HoldsPermit)
	set(recEnding, a.Ending != nil)
	set(recRetryAt, a.RetryAt != 0)
	set(recPollAt, a.PollAt != 0)
	set(recPolls, a.Polls != 0)
	set(recNoParams, a.Params == nil)
	set(recInherited, a.PermitUUID != "")

	w.Uint(uint64(ordinal))
	w.Int(a.AttemptID)
	w.Int(a.StepInstanceID)
	w.Uint(uint64(a.Status))
	w.Uint(bits)
	// Times rise along the life of an attempt: each is stored as the distance to the one before, 0 for never.
	prev := base
	for _, t := range times(&a.Times) {
		if *t == 0 {
			w.Int(0)
			continue
		}
		d := *t - prev
		if d >= 0 {
			d++
		}
		w.Int(d)
		prev = *t
	}
	w.Uint(uint64(len(a.Changes)))
	prev = base
	for _, c := range a.Changes {
		w.Uint(uint64(c.From))
		w.Uint(uint64(c.To))
		w.Int(c.Time - prev)
		prev = c.Time
	}
	if bits&recUUID != 0 {
		w.Str(a.UUID)
	}
	if bits&recNoParams == 0 {
		// The attempt's own uuid stands in its params and says nothing new; a zero byte, which JSON never holds, stands
		// for it.
		w.Bytes(bytes.ReplaceAll(a.Params.AppendJSON(nil), []byte(a.UUID), []byte{0}))
	}
	node := body.DAG.Node(a.StepID)
	plain := len(node.Successors) == len(a.Edges)
	for i := 0; plain && i < len(a.Edges); i++ {
		plain = a.Edges[i].To == node.Successors[i].To && a.Edges[i].Condition == node.Successors[i].Condition && a.Edges[i].Null == node.Successors[i].Null
	}
	w.Bool(plain)
	if !plain {
		w.Uint(uint64(len(a.Edges)))
	}
	for i := range a.Edges {
		e := &a.Edges[i]
		if !plain {
			w.Str(e.To)
			w.Str(e.Condition)
			w.Bool(e.Null)
		}
		if e.Param == nil {
			w.Bytes(nil)
		} else {
			w.Bytes(e.Param.AppendJSON(nil))
		}
	}
	if bits&recRetry != 0 {
		for _, k := range []*engine.Retries{&a.Retry.Error, &a.Retry.Platform, &a.Retry.Timeout} {
			w.Int(k.Made)
			w.Int(k.Limit)
			w.Int(k.BackoffSecs)
			w.Int(k.Exponent)
			w.Int(k.CapSecs)
		}
		w.Int(a.Retry.ManualRetries)
		w.Bool(a.Retry.Retryable)
		w.Str(string(a.Retry.Backoff))
	}
	if bits&recTimeout != 0 {
		w.Int(a.TimeoutMillis)
	}
	if bits&recTags != 0 {
		w.Bytes(a.Tags.AppendJSON(nil))
	}
	if bits&recSignals != 0 {
		data, err := encodeDependencies(a.SignalDependencies)
		if err != nil {
			return err
		}
		w.Bytes(data)
	}
	if bits&recOutputs != 0 {
		data, err := encodeOutputs(a.SignalOutputs)
		if err != nil {
			return err
		}
		w.Bytes(data)
	}
	if bits&recArtifacts != 0 {
		if err := writeJSON(w, a.Artifacts, false); err != nil {
			return err
		}
	}
	if bits&recOutput != 0 {
		if err := writeJSON(w, a.Output, false); err != nil {
			return err
		}
	}
	if bits&recTimeline != 0 {
		if err := writeTimeline(w, a.Timeline); err != nil {
			return err
		}
	}
	if bits&recRestart != 0 {
		w.Bytes(EncodeRestartConfig(a.RestartConfig))
	}
	if bits&recEnding != 0 {
		if err := writeJSON(w, a.Ending, false); err != nil {
			return err
		}
	}
	if bits&recRetryAt != 0 {
		w.Int(a.RetryAt)
	}
	if bits&recPollAt != 0 {
		w.Int(a.PollAt)
	}
	if bits&recPolls != 0 {
		w.Int(a.Polls)
	}
	if bits&recInherited != 0 {
		w.Str(a.PermitUUID)
	}
	return nil
}

func readAttempt(r *pack.Reader, body *engine.Body, base int64) (*engine.Attempt, error) {
	ordinal := int(r.Uint())
	if r.Err() != nil {
		return nil, r.Err()
	}
	if ordinal >= body.DAG.Len() {
		return nil, fmt.Errorf("record of step %d, the run has %d", ordinal, body.DAG.Len())
	}
	node := &body.DAG.Nodes[ordinal]
	a := &engine.Attempt{StepID: node.ID, AttemptID: r.Int(), StepInstanceID: r.Int(), Status: engine.StepStatus(r.Uint())}
	if a.Status >= engine.NumStepStatuses {
		return nil, fmt.Errorf("record of step %s has the unknown status %d", a.StepID, a.Status)
	}
	bits := r.Uint()
	prev := base
	for _, t := range times(&a.Times) {
		d := r.Int()
		if d == 0 {
			continue
		}
		if d > 0 {
			d--
		}
		*t = prev + d
		prev = *t
	}
	prev = base
	for n := r.Count(); n > 0; n-- {
		c := engine.StatusChange{From: engine.StepStatus(r.Uint()), To: engine.StepStatus(r.Uint())}
		c.Time = prev + r.Int()
		prev = c.Time
		a.Changes = append(a.Changes, c)
	}
	if bits&recUUID != 0 {
		a.UUID = r.Str()
	} else {
		a.UUID = engine.StepUUID(body, a.StepID, a.AttemptID)
	}
	if bits&recNoParams == 0 {
		p, err := decodeParams(bytes.ReplaceAll(r.Bytes(), []byte{0}, []byte(a.UUID)))
		if err != nil {
			return nil, fmt.Errorf("params of step %s: %w", a.StepID, err)
		}
		a.Params = p
	}
	plain := r.Bool()
	n := len(node.Successors)
	if !plain {
		n = r.Count()
	}
	for i := range n {
		e := engine.Edge{}
		if plain {
			e.To, e.Condition, e.Null = node.Successors[i].To, node.Successors[i].Condition, node.Successors[i].Null
		} else {
			e.To, e.Condition, e.Null = r.Str(), r.Str(), r.Bool()
		}
		if data := r.Bytes(); len(data) > 0 {
			p, err := decodeParam(data, e.To)
			if err != nil {
				return nil, fmt.Errorf("edge of step %s: %w", a.StepID, err)
			}
			e.Param = p
		}
		a.Edges = append(a.Edges, e)
	}
	a.Retry = engine.DefaultRetry()
	if bits&recRetry != 0 {
		for _, k := range []*engine.Retries{&a.Retry.Error, &a.Retry.Platform, &a.Retry.Timeout} {
			*k = engine.Retries{Made: r.Int(), Limit: r.Int(), BackoffSecs: r.Int(), Exponent: r.Int(), CapSecs: r.Int()}
		}
		a.Retry.ManualRetries, a.Retry.Retryable, a.Retry.Backoff = r.Int(), r.Bool(), engine.BackoffType(r.Str())
	}
	if bits&recTimeout != 0 {
		a.TimeoutMillis = r.Int()
	}
	if bits&recTags != 0 {
		v, err := wire.Parse(r.Bytes())
		if err != nil {
			return nil, fmt.Errorf("tags of step %s: %w", a.StepID, err)
		}
		a.Tags = param.ReadTags(wire.Root(v, ""))
	}
	var err error
	if bits&recSignals != 0 {
		if a.SignalDependencies, err = decodeDependencies(r.Bytes()); err != nil {
			return nil, fmt.Errorf("signals of step %s: %w", a.StepID, err)
		}
	}
	if bits&recNoOutputs == 0 {
		a.SignalOutputs = &engine.SignalOutputs{}
	}
	if bits&recOutputs != 0 {
		if a.SignalOutputs, err = decodeOutputs(r.Bytes()); err != nil {
			return nil, fmt.Errorf("signals of step %s: %w", a.StepID, err)
		}
	}
	if bits&recArtifacts != 0 {
		var list step.Artifacts
		if _, err := readJSON(r, &list); err != nil {
			return nil, fmt.Errorf("artifacts of step %s: %w", a.StepID, err)
		}
		a.Artifacts = list
	}
	if bits&recOutput != 0 {
		a.Output = &step.Output{}
		if _, err := readJSON(r, a.Output); err != nil {
			return nil, fmt.Errorf("output of step %s: %w", a.StepID, err)
		}
	}
	if bits&recTimeline != 0 {
		if a.Timeline, err = readTimeline(r); err != nil {
			return nil, fmt.Errorf("timeline of step %s: %w", a.StepID, err)
		}
	}
	if bits&recRestart != 0 {
		if a.RestartConfig, err = DecodeRestartConfig(r.Bytes()); err != nil {
			return nil, fmt.Errorf("restart config of step %s: %w", a.StepID, err)
		}
	}
	a.Outside, a.HoldsPermit = bits&recOutside != 0, bits&recPermit != 0
	if bits&recEnding != 0 {
		a.Ending = &engine.Ending{}
		if _, err := readJSON(r, a.Ending); err != nil {
			return nil, fmt.Errorf("ending of step %s: %w", a.StepID, err)
		}
	}
	if bits&recRetryAt != 0 {
		a.RetryAt = r.Int()
	}
	if bits&recPollAt != 0 {
		a.PollAt = r.Int()
	}
	if bits&recPolls != 0 {
		a.Polls = r.Int()
	}
	if bits&recInherited != 0 {
		a.PermitUUID = r.Str()
	}
	return a, r.Err()
}

func decodeParams(data []byte) (engine.Params, error) {
	return decodeWith(data, func(n wire.Node) engine.Params { return param.ReadParams(n, false) })
}

func decodeParam(data []byte, name string) (*engine.Param, error) {
	return decodeWith(data, func(n wire.Node) *engine.Param { return param.ReadParam(n, name, false) })
}

// decodeWith parses a document and reads it.
func decodeWith[T any](data []byte, read func(wire.Node) T) (T, error) {
	var none T
	v, err := wire.Parse(data)
	if err != nil {
		return none, err
	}
	n := wire.Root(v, "")
	out := read(n)
	return out, n.Err()
}

func decodeDefs(n wire.Node) engine.ParamDefs { return param.ReadDefinitions(n, false) }

// storedDependency is the JSON of an awaited signal.
type storedDependency struct {
	Name        string              `json:"name"`
	Status      engine.SignalStatus `json:"status"`
	MatchParams []storedMatch       `json:"match_params,omitempty"`
	SignalID    int64               `json:"signal_id,omitempty"`
	Details     *timeline.Event     `json:"details,omitempty"`
}

type storedMatch struct {
	Name     string          `json:"name"`
	Value    json.RawMessage `json:"value,omitempty"`
	Operator string          `json:"operator,omitempty"`
}

type storedDependencies struct {
	List []storedDependency `json:"list"`
	Info *timeline.Event    `json:"info,omitempty"`
}

func encodeDependencies(d *engine.SignalDependencies) ([]byte, error) {
	s := storedDependencies{Info: d.Info}
	for _, dep := range d.Dependencies {
		sd := storedDependency{Name: dep.Name, Status: dep.Status, SignalID: dep.SignalID, Details: dep.Details}
		for _, m := range dep.MatchParams {
			sm := storedMatch{Name: m.Name, Operator: m.Operator}
			if m.Value != nil {
				sm.Value = m.Value.AppendJSON(nil)
			}
			sd.MatchParams = append(sd.MatchParams, sm)
		}
		s.List = append(s.List, sd)
	}
	return json.Marshal(s)
}

func decodeDependencies(data []byte) (*engine.SignalDependencies, error) {
	var s storedDependencies
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	d := &engine.SignalDependencies{Info: s.Info}
	for _, sd := range s.List {
		dep := engine.SignalDependency{Name: sd.Name, Status: sd.Status, SignalID: sd.SignalID, Details: sd.Details}
		for _, sm := range sd.MatchParams {
			m := engine.MatchParam{Name: sm.Name, Operator: sm.Operator}
			if len(sm.Value) > 0 {
				p, err := decodeWith(sm.Value, func(n wire.Node) *engine.Param { return param.ReadSignalParam(n, sm.Name) })
				if err != nil {
					return nil, err
				}
				m.Value = p
			}
			dep.MatchParams = append(dep.MatchParams, m)
		}
		d.Dependencies = append(d.Dependencies, dep)
	}
	return d, nil
}

type storedOutput struct {
	Name         string          `json:"name"`
	Params       json.RawMessage `json:"params,omitempty"`
	Payload      json.RawMessage `json:"payload,omitempty"`
	SignalID     int64           `json:"signal_id,omitempty"`
	AnnounceTime int64           `json:"announce_time,omitempty"`
}

type storedOutputs struct {
	List []storedOutput  `json:"list"`
	Info *timeline.Event `json:"info,omitempty"`
}

func encodeOutputs(o *engine.SignalOutputs) ([]byte, error) {
	s := storedOutputs{Info: o.Info}
	for _, out := range o.Outputs {
		so := storedOutput{Name: out.Name, SignalID: out.SignalID, AnnounceTime: out.AnnounceTime}
		if out.Params != nil {
			so.Params = out.Params.AppendJSON(nil)
		}
		if out.Payload != nil {
			so.Payload = out.Payload.AppendJSON(nil)
		}
		s.List = append(s.List, so)
	}
	return json.Marshal(s)
}

func decodeOutputs(data []byte) (*engine.SignalOutputs, error) {
	var s storedOutputs
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	o := &engine.SignalOutputs{Info: s.Info}
	for _, so := range s.List {
		out := engine.SignalOutput{Name: so.Name, SignalID: so.SignalID, AnnounceTime: so.AnnounceTime}
		var err error
		if len(so.Params) > 0 {
			if out.Params, err = decodeWith(so.Params, param.ReadSignalParams); err != nil {
				return nil, err
			}
		}
		if len(so.Payload) > 0 {
			if out.Payload, err = decodeParams(so.Payload); err != nil {
				return nil, err
			}
		}
		o.Outputs = append(o.Outputs, out)
	}
	return o, nil
}
