package engine

import (
	"slices"
	"sync/atomic"

	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/timeline"
)

// State is everything known of one run, wholly in memory during a decision. The shell loads it from records (the body,
// the run record, the latest attempt of every step), owns it, and drops it after a conflict. Everything that is not in
// exported fields is derived from them.
type State struct {
	Body *Body // immutable
	Run  RunRecord
	// Steps are the steps of the run by ordinal, the 0-based place in Body.DAG.
	Steps []StepState
}

// StepState is what a run knows of one of its steps.
type StepState struct {
	// Latest is the attempt with the highest number of this run; nil while the step is not created.
	Latest *Attempt
}

// NewState is the state of a run that was never decided: CREATED and queued.
func NewState(body *Body) *State {
	return &State{
		Body:  body,
		Run:   RunRecord{Status: InstanceCreated, NextStepInstanceID: FirstStepInstanceID},
		Steps: make([]StepState, body.DAG.Len()),
	}
}

// FirstStepInstanceID is the step instance id of the first step of a run: in Maestro the first two numbers go to
// housekeeping.
const FirstStepInstanceID = 3

// Body is what a run was started with. It is written once and shared: nothing in it changes any more.
type Body struct {
	WorkflowID    string
	InternalID    int64
	VersionID     int64
	InstanceID    int64 // given by the lane, as is RunID
	RunID         int64
	UUID          string // the request id of the start
	CorrelationID string
	GroupInfo     int64

	Policy        RunPolicy
	RuntimeTags   Tags
	RestartConfig *RestartConfig // nil for a fresh run
	Initiator     Initiator

	RequestTime int64
	CreateTime  int64

	RunParams     ParamDefs       // of the request
	StepRunParams []StepParams    // of the request of a parent; nil otherwise
	Artifacts     step.Artifacts  // of the start request
	Params        Params          // evaluated workflow params; nil for a start stored as FAILED
	Properties    RunProperties   // snapshot
	Workflow      *Workflow       // runtime_workflow: the definition with merged tags
	DAG           *dag.Graph      // runtime_dag; its order gives the ordinals
	TimeoutMillis int64           // of the run; 0 when not declared
	Concurrency   *int64          // instance_step_concurrency; nil when unset
	Baseline      *Baseline       // results of earlier runs; nil for run 1
	StartFailure  *timeline.Event // why a start was stored as FAILED (persist_failed_run); nil otherwise
	SignalMatches []SignalMatch   // signals already matched by the run before, by step; nil for run 1

	plan atomic.Pointer[plan] // derived
}

// StepParams are param definitions given for one step.
type StepParams struct {
	StepID string
	Params ParamDefs
}

// RunPolicy says what of an instance a run executes.
type RunPolicy string

// The policies.
const (
	StartFreshNewRun      RunPolicy = "START_FRESH_NEW_RUN"
	StartCustomizedRun    RunPolicy = "START_CUSTOMIZED_RUN"
	RestartFromIncomplete RunPolicy = "RESTART_FROM_INCOMPLETE"
	RestartFromBeginning  RunPolicy = "RESTART_FROM_BEGINNING"
	RestartFromSpecific   RunPolicy = "RESTART_FROM_SPECIFIC"
	RestartCustomizedRun  RunPolicy = "RESTART_CUSTOMIZED_RUN"
)

// Fresh tells whether a run with this policy is the first of its instance.
func (p RunPolicy) Fresh() bool { return p == StartFreshNewRun || p == StartCustomizedRun }

// RestartConfig says what is restarted and how (engine-runs-and-actions.md 3). It stands in a run made by a restart,
// and on an attempt that was restarted inside a run.
type RestartConfig struct {
	Path             []PathNode // from the restarted entity up to the top; the last node is that of this run
	Policy           RunPolicy
	DownstreamPolicy RunPolicy
	// Params are the restart params; HasParams tells an empty map, which is written, from an absent one.
	Params            ParamDefs
	HasParams         bool
	StepRestartParams []StepParams
	SkipSteps         []string
	// StartSteps and EndSteps bound a customized run; empty: everything from the roots, to the leaves.
	StartSteps, EndSteps []string
}

// Own tells whether the restarted entity is this run itself or one of its steps: only then its params and skips count.
func (c *RestartConfig) Own() bool { return c != nil && len(c.Path) == 1 }

// PathNode is a node of a restart path. StepID "" is a whole instance.
type PathNode struct {
	WorkflowID string
	InstanceID int64
	StepID     string
}

// Baseline is what earlier runs of the instance made of its steps.
type Baseline struct {
	Status InstanceStatus // aggregated status of the run before
	Views  []StepView     // every step of the definition, in its order
}

// StepView is the latest result of a step over the runs of an instance. RunID 0 with StepNotCreated: none.
type StepView struct {
	StepID    string
	RunID     int64
	Status    StepStatus
	StartTime int64
	EndTime   int64
}

// Find gives the view of a step, false when there is none.
func (b *Baseline) Find(stepID string) (StepView, bool) {
	if b != nil {
		for _, v := range b.Views {
			if v.StepID == stepID {
				return v, true
			}
		}
	}
	return StepView{}, false
}

