package param

import (
	"context"
	"errors"
	"testing"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/wire"
)

// Whatever is read is written back without loss, merges, and evaluates without a panic; what was evaluated is read
// again as it was written.
func FuzzParams(f *testing.F) {
	f.Add([]byte(worked))
	f.Add([]byte(`{"a":{"type":"DOUBLE_ARRAY","value":[1e10,-0.0]},"m":{"type":"MAP","value":{"x":{"type":"STRING_MAP","value":{"$a":"$$"}}}}}`))
	f.Add([]byte(`{"a":{"type":"MAP","expression":"m = new Map(); m.put('k', new String[1]); return m;","tags":["t"],"meta":{"k":null}}}`))
	defaults, err := StandardDefaults()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := wire.Parse(data)
		if err != nil {
			return
		}
		n := wire.Root(v, "")
		defs := ReadDefinitions(n, true)
		if n.Err() != nil {
			return
		}
		text := definitionJSON(defs)
		if again := definitionJSON(readDefs(t, text)); again != text {
			t.Fatalf("%s became %s", text, again)
		}
		p, err := MergeStart(defaults, defs, nil, "MANUAL")
		if err == nil {
			env := testEnv(0, 0)
			env.Limits.Visit, env.Limits.Loop = 10_000, 1000
			err = (&Scope{Env: env, Own: p}).EvaluateAll(context.Background())
		}
		if err != nil {
			var known *fault.Error
			if !errors.As(err, &known) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		text = string(p.AppendJSON(nil))
		if v, err = wire.ParseText(text); err != nil {
			t.Fatal(err)
		}
		n = wire.Root(v, "")
		again := ReadParams(n, true)
		if n.Err() != nil {
			t.Fatalf("%s: %v", text, n.Err())
		}
		if s := string(again.AppendJSON(nil)); s != text {
			t.Fatalf("%s became %s", text, s)
		}
	})
}
