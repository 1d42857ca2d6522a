// Package javare matches the regular expressions of java.util.regex: backtracking, with look-around,
// back references, possessive quantifiers, atomic groups and class intersection, over UTF-16 text.
//
// Work is counted, not timed: a match that takes more steps than it was given ends with ErrBudget, on
// every machine at the same place.
package javare

import (
	"errors"

	"github.com/downbeat/downbeat/core/sel/javatext"
)

// ErrBudget ends a match that takes too many steps or nests too deep.
var ErrBudget = errors.New("regular expression takes too many steps")

// maxDepth bounds the recursion of a match. Java's thread stack ends earlier.
const maxDepth = 50000

// node matches at i and hands on to what follows it; groups are in m.
type node interface {
	match(m *Matcher, i int) bool
}

type accept struct{}

func (accept) match(m *Matcher, i int) bool {
	if m.mustEnd && i != len(m.text) {
		return false
	}
	m.groups[1] = i
	return true
}

// behindEnd ends a look-behind: it must end where the look-behind stands.
type behindEnd struct{}

func (behindEnd) match(m *Matcher, i int) bool { return i == m.behindTo }

// stop ends a sub-match, for look-ahead and atomic groups.
type stop struct{}

func (stop) match(m *Matcher, i int) bool { m.stopAt = i; return true }

type charNode struct {
	set  set
	next node
}

func (n *charNode) match(m *Matcher, i int) bool {
	j := m.one(n.set, i)
	return j >= 0 && m.step() && n.next.match(m, j)
}

type literalNode struct {
	units []uint16
	next  node
}

func (n *literalNode) match(m *Matcher, i int) bool {
	if len(m.text)-i < len(n.units) {
		return false
	}
	for k, u := range n.units {
		if m.text[i+k] != u {
			return false
		}
	}
	return m.step() && n.next.match(m, i+len(n.units))
}

type branchNode struct{ alts []node }

func (n *branchNode) match(m *Matcher, i int) bool {
	if !m.enter() {
		return false
	}
	defer m.leave()
	for _, a := range n.alts {
		if !m.tick() || a.match(m, i) {
			return !m.failed
		}
		if m.failed {
			return false
		}
	}
	return false
}

type groupHead struct {
	local int
	next  node
}

func (n *groupHead) match(m *Matcher, i int) bool {
	save := m.locals[n.local]
	m.locals[n.local] = i
	ok := n.next.match(m, i)
	m.locals[n.local] = save
	return ok
}

type groupTail struct {
	local, group int
	next         node
}

func (n *groupTail) match(m *Matcher, i int) bool {
	g := 2 * n.group
	s, e := m.groups[g], m.groups[g+1]
	m.groups[g], m.groups[g+1] = m.locals[n.local], i
	if m.tick() && n.next.match(m, i) {
		return true
	}
	m.groups[g], m.groups[g+1] = s, e
	return false
}

type quantifier uint8

const (
	greedy quantifier = iota
	lazy
	possessive
)

// runNode repeats a single character.
type runNode struct {
	set      set
	min, max int
	kind     quantifier
	next     node
}

func (n *runNode) match(m *Matcher, i int) bool {
	j, count := i, 0
	for count < n.min {
		if j = m.one(n.set, j); j < 0 || !m.step() {
			return false
		}
		count++
	}
	switch n.kind {
	case lazy:
		if !m.enter() {
			return false
		}
		defer m.leave()
		for {
			if n.next.match(m, j) {
				return true
			}
			if m.failed || count >= n.max {
				return false
			}
			if j = m.one(n.set, j); j < 0 || !m.step() {
				return false
			}
			count++
		}
	default:
		least := j
		for count < n.max {
			k := m.one(n.set, j)
			if k < 0 {
				break
			}
			if !m.step() {
				return false
			}
			j = k
			count++
		}
		if n.kind == possessive {
			return n.next.match(m, j)
		}
		if !m.enter() {
			return false
		}
		defer m.leave()
		for {
			if n.next.match(m, j) {
				return true
			}
			if m.failed || j <= least {
				return false
			}
			j = m.back(j, least)
		}
	}
}

// loopNode repeats anything; its body leads back to it.
type loopNode struct {
	body         node
	min, max     int
	kind         quantifier
	count, begin int // locals
	next         node
}

// loopHead enters a loop.
type loopHead struct{ loop *loopNode }

