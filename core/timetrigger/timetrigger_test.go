package timetrigger

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
)

// at reads a time of 2025-01-01, or a full one.
func at(t *testing.T, text string) int64 {
	t.Helper()
	if len(text) == len("15:04:05") {
		text = "2025-01-01T" + text + "Z"
	}
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v.UnixMilli()
}

// cron is a trigger by its text: `cron`, `cron @ zone`, or `@daily @ zone`.
func cron(text string) definition.TimeTrigger {
	expr, zone, found := strings.Cut(text, " @ ")
	out := definition.TimeTrigger{Type: definition.CronTrigger, Cron: &expr}
	if strings.HasPrefix(expr, "@") {
		out = definition.TimeTrigger{Type: definition.PredefinedTrigger, Expression: expr}
	}
	if found {
		out.Timezone = &zone
	}
	return out
}

func triggers(t *testing.T, texts ...string) *Triggers {
	t.Helper()
	w := &definition.Workflow{ID: "w"}
	for _, c := range texts {
		w.TimeTriggers = append(w.TimeTriggers, cron(c))
	}
	tr, err := Of(w)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// shown are fires as text: trigger and time.
func shown(fires []Fire) string {
	var list []string
	for _, f := range fires {
		list = append(list, fmt.Sprintf("%d %s", f.Trigger, time.UnixMilli(f.Time).UTC().Format("02T15:04:05")))
	}
	return strings.Join(list, ", ")
}

// TestDue: which fires a look at a schedule finds, and when the next look is due.
func TestDue(t *testing.T) { // time-triggers.md 8
	for _, c := range []struct {
		rule     string
		triggers []string
		mark     string
		now      string
		limit    int
		want     string
		next     string // after these fires; "" for never
	}{
		{"nothing before its time", []string{"0 9 * * *"}, "08:00:00", "08:59:59", 10, "", "2025-01-01T09:00:00Z"},
		{"due at its time", []string{"0 9 * * *"}, "08:00:00", "09:00:00", 10, "0 01T09:00:00", "2025-01-02T09:00:00Z"},
		{"what was handled is not due again", []string{"0 9 * * *"}, "09:00:00", "09:00:01", 10, "", "2025-01-02T09:00:00Z"},
		{"every missed fire in time order", []string{"0 * * * *"}, "08:30:00", "11:30:00", 10, "0 01T09:00:00, 0 01T10:00:00, 0 01T11:00:00", "2025-01-01T12:00:00Z"},
		{"all triggers together", []string{"0 * * * *", "30 9 * * *"}, "08:30:00", "10:00:00", 10, "0 01T09:00:00, 1 01T09:30:00, 0 01T10:00:00", "2025-01-01T11:00:00Z"},
		{"two triggers at one second", []string{"0 * * * *", "0 9 * * *"}, "08:30:00", "09:00:00", 10, "0 01T09:00:00, 1 01T09:00:00", "2025-01-01T10:00:00Z"},
		{"the limit keeps no trigger back", []string{"*/2 * * * *", "5 9 * * *"}, "09:00:00", "10:00:00", 3, "0 01T09:02:00, 0 01T09:04:00, 1 01T09:05:00", "2025-01-01T09:06:00Z"},
		{"in its zone", []string{"0 9 * * * @ Asia/Tokyo"}, "2024-12-31T00:00:00Z", "00:00:00", 10, "0 01T00:00:00", "2025-01-02T00:00:00Z"},
		{"predefined", []string{"@hourly"}, "08:30:00", "09:00:00", 10, "0 01T09:00:00", "2025-01-01T10:00:00Z"},
		{"never", []string{"0 0 30 2 *"}, "08:30:00", "2027-01-01T00:00:00Z", 10, "", ""},
		{"one that never fires beside one that does", []string{"0 0 30 2 *", "0 9 * * *"}, "08:00:00", "09:30:00", 10, "1 01T09:00:00", "2025-01-02T09:00:00Z"},
		{"no more years", []string{"0 0 9 1 1 ? 2025"}, "08:00:00", "09:30:00", 10, "0 01T09:00:00", ""},
		{"the clock went back", []string{"0 9 * * *"}, "09:00:00", "08:00:00", 10, "", "2025-01-02T09:00:00Z"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			tr := triggers(t, c.triggers...)
			s := &Schedule{Life: 1, UUID: tr.UUID}
			for range c.triggers {
				s.Marks = append(s.Marks, at(t, c.mark))
			}
			fires := s.Due(tr, at(t, c.now), c.limit)
			if got := shown(fires); got != c.want {
				t.Errorf("due: %s, want %s", got, c.want)
			}
			s.Started(fires)
			next, ok := s.Next(tr)
			if got := time.UnixMilli(next).UTC().Format(time.RFC3339); ok != (c.next != "") || ok && got != c.next {
				t.Errorf("next: %s, %v, want %s", got, ok, c.next)
			}
		})
	}
}

