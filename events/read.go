package events

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Format is the format number that this code writes into its messages. It reads every number from 1 to this one.
const Format = 1

// NewerError says that a message carries a format number above Format. The message must be left for newer code and
// must not count towards the dead-letter queue (P10).
type NewerError struct {
	Message string // which type of message
	V       int    // its format number
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s message has format %d, this code reads up to %d", e.Message, e.V, Format)
}

// UnknownError says that a message is well-formed but of a kind that this code does not handle. It is acknowledged and
// counted by its kind.
type UnknownError struct {
	Message string // which type of message, or where it came from
	Kind    string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("%s message has unknown kind %q", e.Message, e.Kind)
}

// UnreadableError says that a message is not JSON, or lacks what its kind cannot do without.
type UnreadableError struct {
	Message string // which type of message
	Reason  string
}

func (e *UnreadableError) Error() string { return e.Message + " message: " + e.Reason }

// Fate is what a handler does with a message whose reading or handling ended with an error.
type Fate uint8

// The fates.
const (
	FateDone  Fate = iota // handled: acknowledge
	FateLater             // leave it to come again, not counted as a failed receive where the queue allows that
	FateCount             // acknowledge and count: nothing here handles this kind
	FateDrop              // acknowledge, count and log loudly: it can never be read
	FateRetry             // leave it to come again: handling failed, not reading
)

// FateOf is the fate that an error of a Parse function asks for. Any other error is FateRetry, nil is FateDone.
func FateOf(err error) Fate {
	var newer *NewerError
	var unknown *UnknownError
	var unreadable *UnreadableError
	switch {
	case err == nil:
		return FateDone
	case errors.As(err, &newer):
		return FateLater
	case errors.As(err, &unknown):
		return FateCount
	case errors.As(err, &unreadable):
		return FateDrop
	}
	return FateRetry
}

// parse reads a message of ours into m. The format number is looked at before the rest, since a newer format may have
// given another type to any other member.
func parse(name string, data []byte, m any) error {
	var head struct {
		V json.Number `json:"v"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return &UnreadableError{name, err.Error()}
	}
	v, err := head.V.Int64()
	if err != nil || v < 1 {
		return &UnreadableError{name, fmt.Sprintf("v: %q is not a format number", head.V)}
	}
	if v > Format {
		return &NewerError{name, int(v)}
	}
	if err := json.Unmarshal(data, m); err != nil {
		return &UnreadableError{name, err.Error()}
	}
	return nil
}

// missing is the error for a member that the kind of message needs.
func missing(name, member string) error {
	return &UnreadableError{name, member + ": must be present"}
}
