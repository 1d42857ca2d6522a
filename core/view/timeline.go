package view

import (
	"sort"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/timeline"
)

// timeline writes the member `timeline`: the entries that are stored and those that are added, sorted by time. Entries of
// the same time keep the order stored before added.
func (w *writer) timeline(stored []timeline.Event, added []timeline.Event) {
	list := stored
	if len(added) > 0 {
		list = append(append(make([]timeline.Event, 0, len(stored)+len(added)), stored...), added...)
		sort.SliceStable(list, func(i, j int) bool { return list[i].Timestamp < list[j].Timestamp })
	}
	w.List("timeline")
	for _, e := range list {
		w.eventItem(e)
	}
	w.CloseList()
}

// runTimeline writes the timeline of a run. There is none while the run is queued: the first entry comes when it is
// dequeued, or ends without.
func (w *writer) runTimeline(st *engine.State, enriched bool) {
	switch {
	case len(st.Run.Timeline) == 0:
	case enriched:
		w.timeline(st.Run.Timeline, runStatuses(st))
	default:
		w.timeline(st.Run.Timeline, nil)
	}
}

// stepTimeline writes the timeline of an attempt. There is none, enriched or not, before the attempt is initialised,
// unless something was to be said (scenarios engine/workflow-timeout-in-backoff, signals/dependency-waits).
func (w *writer) stepTimeline(a *engine.Attempt, enriched bool) {
	switch {
	case len(a.Timeline) == 0 && a.Times.Initialize == 0:
	case enriched:
		w.timeline(a.Timeline, stepStatuses(a))
	default:
		w.timeline(a.Timeline, nil)
	}
}

// runStatuses are the entries that enrich the timeline of a run.
func runStatuses(st *engine.State) []timeline.Event {
	var out []timeline.Event
	add := func(at int64, status engine.InstanceStatus) {
		if at != 0 {
			out = append(out, timeline.StatusChange(at, status.String()))
		}
	}
	add(st.Body.CreateTime, engine.InstanceCreated)
	add(st.Run.StartTime, engine.InstanceInProgress)
	add(st.Run.EndTime, st.Run.Status)
	return out
}

// stepStatuses are the entries that enrich the timeline of an attempt: its statuses, and what happened to its signals.
func stepStatuses(a *engine.Attempt) []timeline.Event {
	out := make([]timeline.Event, 0, 12)
	for _, t := range times(&a.Times) {
		if t.at != 0 && t.status != engine.StepNotCreated {
			out = append(out, timeline.StatusChange(t.at, t.status.String()))
		}
	}
	if a.Times.End != 0 {
		out = append(out, timeline.StatusChange(a.Times.End, a.Status.String()))
	}
	if d := a.SignalDependencies; d != nil && d.Info != nil {
		out = append(out, *d.Info)
	}
	if o := a.SignalOutputs; o != nil && o.Info != nil {
		out = append(out, *o.Info)
	}
	return out
}

// timeOf is a time of an attempt under its name, with the status that it marks the beginning of.
type timeOf struct {
	name   string
	status engine.StepStatus // StepNotCreated: it marks none
	at     int64
}

// times are the times of an attempt in the order in which they are written.
func times(t *engine.Times) [11]timeOf {
	return [11]timeOf{
		{"create_time", engine.StepCreated, t.Create},
		{"initialize_time", engine.StepInitialized, t.Initialize},
		{"pause_time", engine.StepPaused, t.Pause},
		{"wait_signal_time", engine.StepWaitingForSignals, t.WaitSignal},
		{"evaluate_param_time", engine.StepEvaluatingParams, t.EvaluateParam},
		{"wait_permit_time", engine.StepWaitingForPermits, t.WaitPermit},
		{"start_time", engine.StepStarting, t.Start},
		{"execute_time", engine.StepRunning, t.Execute},
		{"finish_time", engine.StepFinishing, t.Finish},
		{"end_time", engine.StepNotCreated, t.End}, // the status that it ended in
		{"modify_time", engine.StepNotCreated, t.Modify},
	}
}

// runtimeState writes an attempt's status and times.
func (w *writer) runtimeState(k string, a *engine.Attempt) {
	w.Object(k)
	w.Str("status", a.Status.String())
	for _, t := range times(&a.Times) {
		w.LongIf(t.name, t.at)
	}
	w.Close()
}
