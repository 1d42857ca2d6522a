package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/downbeat/downbeat/core/step"
)

// legal are the transitions of an attempt (engine.md 4.3). Ends by action are possible from every live status.
var legal = map[StepStatus][]StepStatus{
	StepNotCreated:        {StepCreated},
	StepCreated:           {StepUnsatisfied, StepSkipped, StepInitialized},
	StepInitialized:       {StepPaused, StepWaitingForSignals, StepSkipped},
	StepPaused:            {StepWaitingForSignals, StepSkipped},
	StepWaitingForSignals: {StepEvaluatingParams, StepSkipped},
	StepEvaluatingParams:  {StepWaitingForPermits},
	StepWaitingForPermits: {StepStarting, StepSkipped},
	StepStarting:          {StepRunning, StepUserFailed, StepPlatformFailed, StepTimeoutFailed, StepSkipped},
	StepRunning:           {StepFinishing, StepUserFailed, StepPlatformFailed, StepTimeoutFailed, StepSkipped},
	StepFinishing:         {StepSucceeded, StepTimeoutFailed},
	StepFatallyFailed:     {StepCompletedWithError},
	StepUserFailed:        {StepFatallyFailed}, // the output data forbids the retry
	StepPlatformFailed:    {StepFatallyFailed},
}

func legalChange(from, to StepStatus) bool {
	for _, s := range legal[from] {
		if s == to {
			return true
		}
	}
	switch to {
	case StepInternallyFailed:
		return !from.Terminal() || from.Complete() // the edges of a complete step may fail
	case StepStopped, StepFatallyFailed, StepTimedOut:
		return !from.Terminal() && from != StepNotCreated
	}
	return false
}

// randomSteps draws a DAG of mixed steps: edges lead from earlier to later ones.
func randomSteps(t *rapid.T) []testStep {
	n := rapid.IntRange(1, 9).Draw(t, "steps")
	var steps []testStep
	for i := range n {
		line := fmt.Sprintf("s%d ", i)
		line += rapid.SampledFrom([]string{"", "Http", "Http retries=1", "Http timeout=60 timeouts=1", "Sleep sleep=10", "Sleep sleep=0", "Titus"}).Draw(t, "type")
		line += rapid.SampledFrom([]string{"", "", " mode=ignore", " mode=now"}).Draw(t, "mode")
		line += rapid.SampledFrom([]string{"", "", " tags=x"}).Draw(t, "tag")
		sep := " -> "
		for j := i + 1; j < n; j++ {
			if rapid.IntRange(0, 2).Draw(t, "edge") == 0 {
				line += sep + fmt.Sprintf("s%d", j) + rapid.SampledFrom([]string{"", "", "[false]", "[bad]"}).Draw(t, "condition")
				sep = ", "
			}
		}
		steps = append(steps, parseTestStep(t, line))
	}
	return steps
}

// randomInput draws something that happens to the run.
func randomInput(t *rapid.T, st *State, paused bool) Input {
	kind := rapid.IntRange(0, 9).Draw(t, "input")
	i := rapid.IntRange(0, len(st.Steps)-1).Draw(t, "step")
	a := st.Steps[i].Latest
	id := st.Body.DAG.Nodes[i].ID
	switch {
	case kind <= 5 && a != nil && a.Outside:
		state := rapid.SampledFrom([]step.State{step.Continue, step.Done, step.Done, step.UserError, step.PlatformError, step.FatalError, step.Stopped, step.TimedOut}).Draw(t, "state")
		return Result{StepUUID: a.UUID, Result: step.Result{State: state, Running: rapid.Bool().Draw(t, "running")}}
	case kind == 6 && a != nil && a.Status == StepPaused:
		return Resume{StepID: a.StepID, AttemptID: a.AttemptID}
	case kind == 7:
		action := rapid.SampledFrom([]ActionKind{ActionStop, ActionKill, ActionSkip, ActionRestart, ActionBypass}).Draw(t, "action")
		return Action{Kind: action, StepID: id, User: "ann"}
	case kind == 8:
		return Action{Kind: rapid.SampledFrom([]ActionKind{ActionPause, ActionResume, ActionResume, ActionUnblock}).Draw(t, "run action"), User: "ann"}
	case kind == 9 && rapid.IntRange(0, 9).Draw(t, "end") == 0:
		return Action{Kind: rapid.SampledFrom([]ActionKind{ActionStop, ActionKill}).Draw(t, "end action"), User: "ann"}
	}
	return Tick{}
}

// copyState is a state with attempts of its own, as a load from records gives it.
func copyState(st *State) *State {
	c := &State{Body: st.Body, Run: st.Run, Steps: make([]StepState, len(st.Steps))}
	c.Run.Timeline = append(c.Run.Timeline[:0:0], c.Run.Timeline...)
	c.Run.Changes = append(c.Run.Changes[:0:0], c.Run.Changes...)
	if e := st.Run.Ending; e != nil {
		clone := *e
		c.Run.Ending = &clone
	}
	for i := range st.Steps {
		if a := st.Steps[i].Latest; a != nil {
			b := *a
			b.Edges = append(b.Edges[:0:0], b.Edges...)
			b.Timeline = append(b.Timeline[:0:0], b.Timeline...)
			b.Changes = append(b.Changes[:0:0], b.Changes...)
			if a.Ending != nil {
				clone := *a.Ending
				b.Ending = &clone
			}
			c.Steps[i].Latest = &b
		}
	}
	return c
}

