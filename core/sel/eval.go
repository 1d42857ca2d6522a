package sel

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/downbeat/downbeat/core/sel/javatext"
	"github.com/downbeat/downbeat/core/sel/joda"
	"github.com/downbeat/downbeat/core/sel/syntax"
)

// evaluator is the state of one evaluation.
type evaluator struct {
	ctx    context.Context
	env    *Env
	limits Limits
	prog   *Program
	vars   []*cell // by slot; nil until first used
	lits   []*cell // by literal id; nil until first used: a literal is one cell
	zone   *joda.Zone

	visits int64
	// stopAt is where visit looks closer: at the limit, or to see whether ctx is done.
	stopAt int64
	memory int64
	work   int64
	slots  int // operand slots in use
	args   []*cell
	slab   []cell
	chunk  int
	random uint64

	err          error  // the first failure
	identityUsed *Error // where a text was first made of an array or a formatter
}

const checkEvery = 8192

// visit counts n nodes of the parse tree.
func (ev *evaluator) visit(n int64) bool {
	ev.visits += n
	return ev.visits < ev.stopAt || ev.visitSlow()
}

func (ev *evaluator) visitSlow() bool {
	if ev.visits >= ev.limits.Visit {
		return ev.failf(CatLimitVisit, "SEL evaluation aborted as it takes too many operations over the limit %d", ev.limits.Visit)
	}
	if !ev.alive() {
		return false
	}
	ev.stopAt = min(ev.visits+checkEvery, ev.limits.Visit)
	return true
}

func (ev *evaluator) alive() bool {
	if err := ev.ctx.Err(); err != nil {
		ev.fail(&Error{Category: CatTimeout, Message: "SEL evaluation was stopped", Cause: err})
		return false
	}
	return true
}

// spend counts work that grows with the size of values (units of about one byte looked at). Nothing in
// the specification counts it; without it a few visits could take hours. Its bound is far above what an
// expression within the other limits needs: 32 units for each visit that the limit allows.
func (ev *evaluator) spend(n int) bool {
	before := ev.work
	ev.work += int64(n)
	if ev.work > max(ev.limits.Visit, 4_000_000)*32 {
		return ev.failf(CatLimitVisit, "SEL evaluation aborted as it takes too many operations over the limit %d", ev.limits.Visit)
	}
	if before>>20 != ev.work>>20 {
		return ev.alive()
	}
	return true
}

// charge counts memory.
func (ev *evaluator) charge(n int64) bool {
	ev.memory += n
	if ev.memory >= ev.limits.Memory {
		return ev.failf(CatLimitMemory, "SEL evaluation aborted as it takes too much memory (in byte) over the limit %d", ev.limits.Memory)
	}
	return true
}

// push takes an operand slot.
func (ev *evaluator) push() bool {
	if ev.slots >= ev.limits.Stack {
		return ev.failf(CatLimitStack, "Array index out of range: %d: the expression needs more than %d operands at a time", ev.slots+1, ev.limits.Stack)
	}
	ev.slots++
	return true
}

func (ev *evaluator) fail(err error) {
	if ev.err == nil {
		ev.err = err
	}
}

func (ev *evaluator) failf(cat Category, format string, args ...any) bool {
	ev.fail(&Error{Category: cat, Message: fmt.Sprintf(format, args...)})
	return false
}

// at gives the failure its place, unless a construct further inside did.
func (ev *evaluator) at(pos syntax.Pos) {
	if e := ev.identityUsed; e != nil && e.Line == 0 {
		e.Line, e.Column = int(pos.Line), int(pos.Col)
	}
	var e *Error
	if ev.err != nil && errors.As(ev.err, &e) && e.Line == 0 {
		e.Line, e.Column = int(pos.Line), int(pos.Col)
	}
}

// newCell makes a cell without counting it.
func (ev *evaluator) newCell() *cell {
	if len(ev.slab) == 0 {
		ev.chunk = min(2*ev.chunk, 256)
		ev.slab = make([]cell, ev.chunk)
	}
	c := &ev.slab[0]
	ev.slab = ev.slab[1:]
	return c
}

func (ev *evaluator) make(typ Type) *cell {
	if !ev.charge(32) {
		return nil
	}
	c := ev.newCell()
	c.typ = typ
	return c
}

