package joda

import "fmt"

// ErrorKind says what went wrong.
type ErrorKind uint8

// The kinds of errors.
const (
	BadText     ErrorKind = iota // the text does not fit the format
	BadField                     // a field is out of its range
	Gap                          // the local time does not exist
	BadZone                      // no zone has that id
	BadPattern                   // not a pattern
	NoParser                     // the pattern can print only
	Overflow                     // beyond the range of instants or of 32 bits
	NoConverter                  // a period with months is no duration
	BadNumber                    // more digits than a 32-bit number has
)

// Error is an error of this package.
type Error struct {
	Kind    ErrorKind
	Message string
	gap     bool // a field error that a gap caused
}

func (e *Error) Error() string { return e.Message }

func overflow(what string) error {
	return &Error{Kind: Overflow, Message: "The calculation caused an overflow: " + what}
}

func fieldError(f Field, v, lo, hi int64) *Error {
	return &Error{Kind: BadField, Message: fmt.Sprintf("Value %d for %s must be in the range [%d,%d]", v, f, lo, hi)}
}

// formatError reports text that cannot be parsed; pos is the complement of the place, or where the
// text should have ended.
func formatError(text string, pos int) *Error {
	if pos < 0 {
		pos = ^pos
	}
	sample := text
	if len(text) > pos+35 {
		sample = text[:pos+32] + "..."
	}
	m := `Invalid format: "` + sample + `"`
	switch {
	case pos <= 0:
	case pos >= len(text):
		m += " is too short"
	default:
		m += ` is malformed at "` + sample[pos:] + `"`
	}
	return &Error{Kind: BadText, Message: m}
}
