package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/timeline"
	"github.com/downbeat/downbeat/core/wire"
)

// The fixtures: a body over a definition, and generators of what is stored about its runs.

const definitionJSON = `{"id": "daily.load", "tags": [{"name": "nightly"}], "steps": [
	{"step": {"id": "job.1", "type": "NoOp", "transition": {"successors": {"job.2": "rows > 3", "job.3": "true"}}}},
	{"step": {"id": "job.2", "type": "Http", "transition": {"successors": {"job.4": "true"}}}},
	{"step": {"id": "job.3", "type": "Sleep", "transition": {"successors": {"job.4": null}}}},
	{"step": {"id": "job.4", "type": "NoOp"}}]}`

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func readWorkflow(t fataler) *definition.Workflow {
	t.Helper()
	w, err := definition.ReadWorkflow([]byte(definitionJSON))
	if err != nil {
		t.Fatalf("definition: %v", err)
	}
	return w
}

func plainBody(t fataler) *engine.Body {
	t.Helper()
	w := readWorkflow(t)
	g, err := dag.Fresh(w.ID, w.Nodes())
	if err != nil {
		t.Fatalf("graph: %v", err)
	}
	return &engine.Body{
		WorkflowID: "daily.load", InternalID: 10001, VersionID: 3, InstanceID: 7, RunID: 1, UUID: "6f1c1b0e-9a55-4d8b-8f14-3d2f6f0b9b01",
		CorrelationID: "daily.load:7:1", GroupInfo: 3, Policy: engine.StartFreshNewRun, RequestTime: 1_735_689_600_000, CreateTime: 1_735_689_600_005,
		Workflow: w, DAG: g, Initiator: engine.Initiator{Type: engine.Manual, User: "ann"},
		Properties: engine.RunProperties{CreateTime: 1_735_600_000_000, Owner: "ann"},
	}
}

func paramsOf(t fataler, text string) engine.Params {
	t.Helper()
	p, err := decodeParams([]byte(text))
	if err != nil {
		t.Fatalf("params: %v", err)
	}
	return p
}

func defsOf(t fataler, text string) engine.ParamDefs {
	t.Helper()
	d, err := rawDefs([]byte(text))
	if err != nil {
		t.Fatalf("params: %v", err)
	}
	return d
}

func tagsOf(t fataler, text string) engine.Tags {
	t.Helper()
	v, err := wire.Parse([]byte(text))
	if err != nil {
		t.Fatalf("tags: %v", err)
	}
	return param.ReadTags(wire.Root(v, ""))
}

func maybe[T any](t *rapid.T, label string, f func() T) (none T) {
	if rapid.Bool().Draw(t, label) {
		return f()
	}
	return none
}

func listOf[T any](t *rapid.T, label string, longest int, f func(i int) T) []T {
	var list []T
	for i := range rapid.IntRange(0, longest).Draw(t, label) {
		list = append(list, f(i))
	}
	return list
}