func (ev *evaluator) long(n int64) *cell {
	c := ev.make(TypeLong)
	if c != nil {
		c.num = n
	}
	return c
}

func (ev *evaluator) doubleCell(f float64) *cell {
	c := ev.make(TypeDouble)
	if c != nil {
		c.num = int64(math.Float64bits(f))
	}
	return c
}

func (ev *evaluator) boolean(b bool) *cell {
	c := ev.make(TypeBoolean)
	if c != nil && b {
		c.num = 1
	}
	return c
}

func (ev *evaluator) text(s string) *cell {
	if !ev.charge(2 * int64(javatext.Len(s))) {
		return nil
	}
	c := ev.make(TypeString)
	if c != nil {
		c.str = s
	}
	return c
}

func (ev *evaluator) dateTime(d joda.DateTime) *cell {
	c := ev.make(TypeDateTime)
	if c != nil {
		c.num, c.ref = d.Millis, d.Zone
	}
	return c
}

// arrayOf makes an array of n elements and counts their cells.
func (ev *evaluator) arrayOf(typ Type, n int) (*cell, *array) {
	if !ev.charge(32 * int64(n)) {
		return nil, nil
	}
	c := ev.make(typ)
	if c == nil {
		return nil, nil
	}
	a := &array{elems: make([]cell, n)}
	elem := elemType(typ)
	for i := range a.elems {
		a.elems[i].typ = elem
	}
	c.ref = a
	return c, a
}

func elemType(array Type) Type { return array - TypeStringArray + TypeString }

func arrayType(elem Type) Type { return elem - TypeString + TypeStringArray }

// strings makes a STRING_ARRAY.
func (ev *evaluator) strings(s []string) *cell {
	n := int64(0)
	for _, x := range s {
		n += 2 * int64(javatext.Len(x))
	}
	if !ev.charge(n) {
		return nil
	}
	c, a := ev.arrayOf(TypeStringArray, len(s))
	if c == nil {
		return nil
	}
	for i, x := range s {
		a.elems[i].str = x
	}
	return c
}

func (ev *evaluator) longs(n []int64) *cell {
	c, a := ev.arrayOf(TypeLongArray, len(n))
	if c == nil {
		return nil
	}
	for i, x := range n {
		a.elems[i].num = x
	}
	return c
}

// fromValue copies a value that comes in (section 5.3); nil after a failure.
func (ev *evaluator) fromValue(v Value, depth int) *cell {
	if depth > maxNesting {
		ev.failf(CatMapEntry, "Invalid map entry: maps are nested more than %d deep", maxNesting)
		return nil
	}
	switch v.typ {
	case TypeNull:
		return nullCell
	case TypeString:
		if v.null {
			c := ev.make(TypeString)
			if c != nil {
				c.null = true
			}
			return c
		}
		return ev.text(v.str)
	case TypeLong, TypeDouble, TypeBoolean:
		c := ev.make(v.typ)
		if c != nil {
			c.num = v.num
		}
		return c
	case TypeStringArray:
		s, null := v.AsStrings()
		c := ev.strings(s)
		if c != nil && null != nil {
			for i := range s {
				c.ref.(*array).elems[i].null = null[i]
			}
		}
		return c
	case TypeLongArray:
		return ev.longs(v.AsLongs())
	case TypeDoubleArray:
		c, a := ev.arrayOf(v.typ, v.Len())
		if c != nil {
			for i, f := range v.AsDoubles() {
				a.elems[i].num = int64(math.Float64bits(f))
			}
		}
		return c
	case TypeBooleanArray:
		c, a := ev.arrayOf(v.typ, v.Len())
		if c != nil {
			for i, b := range v.AsBools() {
				if b {
					a.elems[i].num = 1
				}
			}
		}
		return c
	case TypeMap:
		c := ev.make(TypeMap)
		if c == nil || v.null {
			if c != nil {
				c.null = true
			}
			return c
		}
		m := newHashMap()
		for _, e := range v.Entries() {
			if e.Value.typ == TypeNull || !e.Value.typ.IsData() {
				kind := "null"
				if e.Value.typ != TypeNull {
					kind = e.Value.typ.String()
				}
				ev.failf(CatMapEntry, "Invalid map entry type (%s) for Map constructor", kind)
				return nil
			}
			var k *cell
			if e.NullKey {
				if k = ev.make(TypeString); k != nil {
					k.null = true
				}
			} else {
				k = ev.text(e.Key)
			}
			if k == nil {
				return nil
			}
			val := ev.fromValue(e.Value, depth+1)
			if val == nil || !ev.put(m, k, val) {
				return nil
			}
		}
		c.ref = m
		return c
	}
	ev.failf(CatMapEntry, "Invalid input type %s", v.typ)
	return nil
}

