package engine

import "testing"

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