// TestRequest: what a fire starts (time-triggers.md 9, 10).
func TestRequest(t *testing.T) {
	zoned, plain := triggers(t, "0 9 * * * @ UTC"), triggers(t, "0 9 * * *")
	fire := func(tr *Triggers) Fire {
		s := &Schedule{UUID: tr.UUID, Marks: []int64{at(t, "08:00:00")}}
		return s.Due(tr, at(t, "09:00:00"), 1)[0]
	}
	f := fire(zoned)
	r := f.Request(77)
	in := r.Initiator
	if in.Type != engine.TimeTriggered || in.TriggerUUID != zoned.UUID || in.TriggerTime != at(t, "09:00:00") || in.Timezone == nil || *in.Timezone != "UTC" || in.Depth != 0 {
		t.Errorf("initiator: %+v", in)
	}
	if ts := r.RunParams.Get("RUN_TS"); r.RunParams.Len() != 1 || ts == nil || ts.Value.V.AsLong() != at(t, "09:00:00") {
		t.Errorf("run params: %+v", r.RunParams)
	}
	if !r.PersistFailedRun || r.RequestTime != 77 || r.RequestID != f.RequestID {
		t.Errorf("request: %+v", r)
	}
	other := fire(plain)
	if other.initiator.Timezone != nil {
		t.Errorf("a trigger without a zone has %q", *other.initiator.Timezone)
	}
	if other.RequestID == f.RequestID {
		t.Error("two different triggers start one run")
	}
	twice := triggers(t, "0 9 * * *", "0 9 * * *")
	s := &Schedule{UUID: twice.UUID, Marks: []int64{at(t, "08:00:00"), at(t, "08:00:00")}}
	if both := s.Due(twice, at(t, "09:00:00"), 10); len(both) != 2 || both[0].RequestID != both[1].RequestID {
		t.Errorf("two equal triggers start two runs: %+v", both)
	}
}

// TestFollow: where the triggers of a schedule that takes the place of another go on.
func TestFollow(t *testing.T) { // time-triggers.md 7
	const now = 1000
	for _, c := range []struct {
		rule     string
		old, new []string
		life     int64
		marks    []int64
		want     []int64
	}{
		{"the first schedule begins now", nil, []string{"0 9 * * *", "0 8 * * *"}, 1, nil, []int64{now, now}},
		{"changed triggers begin now", []string{"0 9 * * *"}, []string{"0 10 * * *"}, 1, []int64{5}, []int64{now}},
		{"unchanged ones go on", []string{"0 9 * * *", "0 8 * * *"}, []string{"0 7 * * *", "0 9 * * *"}, 1, []int64{5, 6}, []int64{now, 5}},
		{"another zone is another trigger", []string{"0 9 * * *"}, []string{"0 9 * * * @ UTC"}, 1, []int64{5}, []int64{now}},
		{"equal ones by their order", []string{"0 9 * * *", "0 9 * * *"}, []string{"0 9 * * *", "0 9 * * *", "0 9 * * *"}, 1, []int64{5, 6}, []int64{5, 6, now}},
		{"a new life begins now", []string{"0 9 * * *"}, []string{"0 9 * * *", "@daily"}, 2, []int64{5}, []int64{now, now}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			before := &Schedule{Life: 1}
			var old *Triggers
			if c.old != nil {
				old = triggers(t, c.old...)
				before = &Schedule{Life: 1, UUID: old.UUID, Marks: c.marks}
			}
			next := triggers(t, c.new...)
			s := Follow(before, old, next, c.life, now)
			if !reflect.DeepEqual(s.Marks, c.want) || s.UUID != next.UUID || s.Life != c.life {
				t.Errorf("got %+v, want marks %v", s, c.want)
			}
		})
	}
	t.Run("after one that had ended", func(t *testing.T) {
		tr := triggers(t, "0 9 * * *")
		if s := Follow(&Schedule{Life: 1}, tr, tr, 1, now); s.Marks[0] != now {
			t.Errorf("goes on from %d", s.Marks[0])
		}
	})
}

// TestStoredForm: what any version stored is read for ever.
func TestStoredForm(t *testing.T) {
	s := &Schedule{Life: 10001, UUID: "669e6e14-8ddb-30c1-a1da-113d7200ff58", Marks: []int64{1735722000000, 1735689600000}}
	const stored = "01a29c012436363965366531342d386464622d333063312d613164612d3131336437323030666635380280fabe918465ff89f31e"
	if got := hex.EncodeToString(s.Encode()); got != stored {
		t.Errorf("stored: %s", got)
	}
	data, err := hex.DecodeString(stored)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Decode(data); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("read: %+v, %v", got, err)
	}
	if got, err := Decode(nil); err != nil || got.UUID != "" {
		t.Errorf("nothing: %+v, %v", got, err)
	}
	if _, err := Decode(data[:20]); err == nil {
		t.Error("half of it is read")
	}
}