// maxNesting bounds how deep maps may hold maps wherever their nesting is walked; a map that contains
// itself is refused by it.
const maxNesting = 500

// put stores the cells in the map.
func (ev *evaluator) put(m *hashMap, key, val *cell) bool {
	at, steps := m.find(key)
	if !ev.spend(4 * steps) {
		return false
	}
	if at >= 0 {
		m.entries[at].val = val
		return true
	}
	m.add(key, val)
	return true
}

// out takes a result out (section 5.4).
func (ev *evaluator) out(c *cell, depth int) (Value, bool) {
	if depth > maxNesting {
		return Value{}, ev.failf(CatResultExtraction, "Invalid map: it contains itself, or maps nested more than %d deep", maxNesting)
	}
	switch c.typ {
	case TypeMap:
		if c.null {
			return NullOf(TypeMap), true
		}
		m := c.ref.(*hashMap)
		// The map is copied entry by entry into a new one: keys that changed since put may meet.
		cp := newHashMap()
		changed := false
		for _, i := range m.order() {
			e := m.entries[i]
			changed = changed || keyHash(e.key) != e.hash
			if !ev.spend(8) || !ev.put(cp, e.key, e.val) {
				return Value{}, false
			}
		}
		entries := make([]Entry, 0, len(cp.entries))
		for _, i := range cp.order() {
			e := cp.entries[i]
			if !e.val.typ.IsData() {
				return Value{}, ev.failf(CatResultExtraction, "Invalid type, not support having map entry value %s=%s", e.key.scalarText(), e.val.typ)
			}
			// Maps that share maps may be larger outside than inside, where nobody counted them.
			if depth > 0 && !ev.charge(256) {
				return Value{}, false
			}
			v, ok := ev.out(e.val, depth+1)
			if !ok || ev.shows(e.key.str) {
				return Value{}, false
			}
			entries = append(entries, Entry{Key: e.key.str, NullKey: e.key.null, Value: v})
		}
		v := Map(entries)
		if changed {
			b, ok := ev.appendMap(nil, c, depth)
			if !ok {
				return Value{}, false
			}
			v.str = javatext.Normalize(string(b))
		}
		return v, true
	case TypeStringArray, TypeLongArray, TypeDoubleArray, TypeBooleanArray:
		elems := c.ref.(*array).elems
		if !ev.spend(8 * len(elems)) {
			return Value{}, false
		}
		if ev.identityUsed != nil {
			for i := range elems {
				if ev.shows(elems[i].str) {
					return Value{}, false
				}
			}
		}
		return arrayValue(c.typ, elems), true
	}
	v := Value{typ: c.typ, null: c.null, num: c.num}
	switch c.typ {
	case TypeString, TypeError:
		if ev.shows(c.str) {
			return Value{}, false
		}
		v.str = c.str
	case TypeDateTime, TypeDateTimeZone, TypeDateTimeProperty, TypeDateTimeDays:
		v.str = c.scalarText()
	}
	if c.null {
		v.num = 0
	}
	return v, true
}

func arrayValue(typ Type, elems []cell) Value {
	switch typ {
	case TypeStringArray:
		a := &stringArray{s: make([]string, len(elems))}
		for i := range elems {
			a.s[i] = elems[i].str
			if elems[i].null {
				if a.null == nil {
					a.null = make([]bool, len(elems))
				}
				a.null[i] = true
			}
		}
		return Value{typ: typ, ref: a}
	case TypeLongArray:
		n := make([]int64, len(elems))
		for i := range elems {
			n[i] = elems[i].num
		}
		return Longs(n)
	case TypeDoubleArray:
		f := make([]float64, len(elems))
		for i := range elems {
			f[i] = elems[i].double()
		}
		return Doubles(f)
	}
	b := make([]bool, len(elems))
	for i := range elems {
		b[i] = elems[i].truth()
	}
	return Bools(b)
}
