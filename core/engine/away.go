package engine

import (
	"fmt"

	"github.com/downbeat/downbeat/core/timeline"
)

// AwayKind is how a run is decided away without its steps having a say.
type AwayKind uint8

// The kinds. The times that each sets are what Maestro's readers see.
const (
	AwayRejected   AwayKind = iota + 1 // refused by FIRST_ONLY: start and end are the creation
	AwayReplaced                       // pushed out of the queue by LAST_ONLY: start and end are now
	AwaySuperseded                     // pushed out of the queue by SERIAL_LATEST_ONLY: only an end
	AwayCancelled                      // stopped or killed in the queue by a user: only an end
	AwayFailed                         // parameters could not be evaluated, and the start asked to be kept: only an end
	AwayHalted                         // stopped while running, for a newer run under LAST_ONLY
)

// StrategyAuthor is the author of stops that a run strategy decides.
const StrategyAuthor = "maestro_run_strategy"

// Away is what a lane decided about a run that must not go on. Only ApplyAway understands it; it is not an input of
// Decide, but for AwayHalted of a run that executes, which becomes the Action that ApplyAway returns.
type Away struct {
	Kind   AwayKind
	By     int64 // the instance that pushed this one out, or blocks it
	Kill   bool
	User   string
	Reason string
}

// ApplyAway ends a run that has not begun. A run that is terminal stays as it is; one that executes is left to the
// returned action, if any. changed tells whether the run's record is another now.
func ApplyAway(st *State, a Away, now int64) (changed bool, action *Action) {
	r := &st.Run
	if r.Status.Terminal() {
		return false, nil
	}
	if r.Executed {
		if a.Kind == AwayHalted {
			return false, &Action{Kind: ActionStop, User: StrategyAuthor,
				Reason: fmt.Sprintf("instance %d was started under run strategy LAST_ONLY", a.By)}
		}
		return false, nil
	}
	now = max(now, r.LastTime)
	from, to := r.Status, InstanceStopped
	at, line := now, timeline.Event{Timestamp: now, Type: timeline.Log, Level: timeline.Info}
	switch a.Kind {
	case AwayRejected:
		at = st.Body.CreateTime
		line.Timestamp = at
		line.Message = "not started: run strategy FIRST_ONLY finds another instance not terminal"
		if a.By != 0 {
			line.Message = fmt.Sprintf("not started: run strategy FIRST_ONLY finds instance %d not terminal", a.By)
		}
		r.StartTime = at
	case AwayReplaced, AwayHalted:
		line.Message = fmt.Sprintf("stopped in the queue: instance %d was started under run strategy LAST_ONLY", a.By)
		r.StartTime = at
	case AwaySuperseded:
		line.Message = fmt.Sprintf("stopped in the queue: instance %d is the latest under run strategy SERIAL_LATEST_ONLY", a.By)
	case AwayCancelled:
		line.Level = timeline.Warn
		verb := "stopped"
		if a.Kill {
			to, verb = InstanceFailed, "killed"
		}
		line.Message = fmt.Sprintf("%s in the queue by %s", verb, a.User)
		if a.Reason != "" {
			line.Message += ": " + a.Reason
		}
	case AwayFailed:
		// A quirk that clients see: the published change is from FAILED to FAILED, at the creation.
		from, to = InstanceFailed, InstanceFailed
		line.Timestamp = st.Body.CreateTime
		line.Message = "started, but the parameters could not be evaluated"
	default:
		return false, nil
	}
	r.Timeline = timeline.Append(r.Timeline, line)
	if a.Kind == AwayFailed && st.Body.StartFailure != nil {
		r.Timeline = timeline.Append(r.Timeline, *st.Body.StartFailure)
	}
	r.Status, r.EndTime, r.ModifyTime, r.LastTime = to, at, now, now
	if to == InstanceFailed {
		r.Failed = FailedBlocking
	}
	change := InstanceChange{From: from, To: to, Time: at}
	if a.Kind == AwayFailed {
		change.Time = st.Body.CreateTime
	}
	r.Changes = append(r.Changes, change)
	r.Seq++
	return true, nil
}

// Supersede notes on a FAILED run that a later run of its instance exists: it no longer blocks STRICT_SEQUENTIAL.
func Supersede(st *State) (changed bool) {
	if st.Run.Failed != FailedBlocking {
		return false
	}
	st.Run.Failed = FailedSuperseded
	st.Run.Seq++
	return true
}
