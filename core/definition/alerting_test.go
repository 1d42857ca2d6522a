package definition

import (
	"errors"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/sel"
)

func TestAlertingOfARun(t *testing.T) { // workflow-definition.md 4.4
	interpolate := func(text string) (string, error) {
		if text == "$bad" {
			return "", errors.New("no such param")
		}
		return strings.ReplaceAll(text, "${owner}", "ana"), nil
	}
	value := func(name string) (sel.Value, bool) {
		switch name {
		case "TARGET_RUN_DATE":
			return sel.String("20250101"), true
		case "WORKFLOW_CRON_TIMEZONE":
			return sel.String("Europe/Berlin"), true
		case "RUN_TS":
			return sel.Long(now), true
		}
		return sel.Value{}, false
	}
	for _, c := range []struct{ in, want string }{
		{`{"emails":["${owner}@example.com","$bad"]}`, `{"emails":["ana@example.com","$bad"]}`},
		{`{"tct":{"completed_by_hour":6,"tz":"UTC"}}`, `{"tct":{"completed_by_hour":6,"completed_by_ts":1735711199000,"tz":"UTC"}}`},
		{`{"tct":{"completed_by_hour":6}}`, `{"tct":{"completed_by_hour":6,"completed_by_ts":1735707599000}}`},
		{`{"tct":{"duration_minutes":30}}`, `{"tct":{"duration_minutes":30,"completed_by_ts":1735691400000}}`},
		{`{"tct":{"completed_by_ts":5}}`, `{"tct":{"completed_by_ts":5}}`},
		{`{"tct":{"completed_by_hour":6,"tz":"Mars/Base"}}`, `{"tct":{"completed_by_hour":6,"tz":"Mars/Base"}}`},
	} {
		r, err := ReadCreate([]byte(`{"properties":{"alerting":` + c.in + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		a := r.Properties.Alerting
		if got := string(a.ForRun(interpolate, value).AppendJSON(nil)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
		if got := string(a.AppendJSON(nil)); got != c.in {
			t.Errorf("the properties' own alerting changed: got %s", got)
		}
	}
	var none *Alerting
	if none.ForRun(interpolate, value) != nil {
		t.Error("no alerting stays none")
	}
}

func TestInlineView(t *testing.T) { // workflow-definition.md 9.2
	parent := &Control{WorkflowID: "w", InternalID: 7, ActiveVersion: 3, LatestVersion: 4, ActivateTime: 5, ActivatedBy: NamedUser("ana"), ModifyTime: 6,
		Properties: Snapshot{WorkflowID: "w", CreateTime: 1, Author: NamedUser("ana")}}
	got := string(InlineView(parent, "maestro_foreach_x", 1, &Workflow{ID: "maestro_foreach_x"}).AppendJSON(nil))
	want := `{"properties_snapshot":{"workflow_id":"w","create_time":1,"author":"ana"},"metadata":{"workflow_id":"maestro_foreach_x","workflow_version_id":1},` +
		`"workflow":{"id":"maestro_foreach_x"},"is_active":true,"activate_time":5,"activated_by":"ana","is_latest":true,"is_default":true,"internal_id":7,"modify_time":6}`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if parent.ActiveVersion != 3 {
		t.Error("the parent changed")
	}
}
