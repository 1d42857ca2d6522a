package javare

import (
	"errors"
	"testing"

	"github.com/downbeat/downbeat/core/sel/javatext"
)

// find gives the texts of all matches, joined by a bar.
func find(t *testing.T, pattern, text string) string {
	t.Helper()
	re, err := Compile(pattern)
	if err != nil {
		return "✗ " + err.Error()
	}
	m := re.Matcher(javatext.Units(text), 100000)
	out := ""
	for {
		ok, err := m.Find()
		if errors.Is(err, ErrBudget) {
			return "✗ budget"
		}
		if !ok {
			return out
		}
		g, _ := m.Group(0)
		out += javatext.Encode(g) + "|"
	}
}

func TestFind(t *testing.T) {
	for _, c := range []struct{ pattern, text, want string }{
		{"a*", "aab", "aa|||"},
		{"(a|ab)(c|bcd)(d*)", "abcd", "abcd|"},
		{"a++a", "aaa", ""},
		{"(?>a|ab)c", "abc", ""},
		{"(\\w)\\1", "aabbc", "aa|bb|"},
		{"(?<x>.)\\k<x>", "xyyz", "yy|"},
		{"[a-z&&[^aeiou]]+", "hello", "h|ll|"},
		{"[^a&&b]", "abc", "a|b|c|"},
		{"\\Qa.b\\E+", "a.bbb", "a.bbb|"},
		{"(?i)ÀB", "ab àb Àb", "Àb|"},
		{"(?iu)À", "à", "à|"},
		{"(?m)^.", "a\nb\r\nc", "a|b|c|"},
		{"(?s)a.b", "a\nb", "a\nb|"},
		{"(?x) a b # c", "ab", "ab|"},
		{"\\Ga", "aaba", "a|a|"},
		{"(?<=a{1,2})b", "aab", "b|"},
		{"(?<!a)b", "ab b", "b|"},
		{"(a?){3}b", "aab", "aab|"},
		{"(?:)*b", "b", "b|"},
		{"(a*)*b", "aaab", "aaab|"},
		{"(a|b|)+c", "abc", "abc|"},
		{"(ab){2,3}?", "abababab", "abab|abab|"},
		{".", "a😀", "a|😀|"},
		{"[^x]", "😀", "😀|"},
		{"\\bfoo\\b", "foo food foo", "foo|foo|"},
		{"$", "a\n", "||"},
		{"\\Z", "a\n", "||"},
		{"\\z", "a\n", "|"},
		{"\\R", "a\r\nb\n", "\r\n|\n|"},
		{"\\p{Lu}\\p{IsAlphabetic}", "ÄöX", "Äö|"},
		{"[]a]+", "a]b", "a]|"},
		{"\\x41\\u0042\\0103", "ABC", "ABC|"},
		{"a\\1", "aa", ""},
		{"(", "", "✗ Unclosed group near index 1"},
		{")", "", "✗ Unmatched closing ')' near index 0"},
		{"(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "✗ budget"},
	} {
		if got := find(t, c.pattern, c.text); got != c.want {
			t.Errorf("%s in %q: %q, want %q", c.pattern, c.text, got, c.want)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("(a|b)*?[c-e&&[^d]]+\\1(?<=x{2})$", "abccxx")
	f.Add("(?i)\\Q.\\E\\p{L}{2,}+|^", "x.éa")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, err := Compile(pattern)
		if err != nil {
			return
		}
		m := re.Matcher(javatext.Units(text), 5000)
		for {
			if ok, err := m.Find(); err != nil || !ok {
				return
			}
			if m.Start() < 0 || m.End() < m.Start() {
				t.Fatalf("match from %d to %d", m.Start(), m.End())
			}
		}
	})
}
