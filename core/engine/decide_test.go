package engine

import (
	"errors"
	"fmt"
	"testing"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/permit"
)

func stepsOf(t fataler, lines ...string) []testStep {
	var steps []testStep
	for _, line := range lines {
		steps = append(steps, parseTestStep(t, line))
	}
	return steps
}

// needyEnv lacks what it was not given.
type needyEnv struct {
	*testEnv
	given map[Key]bool
}

func (e needyEnv) Acquire(uuid string, tags []PermitTag) (Grant, error) {
	key := Key{Kind: KeyPermit, Name: uuid}
	if !e.given[key] {
		return Waiting, &NeedError{Keys: []Key{key}}
	}
	return e.testEnv.Acquire(uuid, tags)
}

func (e needyEnv) Blocked(stepID string, tags []PermitTag) (bool, error) {
	key := Key{Kind: KeyPermitState, Name: permit.HeadOf(tags[0].Name)}
	if !e.given[key] {
		return false, &NeedError{Keys: []Key{key}}
	}
	return e.testEnv.Blocked(stepID, tags)
}

func TestOneRoundAsksForAllThatIsNeeded(t *testing.T) { // P1
	lines := []string{}
	for i := range 40 {
		lines = append(lines, fmt.Sprintf("h%d Http", i), fmt.Sprintf("n%d", i))
	}
	body := testBody(t, stepsOf(t, lines...))
	env := needyEnv{newTestEnv(), map[Key]bool{}}
	_, err := Decide(NewState(body), []Input{Begin{}}, env)
	var need *NeedError
	if !errors.As(err, &need) {
		t.Fatalf("got %v, want a need", err)
	}
	if len(need.Keys) != 41 { // a permit for each Http, and one head for all NoOps
		t.Errorf("%d keys, want 41", len(need.Keys))
	}
	for _, k := range need.Keys {
		env.given[k] = true
	}
	st := NewState(body)
	d, err := Decide(st, []Input{Begin{}}, env)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Changed) != 80 || len(Launches(st)) != 40 {
		t.Errorf("%d changed, %d launches", len(d.Changed), len(Launches(st)))
	}
}

func TestBudgetEndsADecision(t *testing.T) {
	body := testBody(t, chain(10))
	env := newTestEnv()
	env.maxSteps = 4
	st := NewState(body)
	calls, in := 0, []Input{Begin{}}
	for {
		d, err := Decide(st, in, env)
		if err != nil {
			t.Fatal(err)
		}
		calls++
		in = nil
		st.Committed()
		if !d.More {
			break
		}
		if due := Due(st); due > env.now {
			t.Errorf("a run with more to do is due at %d, later than now", due)
		}
	}
	if calls != 3 || st.Run.Status != InstanceSucceeded {
		t.Errorf("%d calls, run %s; want 3, SUCCEEDED", calls, st.Run.Status)
	}
}

func TestTimeNeverRunsBackwards(t *testing.T) { // P2
	st := NewState(testBody(t, stepsOf(t, "a Http -> b", "b")))
	env := newTestEnv()
	if _, err := Decide(st, []Input{Begin{}}, env); err != nil {
		t.Fatal(err)
	}
	env.now -= 5000
	a := st.Steps[0].Latest
	if _, err := Decide(st, []Input{Result{StepUUID: a.UUID, Result: doneResult}}, env); err != nil {
		t.Fatal(err)
	}
	if a.Times.End != scriptEpoch || st.Run.EndTime != scriptEpoch {
		t.Errorf("ended at %d and %d, want %d", a.Times.End, st.Run.EndTime, int64(scriptEpoch))
	}
}

func TestExecuteTimeIsThatOfTheOutside(t *testing.T) {
	st := NewState(testBody(t, stepsOf(t, "a Http")))
	env := newTestEnv()
	if _, err := Decide(st, []Input{Begin{}}, env); err != nil {
		t.Fatal(err)
	}
	env.now += 6000
	a, result := st.Steps[0].Latest, doneResult
	result.RunningSince = scriptEpoch + 200
	if _, err := Decide(st, []Input{Result{StepUUID: a.UUID, Result: result}}, env); err != nil {
		t.Fatal(err)
	}
	if a.Times.Execute != scriptEpoch+200 || a.Times.End != scriptEpoch+6000 {
		t.Errorf("executed at %d, ended at %d", a.Times.Execute-scriptEpoch, a.Times.End-scriptEpoch)
	}
}

func TestActionsNobodyKnows(t *testing.T) {
	st := NewState(testBody(t, stepsOf(t, "a Sleep")))
	d, err := Decide(st, []Input{Begin{}, Action{Kind: ActionSkip}, Action{Kind: ActionPause, StepID: "a"}, Resume{StepID: "x"}, Resume{StepID: "a", AttemptID: 1}}, newTestEnv())
	if err != nil {
		t.Fatal(err)
	}
	for i, code := range []fault.Code{fault.BadRequest, fault.BadRequest, fault.NotFound, fault.NotFound} {
		if got := d.Answers[i].Err; got == nil || got.Code != code {
			t.Errorf("answer %d is %v, want %s", i, got, code)
		}
	}
}

func TestUnknownInputIsAnError(t *testing.T) {
	if _, err := Decide(NewState(testBody(t, stepsOf(t, "a"))), []Input{nil}, newTestEnv()); err == nil {
		t.Error("no error")
	}
}
