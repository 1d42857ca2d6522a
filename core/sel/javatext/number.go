package javatext

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// ErrNumber marks text that is no number. Its message is Java's: `For input string: "…"`.
type ErrNumber struct{ Text string }

func (e *ErrNumber) Error() string {
	if e.Text == "" {
		return "empty String"
	}
	return `For input string: "` + e.Text + `"`
}

// Decimal gives the digits and the exponent of the text form of a finite, non-zero |f|: the value is
// 0.DIGITS × 10^exp. It is the shortest decimal that reads back as f, but where a single digit would
// do, the two-digit decimal nearest to f (4.9E-324, not 5E-324); trailing zeros are dropped.
func Decimal(f float64) (digits string, exp int) {
	f = math.Abs(f)
	var buf [32]byte
	b := strconv.AppendFloat(buf[:0], f, 'e', -1, 64)
	if len(b) < 2 || b[1] != '.' {
		b = strconv.AppendFloat(buf[:0], f, 'e', 1, 64)
	}
	e := len(b) - 1
	for b[e] != 'e' {
		e--
	}
	n, _ := strconv.Atoi(string(b[e+1:]))
	d := string(b[:1]) + string(b[2:e])
	d = strings.TrimRight(d, "0")
	if d == "" {
		d = "0"
	}
	return d, n + 1
}

// Double is the text of a double.
func Double(f float64) string { return string(AppendDouble(nil, f)) }

// AppendDouble appends the text of a double: plain notation from 0.001 up to 10,000,000, else with E.
func AppendDouble(out []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(out, "NaN"...)
	case math.IsInf(f, 1):
		return append(out, "Infinity"...)
	case math.IsInf(f, -1):
		return append(out, "-Infinity"...)
	}
	if math.Signbit(f) {
		out = append(out, '-')
	}
	if f == 0 {
		return append(out, "0.0"...)
	}
	d, exp := Decimal(f)
	e := exp - 1
	if e < -3 || e >= 7 {
		out = append(out, d[0], '.')
		if len(d) == 1 {
			out = append(out, '0')
		}
		out = append(out, d[1:]...)
		out = append(out, 'E')
		return strconv.AppendInt(out, int64(e), 10)
	}
	if exp <= 0 {
		out = append(out, "0."...)
		for i := exp; i < 0; i++ {
			out = append(out, '0')
		}
		return append(out, d...)
	}
	for i := 0; i < exp; i++ {
		if i < len(d) {
			out = append(out, d[i])
		} else {
			out = append(out, '0')
		}
	}
	out = append(out, '.')
	if len(d) <= exp {
		return append(out, '0')
	}
	return append(out, d[exp:]...)
}

// ParseLong reads optional sign and decimal digits of any script, nothing else.
func ParseLong(s string) (int64, error) { return parseInteger(s, 64) }

// ParseInt is ParseLong with the range of 32 bits.
func ParseInt(s string) (int64, error) { return parseInteger(s, 32) }

func parseInteger(s string, bits uint) (int64, error) {
	bad := &ErrNumber{s}
	rest, neg := s, false
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		neg = rest[0] == '-'
		rest = rest[1:]
	}
	if rest == "" {
		return 0, &errNumberText{s}
	}
	limit := uint64(1)<<(bits-1) - 1
	if neg {
		limit++
	}
	var v uint64
	for _, r := range rest {
		d, ok := digitOf(r)
		if !ok {
			return 0, bad
		}
		if v > (limit-uint64(d))/10 {
			return 0, bad
		}
		v = v*10 + uint64(d)
	}
	if neg {
		return -int64(v), nil
	}
	return int64(v), nil
}

// errNumberText is ErrNumber for integers, which show even an empty text.
type errNumberText struct{ text string }

func (e *errNumberText) Error() string { return `For input string: "` + e.text + `"` }

// digitOf gives the value of a decimal digit of any script in the BMP (the digits beyond it are pairs of
// units, of which none is a digit).
func digitOf(r rune) (int, bool) {
	if r >= '0' && r <= '9' {
		return int(r - '0'), true
	}
	if r < 0x80 || r > 0xFFFF || !unicode.Is(unicode.Nd, r) {
		return 0, false
	}
	// Every script's digits stand in a row of ten, and rows that touch begin at multiples of ten from
	// the start of their range.
	for _, rg := range unicode.Nd.R16 {
		if uint16(r) >= rg.Lo && uint16(r) <= rg.Hi {
			return int((uint16(r) - rg.Lo) % 10), true
		}
	}
	return 0, false
}

// ParseDouble reads a double as Double.parseDouble does: surrounding blanks, sign, NaN and Infinity,
// decimal or hexadecimal, an optional final f, F, d or D.
func ParseDouble(s string) (float64, error) {
	t := Trim(s)
	if t == "" {
		return 0, &ErrNumber{""}
	}
	bad := &errNumberText{s}
	body, neg := t, false
	if body[0] == '-' || body[0] == '+' {
		neg = body[0] == '-'
		body = body[1:]
	}
	sign := func(f float64) float64 {
		if neg {
			return -f
		}
		return f
	}
	switch body {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return sign(math.Inf(1)), nil
	case "":
		return 0, bad
	}
	hex := len(body) > 2 && body[0] == '0' && (body[1] == 'x' || body[1] == 'X')
	switch body[len(body)-1] {
	case 'f', 'F', 'd', 'D':
		if !hex || strings.ContainsAny(body, "pP") {
			body = body[:len(body)-1]
		}
	}
	if !doubleShape(body, hex) {
		return 0, bad
	}
	f, err := strconv.ParseFloat(body, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, bad
	}
	return sign(f), nil
}

// doubleShape refuses what Go reads beyond Java: underscores, "inf", a hexadecimal without exponent.
func doubleShape(s string, hex bool) bool {
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	exp, mark := byte('e'), digit
	if hex {
		s = s[2:]
		exp = 'p'
		mark = func(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
	}
	i, n, dot := 0, 0, false
	for ; i < len(s); i++ {
		if s[i] == '.' && !dot {
			dot = true
			continue
		}
		if !mark(s[i]) {
			break
		}
		n++
	}
	if n == 0 {
		return false
	}
	if i == len(s) {
		return !hex
	}
	if s[i]|0x20 != exp {
		return false
	}
	i++
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	if i == len(s) {
		return false
	}
	for ; i < len(s); i++ {
		if !digit(s[i]) {
			return false
		}
	}
	return true
}

// DoubleToLong truncates toward zero and saturates; NaN gives 0.
func DoubleToLong(f float64) int64 {
	switch {
	case f != f:
		return 0
	case f >= 9223372036854775807:
		return math.MaxInt64
	case f <= -9223372036854775808:
		return math.MinInt64
	}
	return int64(f)
}
