package engine

import (
	"fmt"
	"strings"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/permit"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/timeline"
)

// Input is something that happened to a run. Every input may be delivered again: what was folded before is a no-op.
type Input interface{ input() }

// Begin says that the lane has dequeued the run: it has an execution id from now on.
type Begin struct{}

// Tick says that time has passed, or that somebody thinks that the run should be looked at. A decision without inputs
// does the same.
type Tick struct{}

// Result is news of an attempt outside (P18). It is accepted by step uuid only (P19); for an attempt that has ended, or
// is unknown, it is ignored.
type Result struct {
	StepUUID string
	step.Result
}

// Action is what a user wants to be done. The answer is in Decision.Answers.
type Action struct {
	Kind   ActionKind
	StepID string // "": the whole run
	User   string
	Reason string
	// Upstream is set when the action was given to an ancestor and travels down: attempts end STOPPED.
	Upstream bool

	// For RESTART of a step inside the run, and SKIP of one that has ended:
	DownstreamPolicy RunPolicy // "" is RESTART_FROM_INCOMPLETE
	StepRunParams    ParamDefs
	// Config is set in place of both when the restart is of something below the step.
	Config *RestartConfig
}

// Resume ends the pause of one attempt at a breakpoint. The answer is NOT_FOUND when that attempt is not PAUSED.
type Resume struct {
	StepID    string
	AttemptID int64
	User      string
}

func (Begin) input()  {}
func (Tick) input()   {}
func (Result) input() {}
func (Action) input() {}
func (Resume) input() {}

// Decision is what follows from a call of Decide, beside the changed state.
type Decision struct {
	// Changed are the attempts that are new or changed, in the order in which they were first touched. They belong to
	// the state and change again with the next decision.
	Changed    []*Attempt
	RunChanged bool
	// Ended is set by the decision in which the run became terminal.
	Ended bool
	// Answers has one entry for every Action and Resume among the inputs, in their order.
	Answers []Answer
	// More is set when the budget was used up: Decide goes on from the state without inputs.
	More bool
	// Released are the names (Attempt.Permit) under which attempts that ended held permits or waited for them.
	Released []string
	// Polls are the attempts outside that are to be asked now how they go (P21).
	Polls []*Attempt
}

// Answer is what the caller of an action is told. Err is a *fault.Error, or nil when the action was accepted.
type Answer struct {
	Err *fault.Error
	// Event is the line about the action for the response.
	Event timeline.Event
	// Status is the status of the run when the action was accepted; Completed tells that nothing is left to be done.
	Status    InstanceStatus
	Completed bool
	Info      string
	// AttemptID is the number that the response names: the attempt that the action met; for a RESTART the one before plus
	// one.
	AttemptID int64
	// Attempt is the attempt that took the action, for its runtime state: the next one when the action met a wait for a
	// retry. nil for actions on the run, and for a RESTART. It is settled when Pending is false; else its end waits for
	// the outside.
	Attempt *Attempt
	Pending bool
	// NewRun is set when the run is terminal and the action needs a new one: PlanRestart with this request.
	NewRun *RestartRequest
}

// Key names something outside the run that a decision needs. Kind says what; the other members are set as far as that
// kind needs them.
type Key struct {
	Kind       KeyKind
	WorkflowID string
	InstanceID int64
	RunID      int64
	StepID     string
	Name       string // template, param, signal, loop step; permits: the step uuid
	Version    string
}

// KeyKind is the kind of a Key.
type KeyKind string

// The kinds that this package asks for itself; param resolvers of the shell may use others.
const (
	KeyEarlierAttempt KeyKind = "earlier-attempt" // StepID
	KeyTemplate       KeyKind = "template"        // Name, Version
	KeyPermit         KeyKind = "permit"          // Name: step uuid
	KeyPermitState    KeyKind = "permit-state"    // StepID
	KeyChildStep      KeyKind = "child-step"      // WorkflowID, InstanceID, StepID: of the newest run
	KeyLoopParam      KeyKind = "loop-param"      // WorkflowID of the body, InstanceID: the number of iterations, StepID, Name
)

// NeedError is returned in place of a decision that lacks something (P1): the shell loads the keys by strong reads and
// decides again, from a fresh state and with the same now. Each round adds keys.
type NeedError struct{ Keys []Key }

func (e *NeedError) Error() string {
	var b strings.Builder
	b.WriteString("decision needs")
	for _, k := range e.Keys {
		fmt.Fprintf(&b, " %s(%s %d %d %s %s %s)", k.Kind, k.WorkflowID, k.InstanceID, k.RunID, k.StepID, k.Name, k.Version)
	}
	return b.String()
}

// NeedsData marks the error so that expression evaluation hands it through as it is.
func (e *NeedError) NeedsData() bool { return true }

// PermitTag is a tag that an attempt must hold, with the limit that the tag itself carries. A limit set by the tag-permit
// API overrides it.
type PermitTag = permit.Tag

// Grant is the answer to a request for permits.
type Grant uint8

// The answers.
const (
	Waiting Grant = iota
	Granted
)

// InheritEnv is the ability of an Env to let an attempt go on with the permit of one that has just ended. Without it
// every attempt asks for its own.
type InheritEnv interface {
	// Inherit tells whether the permit held as from, with the tags of the attempt that it was taken for or passed to, does
	// for an attempt with the tags want, and nobody waits for what it would free. It may return a *NeedError.
	Inherit(from string, have, want []PermitTag) (bool, error)
	// Pass tells whether the attempt to, which queues for the tags want, would be granted them by giving back what is held as
	// from, before anybody else and besides what has passed in this decision. Then it may go on with that permit at once,
	// and leaves its place in the queue when the decision is committed. It may return a *NeedError.
	Pass(from string, have []PermitTag, to string, want []PermitTag) (bool, error)
}

// Env is what the shell hands into a decision. Every method is a pure function for the time of the call of Decide, and
// may return a *NeedError for what is not loaded; other errors end the decision.
type Env interface {
	// Now is the time of the decision, epoch milliseconds.
	Now() int64
	// MaxSteps is how many attempts may become terminal in one call; 0 means 200.
	MaxSteps() int
	// Breakpoint tells whether an attempt of the step is to pause.
	Breakpoint(stepID string) (bool, error)
	// EarlierAttempt is the latest attempt of a step over the earlier runs of the instance; nil when there is none.
	EarlierAttempt(stepID string) (*Attempt, error)
	// Acquire asks for all the tags under the step uuid, all or nothing. Asking again is harmless (P30).
	Acquire(stepUUID string, tags []PermitTag) (Grant, error)
	// Blocked tells whether a step that needs the tags for no time at all must queue for them: one of them is at its
	// limit, or somebody waits for it.
	Blocked(stepID string, tags []PermitTag) (bool, error)
	// HasRuntime tells whether `execute` can run steps of the type.
	HasRuntime(stepType string) bool
}
