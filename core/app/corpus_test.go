package app_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/permit"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/template"
)

var writeCorpus = flag.String("write-corpus", "", "write the items that today's code stores to this file; a file that exists is never written again")

// storedItem is an item of the corpus.
type storedItem struct {
	PK, SK  string
	Rev     int64
	Order   int64         `json:",omitempty"`
	Due     int64         `json:",omitempty"`
	Expires int64         `json:",omitempty"`
	Tokens  []table.Token `json:",omitempty"`
	Data    []byte        `json:",omitempty"`
}

// corpusTime is when the corpus was stored, on the clock of the system that stored it.
const corpusTime = epoch + 10*60_000

// corpusStory leaves a system with something in every state that is stored.
func corpusStory(t *testing.T) *system {
	s := newSystem(t)
	s.runtimes[step.SimulatedType] = &step.Simulated{Hint: true}
	s.restart()
	ctx := t.Context()

	s.push("done", sequential, `{"step": {"id": "job.1", "type": "NoOp", "params": {"n": {"type": "LONG", "expression": "1 + 2"}, "m": {"type": "MAP", "value": {"a": {"type": "STRING_ARRAY", "value": ["x", "y"]}}}},
		"transition": {"successors": {"job.2": "n > 2", "job.3": "n > 3"}}}}, {"step": {"id": "job.2", "type": "NoOp"}}, {"step": {"id": "job.3", "type": "NoOp"}}`)
	s.mustStart("done", request1)
	s.pass(time.Minute)
	s.push("done", sequential, chain)

	s.push("again", parallel, failing+`, {"step": {"id": "job.2", "type": "NoOp"}}`)
	s.mustStart("again", request1)
	s.pass(time.Minute)
	if _, err := s.proc.Restart(ctx, s.run("again", 1), engine.RestartRequest{RequestID: request2, Policy: engine.RestartFromIncomplete, User: "ann"}); err != nil {
		t.Fatal(err)
	}

	s.push("behind", strict, failing)
	s.mustStart("behind", request1)
	s.pass(time.Minute)
	s.push("behind", strict, chain)
	s.mustStart("behind", request2)

	if err := s.proc.SetTagPermit(ctx, permit.LimitRequest{Tag: "scarce", MaxAllowed: 0}, "ann"); err != nil {
		t.Fatal(err)
	}
	s.push("tagged", sequential, strings.Replace(chain, `"type": "NoOp"`, `"type": "NoOp", "tags": ["scarce"]`, 1))
	s.mustStart("tagged", request1)

	s.push("paused", sequential, chain)
	if _, err := s.proc.SetBreakpoint(ctx, "paused", "job.2", "ann"); err != nil {
		t.Fatal(err)
	}
	s.mustStart("paused", request1)

	req, err := template.ReadCreate([]byte(`{"owner": "ann", "status": "PROD", "support": "#x", "definition": {"job_type": "fetch", "step_type": "Http", "version": "default"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.proc.SaveTemplate(ctx, req.Template(definition.NamedUser("ann"), s.now)); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Duration(corpusTime-30_000-s.now) * time.Millisecond)

	s.push("retrying", sequential, `{"step": {"id": "job.1", "type": "Simulated", "params": {"job_duration": {"type": "LONG", "value": 1000}, "outcome": {"type": "STRING_ARRAY", "value": ["USER_ERROR", "DONE"]}}}}`)
	s.mustStart("retrying", request1)
	s.push("outside", sequential, strings.Replace(job, "5000", "600000", 1))
	s.mustStart("outside", request1)
	s.mustStart("outside", request2)
	s.push("sleeping", sequential, `{"step": {"id": "job.1", "type": "Sleep", "params": {"sleep_seconds": {"type": "LONG", "value": 90}}}}`)
	s.mustStart("sleeping", request1)
	s.pass(30 * time.Second)
	return s
}

// judgeCorpus: everything reads as it was stored, and goes on from there.
func judgeCorpus(t *testing.T, s *system) {
	ctx := t.Context()
	check := func(when string, want map[string]string) {
		t.Helper()
		for workflow, statuses := range want {
			if got := s.statuses(workflow); got != statuses {
				t.Errorf("%s: %s is %s, want %s", when, workflow, got, statuses)
			}
		}
	}
	check("as stored", map[string]string{
		"done": "SUCCEEDED", "again": "FAILED", "behind": "FAILED CREATED", "tagged": "IN_PROGRESS", "paused": "IN_PROGRESS",
		"retrying": "IN_PROGRESS", "outside": "IN_PROGRESS CREATED", "sleeping": "IN_PROGRESS",
	})
	done := s.run("done", 1)
	var steps []string
	for _, at := range done.Attempts() {
		steps = append(steps, at.StepID+" "+at.Status.String())
		if at.StepID == "job.1" {
			if n := at.Params.Get("n"); n == nil || n.Result.Text() != "3" {
				t.Errorf("param n of job.1: %+v", n)
			}
		}
	}
	slices.Sort(steps)
	if got := strings.Join(steps, ", "); got != "job.1 SUCCEEDED, job.2 SUCCEEDED, job.3 UNSATISFIED" {
		t.Errorf("steps of done: %s", got)
	}
	if v := s.run("again", 1); v.ID().Run != 2 || v.Body().Policy != engine.RestartFromIncomplete {
		t.Errorf("again: run %d, %s", v.ID().Run, v.Body().Policy)
	}
	if lines, err := s.proc.Timeline(ctx, "done", 10); err != nil || len(lines) < 2 {
		t.Errorf("timeline of done: %d lines, %v", len(lines), err)
	}
	if limit, err := s.proc.TagPermit(ctx, "scarce"); err != nil || limit.Max != 0 {
		t.Errorf("permit: %+v, %v", limit, err)
	}
	if tpl, err := s.proc.Template(ctx, "fetch", "default"); err != nil || tpl == nil || tpl.Metadata.Owner.Name != "ann" {
		t.Errorf("template: %+v, %v", tpl, err)
	}
	if paused, err := s.proc.PausedAttempts(ctx, "paused", "job.2"); err != nil || len(paused) != 1 {
		t.Errorf("%d attempts are paused, %v", len(paused), err)
	}

	if err := s.proc.SetTagPermit(ctx, permit.LimitRequest{Tag: "scarce", MaxAllowed: 1}, "ann"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.proc.DeleteBreakpoint(ctx, "paused", "job.2", "ann", true); err != nil || n != 1 {
		t.Errorf("%d attempts resumed, %v", n, err)
	}
	if n, err := s.proc.Unblock(ctx, "behind", 0, "ann"); err != nil || n != 1 {
		t.Errorf("%d unblocked, %v", n, err)
	}
	if st := s.mustStart("done", request1); !st.Duplicated {
		t.Errorf("the request id of a stored start is answered %+v", st)
	}
	if st := s.mustStart("done", request2); st.Instance != 2 || st.Version != 2 {
		t.Errorf("the next start is answered %+v", st)
	}
	s.pass(time.Hour)
	check("an hour later", map[string]string{
		"done": "SUCCEEDED SUCCEEDED", "again": "FAILED", "behind": "FAILED SUCCEEDED", "tagged": "SUCCEEDED", "paused": "SUCCEEDED",
		"retrying": "SUCCEEDED", "outside": "SUCCEEDED SUCCEEDED", "sleeping": "SUCCEEDED",
	})
	if len(s.dead) != 0 {
		t.Errorf("%d dead letters", len(s.dead))
	}
}

// TestCorpus: what any format has stored is read for ever (P10). Each file of the corpus holds the items that the code
// of its time had stored of one system, and stays as it is; when the form of what is stored changes, the new code writes
// a file of its own: go test ./core/app -run TestCorpus -write-corpus testdata/corpus/NAME.jsonl.
func TestCorpus(t *testing.T) {
	if *writeCorpus != "" {
		dump(t, corpusStory(t), *writeCorpus)
	}
	t.Run("today", func(t *testing.T) { judgeCorpus(t, corpusStory(t)) })
	files, err := filepath.Glob("testdata/corpus/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { judgeCorpus(t, load(t, file)) })
	}
}

// dump writes the items of a system in the order of their keys. Its messages are lost, as those of any queue may be.
func dump(t *testing.T, s *system, file string) {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var items []storedItem
	for key := range s.keys {
		it, _, err := s.table.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, storedItem{key.PK, key.SK, it.Rev, it.Order, it.Due, it.Expires, it.Tokens, it.Data})
	}
	slices.SortFunc(items, func(a, b storedItem) int { return strings.Compare(a.PK+"\x00"+a.SK, b.PK+"\x00"+b.SK) })
	enc := json.NewEncoder(out)
	for _, it := range items {
		if err := enc.Encode(it); err != nil {
			t.Fatal(err)
		}
	}
}

func load(t *testing.T, file string) *system {
	s := newSystem(t)
	s.runtimes[step.SimulatedType] = &step.Simulated{Hint: true}
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var it storedItem
		if err := json.Unmarshal(lines.Bytes(), &it); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		item := table.Item{Key: table.Key{PK: it.PK, SK: it.SK}, Rev: it.Rev, Order: it.Order, Due: it.Due, Expires: it.Expires, Tokens: it.Tokens, Data: it.Data}
		if _, err := s.table.Write(t.Context(), table.Write{Item: item, Cond: table.Absent()}); err != nil {
			t.Fatal(err)
		}
		s.keys[item.Key] = true
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	s.now, s.ids = corpusTime, 1<<40
	s.restart()
	return s
}
