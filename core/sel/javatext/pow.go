package javatext

import "math"

// twice is an unevaluated sum of two doubles, about 106 bits.
type twice struct{ hi, lo float64 }

func twoSum(a, b float64) twice {
	s := a + b
	v := s - a
	return twice{s, (a - (s - v)) + (b - v)}
}

func twoProd(a, b float64) twice {
	p := a * b
	return twice{p, math.FMA(a, b, -p)}
}

func (a twice) add(b twice) twice {
	s := twoSum(a.hi, b.hi)
	t := twoSum(a.lo, b.lo)
	s = twoSum(s.hi, s.lo+t.hi)
	return twoSum(s.hi, s.lo+t.lo)
}

func (a twice) mul(b twice) twice {
	p := twoProd(a.hi, b.hi)
	return twoSum(p.hi, p.lo+(a.hi*b.lo+a.lo*b.hi))
}

func (a twice) div(b twice) twice {
	q := a.hi / b.hi
	p := b.mul(twice{q, 0})
	r := a.add(twice{-p.hi, -p.lo})
	return twoSum(q, (r.hi+r.lo)/b.hi)
}

var ln2 = twice{0.6931471805599453, 2.3190468138462996e-17}

// expTwice is e^x for moderate x, as a value and a power of two.
func expTwice(x twice) (twice, int) {
	k := math.Round(x.hi / ln2.hi)
	r := x.add(ln2.mul(twice{-k, 0}))
	const halvings = 9
	r = twice{r.hi / (1 << halvings), r.lo / (1 << halvings)}
	// The series of e^r - 1, so that squaring loses nothing of it.
	term, sum := r, r
	for n := 2.0; n <= 9; n++ {
		term = term.mul(r).div(twice{n, 0})
		sum = sum.add(term)
	}
	for i := 0; i < halvings; i++ {
		// (1+s)² - 1 = 2s + s²
		sum = twice{2 * sum.hi, 2 * sum.lo}.add(sum.mul(sum))
	}
	return twice{1, 0}.add(sum), int(k)
}

// logTwice is the natural logarithm of a positive, finite x.
func logTwice(x float64) twice {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	y := twice{math.Log(m), 0}
	// One step of Halley's iteration triples the digits.
	v, k := expTwice(y)
	v = twice{math.Ldexp(v.hi, k), math.Ldexp(v.lo, k)}
	num := twice{m, 0}.add(twice{-v.hi, -v.lo})
	den := twice{m, 0}.add(v)
	d := num.div(den)
	y = y.add(twice{2 * d.hi, 2 * d.lo})
	return y.add(ln2.mul(twice{float64(e), 0}))
}

// Pow is a to the power b, rounded from about 100 bits: Java's result is nearly always that of exact
// arithmetic, which math.Pow misses by a unit in the last place more often.
func Pow(a, b float64) float64 {
	if b == 0.5 && a > 0 {
		return math.Sqrt(a)
	}
	rough := roughPow(a, b)
	if rough == 0 || math.IsNaN(rough) || math.IsInf(rough, 0) || math.IsInf(a, 0) || math.IsInf(b, 0) || a == 1 || b == 1 {
		if (rough == 0 || math.IsInf(rough, 0)) && a != 0 && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
			return edge(a, b, rough)
		}
		return rough
	}
	return precise(a, b, rough)
}

// roughPow is math.Pow, whose logarithm of a subnormal number is wrong on some processors.
func roughPow(a, b float64) float64 {
	if m := math.Abs(a); m > 0 && m < 0x1p-1022 && b != math.Trunc(b) {
		return math.Pow(a*0x1p60, b) * math.Pow(2, -60*b)
	}
	return math.Pow(a, b)
}

// edge decides results next to the ends of the range.
func edge(a, b, rough float64) float64 {
	l := logTwice(math.Abs(a)).mul(twice{b, 0})
	if l.hi > 710 || l.hi < -746 {
		return rough
	}
	return precise(a, b, rough)
}

func precise(a, b, rough float64) float64 {
	if n := math.Abs(b); n <= 64 && n == math.Trunc(n) && math.Abs(rough) > 1e-290 && math.Abs(rough) < 1e290 {
		// Whole powers by multiplication: exact ones come out exact.
		r, base := twice{1, 0}, twice{a, 0}
		for k := int(n); k > 0; k >>= 1 {
			if k&1 == 1 {
				r = r.mul(base)
			}
			base = base.mul(base)
			if math.IsInf(base.hi, 0) || base.hi == 0 || math.IsNaN(base.hi) || math.IsNaN(base.lo) {
				break
			}
		}
		if b < 0 {
			r = twice{1, 0}.div(r)
		}
		if s := r.hi + r.lo; near(s, rough) {
			return s
		}
	}
	v, k := expTwice(logTwice(math.Abs(a)).mul(twice{b, 0}))
	r := math.Ldexp(v.hi+v.lo, k)
	if math.Signbit(rough) {
		r = -r
	}
	if near(r, rough) {
		return r
	}
	return rough
}

// near guards against a step that went wrong: the rough result is right to many digits.
func near(a, b float64) bool {
	return a == b || math.Abs(a-b) <= math.Abs(b)*1e-7+1e-300 || math.IsInf(b, 0) && math.Abs(a) > 1e300
}
