package joda

import (
	"math"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Formatter prints and parses by a pattern. Its zero zone is none.
type Formatter struct {
	pattern *pattern
	now     DateTime // decides where two-digit years fall
	zone    *Zone
}

// pattern is a compiled pattern, shared by all formatters of the same text.
type pattern struct {
	elems []element
	// printOnly: an element cannot parse, and it is not alone.
	printOnly bool
}

// element is one field or literal of a pattern.
type element interface {
	// print appends the element for a local time.
	print(out []byte, p *printing) []byte
	// parse reads the element at pos and returns the place behind it, or the complement of the place
	// that does not fit.
	parse(b *bucket, text string, pos int) int
}

type printing struct {
	local  int64
	offset int64
	at     *transition
	zone   *Zone
}

// bucket collects what parsing reads.
type bucket struct {
	saved     []savedField
	offset    int64
	hasOffset bool
	zone      *Zone
	now       DateTime
	tooLarge  string // digits that are no 32-bit number
}

type savedField struct {
	f Field
	v int64
}

func (b *bucket) save(f Field, v int64) { b.saved = append(b.saved, savedField{f, v}) }

// defaultYear is the year of a text whose largest field is a month, week or day.
const defaultYear = 2000

// millis puts the fields together (specification, section 11.5).
func (b *bucket) millis(text string) (int64, error) {
	s := b.saved
	order := func() {
		sort.SliceStable(s, func(i, j int) bool {
			x, y := &fields[s[i].f], &fields[s[j].f]
			if x.span != y.span {
				return y.span != 0 && (x.span == 0 || x.span > y.span)
			}
			return x.unit > y.unit
		})
	}
	order()
	if len(s) > 0 {
		if u := fields[s[0].f].unit; u <= avgMonth && u >= dayMillis {
			s = append(s, savedField{Year, defaultYear})
			order()
		}
	}
	var local int64
	for pass := 0; pass < 2; pass++ {
		for i, x := range s {
			v, err := x.f.setParsed(local, x.v)
			if err != nil {
				return 0, &Error{Kind: BadField, Message: `Cannot parse "` + text + `": ` + err.Error()}
			}
			local = v
			if pass == 0 || i == len(s)-1 {
				local = x.f.floor(local)
			}
		}
	}
	if b.hasOffset {
		return local - b.offset, nil
	}
	ms, gap := b.zone.resolve(local)
	if gap {
		return 0, &Error{Kind: Gap, Message: `Cannot parse "` + text + `": Illegal instant due to time zone offset transition (` + b.zone.id + ")"}
	}
	return ms, nil
}

// patterns caches compiled patterns; it is emptied when it is full.
var patterns struct {
	sync.Mutex
	m map[string]*pattern
}

const maxPatterns = 512

// ForPattern compiles a pattern. Two-digit years fall between 80 years before the year of now and 19 years after
// it, those of weeks by its week-year.
func ForPattern(text string, now DateTime) (*Formatter, error) {
	patterns.Lock()
	p := patterns.m[text]
	patterns.Unlock()
	if p == nil {
		var err error
		if p, err = compile(text); err != nil {
			return nil, err
		}
		patterns.Lock()
		if patterns.m == nil || len(patterns.m) >= maxPatterns {
			patterns.m = map[string]*pattern{}
		}
		patterns.m[text] = p
		patterns.Unlock()
	}
	return &Formatter{pattern: p, now: now}, nil
}

// WithZone is the formatter with a zone; nil removes it.
func (f *Formatter) WithZone(z *Zone) *Formatter { g := *f; g.zone = z; return &g }

// Print writes an instant in the formatter's zone, else in z.
func (f *Formatter) Print(ms int64, z *Zone) string {
	if f.zone != nil {
		z = f.zone
	}
	at := z.at(ms)
	p := printing{local: ms + at.offset, offset: at.offset, at: at, zone: z}
	if (DateTime{ms, z}).InRange() != nil {
		// Shown in UTC.
		p = printing{local: ms, at: &UTC.first, zone: UTC}
	}
	out := make([]byte, 0, 32)
	for _, e := range f.pattern.elems {
		out = e.print(out, &p)
	}
	return string(out)
}

// Parse reads a text; def is the zone where neither the text nor the formatter gives one.
func (f *Formatter) Parse(text string, def *Zone) (DateTime, error) {
	if f.pattern.printOnly {
		return DateTime{}, &Error{Kind: NoParser, Message: "Parsing not supported"}
	}
	z := def
	if f.zone != nil {
		z = f.zone
	}
	b := bucket{zone: z, now: f.now}
	ms, err := parseAll(&b, sequence(f.pattern.elems), text)
	if err != nil {
		return DateTime{}, err
	}
	if f.zone != nil {
		return DateTime{ms, f.zone}, nil
	}
	return DateTime{ms, b.zone}, nil
}

func parseAll(b *bucket, e element, text string) (int64, error) {
	pos := e.parse(b, text, 0)
	switch {
	case pos < 0 && b.tooLarge != "":
		return 0, &Error{Kind: BadNumber, Message: `For input string: "` + b.tooLarge + `"`}
	case pos < len(text): // also a negative one
		return 0, formatError(text, pos)
	}
	return b.millis(text)
}

// ParseISO reads the text of section 11.2; without offset the local time is in z.
func ParseISO(text string, z *Zone) (DateTime, error) {
	b := bucket{zone: z}
	ms, err := parseAll(&b, isoText, text)
	return DateTime{ms, z}, err
}

// patternToken is a run of one letter, or literal text.
type patternToken struct {
	letter byte // 0 for a literal
	n      int
	text   string
}

func (t patternToken) numeric() bool {
	if t.letter == 'M' {
		return t.n <= 2
	}
	return t.letter != 0 && strings.IndexByte("cCxyYdhHmsSeDFwWkK", t.letter) >= 0
}

func isLetter(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }

func tokenize(s string) []patternToken {
	var out []patternToken
	for i := 0; i < len(s); {
		if c := s[i]; isLetter(c) {
			n := 1
			for i+n < len(s) && s[i+n] == c {
				n++
			}
			out = append(out, patternToken{letter: c, n: n, text: s[i : i+n]})
			i += n
			continue
		}
		var lit []byte
		quoted := false
		for ; i < len(s); i++ {
			c := s[i]
			if c == '\'' {
				if i+1 < len(s) && s[i+1] == '\'' {
					lit = append(lit, c)
					i++
				} else {
					quoted = !quoted
				}
			} else if !quoted && isLetter(c) {
				break
			} else {
				lit = append(lit, c)
			}
		}
		out = append(out, patternToken{text: string(lit)})
	}
	return out
}

func compile(text string) (*pattern, error) {
	if text == "" {
		return nil, &Error{Kind: BadPattern, Message: "Invalid pattern specification"}
	}
	p := &pattern{}
	add := func(e element) { p.elems = append(p.elems, e) }
	tokens := tokenize(text)
	hasName := false
	for i, t := range tokens {
		num := func(f Field, most int) { add(number{f: f, least: t.n, most: max(most, t.n)}) }
		numericNext := i+1 < len(tokens) && tokens[i+1].numeric()
		switch t.letter {
		case 0:
			if t.text != "" {
				add(literal(t.text))
			}
		case 'G':
			add(word{f: Era})
		case 'C':
			add(number{f: CenturyOfEra, least: t.n, most: t.n, signed: true})
		case 'x', 'y', 'Y':
			f := map[byte]Field{'x': Weekyear, 'y': Year, 'Y': YearOfEra}[t.letter]
			if t.n == 2 {
				if f == YearOfEra {
					f = Year
				}
				add(twoDigitYear{f: f, exact: numericNext})
				break
			}
			most := 9
			if numericNext {
				most = t.n
			}
			add(number{f: f, least: t.n, most: max(most, t.n), signed: f != YearOfEra})
		case 'M':
			if t.n >= 3 {
				add(word{f: MonthOfYear, short: t.n == 3})
			} else {
				num(MonthOfYear, 2)
			}
		case 'd':
			num(DayOfMonth, 2)
		case 'a':
			add(word{f: HalfdayOfDay})
		case 'h':
			num(ClockhourOfHalfday, 2)
		case 'H':
			num(HourOfDay, 2)
		case 'k':
			num(ClockhourOfDay, 2)
		case 'K':
			num(HourOfHalfday, 2)
		case 'm':
			num(MinuteOfHour, 2)
		case 's':
			num(SecondOfMinute, 2)
		case 'S':
			add(fraction{f: MillisOfSecond, least: t.n, most: t.n})
		case 'e':
			num(DayOfWeek, 1)
		case 'E':
			add(word{f: DayOfWeek, short: t.n < 4})
		case 'D':
			num(DayOfYear, 3)
		case 'w':
			num(WeekOfWeekyear, 2)
		case 'z':
			add(zoneName{long: t.n >= 4})
			hasName = hasName || t.n >= 4
		case 'Z':
			if t.n >= 3 {
				add(zoneID{})
			} else {
				add(zoneOffset{zero: "Z", separators: t.n == 2, least: 2, most: 2, printZero: true})
			}
		default:
			return nil, &Error{Kind: BadPattern, Message: "Illegal pattern component: " + t.text}
		}
	}
	if len(p.elems) == 0 { // a quote without anything in it
		return nil, &Error{Kind: BadPattern, Message: "Both printing and parsing not supported"}
	}
	p.printOnly = hasName && len(p.elems) > 1
	return p, nil
}

// literal matches ignoring case.
type literal string

func (l literal) print(out []byte, _ *printing) []byte { return append(out, l...) }

func (l literal) parse(_ *bucket, text string, pos int) int {
	rest := text[pos:]
	for _, want := range string(l) {
		got, n := utf8.DecodeRuneInString(rest)
		if n == 0 || got != want && unicode.ToLower(unicode.ToUpper(got)) != unicode.ToLower(unicode.ToUpper(want)) {
			return ^pos
		}
		rest = rest[n:]
	}
	return len(text) - len(rest)
}

// number is a field in digits: printed with at least `least`, parsed with at most `most`.
type number struct {
	f           Field
	least, most int
	signed      bool
}

func (e number) print(out []byte, p *printing) []byte {
	return appendPadded(out, e.f.get(p.local), e.least)
}

func (e number) parse(b *bucket, text string, pos int) int {
	limit := min(e.most, len(text)-pos)
	at, n, negative := pos, 0, false
	if e.signed && limit > 1 && (text[pos] == '-' || text[pos] == '+') && isDigit(text[pos+1]) {
		negative = text[pos] == '-'
		at++
		limit = min(e.most, len(text)-at) // the sign takes no digit's place
	}
	for n < limit && isDigit(text[at+n]) {
		n++
	}
	if n == 0 {
		return ^pos
	}
	return b.saveDigits(e.f, text, at, n, negative)
}

// saveDigits saves the number of n digits and returns the place behind it.
func (b *bucket) saveDigits(f Field, text string, at, n int, negative bool) int {
	v, ok := parseInt32(text[at:at+n], negative)
	if !ok {
		b.tooLarge = text[at : at+n]
		return ^at
	}
	b.save(f, v)
	return at + n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func parseInt32(s string, negative bool) (int64, bool) {
	v, err := strconv.ParseInt(s, 10, 64)
	if negative {
		v = -v
	}
	return v, err == nil && v >= math.MinInt32 && v <= math.MaxInt32
}

type twoDigitYear struct {
	f     Field
	exact bool // a number follows directly: exactly two digits
}

func (e twoDigitYear) print(out []byte, p *printing) []byte {
	return appendPadded(out, abs(e.f.get(p.local))%100, 2)
}

func (e twoDigitYear) parse(b *bucket, text string, pos int) int {
	n := 0
	if e.exact {
		if len(text)-pos < 2 {
			return ^pos
		}
		n = 2
	} else {
		at, negative, sign := pos, false, false
		for at < len(text) && (text[at] == '-' || text[at] == '+') && !sign {
			sign, negative = true, text[at] == '-'
			at++
		}
		for at+n < len(text) && isDigit(text[at+n]) {
			n++
		}
		if n == 0 {
			return ^pos
		}
		if sign || n != 2 {
			return b.saveDigits(e.f, text, at, n, negative)
		}
	}
	if !isDigit(text[pos]) || !isDigit(text[pos+1]) {
		return ^pos
	}
	year := int64(text[pos]-'0')*10 + int64(text[pos+1]-'0')
	low := b.now.Get(e.f) - 80
	b.save(e.f, low+mod(year-low, 100))
	return pos + 2
}

// fraction is a decimal fraction of a unit; f counts its milliseconds.
type fraction struct {
	f           Field
	least, most int
}

func (e fraction) print(out []byte, p *printing) []byte {
	v := e.f.get(p.local)
	// Digits beyond the 15th would not fit 64 bits, and are left out unless all are zero.
	n := e.least
	if v != 0 {
		n = min(n, 15)
	}
	d := appendPadded(nil, v, 3)
	for i := 0; i < n; i++ {
		if i < 3 {
			out = append(out, d[i])
		} else {
			out = append(out, '0')
		}
	}
	return out
}

func (e fraction) parse(b *bucket, text string, pos int) int {
	limit := min(e.most, len(text)-pos)
	var v int64
	unit := fields[e.f].span * 10
	n := 0
	for n < limit && isDigit(text[pos+n]) {
		unit /= 10
		v += int64(text[pos+n]-'0') * unit
		n++
	}
	if n == 0 {
		return ^pos
	}
	b.save(e.f, v/10)
	return pos + n
}

// word is a field in words. Parsing takes either form, whole or three letters.
type word struct {
	f     Field
	short bool
}

func (e word) print(out []byte, p *printing) []byte {
	return append(out, e.f.text(e.f.get(p.local), e.short)...)
}

func (e word) parse(b *bucket, text string, pos int) int {
	const longest = 9 // September, Wednesday
	w := words[e.f]
	for end := min(len(text), pos+longest); end > pos; end-- {
		if v, ok := w[text[pos:end]]; ok {
			b.save(e.f, v)
			return end
		}
	}
	return ^pos
}

// zoneOffset is ±HH[mm[ss[SSS]]].
type zoneOffset struct {
	zero        string // what a zero offset may be written as
	printZero   bool   // write digits for zero all the same
	separators  bool
	least, most int
}

func (e zoneOffset) print(out []byte, p *printing) []byte {
	if p.offset == 0 && !e.printZero {
		return append(out, e.zero...)
	}
	return appendOffset(out, p.offset, e.separators, e.least, e.most)
}

func (e zoneOffset) parse(b *bucket, text string, pos int) int {
	if e.zero != "" && pos < len(text) && text[pos]|0x20 == e.zero[0]|0x20 {
		b.offset, b.hasOffset = 0, true
		return pos + 1
	}
	if len(text)-pos < 2 || text[pos] != '+' && text[pos] != '-' {
		return ^pos
	}
	negative := text[pos] == '-'
	pos++
	digits := func(most int) int {
		n := 0
		for n < most && pos+n < len(text) && isDigit(text[pos+n]) {
			n++
		}
		return n
	}
	two := func() int64 { return int64(text[pos]-'0')*10 + int64(text[pos+1]-'0') }
	if digits(2) < 2 || two() > 23 {
		return ^pos
	}
	ms := two() * hour
	pos += 2
	done := func() int {
		if negative {
			ms = -ms
		}
		b.offset, b.hasOffset = ms, true
		return pos
	}
	if pos >= len(text) {
		return done()
	}
	sep := text[pos] == ':'
	if sep {
		pos++
	} else if !isDigit(text[pos]) {
		return done()
	}
	for i, unit := range []int64{minute, second} {
		if i > 0 {
			if pos >= len(text) {
				return done()
			}
			if sep {
				if text[pos] != ':' {
					return done()
				}
				pos++
			}
		}
		n := digits(2)
		if n == 0 && !sep {
			return done()
		}
		if n < 2 || two() > 59 {
			return ^pos
		}
		ms += two() * unit
		pos += 2
	}
	if pos >= len(text) {
		return done()
	}
	if sep {
		if text[pos] != '.' && text[pos] != ',' {
			return done()
		}
		pos++
	}
	n := digits(3)
	if n == 0 {
		if !sep {
			return done()
		}
		return ^pos
	}
	for i, unit := 0, int64(100); i < n; i, unit = i+1, unit/10 {
		ms += int64(text[pos]-'0') * unit
		pos++
	}
	return done()
}

// zoneID is the zone's id.
type zoneID struct{}

func (zoneID) print(out []byte, p *printing) []byte { return append(out, p.zone.id...) }

func (zoneID) parse(b *bucket, text string, pos int) int {
	n := loadIndex().longestID(text, pos)
	if n == 0 {
		return ^pos
	}
	z, err := ForID(text[pos : pos+n])
	if err != nil {
		return ^pos
	}
	b.zone = z
	return pos + n
}

// zoneName is the zone's name; parsing knows the short names of UTC and of North America.
type zoneName struct{ long bool }

var parsedNames = map[string]string{
	"UT": "UTC", "UTC": "UTC", "GMT": "UTC", "EST": "America/New_York", "EDT": "America/New_York",
	"CST": "America/Chicago", "CDT": "America/Chicago", "MST": "America/Denver", "MDT": "America/Denver",
	"PST": "America/Los_Angeles", "PDT": "America/Los_Angeles",
}

func (zoneName) parse(b *bucket, text string, pos int) int {
	for n := min(3, len(text)-pos); n >= 2; n-- {
		if id, ok := parsedNames[text[pos:pos+n]]; ok {
			z, err := ForID(id)
			if err != nil {
				return ^pos
			}
			b.zone = z
			return pos + n
		}
	}
	return ^pos
}

func (e zoneName) print(out []byte, p *printing) []byte {
	return append(out, displayName(p.zone, p.at, e.long)...)
}

// sequence is elements one after the other.
type sequence []element

func (s sequence) print(out []byte, p *printing) []byte {
	for _, e := range s {
		out = e.print(out, p)
	}
	return out
}

func (s sequence) parse(b *bucket, text string, pos int) int {
	for _, e := range s {
		if pos = e.parse(b, text, pos); pos < 0 {
			return pos
		}
	}
	return pos
}

// choice is the alternative that reads the most; nil, as the last one, reads nothing.
type choice []element

func (choice) print(out []byte, _ *printing) []byte { return out }

func (c choice) parse(b *bucket, text string, pos int) int {
	start := *b
	start.saved = append([]savedField(nil), b.saved...)
	best, worst, optional := -1, pos, false
	var state bucket
	for _, e := range c {
		if e == nil {
			optional = true
			break
		}
		try := start
		try.saved = append([]savedField(nil), start.saved...)
		end := e.parse(&try, text, pos)
		if end >= 0 {
			if end > best && end > pos {
				best, state = end, try
			}
		} else if ^end > worst {
			worst = ^end
		}
	}
	switch {
	case best > pos:
		*b = state
		return best
	case optional:
		*b = start
		return pos
	}
	*b = start
	return ^worst
}

func optional(e ...element) element { return choice{sequence(e), nil} }

// isoText is the grammar of section 11.2.
var isoText = func() element {
	offset := zoneOffset{zero: "Z", separators: true, least: 2, most: 4}
	point := choice{literal("."), literal(",")}
	clock := sequence{
		number{f: HourOfDay, least: 2, most: 2},
		choice{
			sequence{literal(":"), number{f: MinuteOfHour, least: 2, most: 2}, choice{
				sequence{literal(":"), number{f: SecondOfMinute, least: 2, most: 2}, optional(point, fraction{f: MillisOfSecond, least: 1, most: 9})},
				sequence{point, fraction{f: millisOfMinute, least: 1, most: 9}},
				nil,
			}},
			sequence{point, fraction{f: millisOfHour, least: 1, most: 9}},
			nil,
		},
	}
	year := number{f: Year, least: 4, most: 9, signed: true}
	date := choice{
		sequence{year, optional(literal("-"), number{f: MonthOfYear, least: 2, most: 2}, optional(literal("-"), number{f: DayOfMonth, least: 2, most: 2}))},
		sequence{number{f: Weekyear, least: 4, most: 9, signed: true}, literal("-W"), number{f: WeekOfWeekyear, least: 2, most: 2},
			optional(literal("-"), number{f: DayOfWeek, least: 1, most: 1})},
		sequence{year, literal("-"), number{f: DayOfYear, least: 3, most: 3}},
	}
	return choice{
		sequence{literal("T"), clock, optional(offset)},
		sequence{date, optional(literal("T"), optional(clock), optional(offset))},
	}
}()
