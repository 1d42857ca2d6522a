package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// reencode reads a sample by its file name's first word and writes it again.
func reencode(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var out []byte
	var err error
	switch kind, _, _ := strings.Cut(name, "-"); strings.TrimSuffix(kind, ".json") {
	case "poke":
		var p Poke
		if p, err = ParsePoke(data); err == nil {
			out = p.Encode()
		}
	case "work":
		var w Work
		if w, err = ParseWork(data); err == nil {
			out = w.Encode()
		}
	case "completion":
		var c Completion
		if c, err = ParseCompletion(data); err == nil {
			out, err = c.Encode()
		}
	case "start":
		var s Start
		if s, err = ParseStart(data); err == nil {
			out, err = s.Encode()
		}
	default:
		t.Fatalf("%s: no type for this sample", name)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

func TestQueueSamplesRoundTrip(t *testing.T) {
	files, err := filepath.Glob("testdata/queue/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("samples: %d, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.TrimSpace(data)
		if got := reencode(t, filepath.Base(file), want); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", file, got, want)
		}
	}
}

func TestQueueRefusals(t *testing.T) {
	poke := func(s string) error { _, err := ParsePoke([]byte(s)); return err }
	work := func(s string) error { _, err := ParseWork([]byte(s)); return err }
	completion := func(s string) error { _, err := ParseCompletion([]byte(s)); return err }
	start := func(s string) error { _, err := ParseStart([]byte(s)); return err }
	tests := []struct {
		name string
		read func(string) error
		in   string
		want Fate
	}{
		{"newer format", poke, `{"v":2,"kind":"run","wf":"w","i":1,"r":1}`, FateLater},
		{"newer format with members of other types", poke, `{"v":3,"kind":7,"wf":[1]}`, FateLater},
		{"newer work", work, `{"v":2}`, FateLater},
		{"newer completion", completion, `{"v":2}`, FateLater},
		{"newer start", start, `{"v":2}`, FateLater},
		{"unknown kind", poke, `{"v":1,"kind":"loop","wf":"w"}`, FateCount},
		{"no kind", poke, `{"v":1,"wf":"w"}`, FateCount},
		{"unknown operation", work, `{"v":1,"op":"pause","wf":"w","i":1,"r":1,"step":"s","a":1,"uuid":"u"}`, FateCount},
		{"not JSON", poke, `run w 1 1`, FateDrop},
		{"empty", poke, ``, FateDrop},
		{"no format number", poke, `{"kind":"run","wf":"w","i":1,"r":1}`, FateDrop},
		{"format number 0", poke, `{"v":0,"kind":"run","wf":"w","i":1,"r":1}`, FateDrop},
		{"fractional format number", poke, `{"v":1.5,"kind":"lane","wf":"w"}`, FateDrop},
		{"run without numbers", poke, `{"v":1,"kind":"run","wf":"w"}`, FateDrop},
		{"lane without workflow", poke, `{"v":1,"kind":"lane"}`, FateDrop},
		{"permit of nothing", poke, `{"v":1,"kind":"permit"}`, FateDrop},
		{"permit of both", poke, `{"v":1,"kind":"permit","wf":"w","tag":"t"}`, FateDrop},
		{"work without uuid", work, `{"v":1,"op":"poll","wf":"w","i":1,"r":1,"step":"s","a":1}`, FateDrop},
		{"work without run", work, `{"v":1,"op":"poll","wf":"w","step":"s","a":1,"uuid":"u"}`, FateDrop},
		{"work without attempt", work, `{"v":1,"op":"poll","wf":"w","i":1,"r":1,"step":"s","uuid":"u"}`, FateDrop},
		{"completion without result", completion, `{"v":1,"uuid":"u","wf":"w","i":1,"r":1}`, FateDrop},
		{"completion without uuid", completion, `{"v":1,"wf":"w","i":1,"r":1,"result":{}}`, FateDrop},
		{"start without request id", start, `{"v":1,"wf":"w","ver":"active","body":{}}`, FateDrop},
		{"start without body", start, `{"v":1,"wf":"w","ver":"active","req":"r"}`, FateDrop},
		{"a member that this format does not have", poke, `{"v":1,"kind":"lane","wf":"w","rev":9}`, FateDone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.read(tt.in)
			if got := FateOf(err); got != tt.want {
				t.Errorf("fate %d (%v), want %d", got, err, tt.want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n") {
				t.Errorf("error of several lines: %q", err)
			}
		})
	}
	if got := FateOf(errors.New("table throttled")); got != FateRetry {
		t.Errorf("fate of any other error: %d", got)
	}
}

func TestEncodeRefusesWhatIsNotJSON(t *testing.T) {
	if _, err := (Completion{UUID: "u", Result: json.RawMessage(`{`)}).Encode(); err == nil {
		t.Error("completion with a broken result was written")
	}
	if _, err := (Start{Workflow: "w"}).Encode(); err == nil {
		t.Error("start without a body was written")
	}
}