var (
	anyText = rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z .]{0,20}`))
	anyTime = rapid.Int64Range(0, 4_000_000_000_000)
	anyInt  = rapid.Int64()
)

func anyTimeline(t *rapid.T) []timeline.Event {
	return listOf(t, "timeline", 4, func(int) timeline.Event {
		e := timeline.Event{Timestamp: anyInt.Draw(t, "at"), Type: timeline.Log, Message: anyText.Draw(t, "message")}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			e.Level = timeline.Warn
		case 1:
			e.Type, e.Status, e.Retryable = timeline.Details, "BAD_REQUEST", true
			e.Errors = listOf(t, "errors", 2, func(int) string { return anyText.Draw(t, "error") })
		case 2:
			e.Type, e.Action, e.Author, e.Reason = timeline.Action, "STOP", "ann", anyText.Draw(t, "reason")
		default:
			e.Level = timeline.Info
		}
		return e
	})
}

func anyEnding(t *rapid.T) *engine.Ending {
	return maybe(t, "ending", func() *engine.Ending {
		return &engine.Ending{Action: engine.ActionKill, User: anyText.Draw(t, "user"), Reason: anyText.Draw(t, "reason"), Workflow: true, Time: anyTime.Draw(t, "time")}
	})
}

func anyRestart(t *rapid.T) *engine.RestartConfig {
	c := &engine.RestartConfig{
		Path:   []engine.PathNode{{WorkflowID: "daily.load", InstanceID: 7, StepID: "job.2"}},
		Policy: engine.RestartFromSpecific, DownstreamPolicy: engine.RestartFromBeginning,
		SkipSteps: listOf(t, "skip", 2, func(int) string { return anyText.Draw(t, "step") }),
	}
	if rapid.Bool().Draw(t, "has params") {
		c.Params, c.HasParams = defsOf(t, `{"p": {"type": "LONG", "value": 1}}`), true
	}
	c.StepRestartParams = listOf(t, "step params", 2, func(int) engine.StepParams {
		return engine.StepParams{StepID: "job.1", Params: defsOf(t, `{"q": {"type": "STRING", "expression": "a + b"}}`)}
	})
	return c
}

func anyAttempt(t *rapid.T, body *engine.Body) *engine.Attempt {
	node := &body.DAG.Nodes[rapid.IntRange(0, body.DAG.Len()-1).Draw(t, "step")]
	a := &engine.Attempt{
		StepID: node.ID, AttemptID: rapid.Int64Range(1, 1000).Draw(t, "attempt"), StepInstanceID: anyInt.Draw(t, "id"),
		Status: engine.StepStatus(rapid.IntRange(0, int(engine.NumStepStatuses)-1).Draw(t, "status")), Retry: engine.DefaultRetry(),
	}
	a.UUID = engine.StepUUID(body, a.StepID, a.AttemptID)
	if rapid.Bool().Draw(t, "own uuid") {
		a.UUID = "0d9a7c52-3f1e-4f3a-a2b8-5b1f0f6f7a10"
	}
	for i, at := range times(&a.Times) {
		*at = maybe(t, fmt.Sprint("time ", i), func() int64 { return anyTime.Draw(t, "time") })
	}
	a.Changes = listOf(t, "changes", 3, func(int) engine.StatusChange {
		return engine.StatusChange{From: engine.StepCreated, To: engine.StepInitialized, Time: anyTime.Draw(t, "time")}
	})
	a.Params = maybe(t, "params", func() engine.Params {
		text, err := json.Marshal(anyText.Draw(t, "text"))
		if err != nil {
			t.Fatalf("%v", err)
		}
		return paramsOf(t, fmt.Sprintf(`{"id": {"type": "STRING", "value": %q, "evaluated_result": %q, "evaluated_time": 7, "mode": "CONSTANT"},
			"text": {"type": "STRING", "value": %s}, "list": {"type": "LONG_ARRAY", "value": [1, 2], "evaluated_result": [1, 2], "evaluated_time": 9}}`, a.UUID, a.UUID, text))
	})
	if rapid.Bool().Draw(t, "edges of the definition") {
		for _, s := range node.Successors {
			a.Edges = append(a.Edges, engine.Edge{To: s.To, Condition: s.Condition, Null: s.Null})
		}
	} else {
		a.Edges = listOf(t, "edges", 3, func(int) engine.Edge {
			return engine.Edge{To: "job.4", Condition: anyText.Draw(t, "condition"), Null: rapid.Bool().Draw(t, "null")}
		})
	}
	for i := range a.Edges {
		a.Edges[i].Param = maybe(t, "edge param", func() *engine.Param {
			p, err := decodeParam([]byte(`{"type": "BOOLEAN", "expression": "true", "evaluated_result": true, "evaluated_time": 5}`), a.Edges[i].To)
			if err != nil {
				t.Fatalf("%v", err)
			}
			return p
		})
	}
	if rapid.Bool().Draw(t, "retry") {
		a.Retry = engine.StepRetry{Error: engine.Retries{Made: 1, Limit: 9, BackoffSecs: 4, Exponent: 3, CapSecs: 7}, ManualRetries: 2, Retryable: rapid.Bool().Draw(t, "retryable"), Backoff: engine.Fixed}
	}
	a.TimeoutMillis = maybe(t, "timeout", func() int64 { return anyInt.Draw(t, "millis") })
	a.Tags = maybe(t, "tags", func() engine.Tags { return tagsOf(t, `[{"name": "etl", "namespace": "PLATFORM", "colour": "red"}]`) })
	a.SignalDependencies = maybe(t, "signals", func() *engine.SignalDependencies { return dependencies(t) })
	a.SignalOutputs = maybe(t, "outputs", func() *engine.SignalOutputs { return outputs(t, rapid.IntRange(0, 2).Draw(t, "n")) })
	a.Artifacts = step.Artifacts(listOf(t, "artifacts", 2, func(i int) step.Artifact {
		return step.Artifact{Key: fmt.Sprint("artifact", i), JSON: json.RawMessage(`{"value":{"a":1}}`)}
	}))
	a.Output = maybe(t, "output", func() *step.Output {
		return &step.Output{JobType: "Http", JobID: a.UUID, Params: step.Artifacts{{Key: "status_code", JSON: json.RawMessage(`{"value":200}`)}}}
	})
	a.Timeline = anyTimeline(t)
	a.RestartConfig = maybe(t, "restart", func() *engine.RestartConfig { return anyRestart(t) })
	a.Outside, a.HoldsPermit = rapid.Bool().Draw(t, "outside"), rapid.Bool().Draw(t, "permit")
	a.Ending = anyEnding(t)
	a.RetryAt = maybe(t, "retry at", func() int64 { return anyInt.Draw(t, "at") })
	a.PollAt = maybe(t, "poll at", func() int64 { return anyInt.Draw(t, "at") })
	a.Polls = maybe(t, "polls", func() int64 { return anyInt.Draw(t, "n") })
	a.PermitUUID = maybe(t, "permit uuid", func() string { return "6f1c1b0e-9a55-4d8b-8f14-3d2f6f0b9b01" })
	return a
}

// signalParams are params of signals: their results have types of their own, whatever is declared.
func signalParams(t fataler) engine.Params {
	t.Helper()
	p, err := decodeWith([]byte(`{
		"day": {"type": "LONG", "value": 20250101, "evaluated_result": 20250101, "evaluated_time": 3},
		"text": {"type": "LONG", "expression": "'5'", "evaluated_result": "5", "evaluated_time": 3},
		"word": {"type": "LONG", "expression": "'word'", "evaluated_result": "word", "evaluated_time": 3},
		"number": {"type": "STRING", "expression": "5", "evaluated_result": 5, "evaluated_time": 3}}`), param.ReadSignalParams)
	if err != nil {
		t.Fatalf("params of a signal: %v", err)
	}
	for name, want := range map[string]sel.Type{"day": sel.TypeLong, "text": sel.TypeString, "word": sel.TypeString, "number": sel.TypeLong} {
		if got := p.Get(name).Result.Type(); got != want {
			t.Fatalf("param %s of a signal is read as %v, want %v", name, got, want)
		}
	}
	return p
}

func dependencies(t fataler) *engine.SignalDependencies {
	var match []engine.MatchParam
	for name, p := range signalParams(t).All() {
		match = append(match, engine.MatchParam{Name: name, Value: p, Operator: ">="})
	}
	return &engine.SignalDependencies{
		Dependencies: []engine.SignalDependency{
			{Name: "orders.loaded", Status: engine.SignalMatched, MatchParams: match, SignalID: 12},
			{Name: "users.loaded", Status: engine.SignalFailed, Details: &timeline.Event{Timestamp: 4, Type: timeline.Details, Status: "BAD_REQUEST", Message: "no"}},
		},
		Info: &timeline.Event{Timestamp: 5, Type: timeline.Log, Level: timeline.Info, Message: "bypassed"},
	}
}

func outputs(t fataler, n int) *engine.SignalOutputs {
	o := &engine.SignalOutputs{}
	for i := range n {
		o.Outputs = append(o.Outputs, engine.SignalOutput{
			Name: fmt.Sprint("signal", i), Params: signalParams(t), SignalID: -1, AnnounceTime: 6,
		})
	}
	return o
}

func anyHead(t *rapid.T) *RunHead {
	h := &RunHead{UUID: anyText.Draw(t, "uuid"), Live: rapid.IntRange(0, 300).Draw(t, "live"), Published: rapid.IntRange(0, 300).Draw(t, "published")}
	h.Changes = listOf(t, "changes", 2, func(int) engine.InstanceChange {
		return engine.InstanceChange{From: engine.InstanceCreated, To: engine.InstanceStatus(rapid.IntRange(0, 7).Draw(t, "to")), Time: anyInt.Draw(t, "time")}
	})
	h.Tail = maybe(t, "tail", func() []byte { return rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "tail bytes") })
	r := &h.Run
	r.Status, r.RunStatus = engine.InstanceStatus(rapid.IntRange(0, 7).Draw(t, "status")), engine.InstanceStatus(rapid.IntRange(0, 7).Draw(t, "run status"))
	r.Failed, r.Executed = engine.FailedCode(rapid.IntRange(0, 3).Draw(t, "failed")), rapid.Bool().Draw(t, "executed")
	for _, at := range []*int64{&r.StartTime, &r.EndTime, &r.ModifyTime, &r.LastTime, &r.NextStepInstanceID, &r.CheckAt, &r.Seq} {
		*at = anyInt.Draw(t, "number")
	}
	r.Timeline = anyTimeline(t)
	r.Ending = anyEnding(t)
	h.Pages = listOf(t, "pages", 5, func(i int) PageRef {
		return PageRef{N: i, Token: rapid.Uint32().Draw(t, "token"), Records: rapid.IntRange(0, 300).Draw(t, "records"), Bytes: rapid.IntRange(0, 1<<20).Draw(t, "bytes")}
	})
	return h
}

func anyBody(t *rapid.T) *engine.Body {
	b := plainBody(t)
	b.RuntimeTags = maybe(t, "runtime tags", func() engine.Tags { return tagsOf(t, `["adhoc"]`) })
	if b.RuntimeTags != nil {
		merged := *b.Workflow
		merged.Tags = tagsOf(t, `["nightly", "adhoc"]`)
		b.Workflow = &merged
	}
	if rapid.Bool().Draw(t, "restart") {
		b.RestartConfig, b.Policy = anyRestart(t), engine.RestartFromIncomplete
		b.Baseline = &engine.Baseline{Status: engine.InstanceFailed, Views: []engine.StepView{{StepID: "job.1", RunID: 1, Status: engine.StepSucceeded, StartTime: 5, EndTime: 6}, {StepID: "job.2", Status: engine.StepNotCreated}}}
		// Such a run keeps the tags of the runs before it.
		merged := *b.Workflow
		merged.Tags = tagsOf(t, `["nightly"]`)
		b.Workflow = &merged
		b.SignalMatches = listOf(t, "matches", 1, func(int) engine.SignalMatch {
			return engine.SignalMatch{StepID: "job.2", Dependencies: dependencies(t)}
		})
	}
	b.Initiator.Type = rapid.SampledFrom([]engine.InitiatorType{engine.Manual, engine.TimeTriggered, engine.Signalled}).Draw(t, "initiator")
	b.Initiator.Depth = anyInt.Draw(t, "depth")
	b.Initiator.Timezone = maybe(t, "zone", func() *string { s := anyText.Draw(t, "zone"); return &s })
	b.Initiator.Params = maybe(t, "initiator params", func() engine.Params {
		return paramsOf(t, `{"day": {"type": "LONG", "value": 1, "evaluated_result": 1, "evaluated_time": 3}}`)
	})
	b.Initiator.Ancestors = listOf(t, "ancestors", 2, func(int) engine.Ancestor {
		return engine.Ancestor{WorkflowID: "root", InstanceID: 1, RunID: 1, StepID: "s", AttemptID: 1}
	})
	b.RunParams = maybe(t, "run params", func() engine.ParamDefs { return defsOf(t, `{"day": {"type": "STRING", "value": "tue"}}`) })
	b.Params = maybe(t, "params", func() engine.Params {
		return paramsOf(t, `{"day": {"type": "STRING", "value": "tue", "evaluated_result": "tue", "evaluated_time": 3}}`)
	})
	b.StepRunParams = listOf(t, "step run params", 1, func(int) engine.StepParams {
		return engine.StepParams{StepID: "job.1", Params: defsOf(t, `{"x": {"type": "LONG", "value": 3}}`)}
	})
	b.Artifacts = step.Artifacts(listOf(t, "artifacts", 1, func(int) step.Artifact { return step.Artifact{Key: "a", JSON: json.RawMessage(`{"value":{"a":1}}`)} }))
	b.TimeoutMillis = maybe(t, "timeout", func() int64 { return anyInt.Draw(t, "millis") })
	b.Concurrency = maybe(t, "concurrency", func() *int64 { n := anyInt.Draw(t, "n"); return &n })
	b.Properties.StepConcurrency = maybe(t, "step concurrency", func() *int64 { n := anyInt.Draw(t, "n"); return &n })
	b.Properties.Tags = maybe(t, "property tags", func() engine.Tags { return tagsOf(t, `["team"]`) })
	b.StartFailure = maybe(t, "start failure", func() *timeline.Event { e := timeline.Failure(5, "params", "p is missing"); return &e })
	return b
}

// same compares by the Go values.
func same(t fataler, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		t.Fatalf("%s: read back as\n%s\nstored as\n%s", what, g, w)
	}
}

func TestHeadRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := anyHead(t)
		data, err := h.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRunHead(data)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "head", got, h)
	})
}

func TestPageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := plainBody(t)
		records := listOf(t, "records", 4, func(int) *engine.Attempt { return anyAttempt(t, body) })
		data, err := EncodePage(records, body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodePage(data, body)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(records) {
			t.Fatalf("%d records, want %d", len(got), len(records))
		}
		for i := range got {
			same(t, "record", got[i], records[i])
		}
	})
}

func TestBodyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := anyBody(t)
		data, err := EncodeBody(b)
		if err != nil {
			t.Fatal(err)
		}
		internalID, version, err := BodyVersion(data)
		if err != nil || internalID != b.InternalID || version != b.VersionID {
			t.Fatalf("version %d of %d, %v", version, internalID, err)
		}
		failed, instance, err := BodyOfStart(data)
		if err != nil || failed != (b.StartFailure != nil) || (instance != 0) != (b.RestartConfig != nil) {
			t.Fatalf("start: failed %v, instance %d, %v", failed, instance, err)
		}
		got, err := DecodeBody(data, readWorkflow(t), RunID{"daily.load", b.InstanceID, b.RunID})
		if err != nil {
			t.Fatal(err)
		}
		again, err := EncodeBody(got)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, data) {
			t.Fatalf("read back as\n%s\nstored as\n%s", again, data)
		}
		if got.InstanceID != b.InstanceID || got.RunID != b.RunID || got.CorrelationID != b.CorrelationID {
			t.Fatalf("numbers %d %d, correlation %s", got.InstanceID, got.RunID, got.CorrelationID)
		}
		same(t, "tags", got.Workflow.Tags, b.Workflow.Tags)
		same(t, "restart config", got.RestartConfig, b.RestartConfig)
		same(t, "baseline", got.Baseline, b.Baseline)
		same(t, "initiator", got.Initiator, b.Initiator)
		same(t, "graph", got.DAG.Nodes, b.DAG.Nodes)
	})
}

func TestNumberRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := Number{anyInt.Draw(t, "instance"), anyInt.Draw(t, "run"), rapid.Bool().Draw(t, "rejected")}
		got, err := DecodeNumber(n.Encode())
		if err != nil || got != n {
			t.Fatalf("%+v, %v, want %+v", got, err, n)
		}
	})
}

// maxHead is what a head may have at 300 steps (P16).
const maxHead = 1024

// TestHeadSize: a head stays small at the most steps, whatever their states: they are in the pages, of which a run of
// 300 steps with all their attempts has a few dozen at most.
func TestHeadSize(t *testing.T) {
	for name, pages := range map[string]int{"one page": 1, "a page for every tenth step": 30, "pages of retries": 60} {
		for s := engine.InstanceCreated; s <= engine.InstanceSucceeded; s++ {
			h := &RunHead{UUID: "6f1c1b0e-9a55-4d8b-8f14-3d2f6f0b9b01", Live: 300, Published: pages, Changes: []engine.InstanceChange{{From: s, To: s, Time: 1_735_689_600_000}}}
			h.Run = engine.RunRecord{
				Status: s, RunStatus: s, Failed: engine.FailedBlocking, Executed: true, StartTime: 1_735_689_600_000, EndTime: 1_735_689_600_000, ModifyTime: 1_735_689_600_000,
				LastTime: 1_735_689_600_000, CheckAt: 1_735_689_600_000, NextStepInstanceID: 303, Seq: 100_000,
				Timeline: []timeline.Event{timeline.Line(1_735_689_600_000, "the run was taken from the queue")},
				Ending:   &engine.Ending{Action: engine.ActionKill, User: "ann", Reason: "not needed any more", Workflow: true, Time: 1_735_689_600_000},
			}
			for i := range pages {
				h.Pages = append(h.Pages, PageRef{N: 100 + i, Token: 1<<32 - 1, Records: 300, Bytes: 100_000})
			}
			data, err := h.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if len(data) > maxHead {
				t.Errorf("%s, %s: the head has %d bytes", name, s, len(data))
			}
		}
	}
}

// TestRecordSize: a NoOp step with nothing special takes a few bytes once its page is compressed (P17).
func TestRecordSize(t *testing.T) {
	var steps []string
	for i := range 300 {
		steps = append(steps, fmt.Sprintf(`{"step": {"id": "job.%d", "type": "NoOp"}}`, i))
	}
	w, err := definition.ReadWorkflow([]byte(`{"id": "wide", "steps": [` + strings.Join(steps, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	b := plainBody(t)
	b.Workflow = w
	if b.DAG, err = dag.Fresh(w.ID, w.Nodes()); err != nil {
		t.Fatal(err)
	}
	var records []*engine.Attempt
	for i := range 300 {
		a := &engine.Attempt{StepID: fmt.Sprintf("job.%d", i), AttemptID: 1, StepInstanceID: int64(3 + i), Status: engine.StepSucceeded, Retry: engine.DefaultRetry(), SignalOutputs: &engine.SignalOutputs{}}
		a.UUID = engine.StepUUID(b, a.StepID, 1)
		now := b.CreateTime + int64(i/7)
		for _, at := range times(&a.Times) {
			*at = now
		}
		a.Times.Pause = 0
		records = append(records, a)
	}
	data, err := EncodePage(records, b)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	bodies := NewBodies(memory{}, codec)
	kept, err := bodies.Keep(t.Context(), "o", data)
	if err != nil {
		t.Fatal(err)
	}
	if per := float64(len(kept)) / 300; per > 10 {
		t.Errorf("a record takes %.1f bytes", per)
	}
}

// memory is a Blob store of a test.
type memory map[string][]byte

func (m memory) Put(_ context.Context, key string, data []byte) error {
	m[key] = bytes.Clone(data)
	return nil
}

func (m memory) Get(_ context.Context, key string) ([]byte, error) {
	if data, ok := m[key]; ok {
		return data, nil
	}
	return nil, errors.New("no such blob")
}

func (m memory) DeletePrefix(context.Context, string, int) (bool, error) {
	return false, errors.New("not needed")
}

var _ blob.Store = memory{}

// TestBodies: what is small stays as it is, what is large is compressed, what is larger still lies in the Blob store
// under its owner; all of it comes back.
func TestBodies(t *testing.T) {
	blobs := memory{}
	codec, err := NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	bodies := NewBodies(blobs, codec)
	noise := make([]byte, 500_000)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	for _, tt := range []struct {
		data []byte
		form byte
	}{
		{nil, formPlain},
		{[]byte("small"), formPlain},
		{bytes.Repeat([]byte("a"), plainBelow), formZstd},
		{bytes.Repeat([]byte("abc"), 200_000), formZstd},
		{noise[:290_000], formZstd},
		{noise, formBlob},
	} {
		kept, err := bodies.Keep(t.Context(), "daily.load/10001/7", tt.data)
		if err != nil {
			t.Fatal(err)
		}
		if kept[0] != tt.form || len(kept) > BlobThreshold {
			t.Errorf("%d bytes are kept in %d, form %q, want %q", len(tt.data), len(kept), kept[0], tt.form)
		}
		got, err := bodies.Fetch(t.Context(), kept)
		if err != nil || !bytes.Equal(got, tt.data) {
			t.Errorf("%d bytes come back as %d: %v", len(tt.data), len(got), err)
		}
	}
	for key := range blobs {
		if !strings.HasPrefix(key, "daily.load/10001/7/") {
			t.Errorf("blob %s is not below its owner", key)
		}
	}
	if len(blobs) != 1 {
		t.Errorf("%d blobs", len(blobs))
	}
	for _, stored := range [][]byte{nil, []byte("x"), []byte("?abc"), []byte("znot compressed"), []byte("bno/such/blob")} {
		if got, err := bodies.Fetch(t.Context(), stored); err == nil {
			t.Errorf("%q comes back as %q", stored, got)
		}
	}
}

// decoders read what is stored, by kind.
func decoders(t fataler) map[string]func([]byte) error {
	body, w := plainBody(t), readWorkflow(t)
	return map[string]func([]byte) error{
		"head":   func(d []byte) error { _, err := DecodeRunHead(d); return err },
		"number": func(d []byte) error { _, err := DecodeNumber(d); return err },
		"page":   func(d []byte) error { _, err := DecodePage(d, body); return err },
		"body": func(d []byte) error {
			if _, _, err := BodyVersion(d); err != nil {
				return err
			}
			if _, _, err := BodyOfStart(d); err != nil {
				return err
			}
			_, err := DecodeBody(d, w, RunID{"daily.load", 1, 1})
			return err
		},
	}
}

func encoded(t *rapid.T) map[string][]byte {
	head, err := anyHead(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	body := plainBody(t)
	page, err := EncodePage([]*engine.Attempt{anyAttempt(t, body), anyAttempt(t, body)}, body)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := EncodeBody(anyBody(t))
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"head": head, "number": Number{7, 1, true}.Encode(), "page": page, "body": stored}
}

// TestCorrupt: what is cut short is an error, what is changed is one or reads as something else; nothing of it panics,
// nor asks for more memory than the data could hold.
func TestCorrupt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		decode := decoders(t)
		for _, kind := range []string{"head", "number", "page", "body"} {
			data := encoded(t)[kind]
			if err := decode[kind](data); err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			n := rapid.IntRange(0, len(data)-1).Draw(t, "length")
			if err := decode[kind](data[:n]); err == nil {
				t.Fatalf("%s of %d bytes reads without error when cut to %d", kind, len(data), n)
			}
			changed := bytes.Clone(data)
			for range rapid.IntRange(1, 4).Draw(t, "changes") {
				changed[rapid.IntRange(0, len(data)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
			}
			_ = decode[kind](changed) // must return
		}
	})
}

// TestNewer: a format that this code does not know is told from a defect: the message about it comes again when the
// deployment has gone on (P10).
func TestNewer(t *testing.T) {
	decode := decoders(t)
	for kind, data := range map[string][]byte{"head": {200, 1}, "number": {2, 1}, "page": {77}, "body": []byte(`{"format": 9, "new": true}`)} {
		if err := decode[kind](data); !errors.Is(err, pack.ErrNewer) {
			t.Errorf("%s: %v", kind, err)
		}
		if kind != "body" {
			if err := decode[kind]([]byte{0, 1}); err == nil || errors.Is(err, pack.ErrNewer) {
				t.Errorf("%s without a format: %v", kind, err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range [][]byte{nil, {1}, {1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, {1, 4, 0, 0, 0}, []byte(`{"format":1}`), []byte(`{"format":1,"dag":[{"id":"a"}]}`)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, decode := range decoders(t) {
			_ = decode(data) // must return
		}
	})
}
