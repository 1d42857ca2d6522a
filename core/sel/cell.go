package sel

import (
	"math"
	"strconv"

	"github.com/downbeat/downbeat/core/sel/javatext"
	"github.com/downbeat/downbeat/core/sel/joda"
)

// cell is the mutable place that every value lives in (section 5.6). Expressions pass cells, not values:
// names, elements, map values and literals yield the cell itself. Cells belong to one evaluation.
type cell struct {
	typ  Type
	null bool // no content
	num  int64
	str  string
	// ref is *array, *hashMap, *joda.Zone (of a DATETIME too, whose instant is num), *joda.Formatter, or
	// property (num is its instant).
	ref any
}

type array struct{ elems []cell }

type property struct {
	field joda.Field
	zone  *joda.Zone
}

// nullCell is the one NULL: nothing can be assigned to it, so it may be shared.
var nullCell = &cell{typ: TypeNull, null: true}

func (c *cell) double() float64 { return math.Float64frombits(uint64(c.num)) }

func (c *cell) truth() bool { return c.num != 0 }

func (c *cell) isNull() bool { return c.typ == TypeNull || c.null }

// hasContent is false for the types of which nothing can be taken (section 6).
func (c *cell) hasContent() bool {
	switch c.typ {
	case TypeUUID, TypeMath, TypeParams, TypeUtil, TypeMisc:
		return false
	}
	return true
}

// assign copies the content of c into the cell.
func (c *cell) assign(from *cell) {
	c.null, c.num, c.str, c.ref = from.null, from.num, from.str, from.ref
}

func (c *cell) datetime() joda.DateTime {
	return joda.DateTime{Millis: c.num, Zone: c.ref.(*joda.Zone)}
}

// scalarText is the text of every type but arrays, MAP and those without content.
func (c *cell) scalarText() string {
	if c.isNull() {
		return "null"
	}
	switch c.typ {
	case TypeString:
		return c.str
	case TypeLong:
		return strconv.FormatInt(c.num, 10)
	case TypeDouble:
		return javatext.Double(c.double())
	case TypeBoolean:
		return strconv.FormatBool(c.truth())
	case TypeDateTime:
		return c.datetime().String()
	case TypeDateTimeZone:
		return c.ref.(*joda.Zone).ID()
	case TypeDateTimeProperty:
		return "Property[" + c.ref.(property).field.String() + "]"
	case TypeDateTimeDays:
		return "P" + strconv.FormatInt(c.num, 10) + "D"
	}
	return c.str
}

// hashMap has the order of Java's HashMap (section 7.6).
type hashMap struct {
	entries []mapEntry
	buckets []bucket
}

type bucket struct{ head, tail, n int32 } // indices into entries, -1 for none

type mapEntry struct {
	hash uint32 // remembered from the time of put
	key  *cell
	val  *cell
	next int32
}

const firstSize = 16

func newHashMap() *hashMap { return &hashMap{} }

func keyHash(key *cell) uint32 {
	if key.null {
		return 0
	}
	h := uint32(javatext.Hash(key.str))
	return h ^ h>>16
}

// find gives the entry's index or -1, and the number of entries looked at.
func (m *hashMap) find(key *cell) (at int32, steps int) {
	if len(m.buckets) == 0 {
		return -1, 0
	}
	h := keyHash(key)
	for i := m.buckets[h&uint32(len(m.buckets)-1)].head; i >= 0; i = m.entries[i].next {
		steps++
		e := &m.entries[i]
		if e.hash == h && (e.key == key || e.key.null == key.null && e.key.str == key.str) {
			return i, steps
		}
	}
	return -1, steps
}

// add appends a key that find does not find.
func (m *hashMap) add(key, val *cell) {
	if len(m.buckets) == 0 {
		m.resize(firstSize)
	}
	m.entries = append(m.entries, mapEntry{hash: keyHash(key), key: key, val: val, next: -1})
	n := m.link(int32(len(m.entries) - 1))
	// A crowded bucket of a small table doubles it too.
	if n > 8 && len(m.buckets) < 64 {
		m.resize(2 * len(m.buckets))
	}
	if len(m.entries) > len(m.buckets)/4*3 {
		m.resize(2 * len(m.buckets))
	}
}

func (m *hashMap) link(i int32) int32 {
	b := &m.buckets[m.entries[i].hash&uint32(len(m.buckets)-1)]
	if b.head < 0 {
		b.head = i
	} else {
		m.entries[b.tail].next = i
	}
	b.tail = i
	b.n++
	return b.n
}

func (m *hashMap) resize(size int) {
	old := m.order()
	m.buckets = make([]bucket, size)
	for i := range m.buckets {
		m.buckets[i] = bucket{-1, -1, 0}
	}
	for _, i := range old {
		m.entries[i].next = -1
		m.link(i)
	}
}

// order gives the entries' indices as iteration sees them.
func (m *hashMap) order() []int32 {
	out := make([]int32, 0, len(m.entries))
	for _, b := range m.buckets {
		for i := b.head; i >= 0; i = m.entries[i].next {
			out = append(out, i)
		}
	}
	return out
}
