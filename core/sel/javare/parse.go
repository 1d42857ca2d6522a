package javare

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/downbeat/downbeat/core/sel/javatext"
)

// Regexp is a compiled expression, safe for concurrent use.
type Regexp struct {
	start  node
	groups int // without the whole match
	locals int
	names  map[string]int
	// pairs: something in the pattern looks at whole characters, so that none is taken apart in between.
	pairs bool
}

// Groups is the number of capturing groups.
func (re *Regexp) Groups() int { return re.groups }

// GroupIndex finds a named group.
func (re *Regexp) GroupIndex(name string) (int, bool) { i, ok := re.names[name]; return i, ok }

// SyntaxError is a pattern that cannot be compiled.
type SyntaxError struct {
	Message string
	Index   int
}

func (e *SyntaxError) Error() string { return e.Message + " near index " + strconv.Itoa(e.Index) }

var cache struct {
	sync.Mutex
	m map[string]*Regexp
}

const (
	maxCached  = 256
	maxNesting = 500
	// maxPattern bounds what is compiled; the limit on the length of expressions is lower.
	maxPattern = 1 << 16
)

// Compile compiles a pattern; compiled ones are cached.
func Compile(pattern string) (*Regexp, error) {
	cache.Lock()
	re := cache.m[pattern]
	cache.Unlock()
	if re != nil {
		return re, nil
	}
	re, err := compile(pattern)
	if err != nil {
		return nil, err
	}
	cache.Lock()
	if cache.m == nil || len(cache.m) >= maxCached {
		cache.m = map[string]*Regexp{}
	}
	cache.m[pattern] = re
	cache.Unlock()
	return re, nil
}

type flags struct{ i, m, s, u, x, d, uni bool }

// item is a parsed piece of pattern.
type item interface{}

type (
	itemChar  struct{ set set }
	itemUnits struct{ units []uint16 }
	itemSeq   []item
	itemAlt   []item
	itemGroup struct {
		index int // 0: not capturing
		x     item
	}
	itemRepeat struct {
		x        item
		min, max int
		kind     quantifier
	}
	itemLook struct {
		x                        item
		behind, negative, atomic bool
		pairs                    bool // characters of the pattern from here on take two units
	}
	itemAnchor struct {
		kind        anchorKind
		unix, uword bool
	}
	itemRef struct {
		group       int
		fold, ufold bool
	}
	itemBreak struct{}
)

type compiler struct {
	p      []rune
	at     int
	f      flags
	groups int
	locals int
	names  map[string]int
	depth  int
	pairs  bool
}

func compile(pattern string) (re *Regexp, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *SyntaxError:
			re, err = nil, r
		default:
			panic(r)
		}
	}()
	c := &compiler{names: map[string]int{}}
	units := javatext.Units(pattern)
	if len(units) > maxPattern {
		return nil, &SyntaxError{"Pattern too long", maxPattern}
	}
	for i := 0; i < len(units); i++ {
		if javatext.IsHigh(units[i]) && i+1 < len(units) && javatext.IsLow(units[i+1]) {
			c.p = append(c.p, javatext.Rune(units[i], units[i+1]))
			i++
		} else {
			c.p = append(c.p, rune(units[i]))
		}
	}
	x := c.alternatives()
	if c.at < len(c.p) {
		c.fail("Unmatched closing ')'", c.at-1)
	}
	re = &Regexp{groups: c.groups, names: c.names}
	re.start = c.link(x, accept{})
	re.locals, re.pairs = c.locals, c.pairs
	return re, nil
}

func (c *compiler) fail(msg string, at int) { panic(&SyntaxError{msg, max(at, 0)}) }

func (c *compiler) more() bool { return c.at < len(c.p) }

func (c *compiler) looking(s string) bool {
	if len(c.p)-c.at < len(s) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c.p[c.at+i] != rune(s[i]) {
			return false
		}
	}
	return true
}

func (c *compiler) accept(s string) bool {
	if c.looking(s) {
		c.at += len(s)
		return true
	}
	return false
}

// skipComments passes over blanks and comments in mode x.
func (c *compiler) skipComments() {
	for c.f.x && c.more() {
		switch r := c.p[c.at]; {
		case r == ' ' || r >= '\t' && r <= '\r':
			c.at++
		case r == '#':
			for c.more() && c.p[c.at] != '\n' && c.p[c.at] != '\r' {
				c.at++
			}
		default:
			return
		}
	}
}

