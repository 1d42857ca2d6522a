package definition

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/events"
)

// history plays calls on one workflow id as a store would, and checks what is stored on the way.
type history struct {
	t    *testing.T
	ctl  *Control
	last *Change
	time int64
}

func newHistory(t *testing.T) *history { return &history{t: t, time: now} }

func (h *history) commit(c *Change, err error) error {
	h.t.Helper()
	if err != nil {
		return err
	}
	stored := c.Control.AppendJSON(nil)
	read, err := ReadControl(stored)
	if err != nil || !bytes.Equal(read.AppendJSON(nil), stored) {
		h.t.Fatalf("control %s does not come back: %v", stored, err)
	}
	if c.Version != nil {
		stored := c.Version.AppendJSON(nil)
		if v, err := ReadVersion(stored); err != nil || !bytes.Equal(v.AppendJSON(nil), stored) {
			h.t.Fatalf("version %s does not come back: %v", stored, err)
		}
	}
	if c.Snapshot != nil {
		stored := c.Snapshot.AppendJSON(nil)
		if s, err := ReadSnapshot(stored); err != nil || !bytes.Equal(s.AppendJSON(nil), stored) {
			h.t.Fatalf("snapshot %s does not come back: %v", stored, err)
		}
	}
	line := c.Timeline.AppendJSON(nil)
	if l, err := ReadTimelineLine(line); err != nil || !bytes.Equal(l.AppendJSON(nil), line) {
		h.t.Fatalf("timeline line %s does not come back: %v", line, err)
	}
	h.ctl, h.last = read, c
	h.time++
	return nil
}

func (h *history) push(body string) error {
	h.t.Helper()
	r, err := ReadCreate([]byte(body))
	if err != nil {
		h.t.Fatal(err)
	}
	return h.commit(ApplyPush(h.ctl, r, PushInput{Caller: NamedUser("ana"), Now: h.time, InternalID: 10000}))
}

func (h *history) update(body string, counts Counts) error {
	h.t.Helper()
	u, err := ReadPropertiesUpdate([]byte(body))
	if err != nil {
		return err
	}
	return h.commit(ApplyProperties(h.ctl, "w", u, nil, NamedUser("ben"), h.time, counts))
}

func (h *history) activate(version string) (Activation, error) {
	h.t.Helper()
	n, err := ResolveVersion(h.ctl, "w", version)
	if err != nil {
		return Activation{}, err
	}
	v := &Version{Metadata: Metadata{WorkflowID: "w", VersionID: n}, Workflow: &Workflow{ID: "w"}}
	c, a, err := ApplyActivate(h.ctl, "w", n, v, NamedUser("cleo"), h.time)
	return a, h.commit(c, err)
}

func event(t *testing.T, e events.Published) string {
	t.Helper()
	if e == nil {
		return ""
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(b), `,"event_time"`)
	return e.EventType() + " " + text
}

