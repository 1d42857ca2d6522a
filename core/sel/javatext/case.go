package javatext

import (
	"slices"
	"strings"
	"unicode"
)

// special upper-case mappings of more than one character (Unicode SpecialCasing).
var specialUpper = map[rune]string{
	0xDF: "SS", 0x149: "\u02BCN", 0x1F0: "J\u030C", 0x390: "\u0399\u0308\u0301", 0x3B0: "\u03A5\u0308\u0301", 0x587: "\u0535\u0552",
	0x1E96: "H\u0331", 0x1E97: "T\u0308", 0x1E98: "W\u030A", 0x1E99: "Y\u030A", 0x1E9A: "A\u02BE",
	0x1F50: "\u03A5\u0313", 0x1F52: "\u03A5\u0313\u0300", 0x1F54: "\u03A5\u0313\u0301", 0x1F56: "\u03A5\u0313\u0342",
	0x1FB6: "\u0391\u0342", 0x1FC6: "\u0397\u0342", 0x1FD2: "\u0399\u0308\u0300", 0x1FD3: "\u0399\u0308\u0301", 0x1FD6: "\u0399\u0342",
	0x1FD7: "\u0399\u0308\u0342", 0x1FE2: "\u03A5\u0308\u0300", 0x1FE3: "\u03A5\u0308\u0301", 0x1FE4: "\u03A1\u0313",
	0x1FE6: "\u03A5\u0342", 0x1FE7: "\u03A5\u0308\u0342", 0x1FF6: "\u03A9\u0342",
	0x1FB2: "\u1FBA\u0399", 0x1FB3: "\u0391\u0399", 0x1FB4: "\u0386\u0399", 0x1FB7: "\u0391\u0342\u0399", 0x1FBC: "\u0391\u0399",
	0x1FC2: "\u1FCA\u0399", 0x1FC3: "\u0397\u0399", 0x1FC4: "\u0389\u0399", 0x1FC7: "\u0397\u0342\u0399", 0x1FCC: "\u0397\u0399",
	0x1FF2: "\u1FFA\u0399", 0x1FF3: "\u03A9\u0399", 0x1FF4: "\u038F\u0399", 0x1FF7: "\u03A9\u0342\u0399", 0x1FFC: "\u03A9\u0399",
	0xFB00: "FF", 0xFB01: "FI", 0xFB02: "FL", 0xFB03: "FFI", 0xFB04: "FFL", 0xFB05: "ST", 0xFB06: "ST",
	0xFB13: "\u0544\u0546", 0xFB14: "\u0544\u0535", 0xFB15: "\u0544\u053B", 0xFB16: "\u054E\u0546", 0xFB17: "\u0544\u053D",
}

func init() {
	// Greek with iota subscript: the capital without it, then a capital iota.
	for _, row := range []struct{ from, to rune }{{0x1F80, 0x1F08}, {0x1F90, 0x1F28}, {0x1FA0, 0x1F68}} {
		for i := rune(0); i < 16; i++ {
			specialUpper[row.from+i] = string(row.to+i%8) + "\u0399"
		}
	}
}

// Upper is the full upper-case mapping without locale.
func Upper(s string) string {
	if IsASCII(s) {
		return strings.ToUpper(s)
	}
	return mapRunes(s, func(out []byte, _ []rune, _ int, r rune) []byte {
		if t, ok := specialUpper[r]; ok {
			return append(out, t...)
		}
		return appendRune(out, unicode.ToUpper(r))
	})
}

// Lower is the full lower-case mapping without locale, the final sigma included.
func Lower(s string) string {
	if IsASCII(s) {
		return strings.ToLower(s)
	}
	return mapRunes(s, func(out []byte, all []rune, i int, r rune) []byte {
		switch r {
		case 0x130:
			return append(out, "i\u0307"...)
		case 0x3A3:
			if finalSigma(all, i) {
				return append(out, "\u03C2"...)
			}
		}
		return appendRune(out, unicode.ToLower(r))
	})
}

func appendRune(out []byte, r rune) []byte {
	if r < 0x10000 {
		return AppendUnit(out, uint16(r))
	}
	return append(out, string(r)...)
}

func mapRunes(s string, f func(out []byte, all []rune, i int, r rune) []byte) string {
	units := Units(s)
	all := make([]rune, 0, len(units))
	for i := 0; i < len(units); i++ {
		if IsHigh(units[i]) && i+1 < len(units) && IsLow(units[i+1]) {
			all = append(all, Rune(units[i], units[i+1]))
			i++
		} else {
			all = append(all, rune(units[i]))
		}
	}
	out := make([]byte, 0, len(s)+8)
	for i, r := range all {
		out = f(out, all, i, r)
	}
	return string(out)
}

func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// finalSigma: in the word that it stands in, something cased comes before it and nothing behind it.
func finalSigma(all []rune, i int) bool {
	from, to := 0, 0
	for to <= i {
		from, to = to, wordEnd(all, to)
	}
	return slices.ContainsFunc(all[from:i], cased) && !slices.ContainsFunc(all[i+1:to], cased)
}

// wordEnd finds the end of the word that begins at i, as Java's break iterator does: letters and digits in
// any mixture, with one hyphen, underscore, stop or quote between letters and one comma, stop or quote between digits.
// Everything else, ideographs too, is a word of its own.
func wordEnd(all []rune, i int) int {
	mark := func(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) && r != 0xAD }
	run := func(from int, of func(rune) bool, between string) int {
		end := from
		for i := from; i < len(all); i++ {
			switch {
			case of(all[i]) || end == i && i > 0 && mark(all[i]):
				end = i + 1
			case end == i && i > from && strings.ContainsRune(between, all[i]):
			default:
				return end
			}
		}
		return end
	}
	letter := func(r rune) bool {
		return unicode.IsLetter(r) && !unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
	}
	digit := func(r rune) bool { return unicode.In(r, unicode.Nd) }
	end := i
	for {
		n := run(end, letter, "-_\u00AD\u2010\u2011\u2013\u2014\u2027\"'.")
		if n = run(n, digit, "\"',."); n == end {
			break
		}
		end = n
	}
	if end > i {
		return end
	}
	for end = i + 1; end < len(all) && mark(all[end]); end++ {
	}
	return end
}
