package engine

import (
	"slices"

	"github.com/downbeat/downbeat/core/definition"
)

// InitiatorType is what kind of thing started a run.
type InitiatorType string

// The types.
const (
	Manual        InitiatorType = "MANUAL"
	TimeTriggered InitiatorType = "TIME"
	Signalled     InitiatorType = "SIGNAL"
	BySubworkflow InitiatorType = "SUBWORKFLOW"
	ByForeach     InitiatorType = "FOREACH"
	ByWhile       InitiatorType = "WHILE"
	ByTemplate    InitiatorType = "TEMPLATE"
)

// Upstream tells whether a parent step started the run. Such runs take instance_step_concurrency from the parent and are
// restarted only through it.
func (t InitiatorType) Upstream() bool {
	switch t {
	case BySubworkflow, ByForeach, ByWhile, ByTemplate:
		return true
	}
	return false
}

// Inline tells whether the run is an iteration of a loop: its workflow has no definition of its own.
func (t InitiatorType) Inline() bool { return t == ByForeach || t == ByWhile || t == ByTemplate }

// DepthLimit bounds the nesting: the depth of a run is less.
const DepthLimit = 10

// Initiator is who or what started a run. Only Type, Depth and the members of that type are set.
type Initiator struct {
	Type InitiatorType
	// Depth is the number of ancestors; a caller of the API may send another for the types without ancestors.
	Depth int64

	User string // MANUAL

	TriggerUUID string     // TIME, SIGNAL
	TriggerTime int64      // TIME
	Timezone    *string    // TIME; nil when the trigger has none
	SignalIDs   []SignalID // SIGNAL
	Params      Params     // SIGNAL: of the trigger, evaluated
	Ancestors   []Ancestor // upstream types: from the root to the direct parent
}

// SignalID is a signal that fired a trigger.
type SignalID struct {
	Name string
	ID   int64
}

// Inline is the part of Ancestors from the nearest workflow on that is no loop's body; empty without ancestors.
func (i *Initiator) Inline() []Ancestor {
	from := max(len(i.Ancestors)-1, 0)
	for from > 0 && definition.IsInlineID(i.Ancestors[from].WorkflowID) {
		from--
	}
	return slices.Clone(i.Ancestors[from:])
}

// Ancestor is the step of a run above.
type Ancestor struct {
	WorkflowID string
	InstanceID int64
	RunID      int64
	StepID     string
	AttemptID  int64
	Sync       *bool // of subworkflow steps, as declared
}

// manual is the initiator of starts and restarts by a user.
func manual(user string) Initiator { return Initiator{Type: Manual, User: user} }