// comparable is what must be equal of two states that were decided in different slices.
func comparable(t fataler, st *State) string {
	run := st.Run
	run.Seq, run.Changes = 0, nil
	list := []any{run}
	for i := range st.Steps {
		if a := st.Steps[i].Latest; a != nil {
			b := *a
			b.Changes = nil
			list = append(list, b, string(a.Params.AppendJSON(nil)))
			for _, e := range a.Edges {
				if e.Param != nil {
					list = append(list, string(e.Param.AppendJSON(nil)))
				}
			}
		}
	}
	text := ""
	for _, v := range list {
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text += string(line) + "\n"
	}
	return text
}

// sliced decides in slices of one step and returns all changed attempts by uuid.
func sliced(t *rapid.T, st *State, in []Input, env *testEnv) map[string]bool {
	changed := map[string]bool{}
	one := *env
	one.maxSteps = 1
	var released []string // only after the last slice, as in one go
	defer func() {
		for _, uuid := range released {
			delete(env.holders, uuid)
		}
	}()
	for {
		d, err := Decide(st, in, &one)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range d.Changed {
			changed[a.UUID] = true
		}
		released = append(released, d.Released...)
		st.Committed()
		if !d.More {
			return changed
		}
		in = nil
	}
}

func TestRandomRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		env := newTestEnv()
		env.limits["x"] = rapid.IntRange(0, 2).Draw(t, "limit")
		body := testBody(t, randomSteps(t))
		if rapid.IntRange(0, 3).Draw(t, "timeout") == 0 {
			body.TimeoutMillis = 100_000
		}
		randomRun(t, env, body)
		for n := range rapid.IntRange(0, 2).Draw(t, "restarts") {
			body = randomRestart(t, env, body, n)
			if body == nil {
				break
			}
			randomRun(t, env, body)
		}
	})
}

// randomRestart plans a restart of the run that env.last holds; nil when it is refused.
func randomRestart(t *rapid.T, env *testEnv, body *Body, n int) *Body {
	request := RestartRequest{
		Policy:    rapid.SampledFrom([]RunPolicy{RestartFromIncomplete, RestartFromBeginning, RestartFromSpecific, RestartCustomizedRun}).Draw(t, "policy"),
		RequestID: fmt.Sprintf("restart-%d", n),
	}
	views := Views(env.last)
	id := views[rapid.IntRange(0, len(views)-1).Draw(t, "restarted")].StepID
	switch request.Policy {
	case RestartFromSpecific:
		request.StepID, request.Skip = id, rapid.Bool().Draw(t, "skip")
	case RestartCustomizedRun:
		request.Selection.Start = []string{id}
	}
	next, err := PlanRestart(env.last, request, env)
	if err != nil {
		return nil
	}
	for i := range env.last.Steps {
		if a := env.last.Steps[i].Latest; a != nil {
			env.earlier[a.StepID] = a
		}
	}
	next.Number(1, body.RunID+1)
	// What is complete and not in the run's DAG keeps its result.
	for _, v := range views {
		if _, inside := next.DAG.Ordinal(v.StepID); !inside && v.Status.Complete() {
			if after, _ := viewOf(NewState(next), v.StepID); after != v {
				t.Fatalf("%+v became %+v", v, after)
			}
		}
	}
	return next
}

