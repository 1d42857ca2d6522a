package javatext

import (
	"math"
	"math/big"
	"testing"
)

func TestUnits(t *testing.T) {
	for _, units := range [][]uint16{{}, {'a', 0xD83D, 0xDE00}, {0xDE00, 0xD83D}, {0xD83D}, {0xD83D, 0xD83D, 0xDE00, 0xDE00}, {0xFFFD, 0xE9}} {
		s := Encode(units)
		if got := Units(s); string(Encode(got)) != s || len(got) != len(units) || Len(s) != len(units) {
			t.Errorf("%x: %q, %x, %d", units, s, got, Len(s))
		}
	}
	if got := Join(Encode([]uint16{0xD83D}), Encode([]uint16{0xDE00})); got != "😀" {
		t.Errorf("%q", got)
	}
}

// TestPow compares with exact arithmetic for whole exponents.
func TestPow(t *testing.T) {
	for _, a := range []float64{2, 3, 10, 1.1, 0.3333333333333333, 7.77, -1.7, 123456.789, 1.0000001} {
		for n := -60; n <= 60; n += 7 {
			x := new(big.Float).SetPrec(2000).SetFloat64(a)
			r := new(big.Float).SetPrec(2000).SetInt64(1)
			for range max(n, -n) {
				r.Mul(r, x)
			}
			if n < 0 {
				r.Quo(new(big.Float).SetPrec(2000).SetInt64(1), r)
			}
			want, _ := r.Float64()
			if got := Pow(a, float64(n)); got != want {
				t.Errorf("%v to the %d: %v, want %v", a, n, got, want)
			}
		}
	}
	for _, c := range [][3]float64{{27, 1.0 / 3, 3}, {4, 0.5, 2}, {2, -1074, 5e-324}, {2, 1023, 8.98846567431158e307}, {10, 308, 1e308}, {0.5, 1075, 0},
		{5e-324, 0.25, 1.4908919308538355e-81}, {5e-324, -0.5, 4.49891379454319638281e161}, {math.MaxFloat64, 0.5, 1.3407807929942596e154}} {
		if got := Pow(c[0], c[1]); got != c[2] {
			t.Errorf("%v to the %v: %v, want %v", c[0], c[1], got, c[2])
		}
	}
}

func TestDouble(t *testing.T) {
	for f, want := range map[float64]string{100: "100.0", 0.001: "0.001", 1e-4: "1.0E-4", 9999999: "9999999.0", 1e7: "1.0E7", 4.9e-324: "4.9E-324",
		math.MaxFloat64: "1.7976931348623157E308", 2e-323: "2.0E-323", 1e23: "1.0E23", 0.30000000000000004: "0.30000000000000004"} {
		if got := Double(f); got != want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
}

// TestFinalSigma: which form it has depends on the word, as Java's break iterator sees it.
func TestFinalSigma(t *testing.T) {
	for s, want := range map[string]string{"ΟΔΥΣΣΕΥΣ ΣΑΣ": "οδυσσευς σας", "Σ": "σ", "ΑΣ.": "ας.", "ΑΣ.Α": "ασ.α", "Α.Σ": "α.ς", "Α:Σ": "α:σ", "ΑΣ:Α": "ας:α",
		"ΑΣ-Σ": "ασ-ς", "Α1Σ": "α1ς", "ΑΣ1Α": "ασ1α", "ΑΣ,1Α": "ας,1α", "ΑΣ_Α": "ασ_α", "ΑΣ’Α": "ας’α", "Α\u0301Σ": "α\u0301ς", "日Σ": "日σ"} {
		if got := Lower(s); got != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
}

// TestHexFloat: zeros that the width asks for are counted before those that the precision adds.
func TestHexFloat(t *testing.T) {
	for _, c := range []struct {
		format string
		f      float64
		want   string
	}{
		{"%a", 1, "0x1.0p0"}, {"%.0a", 1.5, "0x1.8p0"}, {"%010.4a", 1, "0x0001.0000p0"}, {"%013.19a", 999999.5, "0x01.e847f00000000000000p19"},
		{"%.3a", 4.9e-324, "0x1.000p-1074"}, {"%a", 4.9e-324, "0x0.0000000000001p-1022"}, {"%+.2A", -0.1, "-0X1.9AP-4"}, {"%.1a", 1.96875, "0x1.0p1"},
	} {
		if got, err := Format(c.format, []any{c.f}, 1000, nil); err != nil || got != c.want {
			t.Errorf("%s of %v: %q, %v, want %q", c.format, c.f, got, err, c.want)
		}
	}
}

func FuzzFormat(f *testing.F) {
	f.Add("%-+010.3e|%2$s|%<S%n%%", int64(5), 2.5, "x")
	f.Add("%,d %(x %#o %c %h %b %g %a", int64(-5), math.Copysign(0, -1), "é")
	f.Fuzz(func(t *testing.T, format string, n int64, d float64, s string) {
		for _, args := range [][]any{{n, d, s}, {int32(n), s, d}, {d, n, nil}, {true, d, d}} {
			if out, err := Format(format, args, 1000, nil); err == nil && len(out) > 4000 {
				t.Errorf("%d bytes", len(out))
			}
		}
	})
}
