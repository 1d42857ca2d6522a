package events

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Kinds of Poke.
const (
	PokeRun    = "run"    // look at the run (Workflow, Instance, Run)
	PokeLane   = "lane"   // look at the lane of Workflow: its queue, its inbox, ended runs
	PokePermit = "permit" // look at the permits of Workflow (derived tags), or of Tag (a named one)
	PokeDelete = "delete" // go on deleting Workflow
	PokeSignal = "signal" // tell triggers and waiters of the instances of the signal named by Tag
	PokeStream = "stream" // the same of the signal whose head has the key Tag: the sweep sees keys, and no names
	PokeStep   = "step"   // look at what Attempt of Step of a run has started below itself
	PokeTime   = "time"   // start what the time triggers of Workflow are due to start
	PokeChange = "change" // do what follows from a change of the definition or properties of Workflow
)

// Poke says whom to look at; it is no fact and may be lost, repeated or late without harm. Everything that commits a
// head sends pokes to the `advance` queue for what the commit made ready elsewhere, and the sweep sends them for what
// is due.
type Poke struct {
	V        int    `json:"v"`
	Kind     string `json:"kind"`
	Workflow string `json:"wf,omitempty"`
	Instance int64  `json:"i,omitempty"`
	Run      int64  `json:"r,omitempty"`
	Tag      string `json:"tag,omitempty"` // named permit tag, with PokePermit; signal, with PokeSignal; key of its head, with PokeStream
	Step     string `json:"step,omitempty"`
	Attempt  int64  `json:"a,omitempty"`
	Suspect  int    `json:"sus,omitempty"` // how often a decision over this head died before it ended (P4)
}

// Encode writes the message with the current format number.
func (p Poke) Encode() []byte {
	p.V = Format
	return encode(p)
}

// ParsePoke reads a message of the `advance` queue. Errors: *NewerError, *UnknownError, *UnreadableError.
func ParsePoke(data []byte) (Poke, error) {
	const name = "advance"
	var p Poke
	if err := parse(name, data, &p); err != nil {
		return Poke{}, err
	}
	switch p.Kind {
	case PokeRun:
		if p.Workflow == "" || p.Instance < 1 || p.Run < 1 {
			return Poke{}, missing(name, "wf, i and r of a run")
		}
	case PokeSignal, PokeStream:
		if p.Tag == "" {
			return Poke{}, missing(name, "tag")
		}
	case PokeStep:
		if p.Workflow == "" || p.Instance < 1 || p.Run < 1 || p.Step == "" || p.Attempt < 1 {
			return Poke{}, missing(name, "wf, i, r, step and a of an attempt")
		}
	case PokeLane, PokeDelete, PokeTime, PokeChange:
		if p.Workflow == "" {
			return Poke{}, missing(name, "wf")
		}
	case PokePermit:
		if (p.Workflow == "") == (p.Tag == "") {
			return Poke{}, &UnreadableError{name, "exactly one of wf and tag must be present"}
		}
	default:
		return Poke{}, &UnknownError{name, p.Kind}
	}
	return p, nil
}

// Operations of Work.
const (
	WorkStart = "start" // claim the attempt, then start it outside
	WorkPoll  = "poll"  // ask the outside how the attempt goes
	WorkStop  = "stop"  // end what the attempt started outside
)

// Work asks `execute` to deal with the outside part of one attempt. The shell sends WorkStart for every attempt in
// STARTING that nobody claimed yet (P7), WorkPoll when an attempt's poll is due (P21), WorkStop when an attempt ended
// by something else than its own result.
type Work struct {
	V        int    `json:"v"`
	Op       string `json:"op"`
	Workflow string `json:"wf"`
	Instance int64  `json:"i"`
	Run      int64  `json:"r"`
	Step     string `json:"step"`
	Attempt  int64  `json:"a"`
	UUID     string `json:"uuid"` // step_uuid: the only name by which the attempt is claimed and its result accepted (P19)
}

// Encode writes the message with the current format number.
func (w Work) Encode() []byte {
	w.V = Format
	return encode(w)
}

// ParseWork reads a message of the `execute` queue. Errors: *NewerError, *UnknownError, *UnreadableError.
func ParseWork(data []byte) (Work, error) {
	const name = "execute"
	var w Work
	if err := parse(name, data, &w); err != nil {
		return Work{}, err
	}
	switch w.Op {
	case WorkStart, WorkPoll, WorkStop:
	default:
		return Work{}, &UnknownError{name, w.Op}
	}
	switch {
	case w.UUID == "":
		return Work{}, missing(name, "uuid")
	case w.Workflow == "" || w.Instance < 1 || w.Run < 1:
		return Work{}, missing(name, "wf, i and r")
	case w.Step == "" || w.Attempt < 1:
		return Work{}, missing(name, "step and a")
	}
	return w, nil
}