// RunRecord is the mutable part of a run that belongs to no step.
type RunRecord struct {
	Status InstanceStatus
	// RunStatus is the run's own result where Status, the aggregate over all runs, is another; InstanceNone otherwise.
	RunStatus InstanceStatus
	Failed    FailedCode
	// Executed is set when the lane has dequeued the run: it has an execution id. Before it is queued.
	Executed   bool
	StartTime  int64 // dequeue
	EndTime    int64
	ModifyTime int64
	Timeline   []timeline.Event
	// NextStepInstanceID is the number of the step that is created next.
	NextStepInstanceID int64
	// Ending, if set, ends every attempt of the run, present and future.
	Ending *Ending
	// CheckAt is when attempts that wait for permits or signals ask again, should nothing wake them before; 0: none waits.
	CheckAt int64
	// LastTime is the largest time that a decision had: the next one is not earlier (P2).
	LastTime int64
	// Seq counts decisions that changed something.
	Seq int64
	// Changes are the status changes of the run since the last commit, for published events.
	Changes []InstanceChange
}

// FailedCode is how a FAILED run stands towards STRICT_SEQUENTIAL.
type FailedCode uint8

// The codes; readers always see FAILED.
const (
	NotFailed        FailedCode = iota
	FailedBlocking              // FAILED: blocks the workflow's queue
	FailedUnblocked             // FAILED_1: unblocked by an action
	FailedSuperseded            // FAILED_2: a later run of the instance exists
)

// InstanceChange is a status change of a run.
type InstanceChange struct {
	From, To InstanceStatus
	Time     int64
}

// ActionKind is what somebody wants to be done with a run or a step.
type ActionKind string

// The actions. TimeOut is the engine's own.
const (
	ActionStop    ActionKind = "STOP"
	ActionKill    ActionKind = "KILL"
	ActionSkip    ActionKind = "SKIP"
	ActionTimeOut ActionKind = "TIME_OUT"
	ActionRestart ActionKind = "RESTART"
	ActionBypass  ActionKind = "BYPASS_STEP_DEPENDENCIES"
	ActionPause   ActionKind = "PAUSE"
	ActionResume  ActionKind = "RESUME"
	ActionUnblock ActionKind = "UNBLOCK"
)

// Ending is an accepted action that ends attempts. On an attempt it means that its end waits for the outside.
type Ending struct {
	Action ActionKind // STOP, KILL, SKIP or TIME_OUT
	User   string
	Reason string
	// Workflow is set when the action was meant for the whole run: KILL then disregards failure modes.
	Workflow bool
	// Upstream is set when the action came from an ancestor: attempts end STOPPED whatever Action is.
	Upstream bool
	Time     int64
}

// Times are when an attempt entered each status; 0 is never. Start is STARTING: queueing for signals and permits is not
// part of the time a step runs.
type Times struct {
	Create, Initialize, Pause, WaitSignal, EvaluateParam, WaitPermit, Start, Execute, Finish, End, Modify int64
}

// Attempt is one attempt of one step in one run. It is stored as a record of its own; a saved terminal attempt is
// immutable.
type Attempt struct {
	StepID         string
	AttemptID      int64 // from 1, by run
	UUID           string
	StepInstanceID int64
	Status         StepStatus
	Times          Times
	// Params are the evaluated params, with maestro_step_satisfied first; empty until they are evaluated.
	Params Params
	// Edges are the transitions to successors in the order of the definition, with results once the step is complete.
	Edges []Edge
	Retry StepRetry
	// TimeoutMillis is the declared timeout; 0 when there is none.
	TimeoutMillis int64
	Tags          Tags

	SignalDependencies *SignalDependencies // nil when there are none
	SignalOutputs      *SignalOutputs      // nil until FINISHING

	Artifacts step.Artifacts
	Output    *step.Output // output data of the attempt's work, merged into Params when it succeeds
	Timeline  []timeline.Event

	// RestartConfig is that of the RESTART that made this attempt inside its run; nil otherwise.
	RestartConfig *RestartConfig

	// Outside is set when the attempt's work is done by `execute`: it is STARTING until a result is folded.
	Outside bool
	// HoldsPermit is set while a permit is held, under the name that Permit gives.
	HoldsPermit bool
	// PermitUUID is the attempt that the permit was taken for, where this one has inherited it; else empty.
	PermitUUID string
	// Ending, if set, is the accepted action that waits for the outside to stop.
	Ending *Ending
	// RetryAt is when the next attempt is made of one that failed and is retried; 0 otherwise.
	RetryAt int64
	// PollAt is when the outside is asked how the attempt goes, or a Sleep is over; 0: never.
	PollAt int64
	// Polls counts the times that PollAt passed without news.
	Polls int64

	// Changes are the status changes that this record adds to those saved before, oldest first; the first is
	// NOT_CREATED→CREATED. Whoever has committed the record empties it (State.Committed), whoever loads it too.
	Changes []StatusChange
}

