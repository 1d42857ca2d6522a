package store

import (
	"fmt"

	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/table"
)

// Suspect is what is known of a run at whose decisions processes may have died.
type Suspect struct {
	// Tries counts the decisions that were begun from repeated deliveries since one was last committed.
	Tries int
	// Step is the one step that is being decided, in safe mode; empty outside it. Named, in epoch milliseconds, is since when.
	Step  string
	Named int64
	// Victim is the step at which processes died, the last Deaths of them; empty if none is known of.
	Victim string
	Deaths int
}

// suspectFormat 2 added when the step was named, and the deaths.
const suspectFormat = 2

// Encode gives the stored form.
func (s Suspect) Encode() []byte {
	var w pack.Writer
	w.Format(suspectFormat)
	w.Uint(uint64(s.Tries))
	w.Str(s.Step)
	w.Int(s.Named)
	w.Str(s.Victim)
	w.Uint(uint64(s.Deaths))
	return w.Buf
}

// DecodeSuspect reads it; no data is a run that nobody suspects.
func DecodeSuspect(data []byte) (Suspect, error) {
	if len(data) == 0 {
		return Suspect{}, nil
	}
	r, format, err := pack.NewReader(data, suspectFormat)
	if err != nil {
		return Suspect{}, fmt.Errorf("suspect: %w", err)
	}
	s := Suspect{Tries: int(r.Uint()), Step: r.Str()}
	if format >= 2 {
		s.Named, s.Victim, s.Deaths = r.Int(), r.Str(), int(r.Uint())
	}
	return s, r.Err()
}

// Parked is a head that cannot be decoded.
type Parked struct {
	Key table.Key
	// Reason is the error of who read it, At when that was, in epoch milliseconds.
	Reason string
	At     int64
}

const parkedFormat = 1

// Encode gives the stored form.
func (p Parked) Encode() []byte {
	var w pack.Writer
	w.Format(parkedFormat)
	w.Str(p.Key.PK)
	w.Str(p.Key.SK)
	w.Str(p.Reason)
	w.Int(p.At)
	return w.Buf
}

// DecodeParked reads it.
func DecodeParked(data []byte) (Parked, error) {
	r, _, err := pack.NewReader(data, parkedFormat)
	if err != nil {
		return Parked{}, fmt.Errorf("parked head: %w", err)
	}
	p := Parked{Key: table.Key{PK: r.Str(), SK: r.Str()}, Reason: r.Str(), At: r.Int()}
	return p, r.Err()
}
