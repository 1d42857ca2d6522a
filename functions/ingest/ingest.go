// Package ingest is the message that the stack's EventBridge rules send to the trigger queue: an event as it came, and
// what the stack's configuration maps it to. The CDK app writes the mapping into each rule, so that the function needs
// no table of them and a message says by itself what it asks for.
package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/downbeat/downbeat/events"
)

// Format is the format number of the message (P10).
const Format = 1

// Mapping says which workflow an event starts, and how.
type Mapping struct {
	Name     string           `json:"name"` // part of the start's identity
	Workflow string           `json:"workflow"`
	Version  string           `json:"version"` // active, latest, default or a number
	User     string           `json:"user"`    // who is the initiator
	Params   map[string]Param `json:"params,omitempty"`
}

// Param is a run param: a fixed Value, or the member of the event at the path From. A param whose member is absent or
// null is left out.
type Param struct {
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value,omitempty"`
	From  string          `json:"from,omitempty"` // member names joined by dots
}

// Message is what arrives in the trigger queue.
type Message struct {
	V       int             `json:"v"`
	Mapping *Mapping        `json:"mapping"`
	Event   json.RawMessage `json:"event"`
}

// Parse reads a message. ok is false for one that is no event of a rule, but may be some other message of the queue.
// Errors: *events.NewerError, *events.UnreadableError.
func Parse(body []byte) (m Message, ok bool, err error) {
	const name = "event"
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil || members["mapping"] == nil || members["event"] == nil {
		return Message{}, false, nil
	}
	// The format number is looked at first: a newer format may have given another type to any other member.
	if err := json.Unmarshal(members["v"], &m.V); err != nil || m.V < 1 {
		return Message{}, true, &events.UnreadableError{Message: name, Reason: "v is not a format number"}
	}
	if m.V > Format {
		return Message{}, true, &events.NewerError{Message: name, V: m.V}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return Message{}, true, &events.UnreadableError{Message: name, Reason: err.Error()}
	}
	if m.Mapping == nil || m.Mapping.Name == "" || m.Mapping.Workflow == "" || m.Mapping.Version == "" {
		return Message{}, true, &events.UnreadableError{Message: name, Reason: "mapping lacks name, workflow or version"}
	}
	return m, true, nil
}

// Start is the start that the message asks for. Its request id is a function of the mapping and the event's id, so one
// event starts one run however often it is delivered.
func (m Message) Start() (events.Start, error) {
	const name = "event"
	var event struct {
		ID     string `json:"id"`
		Source string `json:"source"`
	}
	if err := json.Unmarshal(m.Event, &event); err != nil {
		return events.Start{}, &events.UnreadableError{Message: name, Reason: err.Error()}
	}
	if event.ID == "" {
		return events.Start{}, &events.UnreadableError{Message: name, Reason: "the event has no id"}
	}
	type runParam struct {
		Type  string          `json:"type"`
		Value json.RawMessage `json:"value"`
	}
	params := map[string]runParam{}
	for key, p := range m.Mapping.Params {
		value := p.Value
		if p.From != "" {
			found, ok := member(m.Event, p.From)
			if !ok {
				continue
			}
			var err error
			if value, err = literal(found, p.Type); err != nil {
				return events.Start{}, &events.UnreadableError{Message: name, Reason: fmt.Sprintf("param %s: %v", key, err)}
			}
		}
		params[key] = runParam{p.Type, value}
	}
	id := requestID(m.Mapping.Name, event.ID)
	user, err := json.Marshal(m.Mapping.User)
	if err != nil {
		return events.Start{}, fmt.Errorf("initiator of start %s: %w", m.Mapping.Name, err)
	}
	body, err := json.Marshal(map[string]any{
		"initiator":  map[string]any{"type": "manual", "user": json.RawMessage(user)},
		"request_id": id,
		"run_params": params,
	})
	if err != nil {
		return events.Start{}, fmt.Errorf("body of start %s: %w", m.Mapping.Name, err)
	}
	source := events.SourceBus
	if event.Source == "aws.s3" {
		source = events.SourceS3
	}
	return events.Start{
		V: events.Format, Workflow: m.Mapping.Workflow, Version: m.Mapping.Version, RequestID: id, Body: body, Source: source,
	}, nil
}

// requestID is a hash in the form of a version 4 UUID.
func requestID(mapping, event string) string {
	h := sha256.Sum256([]byte("downbeat event start\n" + mapping + "\n" + event))
	h[6] = h[6]&0x0f | 0x40
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// member finds the member of a document at a path.
func member(doc json.RawMessage, path string) (json.RawMessage, bool) {
	for _, name := range strings.Split(path, ".") {
		var members map[string]json.RawMessage
		if json.Unmarshal(doc, &members) != nil {
			return nil, false
		}
		next, ok := members[name]
		if !ok {
			return nil, false
		}
		doc = next
	}
	return doc, !bytes.Equal(bytes.TrimSpace(doc), []byte("null"))
}

// literal makes a value of an event the literal value of a param. Text of an event is data: a `$name` in it must not be
// read as a reference to another param, so its dollars are doubled, which is how a literal says one dollar. A number or
// boolean for a STRING is its text.
func literal(value json.RawMessage, typ string) (json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if typ == "STRING" {
		switch scalar := v.(type) {
		case json.Number:
			v = scalar.String()
		case bool:
			v = fmt.Sprint(scalar)
		}
	}
	return json.Marshal(escape(v))
}

func escape(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "$", "$$")
	case []any:
		for i := range v {
			v[i] = escape(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = escape(v[k])
		}
	}
	return v
}
