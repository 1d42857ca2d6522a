package step

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/downbeat/downbeat/core/sel"
)

const simStart = 1_700_000_000_000

func simCall(attempt, after int64, params ...any) Call {
	p := Params{}
	for i := 0; i < len(params); i += 2 {
		p[params[i].(string)] = Param{Result: params[i+1].(sel.Value)}
	}
	return Call{StepUUID: "uuid-1", AttemptID: attempt, StepParams: p, StartTime: simStart, Now: simStart + after}
}

func TestSimulatedJob(t *testing.T) {
	list := func(s ...string) sel.Value { return sel.Strings(s) }
	for name, c := range map[string]struct {
		call   Call
		start  State
		poll   State
		events []int64 // after the start
	}{
		"default, running":            {simCall(1, 999), Continue, Continue, []int64{1000}},
		"default, ended":              {simCall(1, 1000), Continue, Done, []int64{1000}},
		"nulls are defaults":          {simCall(1, 1000, "outcome", sel.Null(), "event", sel.NullOf(sel.TypeString), "job_duration", sel.Null()), Continue, Done, []int64{1000}},
		"duration":                    {simCall(1, 49, "job_duration", sel.Long(50)), Continue, Continue, []int64{50}},
		"no duration":                 {simCall(1, 0, "job_duration", sel.Long(0)), Continue, Done, []int64{0}},
		"first attempt":               {simCall(1, 1000, "outcome", list("USER_ERROR", "PLATFORM_ERROR", "DONE")), Continue, UserError, []int64{1000}},
		"second attempt":              {simCall(2, 1000, "outcome", list("USER_ERROR", "PLATFORM_ERROR", "DONE")), Continue, PlatformError, []int64{1000}},
		"attempts beyond the list":    {simCall(9, 1000, "outcome", list("USER_ERROR", "TIMED_OUT")), Continue, TimedOut, []int64{1000}},
		"outcome as a text":           {simCall(3, 1000, "outcome", sel.String("STOPPED")), Continue, Stopped, []int64{1000}},
		"lost":                        {simCall(1, 1000, "event", sel.String("LOST")), Continue, Done, nil},
		"early":                       {simCall(1, 0, "event", sel.String("EARLY")), Continue, Done, []int64{0}},
		"duplicate":                   {simCall(1, 1000, "event", sel.String("DUPLICATE")), Continue, Done, []int64{1000, 1000, 61000}},
		"duration of another type":    {simCall(1, 0, "job_duration", sel.String("5")), FatalError, FatalError, nil},
		"negative duration":           {simCall(1, 0, "job_duration", sel.Long(-1)), FatalError, FatalError, nil},
		"jitter too long":             {simCall(1, 0, "job_jitter", sel.Long(maxJobMillis+1)), FatalError, FatalError, nil},
		"unknown outcome":             {simCall(1, 0, "outcome", list("FINE")), FatalError, FatalError, nil},
		"an outcome that is no end":   {simCall(1, 0, "outcome", list("CONTINUE")), FatalError, FatalError, nil},
		"no outcomes":                 {simCall(1, 0, "outcome", list()), FatalError, FatalError, nil},
		"unknown event":               {simCall(1, 0, "event", sel.String("SOMETIMES")), FatalError, FatalError, nil},
		"outcome of a type unhandled": {simCall(1, 0, "outcome", sel.Long(1)), FatalError, FatalError, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Simulated{}
			started, err := s.Start(t.Context(), c.call)
			if err != nil || started.State != c.start || started.NextPollMillis != 0 {
				t.Fatalf("start: %+v, error %v, want %s", started, err, c.start)
			}
			polled, err := s.Poll(t.Context(), c.call)
			if err != nil || polled.State != c.poll || polled.NextPollMillis != 0 {
				t.Fatalf("poll: %+v, error %v, want %s", polled, err, c.poll)
			}
			var at []int64
			for _, e := range s.Events(c.call) {
				at = append(at, e.At-simStart)
				later := c.call
				later.Now = e.At
				if want, err := Check(t.Context(), s, later); err != nil || !reflect.DeepEqual(e.Result, want) {
					t.Errorf("event: %+v, want what a poll gives: %+v, error %v", e.Result, want, err)
				}
			}
			if !slices.Equal(at, c.events) {
				t.Errorf("events at %v, want %v", at, c.events)
			}
		})
	}
}

func TestSimulatedArtifacts(t *testing.T) {
	s := &Simulated{}
	started, err := s.Start(t.Context(), simCall(1, 5))
	if err != nil {
		t.Fatal(err)
	}
	ended, err := s.Poll(t.Context(), simCall(1, 4000))
	if err != nil {
		t.Fatal(err)
	}
	got := string(started.Artifacts.Merged(ended.Artifacts).object())
	if want := `{"downbeat_simulated":{"job_id":"sim-uuid-1","status":"DONE","end_time":1700000001000}}`; got != want {
		t.Errorf("artifacts: %s, want %s", got, want)
	}
}

func TestSimulatedStop(t *testing.T) {
	s := &Simulated{}
	for name, c := range map[string]struct {
		call   Call
		status string
	}{
		"running":       {simCall(1, 999), `"STOPPED"`},
		"ended":         {simCall(1, 1000), ""},
		"never started": {simCall(1, 0, "event", sel.String("?")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Terminate(t.Context(), s, c.call)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := r.Artifacts.Get(SimulatedArtifact)
			if ok != (c.status != "") || !strings.Contains(string(got), c.status) {
				t.Errorf("artifact %s, want status %s", got, c.status)
			}
		})
	}
}

func TestSimulatedHint(t *testing.T) {
	s := &Simulated{Hint: true}
	for after, want := range map[int64]int64{0: 1000, 400: 600, 999: 1, 1000: 0} {
		if r, err := s.Poll(t.Context(), simCall(1, after)); err != nil || r.NextPollMillis != want {
			t.Errorf("poll after %d ms: in %d ms, error %v, want %d", after, r.NextPollMillis, err, want)
		}
	}
	if r, err := s.Start(t.Context(), simCall(1, 2000)); err != nil || r.NextPollMillis != 1 {
		t.Errorf("a start after the end: in %d ms, error %v", r.NextPollMillis, err)
	}
}

// The answers change once, from CONTINUE to the outcome, and the jitter stays within its bound.
func TestSimulatedIsAFunctionOfItsCall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		duration, jitter := rapid.Int64Range(0, 5000).Draw(t, "duration"), rapid.Int64Range(0, 5000).Draw(t, "jitter")
		call := simCall(1, 0, "job_duration", sel.Long(duration), "job_jitter", sel.Long(jitter))
		call.StepUUID = rapid.String().Draw(t, "uuid")
		s := &Simulated{}
		events := s.Events(call)
		if len(events) != 1 || events[0].At < simStart+duration || events[0].At > simStart+duration+jitter {
			t.Fatalf("events: %+v", events)
		}
		for _, c := range []struct {
			now  int64
			want State
		}{{events[0].At - 1, Continue}, {events[0].At, Done}, {events[0].At + 1, Done}} {
			call.Now = c.now
			if r, err := s.Poll(t.Context(), call); err != nil || r.State != c.want {
				t.Fatalf("poll %d ms after the end: %s, error %v", c.now-events[0].At, r.State, err)
			}
		}
	})
}