func (n *loopHead) match(m *Matcher, i int) bool {
	l := n.loop
	if !m.enter() {
		return false
	}
	defer m.leave()
	save := m.locals[l.count]
	saveBegin := m.locals[l.begin]
	m.locals[l.count] = 0
	m.locals[l.begin] = -1
	ok := l.match(m, i)
	m.locals[l.count] = save
	m.locals[l.begin] = saveBegin
	return ok
}

func (n *loopNode) match(m *Matcher, i int) bool {
	if !m.step() || !m.enter() {
		return false
	}
	defer m.leave()
	// An iteration that matched nothing ends the loop, whatever the minimum.
	if i > m.locals[n.begin] || m.locals[n.count] == 0 {
		count := m.locals[n.count]
		again := func() bool {
			b := m.locals[n.begin]
			m.locals[n.count], m.locals[n.begin] = count+1, i
			ok := n.body.match(m, i)
			if !ok {
				m.locals[n.count], m.locals[n.begin] = count, b
			}
			return ok
		}
		switch {
		case count < n.min:
			return again()
		case n.kind == lazy:
			return n.leaveLoop(m, i) || !m.failed && count < n.max && again()
		case count < n.max:
			if again() {
				return true
			}
			if m.failed {
				return false
			}
		}
	}
	return n.leaveLoop(m, i)
}

func (n *loopNode) leaveLoop(m *Matcher, i int) bool { return n.next.match(m, i) }

// lookNode is look-ahead, look-behind and atomic groups.
type lookNode struct {
	body     node // ends in stop or behindEnd
	behind   bool
	min      int // what a look-behind looks back
	max      int32
	pairs    bool
	negative bool
	atomic   bool
	next     node
}

func (n *lookNode) match(m *Matcher, i int) bool {
	if !m.step() || !m.enter() {
		return false
	}
	defer m.leave()
	ok := false
	to := i
	if n.behind {
		saved := m.behindTo
		m.behindTo = i
		// In 32 bits, so that a greatest length beyond them means what it means in Java.
		for j := i - n.min; j >= max(int(int32(i)-n.max), 0) && !ok && !m.failed; j-- {
			ok = !(n.pairs && m.insidePair(j)) && n.body.match(m, j)
		}
		m.behindTo = saved
	} else {
		ok = n.body.match(m, i)
		if n.atomic {
			to = m.stopAt
		}
	}
	if m.failed {
		return false
	}
	// What a negative one captured stays, as in Java: it is seen where another way to match follows.
	return ok != n.negative && n.next.match(m, to)
}

type backRef struct {
	group int
	fold  bool
	ufold bool
	next  node
}

func (n *backRef) match(m *Matcher, i int) bool {
	if 2*n.group+1 >= len(m.groups) {
		return false
	}
	s, e := m.groups[2*n.group], m.groups[2*n.group+1]
	if s < 0 || len(m.text)-i < e-s {
		return false
	}
	for k := s; k < e; k++ {
		a, b := m.text[k], m.text[i+k-s]
		if a != b && !(n.fold && equalFold(rune(a), rune(b), n.ufold)) {
			return false
		}
	}
	return m.step() && n.next.match(m, i+e-s)
}

type anchorKind uint8

const (
	bol anchorKind = iota // ^ in multiline mode
	eol                   // $ in multiline mode
	beginText
	endText
	endLine // $ and \Z: the end or before the last line break
	lastMatch
	wordBoundary
	noWordBoundary
)

type anchor struct {
	kind  anchorKind
	unix  bool
	uword bool
	next  node
}

func (n *anchor) match(m *Matcher, i int) bool {
	t := m.text
	isBreak := func(u uint16) bool {
		return u == '\n' || !n.unix && (u == '\r' || u == 0x85 || u == 0x2028 || u == 0x2029)
	}
	crlf := func(i int) bool { return !n.unix && i > 0 && i < len(t) && t[i-1] == '\r' && t[i] == '\n' }
	ok := false
	switch n.kind {
	case beginText:
		ok = i == 0
	case endText:
		ok = i == len(t)
	case lastMatch:
		ok = i == m.lastEnd
	case bol:
		ok = i < len(t) && (i == 0 || isBreak(t[i-1]) && !crlf(i))
	case eol:
		ok = i == len(t) || isBreak(t[i]) && !crlf(i)
	case endLine:
		ok = i == len(t) || i == len(t)-1 && isBreak(t[i]) && !crlf(i) || !n.unix && i == len(t)-2 && t[i] == '\r' && t[i+1] == '\n'
	case wordBoundary, noWordBoundary:
		word := func(j int) bool {
			if j < 0 || j >= len(t) {
				return false
			}
			return isWord(rune(t[j]), n.uword)
		}
		ok = (word(i-1) != word(i)) == (n.kind == wordBoundary)
	}
	return ok && m.tick() && n.next.match(m, i)
}

