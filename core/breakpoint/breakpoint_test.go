package breakpoint

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/pack"
)

func TestParseRequest(t *testing.T) {
	for body, want := range map[string]*Request{
		`{"workflow_id":"w","step_id":"s"}`:                          {"w", "s"},
		`{"workflow_id":7,"step_id":true}`:                           {"7", "true"},
		`{"workflow_id":"w","step_id":"s","workflow_version":null}`:  {"w", "s"},
		`{"workflow_id":"w","step_id":"s","workflow_version":1}`:     nil,
		`{"workflow_id":"w","step_id":"s","workflow_instance_id":1}`: nil,
		`{"workflow_id":"w","step_id":"s","workflow_run":1}`:         nil,
		`{"workflow_id":"w","step_id":"s","step_attempt_id":"1"}`:    nil,
		`{"workflow_id":"w","step_id":"s","colour":"red"}`:           nil,
		`{"workflow_id":"w","step_id":"s","colour":null}`:            nil,
		`{"workflow_id":"w"}`:                                        nil,
		`{"workflow_id":null,"step_id":"s"}`:                         nil,
		`{"step_id":"s"}`:                                            nil,
		`{"workflow_id":["w"],"step_id":"s"}`:                        nil,
		`{}`:                                                         nil,
		`{`:                                                          nil,
		`null`:                                                       nil,
		`[]`:                                                         nil,
		``:                                                           nil,
	} {
		got, err := ParseRequest([]byte(body))
		if want == nil {
			if fault.CodeOf(err) != fault.BadRequest {
				t.Errorf("%s: read as %+v, error %v", body, got, err)
			}
			continue
		}
		if err != nil || got != *want {
			t.Errorf("%s: read as %+v, error %v, want %+v", body, got, err, *want)
		}
	}
	if _, err := ParseRequest([]byte(`{"workflow_run":1}`)); len(fault.Of(err).Errors) != 3 {
		t.Errorf("violations: %q", fault.Of(err).Errors)
	}
}

func TestScopes(t *testing.T) {
	for id, want := range map[string]string{
		"demo.daily":    "demo.daily",
		"my_long_id_ab": "my_long_id_ab",
		"maestro_foreach_Ib2_11_94587073c5c260cfd048a0d09251a917": "maestro_foreach_Ib2_",
		"maestro_while_7D3_210_94587073c5c260cfd048a0d09251a917":  "maestro_while_7D3_",
		"maestro_foreach_Ib2": "maestro_foreach_Ib2",
	} {
		if got := Scope(id); got != want {
			t.Errorf("Scope(%q) = %q, want %q", id, got, want)
		}
	}
	for _, c := range []struct {
		internalID int64
		loop       Loop
		want       string
	}{
		{10000, NoLoop, "w"},
		{10000, Foreach, "maestro_foreach_Ib2_"},
		{12345, While, "maestro_while_7D3_"},
		{10001, Foreach, "maestro_foreach_Jb2_"},
		{1, Foreach, "maestro_foreach_1_"},
		{61, Foreach, "maestro_foreach_z_"},
		{62, Foreach, "maestro_foreach_01_"},
	} {
		if got := PlacedScope("w", c.internalID, c.loop); got != c.want {
			t.Errorf("PlacedScope(%d, %q) = %q, want %q", c.internalID, c.loop, got, c.want)
		}
	}
}

func TestRecordsRoundTrip(t *testing.T) {
	b := Breakpoint{"maestro_foreach_Ib2_", "load", 1735689600000, "ann"}
	if got, err := Decode(b.Encode()); err != nil || got != b {
		t.Errorf("breakpoint: %+v, error %v", got, err)
	}
	p := Paused{Attempt{"maestro_foreach_Ib2_11_94587073c5c260cfd048a0d09251a917", 2, 3, "load", 4}, 5, 1735689600000}
	if got, err := DecodePaused(p.Encode()); err != nil || got != p {
		t.Errorf("paused attempt: %+v, error %v", got, err)
	}
	for n := range b.Encode() {
		if _, err := Decode(b.Encode()[:n]); err == nil {
			t.Errorf("breakpoint read from its first %d bytes", n)
		}
	}
	for n := range p.Encode() {
		if _, err := DecodePaused(p.Encode()[:n]); err == nil {
			t.Errorf("paused attempt read from its first %d bytes", n)
		}
	}
	if _, err := Decode([]byte{format + 1}); !errors.Is(err, pack.ErrNewer) {
		t.Errorf("a newer breakpoint: %v", err)
	}
	if _, err := DecodePaused([]byte{format + 1}); !errors.Is(err, pack.ErrNewer) {
		t.Errorf("a newer paused attempt: %v", err)
	}
}

func TestSort(t *testing.T) {
	at := func(w string, i, r, a int64) Paused {
		return Paused{Attempt: Attempt{WorkflowID: w, InstanceID: i, RunID: r, StepID: "s", AttemptID: a}}
	}
	want := []Paused{at("a", 1, 1, 1), at("a", 1, 1, 2), at("a", 1, 2, 1), at("a", 2, 1, 1), at("b", 9, 1, 1)}
	got := slices.Clone(want)
	slices.Reverse(got)
	if Sort(got); !reflect.DeepEqual(got, want) {
		t.Errorf("order: %v, want %v", got, want)
	}
}

func TestAnswers(t *testing.T) {
	const now = 1735689600000
	b := Breakpoint{"maestro_foreach_Ib2_", "load", now, "ann"}
	p := Paused{Attempt{"demo", 18, 1, "hello", 2}, 3, now}
	for want, v := range map[string]any{
		`{"workflow_id":"maestro_foreach_Ib2_","step_id":"load","create_time":1735689600000,"created_by":"ann"}`:                                                                                                                                 b.Set(),
		`{"workflow_id":"demo","step_id":"load","create_time":1735689600000,"created_by":"ann"}`:                                                                                                                                                 b.Listed("demo"),
		`{"workflow_id":"demo","workflow_version_id":3,"workflow_instance_id":18,"workflow_run_id":1,"step_id":"hello","step_attempt_id":2,"create_time":1735689600000}`:                                                                         p.Listed(),
		`{"workflow_id":"demo","step_id":"hello","timeline_event":{"timestamp":1735689600000,"type":"LOG","level":"INFO","message":"breakpoint was removed by user [ann]; steps resumed: 2"}}`:                                                   Deleted("demo", "hello", "ann", 2, now),
		`{"workflow_id":"demo","workflow_instance_id":18,"workflow_run_id":1,"step_id":"hello","step_attempt_id":2,"timeline_event":{"timestamp":1735689600000,"type":"LOG","level":"INFO","message":"step attempt was resumed by user [ann]"}}`: Resumed(p.Attempt, "ann", now),
	} {
		if got, err := json.Marshal(v); err != nil || string(got) != want {
			t.Errorf("answer: %s, error %v\nwant %s", got, err, want)
		}
	}
	for err, want := range map[error]fault.Code{NotFound("w", "s"): fault.NotFound, NotPaused(p.Attempt): fault.NotFound, NoStep("w", "s"): fault.BadRequest} {
		if fault.CodeOf(err) != want {
			t.Errorf("%v: want %s", err, want)
		}
	}
}
