package store

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestStartDictionary reads back starts of both forms, and shows what the dictionary is for: a start of a small workflow
// that was pushed and started at another time fits into one write unit with its key.
func TestStartDictionary(t *testing.T) {
	codec, err := NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	b := NewBodies(nil, codec)
	ctx := context.Background()
	_, sample, _ := bytes.Cut(startDict, []byte("\n"))
	small := sample
	for old, now := range map[string]string{
		`"w"`: `"nightly.report-1"`, "17000000000": "17643219876", "16999992000": "17643198765", "2023111": "2025112", "bench": "data-team",
		"f8a509c5-4dca-490f-8b56-ef1e7da7935e": "0d5b4c1e-9a52-4f0e-8d3b-6f2c1b7a9e44", `"22"`: `"09"`,
	} {
		small = bytes.ReplaceAll(small, []byte(old), []byte(now))
	}
	for name, c := range map[string]struct {
		data []byte
		most int
	}{
		"small": {small, 600},
		"large": {bytes.Repeat([]byte(`{"id":"s","pre":["a"]},`), 4000), 90_000},
		"plain": {[]byte(strings.Repeat("x", 40)), 200},
	} {
		kept, err := b.KeepStart(ctx, "w/1/start", c.data)
		if err != nil {
			t.Fatal(err)
		}
		if len(kept) > c.most {
			t.Errorf("%s: %d bytes are kept in %d, at most %d are wanted", name, len(c.data), len(kept), c.most)
		}
		got, err := b.Fetch(ctx, kept)
		if err != nil || !bytes.Equal(got, c.data) {
			t.Errorf("%s: kept and fetched differ, %v", name, err)
		}
	}
}
