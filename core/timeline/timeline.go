// Package timeline is the list of what happened to a run or to a step attempt, in the form users read it: lines of
// text, details of errors, status changes and actions, each with its time (engine-json-and-events.md 4).
//
// A timeline only grows at its end and is short: Append drops an entry that repeats the last one and keeps the 32
// newest. Wording is free; type, level, status and order are what clients and tests look at.
package timeline

import (
	"fmt"
	"slices"
	"strconv"
)

// Limit is the number of entries kept: the newest.
const Limit = 32

// Type says what kind of entry it is, in the spelling of its `type` member.
type Type string

// The types. MILESTONE is written by no runtime of ours; it is read and kept.
const (
	Log       Type = "LOG"
	Details   Type = "DETAILS"
	Status    Type = "STATUS"
	Action    Type = "ACTION"
	Milestone Type = "MILESTONE"
)

// Level of a LOG entry; "" is INFO.
type Level string

// The levels in rising order.
const (
	Trace Level = "TRACE"
	Debug Level = "DEBUG"
	Info  Level = "INFO"
	Warn  Level = "WARN"
	Error Level = "ERROR"
)

// Event is one entry. Which members count depends on Type:
//
//	LOG        Level, Message
//	DETAILS    Status (name of an error code, default INTERNAL_ERROR), Message, Errors, Retryable
//	STATUS     Status (name of a step or instance status)
//	ACTION     Action, Author, Message, Reason, Number
//	MILESTONE  Status, MilestoneType, SourceID, Text
//
// The zero value is no event.
type Event struct {
	Timestamp int64 // epoch milliseconds
	Type      Type
	Level     Level
	Message   string
	Status    string
	Errors    []string
	Retryable bool
	Action    string
	Author    string
	Reason    string
	Number    *int64 // `info` of an ACTION

	MilestoneType string // CMB_JOB or CMB_TASK
	SourceID      string
	Text          string // `info` of a MILESTONE, at most 1000 characters
}

// Line makes a LOG entry of level INFO with a formatted message.
func Line(at int64, format string, args ...any) Event {
	return LineAt(at, Info, format, args...)
}

// LineAt makes a LOG entry of that level with a formatted message.
func LineAt(at int64, level Level, format string, args ...any) Event {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return Event{Timestamp: at, Type: Log, Level: level, Message: format}
}

// Failure makes a DETAILS entry with status INTERNAL_ERROR that is not retryable.
func Failure(at int64, message string, errors ...string) Event {
	return Event{Timestamp: at, Type: Details, Status: "INTERNAL_ERROR", Message: message, Errors: errors}
}

// StatusChange makes a STATUS entry. The engine stores none: they are added to what readers see.
func StatusChange(at int64, status string) Event {
	return Event{Timestamp: at, Type: Status, Status: status}
}

// Same tells whether two entries say the same, whatever their times.
func Same(a, b Event) bool {
	if a.Type != b.Type {
		return false
	}
	switch a.Type {
	case Log:
		return a.level() == b.level() && a.Message == b.Message
	case Status:
		return a.Status == b.Status
	}
	return a.Status == b.Status && a.Message == b.Message && slices.Equal(a.Errors, b.Errors) && a.Retryable == b.Retryable &&
		a.Action == b.Action && a.Author == b.Author && a.Reason == b.Reason && equalNumbers(a.Number, b.Number) &&
		a.MilestoneType == b.MilestoneType && a.SourceID == b.SourceID && a.Text == b.Text
}

func (e Event) level() Level {
	if e.Level == "" {
		return Info
	}
	return e.Level
}

func equalNumbers(a, b *int64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// Append adds entries at the end of a timeline and returns it, as append does: an entry that is the same as the last
// one is dropped, and of more than 32 the oldest go.
func Append(list []Event, events ...Event) []Event {
	for _, e := range events {
		if n := len(list); n > 0 && Same(list[n-1], e) {
			continue
		}
		if len(list) >= Limit {
			// A new slice, because records that were handed out earlier may share the old one.
			list = append(make([]Event, 0, Limit), list[len(list)-Limit+1:]...)
		}
		list = append(list, e)
	}
	return list
}

// Delay is a duration of whole seconds in the short form of retry lines: 90 is "1m 30s", 3600 is "1h", 0 is "0s".
func Delay(seconds int64) string {
	if seconds <= 0 {
		return "0s"
	}
	var b []byte
	for _, u := range [...]struct {
		size int64
		name byte
	}{{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}} {
		n := seconds / u.size
		if n == 0 {
			continue
		}
		seconds -= n * u.size
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(strconv.AppendInt(b, n, 10), u.name)
	}
	return string(b)
}
