package sel

import (
	"context"
	"errors"
	"testing"

	"github.com/downbeat/downbeat/core/sel/syntax"
)

var seeds = []string{
	"1 + 1;", "'a\\u0041' + x;", "int[] a = new int[]{1,2}; a[0] += 1; a;", "for (int i = 0; i < 3; i += 1) { if (i == 2) break; else continue; }",
	"m = new Map(); m.put('k', 1); '' + m;", "new DateTime('2019-03-10T02:30').plusDays(1).toString('yyyy-MM-dd ZZZ');",
	"'a,b'.split(',', -1)[1].replaceAll('(?<n>b)', '${n}$1');", "String.format('%05d %-10s|%.3e', 1, 'x', 2.5);", "params['x']; throw 'e';",
	"Util.dateIntsBetween(20200226, 20200303, 2);", "DateTimeFormat.forPattern('EEE, d MMM yy z').parseDateTime('Mon, 1 Jan 19 PST');", "x ? y : -!z;",
	"import static a.b.*; {;}", "/* c */ 0x1F; 1.e3f; .5", "'\\101'", "\"\xed\xa0\x80\";",
}

// FuzzParse: the scanner and the parser end, do not panic, and say where an error is.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		prog, err := syntax.Parse(source)
		if err == nil {
			syntax.Needed(prog, func(string) bool { return false })
			return
		}
		var e *syntax.Error
		if !errors.As(err, &e) || e.Pos.Line < 1 || e.Message == "" {
			t.Errorf("error without place or text: %#v", err)
		}
	})
}

// FuzzEval: an evaluation ends within its budgets and gives the same answer each time.
func FuzzEval(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, "abc", int64(3))
	}
	f.Fuzz(func(t *testing.T, source, s string, n int64) {
		env := Env{
			Inputs:    map[string]Value{"x": String(s), "y": Long(n), "z": Longs([]int64{n, 1}), "d": Double(float64(n) / 3)},
			Limits:    Limits{Visit: 20_000, Memory: 200_000},
			NowMillis: 1785000000000,
		}
		first := fuzzOnce(t, source, env)
		if second := fuzzOnce(t, source, env); second != first {
			t.Errorf("first %q, then %q", first, second)
		}
	})
}

func fuzzOnce(t *testing.T, source string, env Env) string {
	p, err := CompileLimited(source, env.Limits)
	if err != nil {
		return err.Error()
	}
	ev := newEvaluator(context.Background(), p, &env)
	v, ok := ev.program()
	if ev.visits > env.Limits.Visit+8 {
		t.Errorf("%d visits", ev.visits)
	}
	// The charge that fails may be large, but what it is for is not made.
	if ok && ev.memory >= env.Limits.Memory {
		t.Errorf("%d bytes", ev.memory)
	}
	if !ok {
		if ev.err == nil {
			t.Fatal("failed without an error")
		}
		return ev.err.Error()
	}
	return v.Type().String() + v.Text()
}
