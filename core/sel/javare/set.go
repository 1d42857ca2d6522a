package javare

import (
	"strings"
	"unicode"
)

// set is a set of characters.
type set interface{ has(r rune) bool }

type setFunc func(rune) bool

func (f setFunc) has(r rune) bool { return f(r) }

// unitFunc is a setFunc that holds of nothing beyond the first plane.
type unitFunc func(rune) bool

func (f unitFunc) has(r rune) bool { return f(r) }

// dot is `.`: everything, or all but line breaks.
type dot struct{ all, unix bool }

func (d dot) has(r rune) bool {
	return d.all || r != '\n' && (d.unix || r != '\r' && r != 0x85 && r != 0x2028 && r != 0x2029)
}

type single rune

func (s single) has(r rune) bool { return r == rune(s) }

type span struct{ lo, hi rune }

func (s span) has(r rune) bool { return r >= s.lo && r <= s.hi }

type union []set

func (u union) has(r rune) bool {
	for _, s := range u {
		if s.has(r) {
			return true
		}
	}
	return false
}

type both struct{ a, b set }

func (s both) has(r rune) bool { return s.a.has(r) && s.b.has(r) }

type not struct{ s set }

func (s not) has(r rune) bool { return !s.s.has(r) }

// folded matches a single or span ignoring case.
type folded struct {
	s       set
	unicode bool
}

func (f folded) has(r rune) bool {
	if f.s.has(r) {
		return true
	}
	if !f.unicode {
		return r < 0x80 && isASCIIAlpha(byte(r)) && f.s.has(r^0x20)
	}
	if one, ok := f.s.(single); ok {
		return equalFold(rune(one), r, true)
	}
	u := unicode.ToUpper(r)
	return f.s.has(u) || f.s.has(unicode.ToLower(u))
}

func equalFold(a, b rune, uni bool) bool {
	if a == b {
		return true
	}
	if !uni {
		return a < 0x80 && b < 0x80 && a|0x20 == b|0x20 && isASCIIAlpha(byte(a))
	}
	return unicode.ToLower(unicode.ToUpper(a)) == unicode.ToLower(unicode.ToUpper(b))
}

func isWord(r rune, uni bool) bool {
	if r < 0x80 {
		return r == '_' || isASCIIDigit(byte(r)) || isASCIIAlpha(byte(r))
	}
	return uni && (binary["ALPHABETIC"].has(r) || unicode.In(r, unicode.M, unicode.Nd, unicode.Pc) || r == 0x200C || r == 0x200D)
}

// singleUnit reports whether Java takes a set for one of single units; it never looks at that of a dot.
func singleUnit(s set) bool {
	switch s := s.(type) {
	case unitFunc, dot:
		return true
	case single:
		return singleUnit(span{rune(s), rune(s)})
	case span:
		return s.hi < 0xD800 || s.lo > 0xDFFF && s.hi < 0x10000 // halves of pairs are not taken for units
	case folded:
		return !s.unicode && singleUnit(s.s)
	case both:
		return singleUnit(s.a) && singleUnit(s.b)
	case union:
		for _, x := range s {
			if !singleUnit(x) {
				return false
			}
		}
		return true
	}
	return false
}

func ascii(f func(byte) bool) set {
	return unitFunc(func(r rune) bool { return r < 0x80 && r >= 0 && f(byte(r)) })
}

func isASCIIDigit(c byte) bool { return c >= '0' && c <= '9' }
func isASCIIAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isASCIISpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

var (
	horizontal = unitFunc(func(r rune) bool {
		switch r {
		case ' ', '\t', 0xA0, 0x1680, 0x180E, 0x202F, 0x205F, 0x3000:
			return true
		}
		return r >= 0x2000 && r <= 0x200A
	})
	vertical = unitFunc(func(r rune) bool { return r >= '\n' && r <= '\r' || r == 0x85 || r == 0x2028 || r == 0x2029 })
)

