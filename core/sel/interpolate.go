package sel

// String interpolation in literals, section 14.2: `$name` and `${name}`.

// References gives the names that a literal refers to, each once, in order of appearance. They must all
// exist, even one that `$$$$name` escapes: only the rule for references decides, not the escapes.
func References(text string) []string {
	var names []string
	seen := map[string]bool{}
	scanDollars(text, func(n int, name, _ string) string {
		// n dollars before a body: odd, or even from 4 on, there is a `$` after `$$` that begins a reference.
		if name != "" && (n%2 == 1 || n >= 4) && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
		return ""
	})
	return names
}

// Interpolate replaces the references in text by the text of their values: a STRING raw, LONG, DOUBLE
// and BOOLEAN by Text, arrays and maps by JSON. One pass: what is put in is not scanned again. lookup's
// error is returned as it is.
func Interpolate(text string, lookup func(name string) (Value, error)) (string, error) {
	var failed error
	out := scanDollars(text, func(n int, name, body string) string {
		if failed != nil {
			return ""
		}
		if name == "" {
			return dollars((n + 1) / 2)
		}
		if n%2 == 0 {
			return dollars(n/2) + body
		}
		v, err := lookup(name)
		if err != nil {
			failed = err
			return ""
		}
		s, err := InterpolatedText(v)
		if err != nil {
			failed = err
			return ""
		}
		return dollars((n-1)/2) + s
	})
	if failed != nil {
		return "", failed
	}
	return out, nil
}

// InterpolatedText is the text that interpolation puts in for a value.
func InterpolatedText(v Value) (string, error) {
	if v.typ.isArray() || v.typ == TypeMap {
		return v.JSON()
	}
	return v.Text(), nil
}

func dollars(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '$'
	}
	return string(b)
}

// scanDollars hands every run of n dollars to f, with the name and the whole body of a reference that
// follows it ("" if none does), and puts f's answer in their place.
func scanDollars(text string, f func(n int, name, body string) string) string {
	var out []byte
	for i := 0; i < len(text); {
		if text[i] != '$' {
			out = append(out, text[i])
			i++
			continue
		}
		j := i
		for j < len(text) && text[j] == '$' {
			j++
		}
		name, body := referenceBody(text[j:])
		out = append(out, f(j-i, name, body)...)
		i = j + len(body)
	}
	return string(out)
}

func referenceBody(s string) (name, body string) {
	letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	word := func(c byte) bool { return letter(c) || c >= '0' && c <= '9' || c == '_' }
	if s == "" {
		return "", ""
	}
	if letter(s[0]) {
		n := 1
		for n < len(s) && word(s[n]) {
			n++
		}
		return s[:n], s[:n]
	}
	if s[0] != '{' || len(s) < 2 || !letter(s[1]) {
		return "", ""
	}
	n := 2
	for n < len(s) && (word(s[n]) || s[n] == '-' || s[n] == '.' || s[n] == '/') {
		n++
	}
	if n == len(s) || s[n] != '}' {
		return "", ""
	}
	return s[1:n], s[:n+1]
}
