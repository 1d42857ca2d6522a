package request

import (
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
)

func start(members string) []byte { return []byte(`{"initiator":{"type":"manual"},` + members + `}`) }

func TestStartArtifacts(t *testing.T) { // api.md 8.1: the type DEFAULT is the one that is meant without a type
	for in, want := range map[string]string{
		`{"type":"DEFAULT","k":"v"}`:       `{"k":"v"}`,
		`{"k":"v","type":"default","n":1}`: `{"k":"v","n":1}`,
		`{"n":1,"url":"x"}`:                `{"n":1,"url":"x"}`,
		`{"type":"TITUS","k":"v"}`:         `{"type":"TITUS","k":"v"}`,
		`{"nested":{"type":"DEFAULT"}}`:    `{"nested":{"type":"DEFAULT"}}`,
	} {
		r, err := Start(start(`"artifacts":{"a":`+in+`}`), 1)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got, _ := r.Artifacts.Get("a"); string(got) != want {
			t.Errorf("%s: kept as %s, want %s", in, got, want)
		}
	}
}

func TestStartRefusesRunParams(t *testing.T) { // parameters.md 17
	for run, want := range map[string]string{
		`{"Util":{"type":"LONG","value":1}}`:                                       "runParams [param definition] cannot use any of reserved param names - rejected value is [Util]",
		`{"p":{"type":"LONG","value":1,"source":"LAUNCH"}}`:                        "runParams [param definition] users cannot set param source for a param: p",
		`{"1p":{"type":"LONG","value":1}}`:                                         "runParams[1p].name [maestro id or name reference] does not follow the regex rule",
		`{"m":{"type":"MAP","value":{"a__b":{"type":"LONG","value":1}}}}`:          "runParams[m].value[a__b].name [maestro id or name reference] cannot contain the step param separator '__'",
		`{"p":{"type":"LONG","value":1,"tags":["a","a"]}}`:                         "runParams[p].tags [tag list definition] cannot contain duplicate tag names",
		`{"m":{"type":"MAP","value":{"x":{"type":"LONG","value":1,"tags":[""]}}}}`: "runParams[m].value[x].tags[0].name [maestro name] cannot be null or empty or blank spaces",
	} {
		_, err := Start(start(`"run_params":`+run), 1)
		if f := fault.Of(err); f == nil || len(f.Errors) != 1 || !strings.HasPrefix(f.Errors[0], want) {
			t.Errorf("%s: got %v, want %q", run, f, want)
		}
	}
	// Everything that is wrong is told.
	_, err := Start(start(`"runtime_tags":["x","x"],"run_params":{"util":{"type":"LONG","value":1},"1":{"type":"LONG","value":1}}`), 1)
	if f := fault.Of(err); f == nil || len(f.Errors) != 3 {
		t.Errorf("got %v", f)
	}
}

func TestInitiator(t *testing.T) { // api.md 21.7
	const uuid = `"trigger_uuid":"6f1c1b0e-9a55-4d8b-8f14-3d2f6f0b9b01"`
	for body, want := range map[string]string{
		`{"type":"Manual","depth":3,"user":"eve"}`:                                     "",
		`{"type":"TIME",` + uuid + `,"trigger_time":1,"timezone":"UTC","depth":0}`:     "",
		`{"type":"SIGNAL",` + uuid + `,"signal_id_map":{"s":1}}`:                       "",
		`{"type":"FOREACH","depth":7,"ancestors":[{"workflow_id":"w","step_id":"s"}]}`: "",
		`{"type":"manual","x":1}`:                                                      `Unrecognized field "x"`,
		`{"type":"manual","trigger_uuid":null}`:                                        `Unrecognized field "trigger_uuid"`,
		`{"type":"TIME",` + uuid + `,"trigger_time":1,"timezone":"UTC","user":"a"}`:    `Unrecognized field "user"`,
		`{"type":"FOREACH","ancestors":[{"workflow_id":"w","x":1}]}`:                   `Unrecognized field "x"`,
		`{"type":"unheard"}`: "Could not resolve type id 'unheard'",
		`{}`:                 "missing type id property 'type'",
	} {
		r, err := Start([]byte(`{"initiator":`+body+`}`), 1)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", body, err, want)
		}
		if strings.Contains(body, "eve") && r.Initiator.Depth != 3 {
			t.Errorf("depth %d", r.Initiator.Depth)
		}
	}
}

func TestStartRefusesSources(t *testing.T) {
	for _, source := range []string{"LAUNCH", "launch", "ci"} {
		_, err := Start(start(`"run_params":{"p":{"type":"LONG","value":1,"source":"`+source+`"}}`), 1)
		if err == nil {
			t.Errorf("source %q of a run param was taken", source)
		}
	}
	if _, err := Start(start(`"run_params":{"p":{"type":"LONG","value":1,"source":null}}`), 1); err != nil {
		t.Errorf("source null: %v", err)
	}
	if _, err := Start([]byte(`{}`), 1); err == nil || !strings.Contains(err.Error(), "Validation failure") {
		t.Errorf("no initiator: %v", err)
	}
}

func TestRestart(t *testing.T) {
	for _, c := range []struct {
		body     string
		ofStep   bool
		policy   engine.RunPolicy // of the instance, or below the step
		upstream string
		fails    bool
	}{
		{body: `{"restart_policy":"RESTART_FROM_INCOMPLETE"}`, policy: engine.RestartFromIncomplete},
		{body: `{"restart_policy":"RESTART_FROM_BEGINNING"}`, policy: engine.RestartFromBeginning},
		{body: `{"restart_policy":0}`, policy: engine.RestartFromIncomplete}, // api.md 1.2: ordinals are taken too
		{body: `{"restart_policy":1}`, policy: engine.RestartFromBeginning},
		{body: `{"restart_policy":2}`, fails: true},
		{body: `{"restart_policy":"restart_from_beginning"}`, fails: true},
		{body: `{"restart_policy":"RESTART_FROM_SPECIFIC"}`, fails: true},
		{body: `{"restart_policy":""}`, fails: true},
		{body: `{}`, fails: true},
		{body: `{"restart_policy":1,"artifacts":{}}`, fails: true},
		{body: `{"restart_policy":1,"step_run_params":{}}`, fails: true},
		{body: `{"restart_policy":1,"step_run_params":{}}`, ofStep: true, policy: engine.RestartFromBeginning},
		{body: `{"restart_policy":1,"run_params":{}}`, ofStep: true, fails: true},
		{body: `{"restart_policy":1,"upstream_restart_mode":"RESTART_FROM_INLINE_ROOT"}`, ofStep: true, policy: engine.RestartFromBeginning, upstream: "RESTART_FROM_INLINE_ROOT"},
		{body: `{"restart_policy":1,"upstream_restart_mode":null}`, ofStep: true, policy: engine.RestartFromBeginning},
		{body: `{"restart_policy":1,"upstream_restart_mode":"restart_from_step"}`, ofStep: true, fails: true},
	} {
		r, upstream, err := Restart([]byte(c.body), c.ofStep, 7)
		if c.fails {
			if fault.CodeOf(err) != fault.BadRequest {
				t.Errorf("%s: %v, want BAD_REQUEST", c.body, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		policy := r.Policy
		if c.ofStep {
			policy = r.DownstreamPolicy
		}
		if policy != c.policy || upstream != c.upstream || r.RequestTime != 7 {
			t.Errorf("%s: %s, %q, %d", c.body, policy, upstream, r.RequestTime)
		}
	}
}
