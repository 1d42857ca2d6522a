// Package step is the contract between the engine and what runs outside of it: the runtimes of step types such as
// Http, whose work is a call to another service. The function `execute` makes the calls; what a call brought comes
// back to the decider as a Result.
package step

import (
	"context"
	"fmt"
	"slices"

	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/timeline"
)

// Runtime is a step type that works outside the decider: one object per type, stateless and safe for concurrent use.
//
// An error from any of the three methods means that nothing is known and nothing was decided: the same call is made
// again later, with the same step uuid. A failure of the work itself is a Result with one of the error states.
//
// All three are called at least once, never exactly once (P20): Start may be called again for an attempt that was
// started already, so it must find the earlier job by the step uuid wherever the service allows.
type Runtime interface {
	// Start begins the work of a new attempt. CONTINUE: it runs, Poll later. DONE: there was nothing to start, Poll at
	// once. Any other state ends the attempt before it was RUNNING.
	Start(ctx context.Context, call Call) (Result, error)
	// Poll looks at the work of a started attempt. CONTINUE: look again later. DONE: it succeeded. Any other state ends
	// the attempt.
	Poll(ctx context.Context, call Call) (Result, error)
	// Stop ends the work of an attempt, whether it was started, has ended or never existed. It answers STOPPED, or an
	// error to be called again.
	Stop(ctx context.Context, call Call) (Result, error)
}

// Lasting is the ability of a Runtime whose calls take as long as the work itself, such as a request whose answer is the
// result: what comes of one is not kept waiting for the end of others.
type Lasting interface{ Lasts() bool }

// Registry finds the runtime of a step type by the type's text, such as "Http".
type Registry map[string]Runtime

// Call is everything that a runtime is told. It belongs to the runtime for the time of the call; what a runtime
// changes in it is lost.
type Call struct {
	WorkflowID     string
	InstanceID     int64
	RunID          int64
	StepID         string
	StepInstanceID int64
	AttemptID      int64
	// StepUUID names the attempt for ever: idempotency token, job name and tag in services that have such.
	StepUUID string

	StepParams     Params    // as evaluated in EVALUATING_PARAMS
	WorkflowParams Params    // of the run
	Artifacts      Artifacts // those of the attempt so far

	StartTime int64 // STARTING of the attempt, epoch milliseconds
	Now       int64 // epoch milliseconds; a runtime has no other clock for what it decides
}

// Params are evaluated params by name.
type Params map[string]Param

// Param is one evaluated param.
type Param struct {
	// Text is the declared literal of a STRING param, before interpolation; "" if it was declared by an expression.
	Text string
	// Result is the evaluated result.
	Result sel.Value
}

// State is what a runtime says about the work of an attempt.
type State uint8

// The states in Maestro's spelling (String). The zero State is none.
const (
	_             State = iota
	Continue            // not over
	Done                // succeeded
	UserError           // failed by the user's fault: USER_FAILED, retried up to the error limit
	PlatformError       // failed by the platform's fault: PLATFORM_FAILED, retried up to the platform limit
	FatalError          // failed for good: FATALLY_FAILED
	Stopped             // ended from outside: STOPPED
	TimedOut            // TIMED_OUT
)

var stateNames = [...]string{"", "CONTINUE", "DONE", "USER_ERROR", "PLATFORM_ERROR", "FATAL_ERROR", "STOPPED", "TIMED_OUT"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// ParseState reads a name, upper case only.
func ParseState(name string) (State, bool) {
	for i, n := range stateNames {
		if i > 0 && n == name {
			return State(i), true
		}
	}
	return 0, false
}

// Failed reports the four states of an error: USER_ERROR, PLATFORM_ERROR, FATAL_ERROR and TIMED_OUT.
func (s State) Failed() bool { return s >= UserError && s <= FatalError || s == TimedOut }

// Ended reports that the work is over, one way or another.
func (s State) Ended() bool { return s >= Done }

// MarshalText gives the name; an error for a State that is none.
func (s State) MarshalText() ([]byte, error) {
	if s == 0 || int(s) >= len(stateNames) {
		return nil, fmt.Errorf("state: %d is no state", uint8(s))
	}
	return []byte(stateNames[s]), nil
}

// UnmarshalText reads a name.
func (s *State) UnmarshalText(text []byte) error {
	v, ok := ParseState(string(text))
	if !ok {
		return fmt.Errorf("state: %q is no state", text)
	}
	*s = v
	return nil
}

// Result is what a call brought. It travels to the decider as the body of a completion, see MarshalJSON.
type Result struct {
	State State
	// Running says that the attempt was RUNNING: its start had been accepted before this state was found. The runtimes
	// leave it alone; Launch and Check set it.
	Running   bool
	Artifacts Artifacts        // merged into those of the attempt
	Timeline  []timeline.Event // appended to the attempt's
	Output    *Output          // output data to save; nil if there is none
	// NextPollMillis is how long to wait before the next Poll, a hint; 0 leaves it to the engine.
	NextPollMillis int64
	// RunningSince is when the work began, epoch milliseconds, where Running tells of it for the first time; 0: now. The
	// engine keeps it between STARTING and the time of its decision.
	RunningSince int64
}

// launchPollMillis is when an attempt is looked at again whose start was accepted and whose first poll brought nothing.
const launchPollMillis = 3000

// Launch starts an attempt: Start and, when that answers DONE, the first Poll. In the result DONE means what it means
// for a Poll: the work succeeded. An error means that the whole may be repeated.
func Launch(ctx context.Context, runtime Runtime, call Call) (Result, error) {
	started, err := runtime.Start(ctx, call)
	if err != nil {
		return Result{}, err
	}
	if started.State == Continue {
		started.Running, started.RunningSince = true, call.Now
	}
	if started.State != Done {
		return started, nil
	}
	call.Artifacts = call.Artifacts.Merged(started.Artifacts)
	polled, err := runtime.Poll(ctx, call)
	if err != nil {
		// The start is a fact, and what it brought must be kept: only the poll is repeated.
		started.State, started.Running, started.RunningSince, started.NextPollMillis = Continue, true, call.Now, launchPollMillis
		return started, nil
	}
	polled.Running, polled.RunningSince = true, call.Now
	polled.Artifacts = started.Artifacts.Merged(polled.Artifacts)
	polled.Timeline = slices.Concat(started.Timeline, polled.Timeline)
	if polled.Output == nil {
		polled.Output = started.Output
	}
	return polled, nil
}

// Check polls a started attempt.
func Check(ctx context.Context, runtime Runtime, call Call) (Result, error) {
	r, err := runtime.Poll(ctx, call)
	if err != nil {
		return Result{}, err
	}
	r.Running = true
	return r, nil
}

// Terminate stops an attempt. The result's state is STOPPED; an answer in any other state is an error, to be repeated.
func Terminate(ctx context.Context, runtime Runtime, call Call) (Result, error) {
	r, err := runtime.Stop(ctx, call)
	if err != nil {
		return Result{}, err
	}
	if r.State != Stopped {
		return Result{}, fmt.Errorf("stop of step attempt %s: runtime answered %s, not STOPPED", call.StepUUID, r.State)
	}
	return r, nil
}