// classEscape gives the predefined class of \d, \w …, nil for other letters.
func classEscape(c rune, uni bool) set {
	var s set
	switch c | 0x20 {
	case 'd':
		s = ascii(isASCIIDigit)
		if uni {
			s = setFunc(unicode.IsDigit)
		}
	case 'w':
		s = unitFunc(func(r rune) bool { return isWord(r, false) })
		if uni {
			s = setFunc(func(r rune) bool { return isWord(r, true) })
		}
	case 's':
		s = ascii(isASCIISpace)
		if uni {
			s = setFunc(unicode.IsSpace)
		}
	case 'h':
		s = horizontal
	case 'v':
		s = vertical
	default:
		return nil
	}
	if c < 'a' {
		return not{s}
	}
	return s
}

var posix = map[string]set{
	"Lower":  ascii(func(c byte) bool { return c >= 'a' && c <= 'z' }),
	"Upper":  ascii(func(c byte) bool { return c >= 'A' && c <= 'Z' }),
	"ASCII":  ascii(func(byte) bool { return true }),
	"Alpha":  ascii(isASCIIAlpha),
	"Digit":  ascii(isASCIIDigit),
	"Alnum":  ascii(func(c byte) bool { return isASCIIAlpha(c) || isASCIIDigit(c) }),
	"Punct":  ascii(func(c byte) bool { return c > ' ' && c < 0x7F && !isASCIIAlpha(c) && !isASCIIDigit(c) }),
	"Graph":  ascii(func(c byte) bool { return c > ' ' && c < 0x7F }),
	"Print":  ascii(func(c byte) bool { return c >= ' ' && c < 0x7F }),
	"Blank":  ascii(func(c byte) bool { return c == ' ' || c == '\t' }),
	"Cntrl":  ascii(func(c byte) bool { return c < ' ' || c == 0x7F }),
	"XDigit": ascii(func(c byte) bool { return isASCIIDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }),
	"Space":  ascii(isASCIISpace),
	"L1":     span{0, 0xFF},
	"all":    span{0, 0x10FFFF},
	"LD":     setFunc(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }),
	"LC":     setFunc(func(r rune) bool { return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt) }),

	"javaLowerCase":     setFunc(unicode.IsLower),
	"javaUpperCase":     setFunc(unicode.IsUpper),
	"javaTitleCase":     setFunc(unicode.IsTitle),
	"javaLetter":        setFunc(unicode.IsLetter),
	"javaDigit":         setFunc(unicode.IsDigit),
	"javaLetterOrDigit": setFunc(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }),
	"javaAlphabetic":    binary["ALPHABETIC"],
	"javaWhitespace": setFunc(func(r rune) bool {
		return r >= '\t' && r <= '\r' || r >= 0x1C && r <= 0x1F || unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp) && r != 0xA0 && r != 0x2007 && r != 0x202F
	}),
	"javaSpaceChar":  setFunc(func(r rune) bool { return unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp) }),
	"javaISOControl": setFunc(func(r rune) bool { return r < 0x20 || r >= 0x7F && r <= 0x9F }),
}

// unicodePosix are the classes of posix in mode U, where their names may be written in any case.
var unicodePosix = map[string]set{
	"LOWER":  binary["LOWERCASE"],
	"UPPER":  binary["UPPERCASE"],
	"ALPHA":  binary["ALPHABETIC"],
	"DIGIT":  binary["DIGIT"],
	"ALNUM":  union{binary["ALPHABETIC"], binary["DIGIT"]},
	"PUNCT":  binary["PUNCTUATION"],
	"GRAPH":  graphic,
	"PRINT":  both{union{graphic, blank}, not{binary["CONTROL"]}},
	"BLANK":  blank,
	"CNTRL":  binary["CONTROL"],
	"XDIGIT": binary["HEX_DIGIT"],
	"SPACE":  binary["WHITE_SPACE"],
}

