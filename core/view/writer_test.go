package view

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// TestTextIsThatOfTheStandardLibrary compares with encoding/json, which also escapes U+2028 and U+2029.
func TestTextIsThatOfTheStandardLibrary(t *testing.T) {
	check := func(fatal func(string, ...any), s string) {
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(s); err != nil {
			fatal("%q: %v", s, err)
		}
		got := appendText([]byte("x"), s)[1:]
		var back, wanted string
		if err := json.Unmarshal(got, &back); err != nil {
			fatal("%q: %s: %v", s, got, err)
		}
		if err := json.Unmarshal(want.Bytes(), &wanted); err != nil || back != wanted {
			fatal("%q: %s reads as %q, want %q", s, got, back, wanted)
		}
	}
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "é€😀", "\xff\xfea\xc3", "<&>", "\u2028"} {
		check(t.Fatalf, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t.Fatalf, string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")))
	})
}
