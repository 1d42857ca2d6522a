package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
)

// recorded is what these tests read of a conformance scenario.
type recorded struct {
	Ignore []string
	Steps  []struct {
		Call   string
		Body   json.RawMessage
		Ignore []string
		Until  map[string]any
		Expect struct {
			Status int
			Body   json.RawMessage
		}
	}
}

// recordedStates reads the scenarios of an area and calls look with every instance or step in an answer, as JSON, with a
// fresh run of the version that it names. Runs made by restarts, and versions that were not pushed as JSON, are passed
// over. ignored are the names of members that the scenario does not compare.
func recordedStates(t *testing.T, look func(where string, doc map[string]any, st *engine.State, ignored map[string]bool)) {
	t.Helper()
	files, err := filepath.Glob("../../test/conformance/scenarios/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s recorded
		if err := json.Unmarshal(bytes.ReplaceAll(data, []byte("${run}"), []byte("r1")), &s); err != nil {
			t.Fatal(err)
		}
		pushed := map[string]*definition.Workflow{}
		latest := map[string]int{}
		for i, step := range s.Steps {
			if step.Call == "POST /api/v3/workflows" && step.Expect.Status == 200 && step.Body != nil {
				r, err := definition.ReadCreate(step.Body)
				if err != nil || r.Workflow == nil {
					continue
				}
				latest[r.Workflow.ID]++
				pushed[fmt.Sprintf("%s#%d", r.Workflow.ID, latest[r.Workflow.ID])] = r.Workflow
				continue
			}
			if step.Call == "POST /api/v3/workflows/yaml" && step.Expect.Status == 200 {
				break // which version is which is no longer known
			}
			if !strings.HasPrefix(step.Call, "GET ") || step.Until != nil || step.Expect.Body == nil {
				continue
			}
			ignored := map[string]bool{"tracing_context": true}
			for _, pointer := range append(append([]string(nil), s.Ignore...), step.Ignore...) {
				ignored[pointer[strings.LastIndexByte(pointer, '/')+1:]] = true
			}
			var docs []map[string]any
			var one map[string]any
			if json.Unmarshal(step.Expect.Body, &docs) != nil && json.Unmarshal(step.Expect.Body, &one) == nil {
				docs = append(docs, one)
			}
			for _, doc := range docs {
				key := fmt.Sprintf("%v#%v", doc["workflow_id"], doc["workflow_version_id"])
				w := pushed[key]
				if w == nil || doc["workflow_run_id"] != 1.0 {
					continue
				}
				g, err := dag.Fresh(w.ID, w.Nodes())
				if err != nil {
					t.Errorf("%s: %v", file, err)
					continue
				}
				st := engine.NewState(&engine.Body{WorkflowID: w.ID, InstanceID: 1, RunID: 1, Policy: engine.StartFreshNewRun, DAG: g, Workflow: w})
				look(fmt.Sprintf("%s: %d", filepath.Base(file), i+1), doc, st, ignored)
			}
		}
	}
}

// lacks names the first place where got is not what was recorded. Members that are not compared may be there or not.
func lacks(want, got any, ignored map[string]bool, at string) string {
	w, ok := want.(map[string]any)
	g, same := got.(map[string]any)
	if !ok || !same {
		if wl, ok := want.([]any); ok {
			gl, _ := got.([]any)
			if len(wl) != len(gl) {
				return fmt.Sprintf("%s: %d entries, want %d", at, len(gl), len(wl))
			}
			for i := range wl {
				if d := lacks(wl[i], gl[i], ignored, fmt.Sprintf("%s/%d", at, i)); d != "" {
					return d
				}
			}
			return ""
		}
		if !reflect.DeepEqual(want, got) {
			return fmt.Sprintf("%s: %v, want %v", at, got, want)
		}
		return ""
	}
	names := map[string]bool{}
	for k := range w {
		names[k] = true
	}
	for k := range g {
		names[k] = true
	}
	var keys []string
	for k := range names {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if ignored[k] {
			continue
		}
		if d := lacks(w[k], g[k], ignored, at+"/"+k); d != "" {
			return d
		}
	}
	return ""
}

func TestRecordedDefinitionsOfSteps(t *testing.T) {
	compared := 0
	recordedStates(t, func(where string, doc map[string]any, st *engine.State, ignored map[string]bool) {
		id, _ := doc["step_id"].(string)
		if id == "" || doc["definition"] == nil || ignored["definition"] {
			return
		}
		data, err := AppendStep(nil, st.Body, &engine.Attempt{StepID: id}, false)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%s: %v: %s", where, err, data)
		}
		if d := lacks(doc["definition"], got["definition"], ignored, "/definition"); d != "" {
			t.Errorf("%s: %s", where, d)
		}
		if d := lacks(doc["transition"], got["transition"], map[string]bool{"successors": true}, "/transition"); d != "" && !ignored["transition"] {
			t.Errorf("%s: %s", where, d)
		}
		compared++
	})
	if compared < 100 {
		t.Errorf("only %d definitions were compared", compared)
	}
}

func TestRecordedWorkflowsAndGraphsOfRuns(t *testing.T) {
	compared := 0
	recordedStates(t, func(where string, doc map[string]any, st *engine.State, ignored map[string]bool) {
		if doc["run_config"] == nil {
			return
		}
		if _, tagged := doc["run_config"].(map[string]any)["runtime_tags"]; tagged {
			return // merged into the runtime workflow at the start, which is not done here
		}
		data, err := AppendInstance(nil, st, InstanceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%s: %v: %s", where, err, data)
		}
		for _, member := range []string{"runtime_workflow", "runtime_dag"} {
			if doc[member] == nil || ignored[member] {
				continue
			}
			if d := lacks(doc[member], got[member], ignored, "/"+member); d != "" {
				t.Errorf("%s: %s", where, d)
			}
			compared++
		}
	})
	if compared < 100 {
		t.Errorf("only %d were compared", compared)
	}
}