func (c *compiler) alternatives() item {
	if c.depth++; c.depth > maxNesting {
		c.fail("Pattern is nested too deeply", c.at)
	}
	defer func() { c.depth-- }()
	alts := itemAlt{c.sequence()}
	for c.accept("|") {
		alts = append(alts, c.sequence())
	}
	if len(alts) == 1 {
		return alts[0]
	}
	return alts
}

func (c *compiler) sequence() item {
	var seq itemSeq
	for {
		c.skipComments()
		if !c.more() || c.p[c.at] == '|' || c.p[c.at] == ')' {
			return seq
		}
		if c.accept(`\Q`) {
			n := len(seq)
			for c.more() && !c.looking(`\E`) {
				seq = append(seq, c.literal(c.p[c.at]))
				c.at++
			}
			c.accept(`\E`)
			if len(seq) > n {
				// A quantifier behind the quotation is for its last character.
				seq[len(seq)-1] = c.quantified(seq[len(seq)-1])
			}
			continue
		}
		if x := c.atom(); x != nil {
			seq = append(seq, c.quantified(x))
		}
	}
}

func (c *compiler) literal(r rune) item {
	if c.f.i && (c.f.u || r < 0x80) {
		return itemChar{c.fold(single(r))}
	}
	if r < 0x10000 && !(r >= 0xD800 && r <= 0xDFFF) {
		return itemUnits{[]uint16{uint16(r)}}
	}
	return itemChar{single(r)}
}

func (c *compiler) quantified(x item) item {
	c.skipComments()
	if !c.more() {
		return x
	}
	lo, hi := 0, math.MaxInt
	switch c.p[c.at] {
	case '*':
	case '+':
		lo = 1
	case '?':
		hi = 1
	case '{':
		if c.at+1 >= len(c.p) || c.p[c.at+1] < '0' || c.p[c.at+1] > '9' {
			c.fail("Illegal repetition", c.at)
		}
		c.at++
		lo = c.count()
		hi = lo
		if c.accept(",") {
			hi = math.MaxInt
			if !c.looking("}") {
				hi = c.count()
			}
		}
		if !c.looking("}") {
			c.fail("Unclosed counted closure", c.at)
		}
		if hi < lo {
			c.fail("Illegal repetition range", c.at)
		}
	default:
		return x
	}
	c.at++
	kind := greedy
	if c.accept("?") {
		kind = lazy
	} else if c.accept("+") {
		kind = possessive
	}
	return itemRepeat{x, lo, hi, kind}
}

func (c *compiler) count() int {
	n := 0
	begin := c.at
	for c.more() && c.p[c.at] >= '0' && c.p[c.at] <= '9' {
		n = n*10 + int(c.p[c.at]-'0')
		if n > math.MaxInt32 {
			c.fail("Illegal repetition range", c.at)
		}
		c.at++
	}
	if c.at == begin {
		c.fail("Illegal repetition", c.at)
	}
	return n
}

func (c *compiler) atom() item {
	r := c.p[c.at]
	switch r {
	case '*', '+', '?':
		c.fail("Dangling meta character '"+string(r)+"'", c.at)
	case '{':
		return itemSeq{} // a count without anything before it repeats nothing
	case '(':
		return c.group()
	case '[':
		c.at++
		s := c.class()
		return itemChar{s}
	case '.':
		c.at++
		f := c.f
		return itemChar{dot{all: f.s, unix: f.d}}
	case '^':
		c.at++
		if c.f.m {
			return itemAnchor{kind: bol, unix: c.f.d}
		}
		return itemAnchor{kind: beginText}
	case '$':
		c.at++
		if c.f.m {
			return itemAnchor{kind: eol, unix: c.f.d}
		}
		return itemAnchor{kind: endLine, unix: c.f.d}
	case '\\':
		c.at++
		return c.escape()
	}
	c.at++
	return c.literal(r)
}

