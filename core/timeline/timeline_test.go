package timeline

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
)

func TestAppendDropsRepetitionsOfTheLastEntry(t *testing.T) { // engine-json-and-events.md 4.1
	one, two := int64(1), int64(2)
	for _, c := range []struct {
		name string
		a, b Event
		same bool
	}{
		{"log, other time", Line(1, "x"), Line(2, "x"), true},
		{"log, default level", Event{Type: Log, Message: "x"}, Line(2, "x"), true},
		{"log, other level", Line(1, "x"), LineAt(1, Warn, "x"), false},
		{"log, other message", Line(1, "x"), Line(1, "y"), false},
		{"status", StatusChange(1, "RUNNING"), StatusChange(2, "RUNNING"), true},
		{"status, other", StatusChange(1, "RUNNING"), StatusChange(1, "PAUSED"), false},
		{"details", Failure(1, "m", "e"), Failure(2, "m", "e"), true},
		{"details, other errors", Failure(1, "m", "e"), Failure(1, "m", "f"), false},
		{"action", Event{Type: Action, Author: "ann", Number: &one}, Event{Type: Action, Author: "ann", Number: &one}, true},
		{"action, other number", Event{Type: Action, Number: &one}, Event{Type: Action, Number: &two}, false},
		{"other type", Line(1, "x"), Failure(1, "x"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := 2
			if c.same {
				want = 1
			}
			if got := len(Append(nil, c.a, c.b)); got != want {
				t.Errorf("%d entries, want %d", got, want)
			}
		})
	}
	if got := len(Append(nil, Line(1, "x"), Line(2, "y"), Line(3, "x"))); got != 3 {
		t.Errorf("only the last entry counts: %d entries, want 3", got)
	}
}

func TestAppendKeepsTheNewest(t *testing.T) {
	var list []Event
	for i := range int64(40) {
		list = Append(list, Line(i, "line %d", i))
	}
	if len(list) != Limit || list[0].Timestamp != 8 || list[31].Timestamp != 39 {
		t.Errorf("%d entries from %d to %d, want 32 from 8 to 39", len(list), list[0].Timestamp, list[len(list)-1].Timestamp)
	}
}

func TestAppendLeavesFullTimelinesThatWereHandedOut(t *testing.T) {
	var list []Event
	for i := range int64(Limit) {
		list = Append(list, Line(i, "line %d", i))
	}
	before := fmt.Sprint(list)
	Append(list, Line(99, "new"))
	if fmt.Sprint(list) != before {
		t.Error("the old slice changed")
	}
}

func TestJSON(t *testing.T) {
	n := int64(3)
	for _, c := range []struct {
		event Event
		want  string
	}{
		{Line(5, "hello %d", 1), `{"timestamp":5,"type":"LOG","level":"INFO","message":"hello 1"}`},
		{Failure(5, "m", "a", "b"), `{"timestamp":5,"type":"DETAILS","status":"INTERNAL_ERROR","message":"m","errors":["a","b"],"retryable":false}`},
		{StatusChange(5, "PAUSED"), `{"timestamp":5,"type":"STATUS","status":"PAUSED"}`},
		{Event{Timestamp: 5, Type: Action, Action: "STOP", Author: "ann", Message: "m", Reason: "r", Number: &n},
			`{"timestamp":5,"type":"ACTION","action":"STOP","author":"ann","message":"m","reason":"r","info":3}`},
		{Event{Timestamp: 5, Type: Milestone, Status: "DONE", MilestoneType: "CMB_JOB", SourceID: "s", Text: "t"},
			`{"timestamp":5,"type":"MILESTONE","status":"DONE","milestone_type":"CMB_JOB","source_id":"s","info":"t"}`},
	} {
		got, err := json.Marshal(c.event)
		if err != nil || string(got) != c.want {
			t.Errorf("got  %s (%v)\nwant %s", got, err, c.want)
		}
		var back Event
		if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, c.event) {
			t.Errorf("read back %+v (%v), want %+v", back, err, c.event)
		}
	}
	for _, bad := range []string{`{"type":"X"}`, `{"type":"ACTION","info":"x"}`, `{"type":"MILESTONE","info":1}`, `{}`} {
		if err := json.Unmarshal([]byte(bad), &Event{}); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestDelay(t *testing.T) { // engine.md 12.2
	for seconds, want := range map[int64]string{0: "0s", 1: "1s", 60: "1m", 120: "2m", 90: "1m 30s", 3600: "1h", 86400: "1d", 3661: "1h 1m 1s"} {
		if got := Delay(seconds); got != want {
			t.Errorf("Delay(%d) = %q, want %q", seconds, got, want)
		}
	}
}
