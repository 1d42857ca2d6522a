package timeline

import (
	"encoding/json"
	"fmt"
	"strings"
)

// wire has the members in the order in which Maestro writes them.
type wire struct {
	Timestamp     int64           `json:"timestamp"`
	Type          Type            `json:"type"`
	Level         Level           `json:"level,omitempty"`
	Status        string          `json:"status,omitempty"`
	MilestoneType string          `json:"milestone_type,omitempty"`
	SourceID      string          `json:"source_id,omitempty"`
	Action        string          `json:"action,omitempty"`
	Author        string          `json:"author,omitempty"`
	Message       string          `json:"message,omitempty"`
	Errors        []string        `json:"errors,omitempty"`
	Retryable     *bool           `json:"retryable,omitempty"`
	Reason        string          `json:"reason,omitempty"`
	Info          json.RawMessage `json:"info,omitempty"`
}

// MarshalJSON writes the members of the entry's type; absent ones are left out.
func (e Event) MarshalJSON() ([]byte, error) {
	w := wire{Timestamp: e.Timestamp, Type: e.Type}
	switch e.Type {
	case Log:
		w.Level, w.Message = e.level(), e.Message
	case Details:
		w.Status, w.Message, w.Errors, w.Retryable = e.Status, e.Message, e.Errors, &e.Retryable
		if w.Status == "" {
			w.Status = "INTERNAL_ERROR"
		}
	case Status:
		w.Status = e.Status
	case Action:
		w.Action, w.Author, w.Message, w.Reason = e.Action, e.Author, e.Message, e.Reason
		if e.Number != nil {
			w.Info = json.RawMessage(fmt.Sprint(*e.Number))
		}
	case Milestone:
		w.Status, w.MilestoneType, w.SourceID = e.Status, e.MilestoneType, e.SourceID
		if e.Text != "" {
			text, err := json.Marshal(e.Text)
			if err != nil {
				return nil, err
			}
			w.Info = text
		}
	default:
		return nil, fmt.Errorf("timeline: unknown type %q", e.Type)
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads an entry as output data and stored records give it: type, level and status in any letter case,
// unknown members ignored. An unknown type is an error.
func (e *Event) UnmarshalJSON(data []byte) error {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*e = Event{Timestamp: w.Timestamp, Type: Type(strings.ToUpper(string(w.Type))), Message: w.Message}
	switch e.Type {
	case Log:
		e.Level = Level(strings.ToUpper(string(w.Level)))
	case Details:
		e.Status, e.Errors = w.Status, w.Errors
		e.Retryable = w.Retryable != nil && *w.Retryable
	case Status:
		e.Status = w.Status
	case Action:
		e.Action, e.Author, e.Reason = w.Action, w.Author, w.Reason
		if len(w.Info) > 0 && string(w.Info) != "null" {
			var n int64
			if err := json.Unmarshal(w.Info, &n); err != nil {
				return fmt.Errorf("timeline: info of an ACTION must be a number: %w", err)
			}
			e.Number = &n
		}
	case Milestone:
		e.Status, e.MilestoneType, e.SourceID = w.Status, w.MilestoneType, w.SourceID
		if len(w.Info) > 0 && string(w.Info) != "null" {
			if err := json.Unmarshal(w.Info, &e.Text); err != nil {
				return fmt.Errorf("timeline: info of a MILESTONE must be a text: %w", err)
			}
		}
	default:
		return fmt.Errorf("timeline: unknown type %q", w.Type)
	}
	return nil
}