// Completion carries what came of an attempt outside, as a runtime result. Unlike the other messages it is the fact
// itself until it is folded into the run (P18), so it is acknowledged only after the run's commit. The attempt is found
// by UUID alone; the other members only tell which run to load, and which completions to fold together.
type Completion struct {
	V        int             `json:"v"`
	UUID     string          `json:"uuid"` // step_uuid
	Workflow string          `json:"wf"`
	Instance int64           `json:"i"`
	Run      int64           `json:"r"`
	Step     string          `json:"step"`
	Attempt  int64           `json:"a"`
	Result   json.RawMessage `json:"result"`
	// More are further attempts of the same run: results that lie at one place travel, and are folded, together.
	More []Outcome `json:"more,omitempty"`
}

// Outcome is the part of a Completion that is about one attempt.
type Outcome struct {
	UUID    string          `json:"uuid"`
	Step    string          `json:"step"`
	Attempt int64           `json:"a"`
	Result  json.RawMessage `json:"result"`
}

// Outcomes are all attempts of the message.
func (c Completion) Outcomes() []Outcome {
	return append([]Outcome{{c.UUID, c.Step, c.Attempt, c.Result}}, c.More...)
}

// Completions packs outcomes of one run into as few messages of at most limit bytes as their order allows.
func Completions(workflow string, instance, run int64, list []Outcome, limit int) ([][]byte, error) {
	const frame = 256 // the members of a message and of an outcome beside names and results
	var out [][]byte
	for from := 0; from < len(list); {
		size := frame + len(workflow)
		to := from
		for ; to < len(list); to++ {
			o := list[to]
			if size += frame/2 + len(o.UUID) + len(o.Step) + len(o.Result); size > limit && to > from {
				break
			}
		}
		first := list[from]
		data, err := Completion{
			Workflow: workflow, Instance: instance, Run: run, UUID: first.UUID, Step: first.Step, Attempt: first.Attempt, Result: first.Result,
			More: list[from+1 : to],
		}.Encode()
		if err != nil {
			return nil, err
		}
		out = append(out, data)
		from = to
	}
	return out, nil
}

// Encode writes the message with the current format number. It fails when a result is not JSON.
func (c Completion) Encode() ([]byte, error) {
	c.V = Format
	for _, o := range c.Outcomes() {
		if !json.Valid(o.Result) {
			return nil, fmt.Errorf("result of attempt %s: not JSON", o.UUID)
		}
	}
	return encode(c), nil
}

// ParseCompletion reads a message of the `complete` queue. Errors: *NewerError, *UnreadableError.
func ParseCompletion(data []byte) (Completion, error) {
	const name = "complete"
	var c Completion
	if err := parse(name, data, &c); err != nil {
		return Completion{}, err
	}
	switch {
	case c.UUID == "":
		return Completion{}, missing(name, "uuid")
	case c.Workflow == "" || c.Instance < 1 || c.Run < 1:
		return Completion{}, missing(name, "wf, i and r")
	case len(c.Result) == 0:
		return Completion{}, missing(name, "result")
	}
	for _, o := range c.More {
		if o.UUID == "" || len(o.Result) == 0 {
			return Completion{}, missing(name, "uuid and result of each of more")
		}
	}
	return c, nil
}

// Sources of a Start: who asked for it. They are told apart in metrics only.
const (
	SourceSignal = "signal"
	SourceTime   = "time"
	SourceBus    = "bus" // a custom event on the EventBridge bus
	SourceS3     = "s3"
)

// Start asks `trigger` to start a workflow. RequestID makes the start happen once, however often the message is
// delivered; who sends it derives it from what caused the start (P32, P34).
type Start struct {
	V         int             `json:"v"`
	Workflow  string          `json:"wf"`
	Version   string          `json:"ver"` // active, latest, default or a number
	RequestID string          `json:"req"` // UUID
	Body      json.RawMessage `json:"body"`
	Source    string          `json:"src"`
}

// Encode writes the message with the current format number. It fails when Body, the start request, is not JSON.
func (s Start) Encode() ([]byte, error) {
	s.V = Format
	if !json.Valid(s.Body) {
		return nil, fmt.Errorf("body of start %s of workflow %s: not JSON", s.RequestID, s.Workflow)
	}
	return encode(s), nil
}

// ParseStart reads a message of the `trigger` queue. Errors: *NewerError, *UnreadableError.
func ParseStart(data []byte) (Start, error) {
	const name = "trigger"
	var s Start
	if err := parse(name, data, &s); err != nil {
		return Start{}, err
	}
	switch {
	case s.Workflow == "":
		return Start{}, missing(name, "wf")
	case s.RequestID == "":
		return Start{}, missing(name, "req")
	case len(s.Body) == 0:
		return Start{}, missing(name, "body")
	}
	return s, nil
}

// encode writes one of the types above, none of which can fail: their only free member was checked by the caller.
func encode(m any) []byte {
	data, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("events: %T cannot be written: %v", m, err))
	}
	return sendable(data)
}

// sendable writes a JSON document so that a queue takes it. SQS refuses U+FFFE and U+FFFF, which JSON may have as they
// are, and bytes that are no UTF-8, which a raw member from outside may have.
func sendable(data []byte) []byte {
	data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	data = bytes.ReplaceAll(data, []byte("\uFFFE"), []byte(`\ufffe`))
	return bytes.ReplaceAll(data, []byte("\uFFFF"), []byte(`\uffff`))
}