// lineBreak is \R.
type lineBreak struct{ next node }

func (n *lineBreak) match(m *Matcher, i int) bool {
	if i >= len(m.text) || !m.step() {
		return false
	}
	switch u := m.text[i]; {
	case u == '\r':
		if i+1 < len(m.text) && m.text[i+1] == '\n' && n.next.match(m, i+2) {
			return true
		}
		return !m.failed && n.next.match(m, i+1)
	case u >= '\n' && u <= '\f', u == 0x85, u == 0x2028, u == 0x2029:
		return n.next.match(m, i+1)
	}
	return false
}

// Matcher holds one search.
type Matcher struct {
	re       *Regexp
	text     []uint16
	groups   []int
	locals   []int
	lastEnd  int
	behindTo int
	stopAt   int
	mustEnd  bool
	depth    int
	left     int64
	ticks    int
	failed   bool
	first    bool
}

// Matcher begins a search in text with that many steps.
func (re *Regexp) Matcher(text []uint16, steps int64) *Matcher {
	m := &Matcher{re: re, text: text, left: steps, first: true}
	m.groups = make([]int, 2*(re.groups+1))
	m.locals = make([]int, re.locals)
	return m
}

func (m *Matcher) step() bool {
	m.left--
	if m.left < 0 {
		m.failed = true
	}
	return !m.failed
}

// tick counts what takes less than a step but comes without bound in a long pattern.
func (m *Matcher) tick() bool {
	m.ticks++
	return m.ticks%4 != 0 || m.step()
}

func (m *Matcher) enter() bool {
	m.depth++
	if m.depth > maxDepth {
		m.failed = true
	}
	return !m.failed
}

func (m *Matcher) leave() { m.depth-- }

// Steps are those that are left.
func (m *Matcher) Steps() int64 { return max(m.left, 0) }

// one matches one character and gives the place behind it, or -1.
func (m *Matcher) one(s set, i int) int {
	if i >= len(m.text) {
		return -1
	}
	u := m.text[i]
	if u >= 0xD800 && u <= 0xDBFF && i+1 < len(m.text) {
		if lo := m.text[i+1]; lo >= 0xDC00 && lo <= 0xDFFF {
			if s.has(0x10000 + (rune(u)-0xD800)<<10 + rune(lo) - 0xDC00) {
				return i + 2
			}
			return -1
		}
	}
	if s.has(rune(u)) {
		return i + 1
	}
	return -1
}

// insidePair reports whether i stands between the units of one character.
func (m *Matcher) insidePair(i int) bool {
	return i > 0 && i < len(m.text) && javatext.IsLow(m.text[i]) && javatext.IsHigh(m.text[i-1])
}

// back goes back one character, not before least.
func (m *Matcher) back(j, least int) int {
	j--
	if j > least && m.insidePair(j) {
		j--
	}
	return j
}

// Find looks for the next match.
func (m *Matcher) Find() (bool, error) {
	from := 0
	if !m.first {
		from = m.groups[1]
		if m.groups[0] == m.groups[1] {
			from++
		}
	}
	if !m.first && m.groups[0] < 0 {
		return false, nil
	}
	m.first = false
	// Once for all places: as in Java, what an attempt captured behind an atomic group before it failed is
	// still there in the next one.
	for k := range m.groups {
		m.groups[k] = -1
	}
	m.left -= int64(len(m.groups) / 16) // which is work too where there are thousands
	for i := from; i <= len(m.text); i++ {
		if !m.step() {
			return false, ErrBudget
		}
		if m.re.pairs && i > from && m.insidePair(i) {
			continue
		}
		if m.re.start.match(m, i) {
			m.groups[0] = i
			m.lastEnd = m.groups[1]
			return true, nil
		}
		if m.failed {
			return false, ErrBudget
		}
	}
	for k := range m.groups {
		m.groups[k] = -1
	}
	return false, nil
}

// Start and End are the bounds of the match.
func (m *Matcher) Start() int { return m.groups[0] }

// End is the place behind the match.
func (m *Matcher) End() int { return m.groups[1] }

// Group gives a group's text; ok is false if it took no part.
func (m *Matcher) Group(n int) (text []uint16, ok bool) {
	if m.groups[2*n] < 0 {
		return nil, false
	}
	return m.text[m.groups[2*n]:m.groups[2*n+1]], true
}