func (c *compiler) group() item {
	c.at++
	saved := c.f
	closed := func(x item) item {
		if !c.accept(")") {
			c.fail("Unclosed group", len(c.p))
		}
		c.f = saved
		return x
	}
	if !c.accept("?") {
		c.groups++
		n := c.groups
		return closed(itemGroup{n, c.alternatives()})
	}
	switch {
	case c.accept(":"):
		return closed(itemGroup{0, c.alternatives()})
	case c.accept("="):
		return closed(itemLook{x: c.alternatives()})
	case c.accept("!"):
		return closed(itemLook{x: c.alternatives(), negative: true})
	case c.accept(">"):
		return closed(itemLook{x: c.alternatives(), atomic: true})
	case c.accept("<="), c.accept("<!"):
		neg := c.p[c.at-1] == '!'
		pairs := slices.ContainsFunc(c.p[c.at:], func(r rune) bool { return r > 0xFFFF })
		x := c.alternatives()
		if _, seen := greatest(x); !seen {
			c.fail("Look-behind group does not have an obvious maximum length", c.at)
		}
		return closed(itemLook{x: x, behind: true, negative: neg, pairs: pairs})
	case c.accept("<"):
		name := c.groupName()
		if _, dup := c.names[name]; dup {
			c.fail("Named capturing group <"+name+"> is already defined", c.at)
		}
		c.groups++
		n := c.groups
		c.names[name] = n
		return closed(itemGroup{n, c.alternatives()})
	}
	on := true
	for c.more() {
		r := c.p[c.at]
		c.at++
		switch r {
		case 'i':
			c.f.i = on
		case 'm':
			c.f.m = on
		case 's':
			c.f.s = on
		case 'd':
			c.f.d = on
		case 'u':
			c.f.u = on
		case 'x':
			c.f.x = on
		case 'c':
		case 'U':
			c.f.uni, c.f.u = on, on
		case '-':
			if !on {
				c.fail("Unknown inline modifier", c.at-1)
			}
			on = false
		case ')':
			return nil // for the rest of the enclosing group
		case ':':
			return closed(itemGroup{0, c.alternatives()})
		default:
			c.fail("Unknown inline modifier", c.at-1)
		}
	}
	c.fail("Unknown inline modifier", c.at)
	return nil
}

func (c *compiler) groupName() string {
	begin := c.at
	for c.more() && (c.p[c.at]|0x20 >= 'a' && c.p[c.at]|0x20 <= 'z' || c.at > begin && c.p[c.at] >= '0' && c.p[c.at] <= '9') {
		c.at++
	}
	if c.at == begin {
		c.fail("capturing group name does not start with a Latin letter", c.at)
	}
	name := string(c.p[begin:c.at])
	if !c.accept(">") {
		c.fail("named capturing group is missing trailing '>'", c.at)
	}
	return name
}

// escape parses behind a backslash, outside of a class.
func (c *compiler) escape() item {
	if !c.more() {
		c.fail("Unexpected internal error", c.at)
	}
	r := c.p[c.at]
	switch r {
	case 'A':
		c.at++
		return itemAnchor{kind: beginText}
	case 'z':
		c.at++
		return itemAnchor{kind: endText}
	case 'Z':
		c.at++
		return itemAnchor{kind: endLine, unix: c.f.d}
	case 'G':
		c.at++
		return itemAnchor{kind: lastMatch}
	case 'b':
		c.at++
		return itemAnchor{kind: wordBoundary, uword: c.f.uni}
	case 'B':
		c.at++
		return itemAnchor{kind: noWordBoundary, uword: c.f.uni}
	case 'R':
		c.at++
		return itemBreak{}
	case 'X':
		c.at++
		// A grapheme: a character with its marks.
		mark := setFunc(func(r rune) bool { return property("M", false).has(r) })
		return itemSeq{itemChar{span{0, 0x10FFFF}}, itemRepeat{x: itemChar{mark}, max: math.MaxInt, kind: possessive}}
	case 'k':
		c.at++
		if !c.accept("<") {
			c.fail("\\k is not followed by '<' for named capturing group", c.at)
		}
		name := c.groupName()
		n, ok := c.names[name]
		if !ok {
			c.fail("named capturing group <"+name+"> does not exist", c.at)
		}
		return itemRef{n, c.f.i, c.f.u}
	}
	if r >= '1' && r <= '9' {
		n := int(r - '0')
		c.at++
		for c.more() && c.p[c.at] >= '0' && c.p[c.at] <= '9' {
			m := n*10 + int(c.p[c.at]-'0')
			if m > c.groups {
				break
			}
			n = m
			c.at++
		}
		return itemRef{n, c.f.i, c.f.u}
	}
	if s := c.classLetter(); s != nil {
		return itemChar{s}
	}
	return c.literal(c.charEscape())
}

