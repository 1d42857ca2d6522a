package jsonl

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVectors plays the recorded answers of the original evaluator: every one must be the same.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob("../testdata/*.jsonl.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl.gz"), func(t *testing.T) {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			z, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			s := bufio.NewScanner(z)
			s.Buffer(nil, 1<<24)
			n, bad := 0, 0
			for s.Scan() {
				n++
				want, err := decode(s.Text())
				if err != nil {
					t.Fatal(err)
				}
				// Nothing may depend on the clock: any time will do.
				answer := Answer(context.Background(), s.Text(), Defaults{Now: func() int64 { return 1785000000000 }})
				got, err := decode(string(answer))
				if err != nil {
					t.Fatalf("answer %s: %v", answer, err)
				}
				if diff := compare(want, got); diff != "" {
					bad++
					t.Errorf("%s: %s\n  %s\n  answer %s", want.get("id").text, diff, s.Text(), answer)
				}
			}
			if err := s.Err(); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d of %d vectors agree", n-bad, n)
		})
	}
}

// compare says how an answer differs from a vector, "" if it does not.
func compare(want, got *node) string {
	for _, name := range []string{"result", "names", "error"} {
		w, g := want.get(name), got.get(name)
		if (w == nil) != (g == nil) {
			return "no " + name
		}
		if w != nil {
			if d := same(*w, *g); d != "" {
				return name + ": " + d
			}
		}
	}
	if w := want.get("message"); w != nil && w.text != got.get("message").text {
		return "message " + got.get("message").text
	}
	return ""
}

func same(w, g node) string {
	if w.kind != g.kind || w.bool != g.bool || len(w.elems) != len(g.elems) {
		return fmt.Sprintf("%v instead of %v", g, w)
	}
	if w.kind == 'd' {
		a, _ := double(&w)
		b, _ := double(&g)
		if a != b || !strings.ContainsAny(w.text, ".eE") && w.text != g.text {
			return g.text + " instead of " + w.text
		}
		return ""
	}
	if w.text != g.text {
		return fmt.Sprintf("%q instead of %q", g.text, w.text)
	}
	for i := range w.elems {
		if d := same(w.elems[i], g.elems[i]); d != "" {
			return d
		}
	}
	if len(w.fields) != len(g.fields) {
		return fmt.Sprintf("%d fields instead of %d", len(g.fields), len(w.fields))
	}
	for i := range w.fields {
		if w.fields[i].name != g.fields[i].name {
			return "field " + g.fields[i].name + " instead of " + w.fields[i].name
		}
		if d := same(w.fields[i].value, g.fields[i].value); d != "" {
			return w.fields[i].name + ": " + d
		}
	}
	return ""
}
