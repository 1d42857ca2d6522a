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
		{"[&&a]+", "aab&", "aa|"},
		{"[a-d&&[a-c]&&[^b]]", "abcd", "a|c|"},
		{"[ab&&[bc]d]", "abcd", "b|"},
		{"[a&&b-d]", "abcd", ""},
		{"(?x)[a b && b ]", "ab ", "b|"},
		{"\\R{2}", "\r\n", ""},
		{"\\R\\n", "\r\n", "\r\n|"},
		{"(a|ab){2}+", "aba", ""},
		{"(?m)^", "", ""},
		{"\\B", "😀", "|||"},
		{"[^x]??", "😀", "|||"},
		{"\\uDE00", "😀", ""},
		{"[\\uD800-\\uDFFF]", "😀", ""},
		{"(?<=[^a])b", "😀b", "b|"},
		{"(?<!.)", "😀", "||"},
		{"(?iu)ſ", "sSſ", "s|S|ſ|"},
		{"(?i)\\p{Lu}\\p{javaLowerCase}", "aB", "aB|"},
		{"(?U)\\p{graph}\\w", "é日 ", "é日|"},
		{"\\p{IsLatn}\\p{sc=Grek}", "aα", "aα|"},
		{"(?<=\\s+)b", "a  b", "b|"},
		{"(?<=a\\s+)b", "a  b", "b|"},
		{"(?<=a\\s{2,})b", "a  b", "b|"},
		{"(?<=(?:a|bb){1,2})c", "bbc", "✗ Look-behind group does not have an obvious maximum length near index 17"},
		{"(?<=(?:ab){0,1})c", "abc", "c|"},
		{"(?<=.*.*)b", "ab", ""},
		{"a\\E", "", "✗ Illegal/unsupported escape sequence near index 2"},
		{"[b-&&a]", "", "✗ Illegal character range near index 3"},
		{"[&&]", "", "✗ Bad class syntax near index 2"},
		{"(", "", "✗ Unclosed group near index 1"},
		{")", "", "✗ Unmatched closing ')' near index 0"},
		{"(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "✗ budget"},
	} {
		if got := find(t, c.pattern, c.text); got != c.want {
			t.Errorf("%s in %q: %q, want %q", c.pattern, c.text, got, c.want)
		}
	}
}

// TestStaleGroups: what an attempt captured can be seen in a later one, where no way back passes it.
func TestStaleGroups(t *testing.T) {
	re, err := Compile(`(?:(?<n>(?>.{2}))x)?+(.)`)
	if err != nil {
		t.Fatal(err)
	}
	m := re.Matcher(javatext.Units("abc"), 1000)
	if ok, err := m.Find(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if g, ok := m.Group(1); ok {
		t.Errorf("a group on a way that was taken back has %v", g)
	}
	re, err = Compile(`(?!(a)b)a|b`)
	if err != nil {
		t.Fatal(err)
	}
	m = re.Matcher(javatext.Units("ab"), 1000)
	if ok, err := m.Find(); !ok || err != nil || m.Start() != 1 {
		t.Fatal(ok, err)
	}
	if g, ok := m.Group(1); !ok || javatext.Encode(g) != "a" {
		t.Errorf("the group of a look-ahead that forbade the place before has %v, %v", g, ok)
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
