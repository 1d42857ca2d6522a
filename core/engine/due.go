package engine

import "github.com/downbeat/downbeat/core/definition"

// What a state implies; none of it is stored by hand (P7, P8).

// Due is when a run must be looked at next, epoch milliseconds; 0 when it is at rest: queued, or ended. It may lie in the
// past: at once. The shell rounds it.
func Due(st *State) int64 { return due(st, true) }

// Timer is when a run must be looked at to the second: as Due, but for the looks that only find what was lost, and may be
// late: polls that no runtime asked for, and asking again for permits and signals.
func Timer(st *State) int64 { return due(st, false) }

func due(st *State, recovery bool) int64 {
	run := &st.Run
	if !run.Executed || run.Status.Terminal() {
		return 0
	}
	due := runDeadline(st)
	if run.Ending != nil {
		due = 1<<63 - 1 // nothing is left to time out
	}
	at := func(t int64) { due = min(due, t) }
	if recovery && run.CheckAt != 0 {
		at(run.CheckAt)
	}
	held := run.Status == InstancePaused
	for i := range st.Steps {
		a := st.Steps[i].Latest
		if a == nil {
			continue
		}
		switch a.Status {
		case StepCreated, StepInitialized, StepEvaluatingParams:
			if !held {
				at(run.LastTime) // a slice ended here
			}
		case StepWaitingForSignals, StepWaitingForPermits:
			if !held && run.CheckAt == 0 {
				at(run.LastTime)
			}
		case StepFinishing: // a slice ended here, or a signal is not announced yet
			if run.CheckAt == 0 {
				at(run.LastTime)
			}
		case StepStarting, StepRunning:
			if a.PollAt == 0 {
				at(run.LastTime)
				break
			}
			if recovery || !a.pollsByDefault() {
				at(a.PollAt)
			}
			if a.Outside && a.Ending == nil {
				at(attemptDeadline(a))
			}
		default:
			if a.Status.Retryable() && !held {
				at(a.RetryAt)
			}
		}
	}
	return max(due, 1)
}

// pollsByDefault tells that no runtime said when the attempt is to be asked next.
func (a *Attempt) pollsByDefault() bool {
	return a.Outside && (a.Polls > 0 || a.PollAt == a.Times.Modify+pollDelay(0))
}

// runDeadline is when a run times out.
func runDeadline(st *State) int64 { return st.Run.StartTime + orDefault(st.Body.TimeoutMillis) }

// stepDeadline is when an attempt times out. Its clock starts with STARTING.
func stepDeadline(a *Attempt) int64 { return a.Times.Start + orDefault(a.TimeoutMillis) }

func orDefault(timeoutMillis int64) int64 {
	if timeoutMillis > 0 {
		return timeoutMillis
	}
	return definition.DefaultTimeoutMillis
}

// attemptDeadline is when the timeout of an attempt outside is acted upon. While it is STARTING the call that is under way
// is let come to its end: Maestro looks at the timeout only between calls.
func attemptDeadline(a *Attempt) int64 {
	if a.Status == StepStarting {
		return stepDeadline(a) + startGraceMillis
	}
	return stepDeadline(a)
}

// startGraceMillis is longer than any function may run.
const startGraceMillis = 90_000

// Launches are the attempts that wait to be started outside. One that is claimed already is among them until its first
// result is folded: the claim tells the second launch from the first (P20).
func Launches(st *State) []*Attempt {
	var list []*Attempt
	for i := range st.Steps {
		if a := st.Steps[i].Latest; a != nil && a.Outside && a.Status == StepStarting && a.Ending == nil && st.Body.compiled().steps[i].kind == kindOutside {
			list = append(list, a)
		}
	}
	return list
}

// Terminations are the attempts outside that must be stopped. Each ends when a result comes, STOPPED or any other that is
// not CONTINUE.
func Terminations(st *State) []*Attempt {
	var list []*Attempt
	for i := range st.Steps {
		if a := st.Steps[i].Latest; a != nil && a.Ending != nil {
			list = append(list, a)
		}
	}
	return list
}

// Live tells whether an attempt may hold or wait for permits under this uuid (P30).
func Live(st *State, stepUUID string) bool {
	if st.Run.Status.Terminal() {
		return false
	}
	for i := range st.Steps {
		if a := st.Steps[i].Latest; a != nil && (a.UUID == stepUUID || a.Permit() == stepUUID) && !a.Status.Terminal() {
			return true
		}
	}
	return false
}
