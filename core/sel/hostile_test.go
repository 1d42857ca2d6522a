package sel

import (
	"strings"
	"testing"
)

// TestHostile: programs that want to run, allocate or nest without bound end with the right limit. The
// limits are the production ones where nothing else is said.
func TestHostile(t *testing.T) {
	small := Limits{Visit: 1_000_000, Memory: 1_000_000}
	for _, c := range []struct {
		name, source string
		limits       Limits
		want         string
	}{
		{"endless loop", "while (true) {}", Limits{}, "✗ limit-loop"},
		{"endless loop with continue", "for (;;) continue;", Limits{}, "✗ limit-loop"},
		{"nested loops", "for (i = 0; i < 25000; i += 1) { for (j = 0; j < 25000; j += 1) { for (k = 0; k < 25000; k += 1) {} } }", Limits{Visit: 1_000_000}, "✗ limit-visit"},
		{"doubling text", "s = 'x'; while (true) { s += s; }", Limits{}, "✗ limit-memory"},
		{"doubling by plus", "s = 'x'; while (true) { s = s + s; }", Limits{}, "✗ limit-memory"},
		{"doubling by replace", "s = 'xx'; while (true) { s = s.replace('x', s); }", small, "✗ limit-memory"},
		{"long look-behind", "p = '(a)(b)?'; for (i = 0; i < 12; i += 1) { p += p; } 'a'.replaceAll('(?<=' + p + ')b', '');", Limits{}, "STRING a"},
		{"many groups, found often", "p = '()'; for (i = 0; i < 13; i += 1) { p += p; } s = 'a'; for (i = 0; i < 15; i += 1) { s += s; } s.replaceAll(p, '');", Limits{}, "✗ limit-visit"},
		{"many alternatives, looked at often", "p = 'x'; for (i = 0; i < 13; i += 1) { p += '|' + p; } s = 'a'; for (i = 0; i < 15; i += 1) { s += s; } s.replaceAll(p, '');", Limits{}, "✗ limit-visit"},
		{"nested look-behind", "p = 'a'; for (i = 0; i < 200; i += 1) { p = '(' + p + ')?'; } 'a'.replaceAll('(?<=' + p + ')b', '');", Limits{}, "STRING a"},
		{"nested alternatives in a look-behind", "p = 'a'; for (i = 0; i < 200; i += 1) { p = '(?:' + p + '|b){1}'; } 'a'.replaceAll('(?<!' + p + ')b', '');", Limits{}, "✗ method-failure"},
		{"doubling by replaceAll", "s = 'xx'; while (true) { s = s.replaceAll('x', s); }", small, "✗ limit-memory"},
		{"replaceAll of nothing", "s = 'ab'; while (true) { s = s.replaceAll('', '$0' + s); }", small, "✗ limit-memory"},
		{"join", "a = new String[20000]; s = 'xxxxxxxxxx'; while (true) { s = String.join(s, a); }", Limits{}, "✗ limit-memory"},
		{"split", "s = 'ab'; for (i = 0; i < 16; i += 1) { s += s; } while (true) { s.split(''); }", Limits{}, "✗ limit-memory"},
		{"width of format", "String.format('%999999999d', 1);", Limits{}, "✗ limit-memory"},
		{"precision of format", "String.format('%.999999999f', 1.5);", Limits{}, "✗ limit-memory"},
		{"format of literals", "s = '%n'; for (i = 0; i < 12; i += 1) { s += s; } while (true) { String.format(s); }", small, "✗ limit-memory"},
		{"arrays", "while (true) { new int[20000]; }", Limits{}, "✗ limit-memory"},
		{"array size", "new int[25001];", Limits{}, "✗ limit-array"},
		{"intsBetween", "Util.intsBetween(-2147483648, 2147483647, 1);", Limits{}, "✗ limit-memory"},
		{"intsBetween overflow", "Util.intsBetween(0, 2147483647, 2147483646);", Limits{}, "✗ invalid-args"},
		{"dateIntsBetween", "Util.dateIntsBetween('00010101', '99991231', 1);", small, "✗ limit-memory"},
		{"map bomb", "m = new Map(); m.put('a', 1); for (i = 0; i < 40; i += 1) { Map y = new Map(); y.put('l', m); y.put('r', m); Map m = y; } '' + m;", Limits{}, "✗ limit-memory"},
		{"map bomb taken out", "m = new Map(); m.put('a', 1); for (i = 0; i < 40; i += 1) { Map y = new Map(); y.put('l', m); y.put('r', m); Map m = y; } m;", Limits{}, "✗ limit-memory"},
		{"map in itself as text", "m = new Map(); m.put('m', m); '' + m;", Limits{}, "✗ result-extraction"},
		{"map in itself as json", "m = new Map(); m.put('m', m); Util.toJson(m);", Limits{}, "✗ result-extraction"},
		{"map in itself formatted", "m = new Map(); m.put('m', m); String.format('%s', m);", Limits{}, "✗ result-extraction"},
		{"regex bomb", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.replaceAll('(a+)+$', 'x');", Limits{}, "✗ limit-visit"},
		{"regex bomb by alternatives", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.split('(a|aa)+$b');", Limits{}, "✗ limit-visit"},
		{"regex bomb by back reference", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.replaceAll('(a*)*\\\\1b', 'x');", Limits{}, "✗ limit-visit"},
		{"regex that counts", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.replaceAll('((a{1,30}){1,30}){1,30}b', 'x');", Limits{}, "✗ limit-visit"},
		{"regex on long text", "s = 'ab'; for (i = 0; i < 18; i += 1) { s += s; } s.replaceAll('(a|b)*c', 'x');", Limits{}, "✗ limit-visit"},
		{"nested regex", "'a'.replaceAll('" + strings.Repeat("(", 4000) + "', '');", Limits{}, "✗ method-failure"},
		{"nested parentheses", strings.Repeat("(", 4000) + "1" + strings.Repeat(")", 4000) + ";", Limits{}, "✗ limit-stack"},
		{"nested signs", strings.Repeat("- ", 4900) + "1;", Limits{}, "✗ limit-stack"},
		{"nested blocks", strings.Repeat("{", 4900) + strings.Repeat("}", 4900), Limits{}, "✗ limit-stack"},
		{"nested calls", strings.Repeat("Math.min(1,", 800) + "1" + strings.Repeat(")", 800) + ";", Limits{Length: 20000}, "✗ limit-stack"},
		{"nested operands", strings.Repeat("1+(", 1000) + "1" + strings.Repeat(")", 1000) + ";", Limits{}, "✗ limit-stack"},
		{"wide initialiser", "new int[]{" + strings.Repeat("1,", 200) + "};", Limits{}, "✗ limit-stack"},
		{"long source", strings.Repeat(" ", 10000) + "1;", Limits{}, "✗ limit-length"},
		{"long text looked at often", "s = 'ab'; for (i = 0; i < 20; i += 1) { s += s; } for (i = 0; i < 20000; i += 1) { s.contains('c'); s.length(); s.isEmpty(); }", small, "✗ limit-memory"},
		{"one key after the other", "m = new Map(); k = ''; for (i = 0; i < 25000; i += 1) { k = k + 'x'; m.put(k, 1); }", small, "✗ limit-memory"},
		{"long pattern", "p = 'yyyy '; for (i = 0; i < 14; i += 1) { p += p; } while (true) { new DateTime(0).toString(p); }", small, "✗ limit-memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := evalText(t, c.source, Env{Limits: c.limits}); got != c.want {
				if len(got) > 200 {
					got = got[:200]
				}
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestWorkIsCounted: visits that look at much count for more than those that do not.
func TestWorkIsCounted(t *testing.T) {
	source := "s = 'ab'; for (i = 0; i < 20; i += 1) { s += s; } for (i = 0; i < 20000; i += 1) { s == s; s.isEmpty(); }"
	if got := evalText(t, source, Env{Limits: Limits{Visit: 2_000_000}}); got != "✗ limit-visit" {
		t.Error(got)
	}
}