// randomRun lets a run live at random and then come to its end; it is env.last then.
func randomRun(t *rapid.T, env *testEnv, body *Body) {
	env.breakpoints["s1"] = rapid.IntRange(0, 3).Draw(t, "breakpoint") == 0
	st := NewState(body)
	env.last = st
	statuses := map[string]StepStatus{} // by step uuid
	decide := func(in ...Input) *Decision {
		before := copyState(st)
		other := *env
		other.holders = maps.Clone(env.holders)
		d, err := Decide(st, in, env)
		if err != nil {
			t.Fatal(err)
		}
		// Slices decide the same.
		slices := copyState(before)
		changed := sliced(t, slices, in, &other)
		if got, want := comparable(t, slices), comparable(t, st); got != want {
			t.Fatalf("slices decide differently: %s", firstDifference(want, got))
		}
		for _, a := range d.Changed {
			if !changed[a.UUID] {
				t.Fatalf("%s#%d changed in one go only", a.StepID, a.AttemptID)
			}
		}
		for _, uuid := range d.Released {
			delete(env.holders, uuid)
		}
		for _, a := range d.Changed {
			last := statuses[a.UUID]
			for _, c := range a.Changes {
				if c.From != last || !legalChange(c.From, c.To) {
					t.Fatalf("%s#%d: %s > %s after %s", a.StepID, a.AttemptID, c.From, c.To, last)
				}
				last = c.To
			}
			if last != a.Status {
				t.Fatalf("%s#%d is %s, its changes end in %s", a.StepID, a.AttemptID, a.Status, last)
			}
			statuses[a.UUID] = last
		}
		for _, c := range st.Run.Changes {
			if c.From.Terminal() {
				t.Fatalf("run %s > %s", c.From, c.To)
			}
		}
		st.Committed()
		if fmt.Sprint(other.holders) != fmt.Sprint(env.holders) {
			t.Fatalf("slices hold %v, one go %v", other.holders, env.holders)
		}
		// What was folded is folded: results change nothing when they come again.
		again := copyState(st)
		var results []Input
		for _, input := range in {
			if r, ok := input.(Result); ok && r.State != step.Continue {
				results = append(results, r)
			}
			if b, ok := input.(Begin); ok {
				results = append(results, b)
			}
		}
		other = *env
		other.holders = maps.Clone(env.holders)
		if _, err := Decide(again, results, &other); err != nil {
			t.Fatal(err)
		}
		quiet := copyState(st)
		other.holders = maps.Clone(env.holders)
		if _, err := Decide(quiet, nil, &other); err != nil {
			t.Fatal(err)
		}
		if got, want := comparable(t, again), comparable(t, quiet); got != want {
			t.Fatalf("inputs that came again: %s", firstDifference(want, got))
		}
		checkInvariants(t, st, env)
		return d
	}
	decide(Begin{})
	for range rapid.IntRange(0, 25).Draw(t, "inputs") {
		if st.Run.Status.Terminal() {
			break
		}
		env.now += rapid.SampledFrom([]int64{0, 1, 1000, 15_000, 61_000}).Draw(t, "wait")
		decide(randomInput(t, st, false))
	}
	// Once nothing disturbs any more, every run ends.
	env.limits["x"] = 100
	env.breakpoints = map[string]bool{}
	for round := 0; !st.Run.Status.Terminal(); round++ {
		if round > 400 {
			t.Fatalf("the run does not end:\n%s", comparable(t, st))
		}
		var in []Input
		if st.Run.Status == InstancePaused {
			in = append(in, Action{Kind: ActionResume})
		}
		for i := range st.Steps {
			if a := st.Steps[i].Latest; a != nil && !a.Status.Terminal() {
				switch {
				case a.Status == StepPaused:
					in = append(in, Resume{StepID: a.StepID, AttemptID: a.AttemptID})
				case a.Outside:
					in = append(in, Result{StepUUID: a.UUID, Result: step.Result{State: step.Done, Running: true}})
				}
			}
		}
		decide(in...)
		env.now = max(env.now, Due(st))
	}
	if Due(st) != 0 || len(Launches(st)) != 0 || len(Terminations(st)) != 0 {
		t.Fatalf("an ended run still wants something: due %d", Due(st))
	}
	if len(env.holders) != 0 {
		t.Fatalf("permits are held after the end: %v", env.holders)
	}
}

func checkInvariants(t *rapid.T, st *State, env *testEnv) {
	if st.Run.Status.Terminal() {
		for i := range st.Steps {
			if a := st.Steps[i].Latest; a != nil && (!a.Status.Terminal() || a.Status.Retryable()) {
				t.Fatalf("the run is %s with %s %s", st.Run.Status, a.StepID, a.Status)
			}
		}
		return
	}
	if st.Run.Executed && Due(st) <= 0 {
		t.Fatal("a running run without due")
	}
	for i := range st.Steps {
		a := st.Steps[i].Latest
		if a == nil {
			continue
		}
		if a.HoldsPermit == a.Status.Terminal() && a.HoldsPermit {
			t.Fatalf("%s is %s and holds a permit", a.StepID, a.Status)
		}
		if _, held := env.holders[a.UUID]; held && a.Status.Terminal() {
			t.Fatalf("%s is %s and its permit is not released", a.StepID, a.Status)
		}
		if a.Status.Terminal() != (a.Times.End != 0) {
			t.Fatalf("%s is %s, end %d", a.StepID, a.Status, a.Times.End)
		}
		for _, e := range a.Edges {
			if a.Status.Complete() && e.Param == nil {
				t.Fatalf("%s is %s with an edge to %s that is not evaluated", a.StepID, a.Status, e.To)
			}
		}
	}
}

func TestStepUUIDIsDeterministicAndDistinct(t *testing.T) {
	body := testBody(t, []testStep{parseTestStep(t, "a")})
	seen := map[string]bool{}
	for _, id := range []string{"a", "b", "a1"} {
		for n := int64(1); n < 4; n++ {
			u := StepUUID(body, id, n)
			if u != StepUUID(body, id, n) || len(u) != 36 || u[14] != '4' || seen[u] {
				t.Errorf("StepUUID(%s, %d) = %s", id, n, u)
			}
			seen[u] = true
		}
	}
	if !reflect.DeepEqual(len(seen), 9) {
		t.Error("not distinct")
	}
}
