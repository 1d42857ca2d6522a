package ingest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/events"
)

const sample = `{"v":1,"mapping":{"name":"csv","workflow":"demo.load","version":"active","user":"downbeat","params":{
 "key":{"type":"STRING","from":"detail.object.key"},"size":{"type":"LONG","from":"detail.object.size"},
 "text":{"type":"STRING","from":"detail.object.size"},"gone":{"type":"STRING","from":"detail.absent.name"},
 "none":{"type":"STRING","from":"detail.nothing"},"mode":{"type":"STRING","value":"${key}"}}},
 "event":{"id":"e-1","source":"aws.s3","detail":{"nothing":null,"object":{"key":"in/$a ${b}.csv","size":12345678901234567}}}}`

func TestStart(t *testing.T) {
	m, ok, err := Parse([]byte(sample))
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	s, err := m.Start()
	if err != nil {
		t.Fatal(err)
	}
	if s.Workflow != "demo.load" || s.Version != "active" || s.Source != events.SourceS3 {
		t.Errorf("got %+v", s)
	}
	var body struct {
		Initiator struct{ Type, User string }
		RequestID string `json:"request_id"`
		RunParams map[string]struct {
			Type  string
			Value json.RawMessage
		} `json:"run_params"`
	}
	if err := json.Unmarshal(s.Body, &body); err != nil {
		t.Fatal(err)
	}
	if body.RequestID != s.RequestID || body.Initiator.Type != "manual" || body.Initiator.User != "downbeat" {
		t.Errorf("body %s", s.Body)
	}
	want := map[string]string{
		"key": `"in/$$a $${b}.csv"`, "size": "12345678901234567", "text": `"12345678901234567"`, "mode": `"${key}"`,
	}
	for name, value := range want {
		if got := string(body.RunParams[name].Value); got != value {
			t.Errorf("param %s: got %s, want %s", name, got, value)
		}
	}
	if len(body.RunParams) != len(want) {
		t.Errorf("absent and null members must leave their params out: %v", body.RunParams)
	}
	if err := json.Unmarshal(s.Body, &json.RawMessage{}); err != nil {
		t.Error(err)
	}
}

func TestRequestIDTellsStartsApart(t *testing.T) {
	id := func(mapping, event string) string {
		m, _, err := Parse([]byte(strings.NewReplacer(`"csv"`, `"`+mapping+`"`, `"e-1"`, `"`+event+`"`).Replace(sample)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := m.Start()
		if err != nil {
			t.Fatal(err)
		}
		return s.RequestID
	}
	if first, again := id("csv", "e-1"), id("csv", "e-1"); first != again {
		t.Error("one event delivered twice is two starts")
	}
	seen := map[string]bool{}
	for _, c := range [][2]string{{"csv", "e-1"}, {"csv", "e-2"}, {"other", "e-1"}, {"other", "e-2"}} {
		seen[id(c[0], c[1])] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d ids for 4 starts", len(seen))
	}
}

func TestParseFates(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		ok   bool
		fate events.Fate
	}{
		"another message": {`{"v":1,"wf":"a","req":"r","body":{}}`, false, events.FateDone},
		"not JSON":        {`rubbish`, false, events.FateDone},
		"newer":           {`{"v":2,"mapping":7,"event":{}}`, true, events.FateLater},
		"no format":       {`{"mapping":{},"event":{}}`, true, events.FateDrop},
		"no workflow":     {`{"v":1,"mapping":{"name":"a"},"event":{}}`, true, events.FateDrop},
	} {
		t.Run(name, func(t *testing.T) {
			_, ok, err := Parse([]byte(c.body))
			if ok != c.ok || events.FateOf(err) != c.fate {
				t.Errorf("got %v, %v", ok, err)
			}
		})
	}
	m, _, err := Parse([]byte(`{"v":1,"mapping":{"name":"a","workflow":"w","version":"active"},"event":{"source":"x"}}`))
	if err != nil {
		t.Fatal(err)
	}
	var unreadable *events.UnreadableError
	if _, err := m.Start(); !errors.As(err, &unreadable) {
		t.Errorf("an event without id: %v", err)
	}
}
