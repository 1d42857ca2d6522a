// Package javatext gives Java's view of text and numbers: UTF-16 units, number texts, case mapping
// and the % formatter.
//
// Text is held in Go strings. A surrogate without its partner, which UTF-8 cannot express, is held as
// the three bytes its code would have (WTF-8); Join and Encode keep the invariant that a pair is
// always one four-byte sequence, so that equal text means equal bytes.
package javatext

import (
	"unicode/utf8"
)

// IsASCII reports whether every byte is below 0x80, so that bytes and UTF-16 units coincide.
func IsASCII(s string) bool {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if (s[i]|s[i+1]|s[i+2]|s[i+3]|s[i+4]|s[i+5]|s[i+6]|s[i+7])&0x80 != 0 {
			return false
		}
	}
	for ; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Len counts UTF-16 units.
func Len(s string) int {
	if IsASCII(s) {
		return len(s)
	}
	n := 0
	for i := 0; i < len(s); i++ {
		// One unit for each sequence, two for the four-byte ones; continuation bytes count nothing.
		switch c := s[i]; {
		case c < 0x80 || c >= 0xC0 && c < 0xF0:
			n++
		case c >= 0xF0:
			n += 2
		}
	}
	return n
}

// Units gives the UTF-16 units of s. A byte that is not valid becomes U+FFFD.
func Units(s string) []uint16 {
	out := make([]uint16, 0, len(s))
	for i := 0; i < len(s); {
		c := s[i]
		if c < 0x80 {
			out = append(out, uint16(c))
			i++
			continue
		}
		if u, ok := surrogateAt(s, i); ok {
			out = append(out, u)
			i += 3
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r >= 0x10000 {
			r -= 0x10000
			out = append(out, uint16(0xD800+r>>10), uint16(0xDC00+r&0x3FF))
		} else {
			out = append(out, uint16(r))
		}
	}
	return out
}

func surrogateAt(s string, i int) (uint16, bool) {
	if s[i] == 0xED && i+2 < len(s) && s[i+1] >= 0xA0 && s[i+1] <= 0xBF && s[i+2]&0xC0 == 0x80 {
		return 0xD000 | uint16(s[i+1]&0x3F)<<6 | uint16(s[i+2]&0x3F), true
	}
	return 0, false
}

// Encode is the inverse of Units.
func Encode(units []uint16) string {
	ascii := true
	for _, u := range units {
		if u >= 0x80 {
			ascii = false
			break
		}
	}
	out := make([]byte, 0, len(units)+len(units)/2)
	if ascii {
		for _, u := range units {
			out = append(out, byte(u))
		}
		return string(out)
	}
	for i := 0; i < len(units); i++ {
		u := units[i]
		if IsHigh(u) && i+1 < len(units) && IsLow(units[i+1]) {
			out = utf8.AppendRune(out, Rune(u, units[i+1]))
			i++
			continue
		}
		out = AppendUnit(out, u)
	}
	return string(out)
}

// AppendUnit appends one unit, a lone surrogate as three bytes.
func AppendUnit(out []byte, u uint16) []byte {
	if u >= 0xD800 && u <= 0xDFFF {
		return append(out, 0xED, 0x80|byte(u>>6)&0x3F, 0x80|byte(u)&0x3F)
	}
	return utf8.AppendRune(out, rune(u))
}

// IsHigh and IsLow tell the halves of a surrogate pair.
func IsHigh(u uint16) bool { return u >= 0xD800 && u <= 0xDBFF }

// IsLow reports whether u is the second half of a pair.
func IsLow(u uint16) bool { return u >= 0xDC00 && u <= 0xDFFF }

// Rune joins a pair.
func Rune(hi, lo uint16) rune {
	return 0x10000 + (rune(hi)-0xD800)<<10 + (rune(lo) - 0xDC00)
}

// Join concatenates, merging a pair whose halves meet at the seam.
func Join(a, b string) string {
	if len(a) >= 3 && len(b) >= 3 && b[0] == 0xED && a[len(a)-3] == 0xED {
		hi, ok1 := surrogateAt(a, len(a)-3)
		lo, ok2 := surrogateAt(b, 0)
		if ok1 && ok2 && IsHigh(hi) && IsLow(lo) {
			return a[:len(a)-3] + string(Rune(hi, lo)) + b[3:]
		}
	}
	return a + b
}

// Normalize merges every pair of halves that stand side by side, after text was put together from
// pieces without Join. It returns s itself where there is nothing to merge.
func Normalize(s string) string {
	for i := 0; i+5 < len(s); i++ {
		if s[i] == 0xED && s[i+3] == 0xED {
			hi, ok1 := surrogateAt(s, i)
			lo, ok2 := surrogateAt(s, i+3)
			if ok1 && ok2 && IsHigh(hi) && IsLow(lo) {
				return Encode(Units(s))
			}
		}
	}
	return s
}

// Clean replaces what is neither UTF-8 nor a lone surrogate by U+FFFD.
func Clean(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return Encode(Units(s))
}

// HasLoneSurrogate reports whether s cannot be written as UTF-8.
func HasLoneSurrogate(s string) bool { return !utf8.ValidString(s) }

// Substring cuts by UTF-16 units; 0 ≤ b ≤ e ≤ Len(s) must hold.
func Substring(s string, b, e int) string {
	if IsASCII(s) {
		return s[b:e]
	}
	return Encode(Units(s)[b:e])
}

// Compare gives the difference of the first differing units, else of the lengths, as a 32-bit number.
func Compare(a, b string) int64 {
	if IsASCII(a) && IsASCII(b) {
		n := min(len(a), len(b))
		for i := 0; i < n; i++ {
			if a[i] != b[i] {
				return int64(a[i]) - int64(b[i])
			}
		}
		return int64(len(a) - len(b))
	}
	x, y := Units(a), Units(b)
	n := min(len(x), len(y))
	for i := 0; i < n; i++ {
		if x[i] != y[i] {
			return int64(x[i]) - int64(y[i])
		}
	}
	return int64(len(x) - len(y))
}

// Hash is the 31-polynomial over UTF-16 units in 32 bits.
func Hash(s string) int32 {
	var h int32
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			h = 0
			for _, u := range Units(s) {
				h = 31*h + int32(u)
			}
			return h
		}
		h = 31*h + int32(s[i])
	}
	return h
}

// Trim strips characters up to U+0020 from both ends.
func Trim(s string) string {
	b, e := 0, len(s)
	for b < e && s[b] <= ' ' {
		b++
	}
	for e > b && s[e-1] <= ' ' {
		e--
	}
	return s[b:e]
}

// Escape gives the two-character escapes for backslash, quote and the named controls.
func Escape(s string) string {
	out := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\', '"':
			out = append(out, '\\', c)
		case '\t':
			out = append(out, '\\', 't')
		case '\b':
			out = append(out, '\\', 'b')
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\f':
			out = append(out, '\\', 'f')
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// AppendJSON appends s as a JSON string: named escapes, other controls as \u00XX, all else raw.
func AppendJSON(out []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	out = append(out, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' || c == '"':
			out = append(out, '\\', c)
		case c == '\t':
			out = append(out, '\\', 't')
		case c == '\b':
			out = append(out, '\\', 'b')
		case c == '\n':
			out = append(out, '\\', 'n')
		case c == '\r':
			out = append(out, '\\', 'r')
		case c == '\f':
			out = append(out, '\\', 'f')
		case c < 0x20:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
