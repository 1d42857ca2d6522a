package wire

import (
	"strconv"
	"strings"
)

func isInteger(number string) bool {
	for i := 0; i < len(number); i++ {
		if c := number[i]; c == '.' || c == 'e' || c == 'E' {
			return false
		}
	}
	return true
}

// Decimal is an exact decimal number: Digits × 10^-Scale. Digits has no leading zeros (`0` for zero).
type Decimal struct {
	Negative bool
	Digits   string
	Scale    int64
}

// ParseDecimal reads digits with an optional sign, point and exponent. false: the text is no decimal number, or its
// scale is beyond 32 bits.
func ParseDecimal(s string) (Decimal, bool) {
	var d Decimal
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		d.Negative = s[i] == '-'
		i++
	}
	from, dot := i, -1
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.' && dot < 0) {
		if s[i] == '.' {
			dot = i
		}
		i++
	}
	digits := s[from:i]
	if dot >= 0 {
		d.Scale = int64(i - dot - 1)
		digits = s[from:dot] + s[dot+1:i]
	}
	if digits == "" {
		return Decimal{}, false
	}
	if i < len(s) {
		if s[i] != 'e' && s[i] != 'E' {
			return Decimal{}, false
		}
		exp, err := strconv.ParseInt(s[i+1:], 10, 32)
		if err != nil {
			return Decimal{}, false
		}
		d.Scale -= exp
		if d.Scale != int64(int32(d.Scale)) {
			return Decimal{}, false
		}
	}
	d.Digits = strings.TrimLeft(digits, "0")
	if d.Digits == "" {
		d.Digits, d.Negative = "0", false
	}
	return d, true
}

// Append appends the text of the decimal: plain while the scale is not negative and there are at most five zeros after
// the point, else with an exponent: `12.500`, `0.000001`, `1E-7`, `1E+10`.
func (d Decimal) Append(b []byte) []byte {
	if d.Negative {
		b = append(b, '-')
	}
	n := int64(len(d.Digits))
	adjusted := n - 1 - d.Scale
	switch {
	case d.Scale == 0:
		return append(b, d.Digits...)
	case d.Scale > 0 && adjusted >= -6:
		if n > d.Scale {
			b = append(append(b, d.Digits[:n-d.Scale]...), '.')
			return append(b, d.Digits[n-d.Scale:]...)
		}
		b = append(b, "0."...)
		for range d.Scale - n {
			b = append(b, '0')
		}
		return append(b, d.Digits...)
	}
	b = append(b, d.Digits[0])
	if n > 1 {
		b = append(append(b, '.'), d.Digits[1:]...)
	}
	if adjusted != 0 {
		b = append(b, 'E')
		if adjusted > 0 {
			b = append(b, '+')
		}
		b = strconv.AppendInt(b, adjusted, 10)
	}
	return b
}

func (d Decimal) String() string { return string(d.Append(nil)) }

// AppendDecimal appends the text of a JSON number: digits and scale stay, the notation is that of Decimal.Append.
func AppendDecimal(b []byte, number string) []byte {
	if isInteger(number) && number != "-0" {
		return append(b, number...)
	}
	d, ok := ParseDecimal(number)
	if !ok {
		return append(b, number...)
	}
	return d.Append(b)
}
