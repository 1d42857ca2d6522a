package request

import (
	"strings"
	"testing"
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
