// Package timetrigger decides when the time triggers of a workflow start it. It is pure: definition, state and time come
// in as arguments.
//
// All time triggers of an active version form one schedule with one id (time-triggers.md 7). What is stored of it are
// marks: of each trigger the last fire time that was handled. Fire times follow from marks and definition, so a schedule
// that stood still starts every run that it missed, each with its own time, and none twice.
package timetrigger

import (
	"fmt"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/param"
)

// Schedule is the state of the time triggers of a workflow.
type Schedule struct {
	// Life is the internal id of the workflow: one that was deleted and pushed again begins anew.
	Life int64
	// UUID is the id of the list of triggers; "" when nothing is scheduled.
	UUID string
	// Marks are, by trigger, the last fire time that was handled, or when the trigger became active.
	Marks []int64
}

const scheduleFormat = 1

// Encode is the stored form.
func (s *Schedule) Encode() []byte {
	var w pack.Writer
	w.Format(scheduleFormat)
	w.Int(s.Life)
	w.Str(s.UUID)
	w.Uint(uint64(len(s.Marks)))
	last := int64(0)
	for _, m := range s.Marks {
		w.Int(m - last)
		last = m
	}
	return w.Buf
}

// Decode reads the stored form; nothing is no schedule.
func Decode(data []byte) (*Schedule, error) {
	if len(data) == 0 {
		return &Schedule{}, nil
	}
	r, _, err := pack.NewReader(data, scheduleFormat)
	if err != nil {
		return nil, err
	}
	s := &Schedule{Life: r.Int(), UUID: r.Str()}
	last := int64(0)
	for n := r.Count(); n > 0; n-- {
		last += r.Int()
		s.Marks = append(s.Marks, last)
	}
	return s, r.Err()
}

// Triggers are the time triggers of a version, ready to compute.
type Triggers struct {
	UUID     string
	workflow *definition.Workflow
	timers   []*definition.Timer
}

// Of prepares the triggers of a workflow; nil when it has none. The error names the trigger that cannot be computed.
func Of(w *definition.Workflow) (*Triggers, error) {
	if len(w.TimeTriggers) == 0 {
		return nil, nil
	}
	t := &Triggers{UUID: definition.TriggerUUIDs(w, true)[0], workflow: w}
	for i := range w.TimeTriggers {
		timer, err := w.TimeTriggers[i].Timer(w.ID)
		if err != nil {
			return nil, fmt.Errorf("time trigger %d of workflow %s: %w", i, w.ID, err)
		}
		t.timers = append(t.timers, timer)
	}
	return t, nil
}

// Follow is the schedule of triggers that become active at a time, after another schedule: nothing from before that time
// fires. Different from Maestro, a trigger that is in both, unchanged, goes on from its mark: a fire that was due and not
// handled yet when another trigger of the list was changed is not lost. Triggers are compared in their order, so of equal
// ones each finds its own mark.
func Follow(before *Schedule, old, triggers *Triggers, life, at int64) *Schedule {
	s := &Schedule{Life: life, UUID: triggers.UUID, Marks: make([]int64, len(triggers.timers))}
	marks := map[string][]int64{}
	if old != nil && before.Life == life && before.Holds(old) {
		for i, m := range before.Marks {
			text := old.workflow.TimeTriggers[i].Declared()
			marks[text] = append(marks[text], m)
		}
	}
	for i := range s.Marks {
		s.Marks[i] = at
		text := triggers.workflow.TimeTriggers[i].Declared()
		if m := marks[text]; len(m) > 0 {
			s.Marks[i], marks[text] = m[0], m[1:]
		}
	}
	return s
}

// Holds tells whether the schedule is that of these triggers.
func (s *Schedule) Holds(t *Triggers) bool { return s.UUID == t.UUID && len(s.Marks) == len(t.timers) }

// Fire is a run that a trigger starts.
type Fire struct {
	Trigger int // its place in the list
	Time    int64
	// RequestID is that of the run: it follows from workflow, trigger and time.
	RequestID string
	initiator engine.Initiator
}

// Request is the start that the fire asks for (time-triggers.md 9).
func (f *Fire) Request(now int64) engine.StartRequest {
	params := &param.Definitions{}
	params.Set("RUN_TS", param.Long(f.Time))
	return engine.StartRequest{Initiator: f.initiator, RequestID: f.RequestID, RequestTime: now, RunParams: params, PersistFailedRun: true}
}

// Due lists the fires that are due, none before its time, ordered by time and those of equal times by trigger, up to a
// limit: those of one trigger that has many do not keep the others back.
func (s *Schedule) Due(t *Triggers, now int64, limit int) []Fire {
	type cursor struct {
		next int64
		ok   bool
	}
	cursors := make([]cursor, len(t.timers))
	for i, timer := range t.timers {
		cursors[i].next, cursors[i].ok = timer.Next(s.Marks[i])
	}
	var fires []Fire
	for len(fires) < limit {
		first := -1
		for i, c := range cursors {
			if c.ok && c.next <= now && (first < 0 || c.next < cursors[first].next) {
				first = i
			}
		}
		if first < 0 {
			break
		}
		at := cursors[first].next
		trigger := &t.workflow.TimeTriggers[first]
		fires = append(fires, Fire{
			Trigger: first, Time: at, RequestID: trigger.StartID(t.workflow.ID, at),
			initiator: engine.Initiator{Type: engine.TimeTriggered, TriggerUUID: t.UUID, TriggerTime: at, Timezone: trigger.Timezone},
		})
		cursors[first].next, cursors[first].ok = t.timers[first].Next(at)
	}
	return fires
}

// Started moves the marks past fires whose runs are stored.
func (s *Schedule) Started(fires []Fire) {
	for _, f := range fires {
		s.Marks[f.Trigger] = max(s.Marks[f.Trigger], f.Time)
	}
}

// Next is the earliest fire time that was not handled; false when none of the triggers ever fires again.
func (s *Schedule) Next(t *Triggers) (int64, bool) {
	var earliest int64
	found := false
	for i, timer := range t.timers {
		if next, ok := timer.Next(s.Marks[i]); ok && (!found || next < earliest) {
			earliest, found = next, true
		}
	}
	return earliest, found
}