// classLetter parses \d, \p{…} and the like; nil if it is something else.
func (c *compiler) classLetter() set {
	r := c.p[c.at]
	if r == 'p' || r == 'P' {
		c.at++
		if !c.more() {
			c.fail("Illegal/unsupported escape sequence", c.at)
		}
		name := string(c.p[c.at])
		if c.accept("{") {
			begin := c.at
			for c.more() && c.p[c.at] != '}' {
				c.at++
			}
			if !c.more() {
				c.fail("Unclosed character family", len(c.p)-1)
			}
			name = string(c.p[begin:c.at])
			c.at++
			if name == "" {
				c.fail("Empty character family", c.at-1)
			}
		} else {
			c.at++
		}
		s := property(name, c.f.i)
		if u := strings.ToUpper(name); c.f.uni && unicodePosix[u] != nil {
			s = unicodePosix[u]
			if c.f.i && (u == "LOWER" || u == "UPPER") {
				s = property("IsUppercase", true)
			}
		}
		if s == nil {
			c.fail("Unknown character property name {"+name+"}", c.at-1)
		}
		if r == 'P' {
			return not{s}
		}
		return s
	}
	if s := classEscape(r, c.f.uni); s != nil {
		c.at++
		return s
	}
	return nil
}

// charEscape parses an escape that stands for one character.
func (c *compiler) charEscape() rune {
	if !c.more() {
		c.fail("Illegal/unsupported escape sequence", c.at)
	}
	r := c.p[c.at]
	c.at++
	hex := func(least, most int) rune {
		v, n := rune(0), 0
		for n < most && c.more() {
			d := hexDigit(c.p[c.at])
			if d < 0 {
				break
			}
			if v = v<<4 | d; v > 0x10FFFF {
				c.fail("Hexadecimal codepoint is too big", c.at)
			}
			n++
			c.at++
		}
		if n < least {
			c.fail("Illegal hexadecimal escape sequence", c.at)
		}
		return v
	}
	switch r {
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 'f':
		return '\f'
	case 'a':
		return 7
	case 'e':
		return 27
	case '0':
		v, n := rune(0), 0
		for n < 3 && c.more() && c.p[c.at] >= '0' && c.p[c.at] <= '7' {
			if n == 2 && v > 037 {
				break
			}
			v = v*8 + c.p[c.at] - '0'
			n++
			c.at++
		}
		if n == 0 {
			c.fail("Illegal octal escape sequence", c.at)
		}
		return v
	case 'x':
		if c.accept("{") {
			v := hex(1, 8)
			if !c.accept("}") {
				c.fail("Unclosed hexadecimal escape sequence", c.at)
			}
			return v
		}
		return hex(2, 2)
	case 'u':
		v := hex(4, 4)
		if v >= 0xD800 && v <= 0xDBFF && c.looking(`\u`) {
			mark := c.at
			c.at += 2
			if lo := hex(4, 4); lo >= 0xDC00 && lo <= 0xDFFF {
				return 0x10000 + (v-0xD800)<<10 + lo - 0xDC00
			}
			c.at = mark
		}
		return v
	case 'c':
		if !c.more() {
			c.fail("Illegal control escape sequence", c.at)
		}
		v := c.p[c.at] ^ 64
		c.at++
		return v
	}
	if r < 0x80 && (r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9') {
		c.fail("Illegal/unsupported escape sequence", c.at-1)
	}
	return r
}

func hexDigit(r rune) rune {
	switch {
	case r >= '0' && r <= '9':
		return r - '0'
	case r|0x20 >= 'a' && r|0x20 <= 'f':
		return r | 0x20 - 'a' + 10
	}
	return -1
}

// class parses behind an opening bracket, up to and including the closing one.
func (c *compiler) class() set {
	negative := c.accept("^")
	s := c.classBody()
	c.at++
	if negative {
		return not{s}
	}
	return s
}