var (
	graphic = setFunc(func(r rune) bool {
		return !unicode.In(r, unicode.White_Space, unicode.Cc, unicode.Cs) && binary["ASSIGNED"].has(r)
	})
	blank = setFunc(func(r rune) bool { return r == '\t' || unicode.Is(unicode.Zs, r) })
)

var binary = map[string]set{
	"ALPHABETIC":  setFunc(func(r rune) bool { return unicode.IsLetter(r) || unicode.In(r, unicode.Nl, unicode.Other_Alphabetic) }),
	"LETTER":      setFunc(unicode.IsLetter),
	"IDEOGRAPHIC": setFunc(func(r rune) bool { return unicode.Is(unicode.Ideographic, r) }),
	"LOWERCASE":   setFunc(func(r rune) bool { return unicode.In(r, unicode.Ll, unicode.Other_Lowercase) }),
	"UPPERCASE":   setFunc(func(r rune) bool { return unicode.In(r, unicode.Lu, unicode.Other_Uppercase) }),
	"TITLECASE":   setFunc(unicode.IsTitle),
	"PUNCTUATION": setFunc(func(r rune) bool { return unicode.Is(unicode.P, r) }),
	"CONTROL":     setFunc(func(r rune) bool { return unicode.Is(unicode.Cc, r) }),
	"WHITE_SPACE": setFunc(func(r rune) bool { return unicode.Is(unicode.White_Space, r) }),
	"WHITESPACE":  setFunc(func(r rune) bool { return unicode.Is(unicode.White_Space, r) }),
	"DIGIT":       setFunc(unicode.IsDigit),
	"HEX_DIGIT": setFunc(func(r rune) bool {
		return unicode.IsDigit(r) || r|0x20 >= 'a' && r|0x20 <= 'f' || r >= 0xFF10 && r <= 0xFF19 || r >= 0xFF21 && r <= 0xFF26 || r >= 0xFF41 && r <= 0xFF46
	}),
	"ASSIGNED": setFunc(func(r rune) bool {
		return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs)
	}),
	"JOIN_CONTROL":            span{0x200C, 0x200D},
	"NONCHARACTER_CODE_POINT": setFunc(func(r rune) bool { return r >= 0xFDD0 && r <= 0xFDEF || r&0xFFFE == 0xFFFE }),
}

var blocks = map[string]span{
	"BASICLATIN": {0, 0x7F}, "LATIN1SUPPLEMENT": {0x80, 0xFF}, "LATINEXTENDEDA": {0x100, 0x17F}, "LATINEXTENDEDB": {0x180, 0x24F},
	"GREEK": {0x370, 0x3FF}, "GREEKANDCOPTIC": {0x370, 0x3FF}, "CYRILLIC": {0x400, 0x4FF}, "ARMENIAN": {0x530, 0x58F}, "HEBREW": {0x590, 0x5FF},
	"ARABIC": {0x600, 0x6FF}, "DEVANAGARI": {0x900, 0x97F}, "THAI": {0xE00, 0xE7F}, "GENERALPUNCTUATION": {0x2000, 0x206F},
	"CURRENCYSYMBOLS": {0x20A0, 0x20CF}, "ARROWS": {0x2190, 0x21FF}, "MATHEMATICALOPERATORS": {0x2200, 0x22FF}, "BOXDRAWING": {0x2500, 0x257F},
	"COMBININGDIACRITICALMARKS": {0x300, 0x36F}, "LATINEXTENDEDADDITIONAL": {0x1E00, 0x1EFF}, "GREEKEXTENDED": {0x1F00, 0x1FFF},
	"SUPERSCRIPTSANDSUBSCRIPTS": {0x2070, 0x209F}, "LETTERLIKESYMBOLS": {0x2100, 0x214F}, "NUMBERFORMS": {0x2150, 0x218F},
	"MISCELLANEOUSTECHNICAL": {0x2300, 0x23FF}, "ENCLOSEDALPHANUMERICS": {0x2460, 0x24FF}, "BLOCKELEMENTS": {0x2580, 0x259F},
	"GEOMETRICSHAPES": {0x25A0, 0x25FF}, "MISCELLANEOUSSYMBOLS": {0x2600, 0x26FF}, "DINGBATS": {0x2700, 0x27BF},
	"CJKSYMBOLSANDPUNCTUATION": {0x3000, 0x303F}, "EMOTICONS": {0x1F600, 0x1F64F},
	"HALFWIDTHANDFULLWIDTHFORMS": {0xFF00, 0xFFEF}, "MISCELLANEOUSSYMBOLSANDPICTOGRAPHS": {0x1F300, 0x1F5FF},
	"HIRAGANA": {0x3040, 0x309F}, "KATAKANA": {0x30A0, 0x30FF}, "CJKUNIFIEDIDEOGRAPHS": {0x4E00, 0x9FFF}, "HANGULSYLLABLES": {0xAC00, 0xD7AF},
}

