package main

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestMillis: each of the four forms, on both sides of zero.
func TestMillis(t *testing.T) {
	for _, c := range []struct {
		data []byte
		want int64
	}{
		{[]byte{0x00}, 0},
		{[]byte{0x02}, 3600000},
		{[]byte{0x3F}, -1800000},
		{[]byte{0x40, 0, 0, 1}, 60000},
		{[]byte{0x7F, 0xFF, 0xFF, 0xFF}, -60000},
		{[]byte{0x80, 0, 0, 0, 1}, 1000},
		{[]byte{0xBF, 0xFF, 0xFF, 0xFF, 0xFE}, -2000},
		{[]byte{0xC0, 0x80, 0, 0, 0, 0, 0, 0, 0}, math.MinInt64},
		{[]byte{0xC0, 0, 0, 0, 0, 0, 0, 0, 7}, 7},
	} {
		in := &input{data: c.data}
		if got := in.millis(); got != c.want || in.err != nil || len(in.data) > 0 {
			t.Errorf("%x: %d, %v, %d bytes left, want %d", c.data, got, in.err, len(in.data), c.want)
		}
	}
}

// TestZone: a zone with a change of the name only, and rules.
func TestZone(t *testing.T) {
	start := []byte{0xC0, 0x80, 0, 0, 0, 0, 0, 0, 0}
	data := []byte{'C', 0, 2, 0, 1, 'A', 0, 1, 'B', 0, 0, 0, 3}
	data = append(append(data, start...), 0x02, 0x02, 0)
	data = append(data, 0x40, 0, 0, 1, 0x02, 0x02, 1)
	data = append(data, 0x40, 0, 0, 2, 0x04, 0x02, 0)
	data = append(data, 1, 0x02)
	data = append(data, 'w', 3, 0xFF, 7, 0, 0x04, 0, 1, 'A', 0x02)
	data = append(data, 'u', 10, 1, 7, 1, 0x04, 0, 1, 'B', 0x00)
	in := &input{data: data}
	z := in.zone()
	if in.err != nil || len(in.data) > 0 {
		t.Fatalf("%v, %d bytes left", in.err, len(in.data))
	}
	want := &zone{
		states: []state{{math.MinInt64, 3600000, 3600000}, {120000, 7200000, 3600000}},
		tail: &tail{standard: 3600000, rules: [2]rule{
			{mode: 'w', month: 3, day: -1, week: 7, millis: 7200000, save: 3600000},
			{mode: 'u', month: 10, day: 1, week: 7, advance: true, millis: 7200000},
		}},
	}
	if !reflect.DeepEqual(z, want) {
		t.Errorf("%+v, want %+v", z, want)
	}
	for n := range data {
		if in := (&input{data: data[:n]}); in.zone() != nil && in.err == nil {
			t.Errorf("the first %d bytes are taken for a zone", n)
		}
	}
}

// TestOtherJar: data of another release is not taken.
func TestOtherJar(t *testing.T) {
	jar := filepath.Join(t.TempDir(), "x.jar")
	if err := os.WriteFile(jar, []byte("PK"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(jar, "", filepath.Join(t.TempDir(), "out")); err == nil {
		t.Error("taken")
	}
}