// classBody parses up to the closing bracket.
func (c *compiler) classBody() set {
	if c.depth++; c.depth > maxNesting {
		c.fail("Pattern is nested too deeply", c.at)
	}
	defer func() { c.depth-- }()
	var all set // nil until there is something
	add := func(s set) {
		if u, ok := all.(union); ok {
			all = append(u, s)
		} else if all == nil {
			all = union{s}
		} else {
			all = union{all, s}
		}
	}
	for {
		c.skipComments()
		if !c.more() {
			c.fail("Unclosed character class", len(c.p)-1)
		}
		r := c.p[c.at]
		switch {
		case r == ']' && all != nil:
			return all
		case c.accept("&&"):
			right := c.classOperand()
			switch {
			case all == nil && right == nil:
				c.fail("Bad class syntax", c.at-1)
			case all == nil:
				all = right
			case right != nil:
				all = both{all, right}
			}
		case r == '[':
			c.at++
			add(c.class())
		case c.accept(`\Q`):
			for c.more() && !c.looking(`\E`) {
				add(c.fold(single(c.p[c.at])))
				c.at++
			}
			c.accept(`\E`)
		default:
			if r == '\\' && c.at+1 < len(c.p) {
				c.at++
				if s := c.classLetter(); s != nil {
					add(s)
					continue
				}
				c.at--
			}
			lo := c.classChar()
			hi := lo
			if c.looking("-") && c.at+1 < len(c.p) && c.p[c.at+1] != ']' && c.p[c.at+1] != '[' {
				c.at++
				if hi = c.classChar(); hi < lo {
					c.fail("Illegal character range", c.at-1)
				}
			}
			if lo == hi {
				add(c.fold(single(lo)))
			} else {
				add(c.fold(span{lo, hi}))
			}
		}
	}
}

// classOperand parses what stands behind &&: nested classes, and the rest of the class if it goes on
// otherwise. It is nil if nothing stands there, or another ampersand.
func (c *compiler) classOperand() set {
	var right set
	for c.skipComments(); c.more() && c.p[c.at] != ']' && c.p[c.at] != '&'; c.skipComments() {
		var s set
		if c.accept("[") {
			s = c.class()
		} else {
			s = c.classBody()
		}
		if right != nil {
			s = union{right, s}
		}
		right = s
	}
	return right
}

func (c *compiler) fold(s set) set {
	if c.f.i {
		return folded{s, c.f.u}
	}
	return s
}

func (c *compiler) classChar() rune {
	r := c.p[c.at]
	c.at++
	if r != '\\' {
		return r
	}
	return c.charEscape()
}

// unbounded is the greatest length of what has no bound.
const unbounded = math.MaxInt32

// least gives the least number of characters that x matches.
func least(x item) (n int) {
	switch x := x.(type) {
	case itemChar, itemBreak:
		return 1
	case itemUnits:
		return len(x.units)
	case itemSeq:
		for _, y := range x {
			n = min(n+least(y), unbounded)
		}
	case itemAlt:
		n = unbounded
		for _, y := range x {
			n = min(n, least(y))
		}
	case itemGroup:
		return least(x.x)
	case itemRepeat:
		return min(least(x.x)*min(x.min, unbounded), unbounded)
	case itemLook:
		if x.atomic {
			return least(x.x)
		}
	}
	return n
}

// greatest gives the greatest number of characters that x matches as Java counts it, and whether Java sees
// one, which it demands of a look-behind. It counts in 32 bits, in the order of the pattern: an endless
// repetition is not seen as one if the sum happens not to pass the greatest integer, as that of one
// character at the beginning.
func greatest(x item) (n int32, seen bool) {
	e := extentOf(&chain{x, nil})
	return e.max, e.bounded
}

// chain is pieces of a pattern, one after the other; nil is none.
type chain struct {
	first item
	rest  *chain
}

// extent is what Java knows of the length of a piece of pattern.
type extent struct {
	max     int32
	bounded bool
	fixed   bool // there is only one way to match
}

func extentOf(c *chain) extent {
	e := extent{bounded: true, fixed: true}
	e.add(c)
	return e
}

func (e *extent) add(c *chain) {
	for c != nil {
		rest := c.rest
		switch x := c.first.(type) {
		case itemSeq:
			for i := len(x) - 1; i >= 0; i-- {
				rest = &chain{x[i], rest}
			}
		case itemGroup:
			rest = &chain{x.x, rest}
		case itemAlt:
			e.branch(x, rest)
			return
		case itemLook:
			if x.atomic {
				e.add(&chain{x.x, nil})
			}
		case itemRepeat:
			if !e.repeat(x, rest) {
				return
			}
		case itemChar:
			e.max++
		case itemUnits:
			e.max += int32(len(x.units))
		case itemBreak:
			e.max += 2
		case itemRef:
			e.bounded = false
		}
		c = rest
	}
}

