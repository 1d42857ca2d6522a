package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestPublishedSamplesRoundTrip(t *testing.T) {
	files, err := filepath.Glob("testdata/published/*.json")
	if err != nil || len(files) < 9 {
		t.Fatalf("samples: %d, %v", len(files), err)
	}
	types := map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.TrimSpace(data)
		e, err := ParsePublished(want)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		types[e.EventType()] = true
		var sent struct {
			SendTime int64 `json:"send_time"`
		}
		if err := json.Unmarshal(want, &sent); err != nil {
			t.Fatal(err)
		}
		got, err := EncodePublished(e, "test", sent.SendTime)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s (%v):\n got %s\nwant %s", file, err, got, want)
		}
	}
	if len(types) != 8 {
		t.Errorf("samples of %d types, want all 8", len(types))
	}
}

func TestPublishedIsNeverSentBeforeItWasStored(t *testing.T) {
	data, err := EncodePublished(DeletionChange{WorkflowID: "w", Stored: Stored{SyncTime: 20}}, "c", 10)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"workflow_id":"w","internal_id":0,"event_time":0,"cluster_name":"c","sync_time":20,"send_time":20,"type":"WORKFLOW_DELETION_CHANGE_EVENT"}`
	if string(data) != want {
		t.Errorf("got %s", data)
	}
}

func TestPublishedRefusals(t *testing.T) {
	var unknown *UnknownError
	if _, err := ParsePublished([]byte(`{"type":"SOMETHING_ELSE"}`)); !errors.As(err, &unknown) || unknown.Kind != "SOMETHING_ELSE" {
		t.Errorf("another type: %v", err)
	}
	for _, text := range []string{`{`, `{"type":"WORKFLOW_VERSION_CHANGE_EVENT","version_id":"x"}`} {
		var unreadable *UnreadableError
		if _, err := ParsePublished([]byte(text)); !errors.As(err, &unreadable) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := EncodePublished(PropertiesChange{Author: json.RawMessage(`{`)}, "c", 1); err == nil {
		t.Error("an author that is not JSON was written")
	}
}
