// Package breakpoint is what makes step attempts pause: the breakpoints that users set on steps, the records of the
// attempts that paused, and the answers of the breakpoint API. Everything here is pure; where records are kept, and
// that an attempt's pause ends on the head of its run, is the business of others.
//
// A breakpoint belongs to a step of a definition and holds for every version, instance, run and attempt. The attempt's
// record is written when it pauses, under Scope of its workflow and its step, and is removed when it is resumed: by
// itself (Resumed) or with the breakpoint (Deleted). Maestro leaves the record of an attempt that is stopped, killed or
// skipped while it pauses, and so do we: lists go on showing it.
package breakpoint

import (
	"fmt"
	"sort"
	"strings"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/pack"
)

// Loop is the kind of a loop step.
type Loop string

// The kinds, as they stand in the ids of inline workflows.
const (
	NoLoop  Loop = ""
	Foreach Loop = "foreach"
	While   Loop = "while"
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// PlacedScope is the scope of a step of a definition: the workflow's id for a step outside of loops, else the beginning
// that the ids of all inline workflows of the workflow share whose outermost loop is of that kind:
// `maestro_foreach_Ib2_` for internal id 10000. internalID is at least 1.
func PlacedScope(workflowID string, internalID int64, outermost Loop) string {
	if outermost == NoLoop {
		return workflowID
	}
	key := ""
	for n := internalID; n > 0; n /= 62 {
		key += alphabet[n%62 : n%62+1] // least significant digit first
	}
	return "maestro_" + string(outermost) + "_" + key + "_"
}

// Scope is the scope of a running step: the id of its workflow, of which, in an inline workflow, the first three parts
// count. It equals the PlacedScope of the same step. In a loop within a loop of the other kind the two differ, as they
// do in Maestro: such a step does not pause.
func Scope(workflowID string) string {
	if !strings.HasPrefix(workflowID, "maestro_foreach") && !strings.HasPrefix(workflowID, "maestro_while") {
		return workflowID
	}
	parts := strings.SplitN(workflowID, "_", 4)
	if len(parts) < 4 {
		return workflowID
	}
	return strings.Join(parts[:3], "_") + "_"
}

// Breakpoint is a breakpoint on a step.
type Breakpoint struct {
	Scope      string // PlacedScope of the step
	StepID     string
	CreateTime int64 // epoch milliseconds
	CreatedBy  string
}

// Attempt names a step attempt.
type Attempt struct {
	WorkflowID string // the inline id within a loop
	InstanceID int64
	RunID      int64
	StepID     string
	AttemptID  int64
}

// Paused is the record of an attempt that paused.
type Paused struct {
	Attempt
	VersionID  int64
	CreateTime int64 // epoch milliseconds
}

// Sort orders records: by workflow id, instance, run and attempt, the oldest first.
func Sort(list []Paused) {
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		switch {
		case a.WorkflowID != b.WorkflowID:
			return a.WorkflowID < b.WorkflowID
		case a.InstanceID != b.InstanceID:
			return a.InstanceID < b.InstanceID
		case a.RunID != b.RunID:
			return a.RunID < b.RunID
		}
		return a.AttemptID < b.AttemptID
	})
}

// NotFound is the answer when a breakpoint is deleted that does not exist.
func NotFound(workflowID, stepID string) error {
	return fault.New(fault.NotFound, "no breakpoint on step [%s] of workflow [%s]", stepID, workflowID)
}

// NotPaused is the answer when an attempt is resumed that has no record.
func NotPaused(a Attempt) error {
	return fault.New(fault.NotFound, "attempt [%d] of step [%s] of [%s][%d][%d] is not paused", a.AttemptID, a.StepID, a.WorkflowID, a.InstanceID, a.RunID)
}

// NoStep is the answer when a breakpoint is set on a step that the default version does not have.
func NoStep(workflowID, stepID string) error {
	return fault.New(fault.BadRequest, "workflow [%s] has no step [%s] in its default version", workflowID, stepID)
}

// format is the format of both records (P10).
const format = 1

// Encode gives the stored form.
func (b Breakpoint) Encode() []byte {
	w := &pack.Writer{}
	w.Format(format)
	w.Str(b.Scope)
	w.Str(b.StepID)
	w.Int(b.CreateTime)
	w.Str(b.CreatedBy)
	return w.Buf
}

// Decode reads the stored form of a breakpoint. A format newer than this code gives pack.ErrNewer.
func Decode(data []byte) (Breakpoint, error) {
	r, _, err := pack.NewReader(data, format)
	if err != nil {
		return Breakpoint{}, fmt.Errorf("breakpoint: %w", err)
	}
	b := Breakpoint{Scope: r.Str(), StepID: r.Str(), CreateTime: r.Int(), CreatedBy: r.Str()}
	if err := r.Err(); err != nil {
		return Breakpoint{}, fmt.Errorf("breakpoint: %w", err)
	}
	return b, nil
}

// Encode gives the stored form.
func (p Paused) Encode() []byte {
	w := &pack.Writer{}
	w.Format(format)
	w.Str(p.WorkflowID)
	w.Int(p.InstanceID)
	w.Int(p.RunID)
	w.Str(p.StepID)
	w.Int(p.AttemptID)
	w.Int(p.VersionID)
	w.Int(p.CreateTime)
	return w.Buf
}

// DecodePaused reads the stored form of a paused attempt. A format newer than this code gives pack.ErrNewer.
func DecodePaused(data []byte) (Paused, error) {
	r, _, err := pack.NewReader(data, format)
	if err != nil {
		return Paused{}, fmt.Errorf("paused attempt: %w", err)
	}
	p := Paused{Attempt: Attempt{WorkflowID: r.Str(), InstanceID: r.Int(), RunID: r.Int(), StepID: r.Str(), AttemptID: r.Int()}, VersionID: r.Int(), CreateTime: r.Int()}
	if err := r.Err(); err != nil {
		return Paused{}, fmt.Errorf("paused attempt: %w", err)
	}
	return p, nil
}
