package step

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/timeline"
)

func artifacts(t *testing.T, text string) Artifacts {
	t.Helper()
	var a Artifacts
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("artifacts %s: %v", text, err)
	}
	return a
}

func TestArtifactsMerged(t *testing.T) {
	for name, c := range map[string]struct{ older, newer, want string }{
		"into nothing":                    {`{}`, `{"a":{"x":1}}`, `{"a":{"x":1}}`},
		"nothing":                         {`{"a":{"x":1}}`, `{}`, `{"a":{"x":1}}`},
		"default into default":            {`{"b":{},"a":{"x":1,"y":2}}`, `{"a":{"y":3,"z":4}}`, `{"b":{},"a":{"x":1,"y":3,"z":4}}`},
		"default with a spelled type":     {`{"a":{"x":1}}`, `{"a":{"type":"default","y":2}}`, `{"a":{"x":1,"type":"default","y":2}}`},
		"typed replaces default":          {`{"a":{"x":1}}`, `{"a":{"type":"HTTP"}}`, `{"a":{"type":"HTTP"}}`},
		"default replaces typed":          {`{"a":{"type":"HTTP"}}`, `{"a":{"x":1}}`, `{"a":{"x":1}}`},
		"typed replaces typed":            {`{"a":{"type":"HTTP","x":1}}`, `{"a":{"type":"HTTP","y":1}}`, `{"a":{"type":"HTTP","y":1}}`},
		"new keys come after the old":     {`{"b":{}}`, `{"a":{},"b":{"x":1}}`, `{"b":{"x":1},"a":{}}`},
		"a key that HTML would be unsafe": {`{"<&>":{}}`, `{"<&>":{"x":"<"}}`, `{"<&>":{"x":"<"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			older := artifacts(t, c.older)
			before := string(older.object())
			if got := string(older.Merged(artifacts(t, c.newer)).object()); got != c.want {
				t.Errorf("merged: %s, want %s", got, c.want)
			}
			if after := string(older.object()); after != before {
				t.Errorf("the older artifacts changed: %s", after)
			}
		})
	}
}

func TestArtifactsRefuseWhatIsNoObject(t *testing.T) {
	for _, text := range []string{`[]`, `1`, `"x"`, `{"a":`} {
		var a Artifacts
		if err := json.Unmarshal([]byte(text), &a); err == nil {
			t.Errorf("%s: read as %v", text, a)
		}
	}
}

func TestResultRoundTrip(t *testing.T) {
	want := Result{
		State: UserError, Running: true, Artifacts: artifacts(t, `{"z":{"type":"HTTP"},"a":{"x":[1]}}`),
		Timeline:       []timeline.Event{timeline.LineAt(4, timeline.Warn, "broken"), timeline.Line(5, "plain")},
		Output:         &Output{JobType: "Http", JobID: "u", Params: Artifacts{LongParam("n", 7, 9)}},
		NextPollMillis: 5,
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(data), `{"format":1,"state":"USER_ERROR","running":true,"artifacts":{"z":`) {
		t.Errorf("written: %s", data)
	}
	var got Result
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read: %+v, want %+v", got, want)
	}
}

func TestResultRefusesWhatItCannotRead(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		newer bool
	}{
		"newer format":  {`{"format":2,"state":"DONE"}`, true},
		"newer content": {`{"format":2,"state":{"deep":1}}`, true},
		"no format":     {`{"state":"DONE"}`, false},
		"no state":      {`{"format":1}`, false},
		"unknown state": {`{"format":1,"state":"done"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			var r Result
			err := json.Unmarshal([]byte(c.text), &r)
			if err == nil || errors.Is(err, pack.ErrNewer) != c.newer {
				t.Errorf("error: %v, want a newer format: %v", err, c.newer)
			}
		})
	}
	if _, err := json.Marshal(Result{}); err == nil {
		t.Error("a result without a state was written")
	}
}

func TestOutputCheck(t *testing.T) {
	fits := strings.Repeat("x", MaxOutputLength-len(`{}`)-len(string(Artifacts{StringParam("s", strings.Repeat("x", 1001), 1)}.object()))+1001)
	for name, c := range map[string]struct {
		out  Output
		want string // "" is no error
	}{
		"no job type":          {Output{JobID: "j", Params: Artifacts{LongParam("n", 1, 1)}}, "external_job_type"},
		"no job id":            {Output{JobType: "Http", Params: Artifacts{LongParam("n", 1, 1)}}, "external_job_id"},
		"empty":                {Output{JobType: "Http", JobID: "j"}, "param or an artifact"},
		"an artifact alone":    {Output{JobType: "Http", JobID: "j", Artifacts: Artifacts{{"a", []byte(`{}`)}}}, ""},
		"the longest":          {Output{JobType: "Http", JobID: "j", Params: Artifacts{StringParam("s", fits, 1)}}, ""},
		"one above the bound":  {Output{JobType: "Http", JobID: "j", Params: Artifacts{StringParam("s", fits+"x", 1)}}, "750000"},
		"counted as in UTF-16": {Output{JobType: "Http", JobID: "j", Params: Artifacts{StringParam("s", fits[:len(fits)-1]+"😀", 1)}}, "750000"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.out.Check()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error: %v, want %q", err, c.want)
			}
		})
	}
}

func TestParamForms(t *testing.T) {
	at := strings.Repeat("a", 1000)
	for name, c := range map[string]struct {
		got  Artifact
		want string
	}{
		"long":               {LongParam("n", -3, 7), `{"value":-3,"type":"LONG","evaluated_result":-3,"evaluated_time":7}`},
		"short text":         {StringParam("s", "a<\"\n", 7), `{"value":"a<\"\n","type":"STRING","evaluated_result":"a<\"\n","evaluated_time":7}`},
		"1000 characters":    {StringParam("s", at, 7), `{"value":"` + at + `","type":"STRING","evaluated_result":"` + at + `","evaluated_time":7}`},
		"1001 characters":    {StringParam("s", at+"b", 7), `{"value":"` + Identical + `","type":"STRING","evaluated_result":"` + at + `b","evaluated_time":7}`},
		"999 and a pair":     {StringParam("s", at[1:]+"😀", 7), `{"value":"` + Identical + `","type":"STRING","evaluated_result":"` + at[1:] + `😀","evaluated_time":7}`},
		"array of strings":   {StringArrayParam("a", []string{"x", "y"}, 7), `{"value":["` + Identical + `"],"type":"STRING_ARRAY","evaluated_result":["x","y"],"evaluated_time":7}`},
		"empty array":        {StringArrayParam("a", nil, 7), `{"value":["` + Identical + `"],"type":"STRING_ARRAY","evaluated_result":[],"evaluated_time":7}`},
		"text that is empty": {StringParam("s", "", 7), `{"value":"","type":"STRING","evaluated_result":"","evaluated_time":7}`},
	} {
		t.Run(name, func(t *testing.T) {
			if string(c.got.JSON) != c.want {
				t.Errorf("param: %s, want %s", c.got.JSON, c.want)
			}
		})
	}
}

// scripted answers what it was given.
type scripted struct {
	start, poll, stop Result
	startErr, pollErr error
	polled            []Call
}

func (s *scripted) Start(context.Context, Call) (Result, error) { return s.start, s.startErr }
func (s *scripted) Stop(context.Context, Call) (Result, error)  { return s.stop, nil }
func (s *scripted) Poll(_ context.Context, c Call) (Result, error) {
	s.polled = append(s.polled, c)
	return s.poll, s.pollErr
}

func TestLaunch(t *testing.T) {
	lost := errors.New("connection lost")
	job := Artifacts{{"job", []byte(`{"id":1}`)}}
	for name, c := range map[string]struct {
		rt      scripted
		want    Result
		wantErr bool
		polls   int
	}{
		"running":          {scripted{start: Result{State: Continue, Artifacts: job}}, Result{State: Continue, Running: true, RunningSince: 7, Artifacts: job}, false, 0},
		"refused at start": {scripted{start: Result{State: UserError}}, Result{State: UserError}, false, 0},
		"start repeated":   {scripted{startErr: lost}, Result{}, true, 0},
		"done at once": {
			scripted{start: Result{State: Done, Artifacts: job, Timeline: []timeline.Event{timeline.Line(1, "a")}}, poll: Result{State: Done, Artifacts: Artifacts{{"job", []byte(`{"x":2}`)}}, Timeline: []timeline.Event{timeline.Line(2, "b")}}},
			Result{State: Done, Running: true, RunningSince: 7, Artifacts: Artifacts{{"job", []byte(`{"id":1,"x":2}`)}}, Timeline: []timeline.Event{timeline.Line(1, "a"), timeline.Line(2, "b")}}, false, 1,
		},
		"failed after the start": {scripted{start: Result{State: Done}, poll: Result{State: FatalError}}, Result{State: FatalError, Running: true, RunningSince: 7}, false, 1},
		"first poll lost": {
			scripted{start: Result{State: Done, Artifacts: job}, pollErr: lost},
			Result{State: Continue, Running: true, RunningSince: 7, Artifacts: job, NextPollMillis: launchPollMillis}, false, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Launch(t.Context(), &c.rt, Call{Now: 7})
			if (err != nil) != c.wantErr {
				t.Fatalf("error: %v", err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("result: %+v, want %+v", got, c.want)
			}
			if len(c.rt.polled) != c.polls {
				t.Fatalf("polled %d times, want %d", len(c.rt.polled), c.polls)
			}
			if c.polls > 0 && !reflect.DeepEqual(c.rt.polled[0].Artifacts, c.rt.start.Artifacts) {
				t.Errorf("the poll saw the artifacts %v, want those of the start", c.rt.polled[0].Artifacts)
			}
		})
	}
}

func TestCheckMarksTheAttemptAsRunning(t *testing.T) {
	got, err := Check(t.Context(), &scripted{poll: Result{State: UserError}}, Call{})
	if err != nil || !got.Running {
		t.Errorf("result: %+v, error %v", got, err)
	}
}

func TestTerminateTakesNothingButStopped(t *testing.T) {
	for s := Continue; s <= TimedOut; s++ {
		_, err := Terminate(t.Context(), &scripted{stop: Result{State: s}}, Call{StepUUID: "u"})
		if (err == nil) != (s == Stopped) {
			t.Errorf("%s: error %v", s, err)
		}
	}
}
