package engine

// The aggregated view: the latest result of every step over the runs of an instance (engine-json-and-events.md 6).

// Views gives the view of every step of the definition, in its order, with this run laid over the earlier ones.
func Views(st *State) []StepView {
	p := st.Body.compiled()
	cut := cutOff(st, p)
	views := make([]StepView, len(p.definition))
	for k, id := range p.definition {
		views[k] = stepView(st, cut, id)
	}
	return views
}

// viewOf gives the view of one step; false when the definition does not have it.
func viewOf(st *State, id string) (StepView, bool) {
	p := st.Body.compiled()
	for _, known := range p.definition {
		if known == id {
			return stepView(st, cutOff(st, p), id), true
		}
	}
	return StepView{}, false
}

// ViewOf gives the view of one step; it is NOT_CREATED for one that the definition does not have.
func ViewOf(st *State, id string) StepView {
	if v, ok := viewOf(st, id); ok {
		return v
	}
	return StepView{StepID: id, Status: StepNotCreated}
}

func stepView(st *State, cut []bool, id string) StepView {
	i, inside := st.Body.DAG.Ordinal(id)
	if inside {
		if a := st.Steps[i].Latest; a != nil {
			return StepView{StepID: id, RunID: st.Body.RunID, Status: a.Status, StartTime: a.Times.Start, EndTime: a.Times.End}
		}
		if !cut[i] {
			return StepView{StepID: id, Status: StepNotCreated} // it will run again
		}
	}
	if v, ok := st.Body.Baseline.Find(id); ok {
		return v
	}
	return StepView{StepID: id, Status: StepNotCreated}
}

// cutOff marks by ordinal the roots that this run does not execute by itself, as long as nobody restarts them, and
// everything below them.
func cutOff(st *State, p *plan) []bool {
	cut := make([]bool, len(p.steps))
	var mark func(i int)
	mark = func(i int) {
		if cut[i] {
			return
		}
		cut[i] = true
		for _, s := range p.steps[i].successors {
			if s >= 0 {
				mark(int(s))
			}
		}
	}
	for i := range p.steps {
		if p.steps[i].placeholder && st.Steps[i].Latest == nil {
			mark(i)
		}
	}
	return cut
}

// aggregateStatus is the status of the instance when a restart's own result is SUCCEEDED (engine.md 5.5).
func aggregateStatus(st *State) InstanceStatus {
	complete, timedOut, stopped := true, false, false
	for _, v := range Views(st) {
		switch {
		case v.Status.Complete():
			continue
		case v.Status.Retryable(), v.Status == StepFatallyFailed, v.Status == StepInternallyFailed:
			return InstanceFailed
		case v.Status == StepTimedOut:
			timedOut = true
		case v.Status == StepStopped:
			stopped = true
		}
		complete = false
	}
	switch {
	case timedOut:
		return InstanceTimedOut
	case stopped:
		return InstanceStopped
	case complete || st.Body.Baseline == nil:
		return InstanceSucceeded
	}
	return st.Body.Baseline.Status
}