func TestVersions(t *testing.T) { // workflow-definition.md 9, engine-json-and-events.md 9
	h := newHistory(t)
	want := func(active, latest int64, line, published string) {
		t.Helper()
		if h.ctl.ActiveVersion != active || h.ctl.LatestVersion != latest || h.last.Timeline.Log != line || event(t, h.last.Event) != published {
			t.Errorf("got %d %d %q %q\nwant %d %d %q %q", h.ctl.ActiveVersion, h.ctl.LatestVersion, h.last.Timeline.Log, event(t, h.last.Event), active, latest, line, published)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(h.push(`{"properties":{"owner":"a"},"workflow":{"id":"w","name":"Demo",` + load + `},"is_active":false}`))
	want(0, 1, "Created a new workflow version [1] for workflow id [w]",
		`WORKFLOW_DEFINITION_CHANGE_EVENT {"workflow_id":"w","workflow_name":"Demo","author":"ana","version_id":1,"current_active_version_id":0,"previous_active_version_id":0,"snapshot_id":1735689600000`)
	if got := h.ctl.DefaultVersion(); got != 1 {
		t.Errorf("default: got %d, want the latest", got)
	}
	must(h.push(push(load)))
	want(2, 2, "Created a new workflow version [2] for workflow id [w]",
		`WORKFLOW_VERSION_CHANGE_EVENT {"workflow_id":"w","workflow_name":"w","author":"ana","version_id":2,"current_active_version_id":2,"previous_active_version_id":0`)
	must(h.push(`{"workflow":{"id":"w",` + load + `},"is_active":false}`))
	want(2, 3, "Created a new workflow version [3] for workflow id [w]",
		`WORKFLOW_VERSION_CHANGE_EVENT {"workflow_id":"w","workflow_name":"w","author":"ana","version_id":3,"current_active_version_id":2,"previous_active_version_id":2`)
	if h.last.Snapshot != nil || h.last.Triggers != nil || h.ctl.ActivatedBy.Name != "ana" {
		t.Errorf("an inactive push without properties changes neither properties nor triggers: got %+v", h.last)
	}
	a, err := h.activate("LATEST")
	must(err)
	want(3, 3, "Caller [cleo] activates workflow version [w][3], previous active version is [2]",
		`WORKFLOW_ACTIVATION_CHANGE_EVENT {"workflow_id":"w","author":"cleo","current_active_version_id":3,"previous_active_version_id":2`)
	if a.VersionID != 3 || h.ctl.ActivatedBy.Name != "cleo" || h.ctl.ActivateTime != now+3 || *h.last.Triggers != (TriggerChange{PreviousVersion: 2, ActiveVersion: 3}) {
		t.Errorf("got %+v %+v", a, h.last.Triggers)
	}
	a, err = h.activate("active")
	must(err)
	want(3, 3, "Caller [cleo] do nothing as workflow version [w][3] is already active", "")
	if a.VersionID != 0 || h.ctl.ModifyTime != now+3 {
		t.Errorf("activating the active version reports version 0 and changes nothing: got %+v", a)
	}
	must(h.commit(first(ApplyDeactivate(h.ctl, "w", NamedUser("cleo"), h.time))))
	want(0, 3, "Caller [cleo] deactivated workflow [w], whose last active version is [3]",
		`WORKFLOW_DEACTIVATION_CHANGE_EVENT {"workflow_id":"w","author":"cleo","previous_active_version_id":3`)
	must(h.commit(first(ApplyDeactivate(h.ctl, "w", NamedUser("cleo"), h.time))))
	want(0, 3, "Caller [cleo] do nothing as there is no active workflow version for [w]", "")
}

func first(c *Change, _ Activation, err error) (*Change, error) { return c, err }

func TestResolveVersion(t *testing.T) { // workflow-definition.md 9.2, api.md 4.1
	ctl := &Control{WorkflowID: "w", LatestVersion: 3}
	active := &Control{WorkflowID: "w", LatestVersion: 3, ActiveVersion: 2}
	for _, c := range []struct {
		ctl     *Control
		version string
		want    int64
		code    fault.Code
	}{
		{active, "Active", 2, ""}, {active, "latest", 3, ""}, {active, "DEFAULT", 2, ""}, {ctl, "default", 3, ""},
		{ctl, "02", 2, ""}, {ctl, "+1", 1, ""}, {ctl, "active", 0, fault.NotFound}, {ctl, "4", 0, fault.NotFound},
		{ctl, "0", 0, fault.BadRequest}, {ctl, "-1", 0, fault.BadRequest}, {ctl, "x", 0, fault.BadRequest}, {ctl, "1_0", 0, fault.BadRequest}, {ctl, "99999999999999999999", 0, fault.BadRequest},
		{nil, "latest", 0, fault.NotFound}, {nil, "1", 0, fault.NotFound}, {nil, "x", 0, fault.NotFound},
	} {
		got, err := ResolveVersion(c.ctl, "w", c.version)
		if got != c.want || fault.CodeOf(err) != c.code {
			t.Errorf("%s: got %d, %v, want %d %s", c.version, got, err, c.want, c.code)
		}
	}
}

func TestPropertiesCombine(t *testing.T) { // workflow-definition.md 4.7
	h := newHistory(t)
	for _, c := range []struct{ call, body, want string }{
		{"push", `{"properties":{"owner":"a","run_strategy":3,"step_concurrency":5,"description":"d"},"workflow":{"id":"w",` + load + `}}`,
			`"author":"ana","owner":"a","run_strategy":{"rule":"PARALLEL","workflow_concurrency":3},"step_concurrency":5,"description":"d"`},
		{"update", `{"step_concurrency":9}`, `"author":"ben","owner":"a","run_strategy":{"rule":"PARALLEL","workflow_concurrency":3},"step_concurrency":9,"description":"d"`},
		{"update", `{"reset_workflow_concurrency":true}`, `"author":"ben","owner":"a","run_strategy":{"rule":"PARALLEL","workflow_concurrency":20},"step_concurrency":9,"description":"d"`},
		{"push", push(load), `"author":"ben","owner":"a","run_strategy":{"rule":"PARALLEL","workflow_concurrency":20},"step_concurrency":9,"description":"d"`},
		{"update", `{"alerting":{"emails":["x"]},"time_trigger_disabled":true,"owner":null}`,
			`"author":"ben","owner":"a","run_strategy":{"rule":"PARALLEL","workflow_concurrency":20},"step_concurrency":9,"alerting":{"emails":["x"]},"time_trigger_disabled":true,"description":"d"`},
		{"update", `{"properties":{"tags":["t"],"alerting":{}},"description":"ignored","reset_step_concurrency":true}`,
			`"author":"ben","owner":"a","run_strategy":{"rule":"PARALLEL","workflow_concurrency":20},"step_concurrency":9,"alerting":{},"time_trigger_disabled":true,"description":"d","tags":[{"name":"t"}]`},
		{"update", `{"reset_run_strategy_rule":true,"reset_step_concurrency":true,"reset_workflow_concurrency":true}`,
			`"author":"ben","owner":"a","alerting":{},"time_trigger_disabled":true,"description":"d","tags":[{"name":"t"}]`},
		{"push", `{"properties":{"owner":"b","time_trigger_disabled":false},"workflow":{"id":"w",` + load + `}}`,
			`"author":"ana","owner":"b","time_trigger_disabled":false,"description":"d","tags":[{"name":"t"}]`},
		{"update", `{}`, `"author":"ben","owner":"b","time_trigger_disabled":false,"description":"d","tags":[{"name":"t"}]`},
	} {
		var err error
		if c.call == "push" {
			err = h.push(c.body)
		} else {
			err = h.update(c.body, Counts{})
		}
		if err != nil {
			t.Fatalf("%s %s: %v", c.call, c.body, err)
		}
		got := string(h.ctl.Properties.AppendJSON(nil))
		_, got, _ = strings.Cut(got, `,"author"`)
		if got = `"author"` + strings.TrimSuffix(got, "}"); got != c.want {
			t.Errorf("%s %s:\n got %s\nwant %s", c.call, c.body, got, c.want)
		}
	}
	if got := event(t, h.last.Event); !strings.HasPrefix(got, `WORKFLOW_PROPERTIES_CHANGE_EVENT {"workflow_id":"w","author":"ben","snapshot_id":`) ||
		h.last.Timeline.Log != "Update the properties for workflow: w" || h.last.Triggers == nil {
		t.Errorf("an update that changes nothing is told all the same: got %s %+v", got, h.last)
	}
}

func TestPushIsRefused(t *testing.T) { // workflow-definition.md 2, 3.2, 4.1
	ctl := &Control{WorkflowID: "w", LatestVersion: 1, Properties: Snapshot{WorkflowID: "w"}}
	for _, c := range []struct {
		ctl      *Control
		body     string
		deleting bool
		code     fault.Code
	}{
		{nil, push(load), false, fault.BadRequest},
		{nil, `{"properties":{"description":"x"},"workflow":{"id":"w",` + load + `}}`, false, fault.BadRequest},
		{ctl, push(load), true, fault.Conflict},
		{ctl, `{"create_time":1,"workflow":{"id":"w",` + load + `}}`, true, fault.BadRequest},
		{ctl, `{"extra_info":{"git_info":1},"workflow":{"id":"w",` + load + `}}`, false, fault.BadRequest},
		{ctl, `{"properties":{"tags":["a"]},"workflow":{"id":"w",` + load + `}}`, false, fault.BadRequest},
		{ctl, `{"properties":{"tags":[]},"workflow":{"id":"w",` + load + `}}`, false, ""},
		{ctl, push(`"signal_triggers":[{"definitions":{}}],` + load), false, fault.BadRequest},
		{ctl, push(`"signal_triggers":[{}],` + load), false, fault.BadRequest},
		{ctl, push(`"signal_triggers":[{"definitions":{"a":{}}},{"definitions":{"a":{"join_keys":[]}}}],` + load), false, fault.BadRequest},
		{ctl, push(`"signal_triggers":[{"definitions":{"a":{}}},{"definitions":{"b":{}}}],` + load), false, ""},
		{ctl, `{"is_active":false,"workflow":{"id":"w","signal_triggers":[{}],` + load + `}}`, false, ""},
		{ctl, `{"properties":{"signal_trigger_disabled":true},"workflow":{"id":"w","signal_triggers":[{}],` + load + `}}`, false, ""},
	} {
		r, err := ReadCreate([]byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = ApplyPush(c.ctl, r, PushInput{Now: now, Deleting: c.deleting}); fault.CodeOf(err) != c.code {
			t.Errorf("%s: got %v, want %s", c.body, err, c.code)
		}
	}
}

func TestRunStrategyGuards(t *testing.T) { // workflow-definition.md 4.7
	for _, c := range []struct {
		update string
		counts Counts
		code   fault.Code
		needs  bool
	}{
		{`{"run_strategy":"first_only"}`, Counts{Created: 1, InProgress: 1}, fault.PreconditionFailed, true},
		{`{"run_strategy":"last_only"}`, Counts{InProgress: 2}, fault.PreconditionFailed, true},
		{`{"run_strategy":"last_only"}`, Counts{InProgress: 1, Failed: 5}, "", true},
		{`{"run_strategy":"strict_sequential"}`, Counts{Failed: 1}, fault.PreconditionFailed, true},
		{`{"run_strategy":"strict_sequential"}`, Counts{InProgress: 9}, "", true},
		{`{"run_strategy":"parallel"}`, Counts{InProgress: 9, Failed: 9}, "", false},
		{`{"run_strategy":"sequential"}`, Counts{InProgress: 9, Failed: 9}, "", false},
		{`{"reset_run_strategy_rule":true}`, Counts{InProgress: 9, Failed: 9}, "", false},
	} {
		u, err := ReadPropertiesUpdate([]byte(c.update))
		if err != nil {
			t.Fatal(err)
		}
		ctl := &Control{WorkflowID: "w"}
		if got := NeedsCounts(ctl, &u.Properties); got != c.needs {
			t.Errorf("%s: needs counts: got %v", c.update, got)
		}
		if _, err := ApplyProperties(ctl, "w", u, nil, User{}, now, c.counts); fault.CodeOf(err) != c.code {
			t.Errorf("%s %+v: got %v, want %s", c.update, c.counts, err, c.code)
		}
		r := &CreateRequest{Properties: &u.Properties, Workflow: &Workflow{ID: "w"}}
		if _, err := ApplyPush(ctl, r, PushInput{Now: now, Counts: c.counts}); fault.CodeOf(err) != c.code {
			t.Errorf("push of %s %+v: got %v, want %s", c.update, c.counts, err, c.code)
		}
	}
	strict := &Control{WorkflowID: "w", Properties: Snapshot{Properties: Properties{RunStrategy: &RunStrategy{StrictSequential, 1}}}}
	same := &PropertiesUpdate{Properties: Properties{RunStrategy: &RunStrategy{StrictSequential, 1}}}
	if _, err := ApplyProperties(strict, "w", same, nil, User{}, now, Counts{Failed: 3}); err != nil {
		t.Errorf("the strategy that is in force already is not guarded: got %v", err)
	}
}

func TestPropertiesUpdateIsRefused(t *testing.T) { // workflow-definition.md 4.7
	for _, body := range []string{
		`{"tags":[]}`, `{"criticality":"HIGH"}`, `{"run_strategy":"fifo"}`, `{"owner":3}`, `[]`, `"x"`, `null`, ``, `{"properties":null}`, `{"properties":[]}`, `{"workflow_id":"x"}`,
		`{"step_concurrency":1,"reset_step_concurrency":true}`, `{"run_strategy":1,"reset_run_strategy_rule":true}`, `{"run_strategy":1,"reset_workflow_concurrency":true}`,
		`{"access_control":{}}`,
	} {
		if _, err := ReadPropertiesUpdate([]byte(body)); fault.CodeOf(err) != fault.BadRequest {
			t.Errorf("%s: got %v", body, err)
		}
	}
	for _, body := range []string{`{"step_concurrency":0}`, `{"run_strategy":1001}`, `{"properties":{"tags":["a","a"]}}`, `{"properties":{"tags":["bad|"]}}`} {
		u, err := ReadPropertiesUpdate([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Validate(); fault.CodeOf(err) != fault.BadRequest || len(fault.Of(err).Errors) != 1 {
			t.Errorf("%s: got %v", body, err)
		}
	}
	if _, err := ApplyProperties(nil, "w", &PropertiesUpdate{}, nil, User{}, now, Counts{}); fault.CodeOf(err) != fault.BadRequest {
		t.Errorf("an unknown workflow is a bad request: got %v", err)
	}
	bad := &Workflow{ID: "w", SignalTriggers: []SignalTrigger{{}}}
	yes, no := true, false
	disabled := &Control{WorkflowID: "w", ActiveVersion: 1, Properties: Snapshot{Properties: Properties{SignalTriggerDisabled: &yes}}}
	enable := &PropertiesUpdate{Properties: Properties{SignalTriggerDisabled: &no}}
	if _, err := ApplyProperties(disabled, "w", enable, bad, User{}, now, Counts{}); fault.CodeOf(err) != fault.BadRequest {
		t.Errorf("enabling what cannot be subscribed: got %v", err)
	}
}

func TestPropertyTags(t *testing.T) { // workflow-definition.md 4.8
	h := newHistory(t)
	if err := h.push(`{"properties":{"owner":"a"},"workflow":{"id":"w",` + load + `}}`); err != nil {
		t.Fatal(err)
	}
	add := func(body string) string {
		t.Helper()
		tag, err := ReadTagBody([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.commit(ApplyAddTag(h.ctl, "w", tag, NamedUser("ben"), h.time)); err != nil {
			t.Fatal(err)
		}
		return string(h.ctl.Properties.Tags.AppendJSON(nil))
	}
	one := fmt.Sprintf(`{"name":"etl","namespace":"PLATFORM","creator":"ben","created_at_milli":%d}`, h.time)
	if got := add(`"etl"`); got != "["+one+"]" {
		t.Errorf("got %s", got)
	}
	two := fmt.Sprintf(`{"name":"x","namespace":"PLATFORM","w":2,"creator":"ben","created_at_milli":%d}`, h.time)
	if got := add(`{"name":"x","namespace":"system","w":2,"creator":"me"}`); got != "["+one+","+two+"]" {
		t.Errorf("got %s", got)
	}
	again := fmt.Sprintf(`{"name":"etl","namespace":"PLATFORM","v":1,"creator":"ben","created_at_milli":%d}`, h.time)
	if got := add(`{"name":"etl","v":1}`); got != "["+again+","+two+"]" {
		t.Errorf("a tag is replaced in place: got %s", got)
	}
	for _, name := range []string{"etl", "x"} {
		if err := h.commit(ApplyDeleteTag(h.ctl, "w", name, NamedUser("ben"), h.time)); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.ctl.Properties.Tags; got == nil || len(got) != 0 {
		t.Errorf("the empty list stays: got %v", got)
	}
	if _, err := ApplyDeleteTag(h.ctl, "w", "x", User{}, now); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
	if _, err := ApplyDeleteTag(nil, "w", "x", User{}, now); fault.CodeOf(err) != fault.BadRequest {
		t.Errorf("got %v", err)
	}
	if _, err := ApplyAddTag(nil, "w", param.Tag{Name: "x"}, User{}, now); fault.CodeOf(err) != fault.BadRequest {
		t.Errorf("got %v", err)
	}
	for _, body := range []string{`5`, `true`, `null`, `["a"]`, `{}`, `"bad|"`, `""`, `{"name":"a","namespace":"MINE"}`, `{"name":["a"]}`} {
		if _, err := ReadTagBody([]byte(body)); fault.CodeOf(err) != fault.BadRequest {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestActivationOfWhatIsMissing(t *testing.T) {
	if _, _, err := ApplyActivate(nil, "w", 0, nil, User{}, now); fault.CodeOf(err) != fault.NotFound || fault.Of(err).Message != "Cannot find workflow [w]" {
		t.Errorf("got %v", err)
	}
	if _, _, err := ApplyActivate(&Control{}, "w", 7, nil, User{}, now); fault.CodeOf(err) != fault.NotFound || fault.Of(err).Message != "Cannot find workflow [w] with version [7]" {
		t.Errorf("got %v", err)
	}
	if _, _, err := ApplyDeactivate(nil, "w", User{}, now); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestDeletion(t *testing.T) { // workflow-definition.md 9.5
	ctl := &Control{WorkflowID: "w", InternalID: 7}
	for _, c := range []struct {
		ctl    *Control
		id     string
		counts Counts
		code   fault.Code
	}{
		{ctl, "w", Counts{Failed: 3, LatestInstance: 9}, ""},
		{ctl, "w", Counts{Created: 1}, fault.BadRequest},
		{ctl, "w", Counts{InProgress: 1}, fault.BadRequest},
		{nil, "w", Counts{}, fault.NotFound},
		{nil, "maestro_foreach_x", Counts{}, fault.UnprocessableEntity},
		{nil, "maestro_while_x", Counts{}, fault.UnprocessableEntity},
	} {
		message, err := CheckDelete(c.ctl, c.id, c.counts, NamedUser("ana"))
		if fault.CodeOf(err) != c.code || (err == nil) != (message == "The workflow is deleted by [ana]. All associated workflow data (e.g. versions and instances) will be deleted shortly.") {
			t.Errorf("%s %+v: got %q, %v, want %s", c.id, c.counts, message, err, c.code)
		}
	}
	if got := event(t, DeletionEvent(ctl, NamedUser("ana"), now)); got != `WORKFLOW_DELETION_CHANGE_EVENT {"workflow_id":"w","internal_id":7,"author":"ana"` {
		t.Errorf("got %s", got)
	}
}

func TestViews(t *testing.T) { // workflow-definition.md 3.4, api.md 7
	h := newHistory(t)
	if err := h.push(`{"properties":{"owner":"a"},"workflow":{"id":"w",` + load + `},"git_info":{},"source":"ci"}`); err != nil {
		t.Fatal(err)
	}
	want := `{"workflow_definition":{"properties_snapshot":{"workflow_id":"w","create_time":1735689600000,"author":"ana","owner":"a"},` +
		`"metadata":{"workflow_id":"w","workflow_version_id":1,"create_time":1735689600000,"version_author":"ana","git_info":{},"source":"ci"},` +
		`"workflow":{"id":"w","steps":[{"step":{"id":"load","transition":{},"type":"NoOp"}}]},` +
		`"is_active":true,"activate_time":1735689600000,"activated_by":"ana","is_latest":true,"is_default":true,"internal_id":10000,"modify_time":1735689600000}}`
	if got := string(AppendCreated(nil, h.last)); got != want {
		t.Errorf("created:\n got %s\nwant %s", got, want)
	}
	want = `{"workflow_id":"w","active_version_id":1,"latest_version_id":1,"default_version_id":1,"properties_snapshot":{"workflow_id":"w","create_time":1735689600000,"author":"ana","owner":"a","run_strategy":{"rule":"SEQUENTIAL","workflow_concurrency":1}},` +
		`"nonterminal_instances":{"CREATED":2,"IN_PROGRESS":1,"PAUSED":0},"failed_instances":0,"latest_instance_id":17}`
	if got := string(AppendOverview(nil, h.ctl, Counts{Created: 2, InProgress: 1, LatestInstance: 17})); got != want {
		t.Errorf("overview:\n got %s\nwant %s", got, want)
	}
	if h.ctl.Properties.RunStrategy != nil {
		t.Error("the overview set the run strategy")
	}
	first := h.last
	if err := h.push(`{"workflow":{"id":"w",` + load + `},"is_active":false}`); err != nil {
		t.Fatal(err)
	}
	time := int64(5)
	extras := &EnrichedExtras{WorkflowParams: &param.Definitions{}, StepParams: []NamedParams{{"load", &param.Definitions{}}}, NextTimes: []*int64{nil, &time}}
	view := string((&VersionView{Control: h.ctl, Version: h.last.Version, Extras: extras}).AppendJSON(nil))
	if !strings.HasSuffix(view, `"is_active":false,"is_latest":true,"is_default":false,"internal_id":10000,"enriched_extras":{"workflow_params":{},"step_params":{"load":{}},"next_execution_times":[null,5],"next_execution_time":5},"modify_time":1735689600001}`) {
		t.Errorf("enriched: got %s", view)
	}
	never := string((&EnrichedExtras{NextTimes: []*int64{nil}}).AppendJSON(nil))
	if never != `{"step_params":{},"next_execution_times":[null]}` {
		t.Errorf("never again: got %s", never)
	}
	lines := string(AppendTimeline(nil, "w", []TimelineLine{h.last.Timeline, first.Timeline}))
	if lines != `{"workflow_id":"w","timeline_events":[{"author":"ana","log":"Created a new workflow version [2] for workflow id [w]","timestamp":1735689600001},{"author":"ana","log":"Created a new workflow version [1] for workflow id [w]","timestamp":1735689600000}]}` {
		t.Errorf("timeline: got %s", lines)
	}
	if got := string(AppendTimeline(nil, "x", nil)); got != `{"workflow_id":"x","timeline_events":[]}` {
		t.Errorf("no timeline: got %s", got)
	}
	if got := string(AppendValidated(nil, NamedUser("ana"), 5)); got != `{"timestamp":5,"type":"ACTION","action":"VALIDATE","author":"ana","message":"the workflow definition is valid."}` {
		t.Errorf("validated: got %s", got)
	}
	if got := string(AppendDeleted(nil, "m", 5)); got != `{"timestamp":5,"type":"LOG","level":"INFO","message":"m"}` {
		t.Errorf("deleted: got %s", got)
	}
	a := Activation{WorkflowID: "w", VersionID: 1, Timestamp: 5, Action: "ACTIVATE", Author: NamedUser("ana"), Message: "m"}
	if got := string(a.AppendJSON(nil)); got != `{"workflow_id":"w","workflow_version_id":1,"timeline_event":{"timestamp":5,"type":"ACTION","action":"ACTIVATE","author":"ana","message":"m"}}` {
		t.Errorf("activation: got %s", got)
	}
}

func TestVersionWindows(t *testing.T) { // api.md 7.9
	at := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		last      bool
		latest, n int64
		cursor    *int64
		low, high int64
	}{
		{false, 5, 2, nil, 4, 5}, {false, 5, 2, at(4), 2, 3}, {false, 5, 2, at(2), 1, 1}, {false, 5, 200, nil, 1, 5}, {false, 5, 2, at(1), 1, 0},
		{false, 5, 2, at(0), 4, 5}, {false, 5, 1, at(100), 5, 5}, {false, 5, 2, at(-3), 4, 5}, {false, 0, 3, nil, 1, 0},
		{true, 5, 2, nil, 1, 2}, {true, 5, 3, at(4), 3, 5}, {true, 5, 2, at(2), 3, 4}, {true, 5, 2, at(5), 4, 5}, {true, 5, 1, at(100), 5, 5}, {true, 5, 200, nil, 1, 5}, {true, 0, 3, nil, 1, 0},
		{true, 5, 2, at(9223372036854775807), 4, 5},
	} {
		window := FirstVersions
		if c.last {
			window = LastVersions
		}
		if got := window(c.latest, c.n, c.cursor); got != (VersionWindow{c.low, c.high}) {
			t.Errorf("%+v: got %+v", c, got)
		}
	}
}

func TestDamagedRecordsAreInternalErrors(t *testing.T) {
	for _, stored := range []string{"", "{", "[]", `{"unknown":1}`, `{"workflow":{"steps":5}}`} {
		if _, err := ReadVersion([]byte(stored)); fault.CodeOf(err) != fault.InternalError {
			t.Errorf("version %q: got %v", stored, err)
		}
		if _, err := ReadControl([]byte(stored)); fault.CodeOf(err) != fault.InternalError {
			t.Errorf("control %q: got %v", stored, err)
		}
	}
}