// Permit is the name under which the attempt holds its permit or waits for it.
func (a *Attempt) Permit() string {
	if a.PermitUUID != "" {
		return a.PermitUUID
	}
	return a.UUID
}

// StatusChange is a change of an attempt's status.
type StatusChange struct {
	From, To StepStatus
	Time     int64
}

// Edge is a transition to a successor.
type Edge struct {
	To        string
	Condition string
	Null      bool // the condition is null, which fails when it is evaluated
	// Param is the condition as an evaluated BOOLEAN param; nil while it is not evaluated.
	Param *Param
}

// BackoffType says how delays grow.
type BackoffType string

// The types.
const (
	Exponential BackoffType = "EXPONENTIAL_BACKOFF"
	Fixed       BackoffType = "FIXED_BACKOFF"
)

// StepRetry is the retry policy of an attempt, with its counters before this attempt's own end.
type StepRetry struct {
	Error, Platform, Timeout Retries
	ManualRetries            int64
	// Retryable is cleared by an end that only a user can restart, and stays so for attempts made by such a restart.
	Retryable bool
	Backoff   BackoffType
}

// Retries is the policy and count for one kind of failure. Delay before retry n+1: min(BackoffSecs*Exponent^n, CapSecs),
// for FIXED_BACKOFF always BackoffSecs (Exponent and CapSecs are 0 then). The default delays after user errors are 60 s
// and 120 s.
type Retries struct {
	Made        int64
	Limit       int64
	BackoffSecs int64
	Exponent    int64
	CapSecs     int64
}

// retryOf gives a policy that nothing was counted against.
func retryOf(policy definition.Retries) StepRetry {
	kind := func(k definition.RetryKind) Retries {
		n := policy.Kinds[k]
		return Retries{Limit: n.Limit, BackoffSecs: n.BackoffSecs, Exponent: n.Exponent, CapSecs: n.MaxSecs}
	}
	return StepRetry{
		Error: kind(definition.UserRetry), Platform: kind(definition.PlatformRetry), Timeout: kind(definition.TimeoutRetry),
		Retryable: true, Backoff: BackoffType(policy.Type),
	}
}

// after gives the counter for attempts that ended in that auto-retryable status; nil for other statuses.
func (r *StepRetry) after(s StepStatus) *Retries {
	switch s {
	case StepUserFailed:
		return &r.Error
	case StepPlatformFailed:
		return &r.Platform
	case StepTimeoutFailed:
		return &r.Timeout
	}
	return nil
}

// left tells whether an end in that auto-retryable status is followed by another attempt.
func (r *StepRetry) left(s StepStatus) bool { return r.Retryable && r.after(s).Made < r.after(s).Limit }

// delay is the seconds before the next attempt.
func (r *Retries) delay(kind BackoffType) int64 {
	return definition.Retries{
		Type:  definition.BackoffType(kind),
		Kinds: [3]definition.RetryNumbers{{BackoffSecs: r.BackoffSecs, Exponent: r.Exponent, MaxSecs: r.CapSecs}},
	}.DelaySecs(0, r.Made)
}

// SignalDependencies are the signals that a step waits for.
type SignalDependencies struct {
	Dependencies []SignalDependency
	Info         *timeline.Event // who bypassed them
}

func (s *SignalDependencies) clone() *SignalDependencies {
	if s == nil {
		return nil
	}
	return &SignalDependencies{Dependencies: slices.Clone(s.Dependencies), Info: s.Info}
}

// SignalStatus is how far a dependency is.
type SignalStatus string

// The statuses of a dependency; MATCHED and SKIPPED let the step go on.
const (
	SignalPending SignalStatus = "PENDING"
	SignalMatched SignalStatus = "MATCHED"
	SignalSkipped SignalStatus = "SKIPPED"
	SignalFailed  SignalStatus = "FAILED"
)

// SignalDependency is one awaited signal.
type SignalDependency struct {
	Name        string
	Status      SignalStatus
	MatchParams []MatchParam
	SignalID    int64           // sequence number of the match; 0 when there is none
	Details     *timeline.Event // of FAILED
}

// MatchParam is a condition on a param of a signal.
type MatchParam struct {
	Name     string
	Value    *Param
	Operator string // "=", "<", …
}

// SignalMatch hands the dependencies of a step on to the next run of the instance.
type SignalMatch struct {
	StepID       string
	Dependencies *SignalDependencies
}

// SignalOutputs are the signals that a step announces.
type SignalOutputs struct {
	Outputs []SignalOutput
	Info    *timeline.Event
}

// SignalOutput is one announced signal. ID -1: it existed already.
type SignalOutput struct {
	Name         string
	Params       Params
	Payload      Params
	SignalID     int64
	AnnounceTime int64
}

// Committed tells the state that everything decided so far is saved: the lists of changes start anew.
func (st *State) Committed() {
	st.Run.Changes = nil
	for i := range st.Steps {
		if a := st.Steps[i].Latest; a != nil {
			a.Changes = nil
		}
	}
}
