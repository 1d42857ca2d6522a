package loop

import (
	"testing"

	"github.com/downbeat/downbeat/core/engine"
)

func TestInlineID(t *testing.T) {
	body := func(workflow string, internal, instance int64, ancestors ...engine.Ancestor) *engine.Body {
		return &engine.Body{WorkflowID: workflow, InternalID: internal, InstanceID: instance, Initiator: engine.Initiator{Ancestors: ancestors}}
	}
	outer := "maestro_foreach_Jb2_17_d7ee0c67dc2a356a21c07c9582867490"
	for _, c := range []struct {
		parent *engine.Body
		step   string
		want   string
	}{
		{body("sample-foreach-wf", 10000, 1), "foreach-step1", "maestro_foreach_Ib2_11_94587073c5c260cfd048a0d09251a917"},
		{body("demo.wf", 10001, 7), "loop", outer},
		{
			body(outer, 10001, 2, engine.Ancestor{WorkflowID: "demo.wf", InstanceID: 7}), "inner",
			"maestro_foreach_Jb2_17_d90a05a90bf493f7c3edb4237f0bbe42",
		},
	} {
		if got := InlineID(c.parent, c.step, false); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.parent.WorkflowID, c.step, got, c.want)
		}
	}
	for i, want := range map[int64]string{1: "4994b597-79fc-3683-92a7-73a01f5ab864", 2: "4230e0af-fbb9-308d-b3f7-c82e29274a1a"} {
		if got := IterationUUID(outer, 1, i, false); got != want {
			t.Errorf("iteration %d: %s, want %s", i, got, want)
		}
	}
}

func TestNumberKeys(t *testing.T) {
	for n, want := range map[int64]string{10000: "Ib2", 12345: "7D3", 10001: "Jb2"} {
		if got := hashKey(n); got != want {
			t.Errorf("hashKey(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{1: "11", 9: "19", 62: "210", 100: "21c"} {
		if got := rangeKey(n); got != want {
			t.Errorf("rangeKey(%d) = %s, want %s", n, got, want)
		}
	}
}