// property gives the set of \p{name}, nil if there is none.
func property(name string, ignoreCase bool) set {
	if ignoreCase {
		switch strings.ToUpper(strings.TrimPrefix(name, "Is")) {
		case "LOWERCASE", "UPPERCASE", "TITLECASE":
			return union{binary["LOWERCASE"], binary["UPPERCASE"], binary["TITLECASE"]}
		}
		switch strings.TrimPrefix(name, "Is") {
		case "Lower", "Upper":
			return posix["Alpha"]
		case "javaLowerCase", "javaUpperCase", "javaTitleCase":
			return union{binary["LOWERCASE"], binary["UPPERCASE"], binary["TITLECASE"]}
		}
		switch name[max(len(name)-2, 0):] {
		case "Lu", "Ll", "Lt":
			if c := property(name, false); c != nil {
				return posix["LC"]
			}
		}
	}
	key, val, eq := strings.Cut(name, "=")
	if eq {
		switch strings.ToLower(key) {
		case "sc", "script":
			return script(val)
		case "blk", "block":
			return block(val)
		case "gc", "general_category":
			return category(val)
		}
		return nil
	}
	switch {
	case strings.HasPrefix(name, "In"):
		return block(name[2:])
	case strings.HasPrefix(name, "Is"):
		n := name[2:]
		if s, ok := binary[strings.ToUpper(n)]; ok {
			return s
		}
		if s := category(n); s != nil {
			return s
		}
		return script(n)
	}
	if s, ok := posix[name]; ok {
		return s
	}
	return category(name)
}

func category(name string) set {
	if s, ok := posix[name]; ok && (name == "LC" || name == "LD" || name == "L1" || name == "all") {
		return s
	}
	if name == "Cn" {
		return not{binary["ASSIGNED"]}
	}
	if t, ok := unicode.Categories[name]; ok && len(name) <= 2 {
		return setFunc(func(r rune) bool { return unicode.Is(t, r) })
	}
	return nil
}

// scriptCodes are the four-letter names of the scripts that are met most.
var scriptCodes = map[string]string{"ARAB": "Arabic", "ARMN": "Armenian", "BENG": "Bengali", "CYRL": "Cyrillic", "DEVA": "Devanagari",
	"GEOR": "Georgian", "GREK": "Greek", "HANG": "Hangul", "HANI": "Han", "HEBR": "Hebrew", "HIRA": "Hiragana", "KANA": "Katakana", "LATN": "Latin",
	"TAML": "Tamil", "THAI": "Thai", "ZINH": "Inherited", "ZYYY": "Common"}

func script(name string) set {
	if n, ok := scriptCodes[strings.ToUpper(name)]; ok {
		name = n
	}
	for n, t := range unicode.Scripts {
		if strings.EqualFold(n, name) {
			return setFunc(func(r rune) bool { return unicode.Is(t, r) })
		}
	}
	return nil
}

func block(name string) set {
	n := strings.ToUpper(strings.NewReplacer("_", "", " ", "", "-", "").Replace(name))
	if b, ok := blocks[n]; ok {
		return setFunc(b.has) // none of single units for Java, whatever the block
	}
	return nil
}
