package engine

import (
	"fmt"
	"testing"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
)

func evaluated(values map[string]sel.Value) Params {
	p := &param.Params{}
	for _, name := range []string{"RUN_TS", "TARGET_RUN_DATE", "WORKFLOW_CRON_TIMEZONE", "team"} {
		if v, ok := values[name]; ok {
			p.Set(name, &param.Param{Evaluated: true, Result: v})
		}
	}
	return p
}

func TestAlertingOfARun(t *testing.T) { // workflow-definition.md 4.4
	n := func(v int64) *int64 { return &v }
	berlin := "Europe/Berlin"
	params := evaluated(map[string]sel.Value{
		"RUN_TS": sel.Long(1735689600000), "TARGET_RUN_DATE": sel.String("20250101"), "WORKFLOW_CRON_TIMEZONE": sel.String("UTC"), "team": sel.String("etl"),
	})
	for _, c := range []struct {
		name string
		in   definition.Alerting
		want string
	}{
		{"e-mails", definition.Alerting{Emails: []string{"${team}@x", "$nope@x", "a@x"}}, "[etl@x $nope@x a@x] -"},
		{"minutes", definition.Alerting{TCT: &definition.TCT{DurationMinutes: n(90)}}, "[] 1735695000000"},
		{"hour, zone of the run", definition.Alerting{TCT: &definition.TCT{CompletedByHour: n(9)}}, "[] 1735721999000"},
		{"hour, own zone", definition.Alerting{TCT: &definition.TCT{CompletedByHour: n(9), TZ: &berlin}}, "[] 1735718399000"},
		{"given", definition.Alerting{TCT: &definition.TCT{CompletedByTS: n(5)}}, "[] 5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := interpolated(&c.in, params)
			at := "-"
			if got.TCT != nil && got.TCT.CompletedByTS != nil {
				at = fmt.Sprint(*got.TCT.CompletedByTS)
			}
			if text := fmt.Sprintf("%v %s", got.Emails, at); text != c.want {
				t.Errorf("%s, want %s", text, c.want)
			}
		})
	}
	bad := &definition.Alerting{TCT: &definition.TCT{CompletedByHour: n(9)}}
	if got := interpolated(bad, evaluated(nil)); got.TCT.CompletedByTS != nil {
		t.Error("a time without a date")
	}
	if interpolated(nil, params) != nil {
		t.Error("alerting out of nothing")
	}
}

func TestRuntimeTagsMustBeNew(t *testing.T) {
	w := &Workflow{ID: "w", Tags: Tags{{Name: "a"}}}
	merged, err := withTags(w, Tags{{Name: "b"}})
	if err != nil || len(merged.Tags) != 2 || len(w.Tags) != 1 {
		t.Errorf("%v, %v", merged, err)
	}
	if _, err := withTags(w, Tags{{Name: "a"}}); err == nil {
		t.Error("a tag twice")
	}
}

func TestNumberNamesTheFirstRun(t *testing.T) {
	root := &Body{WorkflowID: "w"}
	root.Number(7, 1)
	child := &Body{WorkflowID: "c", CorrelationID: "w:7:1"}
	child.Number(2, 1)
	if root.CorrelationID != "w:7:1" || child.CorrelationID != "w:7:1" || child.InstanceID != 2 {
		t.Errorf("%s, %s", root.CorrelationID, child.CorrelationID)
	}
}