// branch adds alternatives and what follows them, of which each is counted from zero.
func (e *extent) branch(alts []item, rest *chain) {
	longest := int32(0)
	for _, a := range alts {
		b := extentOf(&chain{a, nil})
		longest = max(longest, b.max)
		e.bounded = e.bounded && b.bounded
	}
	b := extentOf(rest)
	e.max += longest + b.max
	e.bounded = e.bounded && b.bounded
	e.fixed = false
}

// repeat adds a repetition; more is false if what follows has been dealt with or does not count any more.
func (e *extent) repeat(x itemRepeat, rest *chain) (more bool) {
	_, group := x.x.(itemGroup)
	if x.min == 0 && x.max == 1 {
		if group && x.kind != possessive {
			e.branch([]item{x.x, itemSeq{}}, rest)
			return false
		}
		e.add(&chain{x.x, nil})
		e.fixed = false
		return true
	}
	one := extentOf(&chain{x.x, nil})
	if group && x.kind != possessive && !one.fixed {
		e.bounded, e.fixed = false, false
		return false
	}
	times := int32(min(x.max, math.MaxInt32))
	if _, char := x.x.(itemChar); (char || isUnit(x.x)) && x.kind == greedy && x.max == math.MaxInt {
		e.max += times
		e.fixed = false
		return true
	}
	sum := one.max*times + e.max
	e.bounded = e.bounded && one.bounded && sum >= e.max
	e.max = sum
	e.fixed = e.fixed && one.fixed && x.min == x.max
	return true
}

func isUnit(x item) bool {
	u, ok := x.(itemUnits)
	return ok && len(u.units) == 1
}

// link makes the nodes of x, followed by next.
func (c *compiler) link(x item, next node) node {
	switch x := x.(type) {
	case nil:
		return next
	case itemChar:
		c.sees(x.set)
		return &charNode{x.set, next}
	case itemUnits:
		if l, ok := next.(*literalNode); ok {
			return &literalNode{append(append([]uint16(nil), x.units...), l.units...), l.next}
		}
		return &literalNode{x.units, next}
	case itemSeq:
		for i := len(x) - 1; i >= 0; i-- {
			next = c.link(x[i], next)
		}
		return next
	case itemAlt:
		b := &branchNode{}
		for _, y := range x {
			b.alts = append(b.alts, c.link(y, next))
		}
		return b
	case itemGroup:
		if x.index == 0 {
			return c.link(x.x, next)
		}
		l := c.local()
		return &groupHead{l, c.link(x.x, &groupTail{l, x.index, next})}
	case itemRepeat:
		return c.repeat(x, next)
	case itemLook:
		n := &lookNode{behind: x.behind, negative: x.negative, atomic: x.atomic, pairs: x.pairs, next: next}
		if x.behind {
			n.min = least(x.x)
			n.max, _ = greatest(x.x)
			if x.pairs && n.max >= 0 {
				n.max = min(n.max, math.MaxInt32/2) * 2
			}
			n.body = c.link(x.x, behindEnd{})
		} else {
			n.body = c.link(x.x, stop{})
		}
		return n
	case itemAnchor:
		return &anchor{x.kind, x.unix, x.uword, next}
	case itemRef:
		return &backRef{x.group, x.fold, x.ufold, next}
	case itemBreak:
		return &lineBreak{next}
	}
	panic(fmt.Sprintf("javare: unknown item %T", x))
}

// sees notes what a part of the pattern looks at.
func (c *compiler) sees(s set) { c.pairs = c.pairs || !singleUnit(s) }

func (c *compiler) local() int { c.locals++; return c.locals - 1 }

func (c *compiler) repeat(x itemRepeat, next node) node {
	switch y := x.x.(type) {
	case itemChar:
		c.sees(y.set)
		return &runNode{y.set, x.min, x.max, x.kind, next}
	case itemUnits:
		if len(y.units) == 1 {
			return &runNode{single(y.units[0]), x.min, x.max, x.kind, next}
		}
	}
	if x.kind == possessive {
		// Every turn takes the first way to match, for good.
		turn := itemLook{x: x.x, atomic: true}
		return &lookNode{atomic: true, body: c.repeat(itemRepeat{x: turn, min: x.min, max: x.max}, stop{}), next: next}
	}
	if _, ok := x.x.(itemBreak); ok {
		x.x = itemLook{x: x.x, atomic: true}
	}
	l := &loopNode{min: x.min, max: x.max, kind: x.kind, count: c.local(), begin: c.local(), next: next}
	l.body = c.link(x.x, l)
	return &loopHead{l}
}
