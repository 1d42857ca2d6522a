package conformance

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// alwaysIgnored is what no server needs to share with another: wording, traces, numbers that it hands out for itself.
var alwaysIgnored = []string{
	"/**/trace", "/**/stack_trace", "/**/details/errors", "/**/timeline/*/errors", "/**/message", "/**/internal_id", "/**/tracing_context",
}

var (
	uuidText     = regexp.MustCompile(`\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`)
	isoTime      = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?`)
	millisInText = regexp.MustCompile(`\b1[5-9]\d{11}\b`)
	uuidToken    = regexp.MustCompile(`<uuid-\d+>`)
)

// Numbers in this range are taken for epoch milliseconds (2017 to 2096).
const (
	timeMin = 1_500_000_000_000
	timeMax = 4_000_000_000_000
)

// normaliser replaces what differs from one playing to the next: the run id, the stub's address, UUIDs, times. UUIDs
// keep their identity: equal ones get equal numbers.
type normaliser struct {
	fixed *strings.Replacer
	uuids map[string]string
}

func newNormaliser(runID, stub string) *normaliser {
	fixed := []string{runID, "${run}"}
	if stub != "" {
		fixed = append(fixed, stub, "${stub}")
	}
	return &normaliser{fixed: strings.NewReplacer(fixed...), uuids: map[string]string{}}
}

func (n *normaliser) text(s string) string {
	s = n.fixed.Replace(s)
	s = uuidText.ReplaceAllStringFunc(s, func(m string) string {
		m = strings.ToLower(m)
		if n.uuids[m] == "" {
			n.uuids[m] = fmt.Sprintf("<uuid-%d>", len(n.uuids)+1)
		}
		return n.uuids[m]
	})
	s = isoTime.ReplaceAllString(s, "<iso-time>")
	return millisInText.ReplaceAllString(s, "<time>")
}

func (n *normaliser) value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range sortedKeys(v) {
			out[n.text(k)] = n.value(v[k])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = n.value(x)
		}
		return out
	case string:
		return n.text(v)
	case json.Number:
		if f, err := v.Float64(); err == nil && f >= timeMin && f <= timeMax {
			return "<time>"
		}
	}
	return v
}

// sameUUIDs compares texts whose UUIDs were replaced: by identity, not by number. Each UUID of one side stands for
// exactly one of the other, all through a scenario.
type sameUUIDs struct{ forth, back map[string]string }

func newSameUUIDs() *sameUUIDs { return &sameUUIDs{map[string]string{}, map[string]string{}} }

func (s *sameUUIDs) equal(want, got string) bool {
	a, b := uuidToken.FindAllString(want, -1), uuidToken.FindAllString(got, -1)
	if len(a) != len(b) || uuidToken.ReplaceAllString(want, "<uuid>") != uuidToken.ReplaceAllString(got, "<uuid>") {
		return false
	}
	for i := range a {
		if !bind(s.forth, a[i], b[i]) || !bind(s.back, b[i], a[i]) {
			return false
		}
	}
	return true
}

// bind tells whether k stands for v, and lets it from now on if it stood for nothing.
func bind(m map[string]string, k, v string) bool {
	if old, ok := m[k]; ok {
		return old == v
	}
	m[k] = v
	return true
}

// rules say how two documents are compared.
type rules struct {
	ignore, unordered []pattern
	uuids             *sameUUIDs
}

// differences are lines that name each place where two normalised documents differ.
func (r *rules) differences(want, got any) []string {
	return r.differ(without(want, r.ignore, nil), without(got, r.ignore, nil), nil)
}

func (r *rules) differ(want, got any, parts []string) []string {
	line := func(format string, args ...any) []string {
		return []string{"/" + strings.Join(parts, "/") + ": " + fmt.Sprintf(format, args...)}
	}
	if want == missing || got == missing {
		if want == got {
			return nil
		}
		return line("expected %s, got %s", brief(want, 200), brief(got, 200))
	}
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			var out []string
			for _, k := range unionKeys(w, g) {
				out = append(out, r.differ(member(w, k), member(g, k), child(parts, escapePart.Replace(k)))...)
			}
			return out
		}
	case []any:
		if g, ok := got.([]any); ok {
			where := parts
			if len(where) == 0 {
				where = []string{""} // the pattern "/" means the document itself
			}
			if anyMatches(r.unordered, where, false) {
				w, g = inOrder(w), inOrder(g)
			}
			if len(w) != len(g) {
				return line("expected %d entries, got %d: %s", len(w), len(g), brief(got, 200))
			}
			var out []string
			for i := range w {
				out = append(out, r.differ(w[i], g[i], child(parts, strconv.Itoa(i)))...)
			}
			return out
		}
	case string:
		if g, ok := got.(string); ok && r.uuids.equal(w, g) {
			return nil
		}
	case json.Number:
		if g, ok := got.(json.Number); ok && sameNumber(w, g) {
			return nil
		}
	default: // null and booleans
		if want == got {
			return nil
		}
	}
	return line("expected %s, got %s", brief(want, 200), brief(got, 200))
}

func member(m map[string]any, k string) any {
	if v, ok := m[k]; ok {
		return v
	}
	return missing
}

func unionKeys(a, b map[string]any) []string {
	keys := sortedKeys(a)
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}

// inOrder sorts a list by its entries' text, UUIDs being all the same.
func inOrder(list []any) []any {
	type entry struct {
		key   string
		value any
	}
	entries := make([]entry, len(list))
	for i, v := range list {
		entries[i] = entry{uuidToken.ReplaceAllString(string(compact(canonicalNumbers(v))), "<uuid>"), v}
	}
	sort.SliceStable(entries, func(i, j int) bool { return entries[i].key < entries[j].key })
	out := make([]any, len(list))
	for i, e := range entries {
		out[i] = e.value
	}
	return out
}

// canonicalNumbers writes equal numbers alike, so that 1 and 1.0 sort to the same place.
func canonicalNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = canonicalNumbers(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = canonicalNumbers(x)
		}
		return out
	case json.Number:
		if r := number(v); r != nil {
			return r.RatString()
		}
	}
	return v
}
