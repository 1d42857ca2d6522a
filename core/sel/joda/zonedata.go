package joda

import (
	_ "embed" // the zone data
	"math"
	"sync"
)

// zoneData has the zones of the IANA database as Joda-Time 2.10.14 compiled it, written by zonegen. It is
// that one, and not the newest, because it is what the workflows of Maestro have been evaluated with: which
// ids there are, what a zone's text is and where its changes lie can all be seen, and some of it is
// Joda-Time's own doing (Africa/Freetown stays at +00:20 for ever). Its form: the name of the release; the
// zones, each with its id and its record; the other ids, each with the number of the zone it stands for.
// Texts and records follow their length.
//
//go:embed zones.bin
var zoneData string

// dataReader reads zoneData's numbers, which have the form of package encoding/binary.
type dataReader struct{ rest string }

func (r *dataReader) uvarint() uint64 {
	v := uint64(0)
	for shift := 0; ; shift += 7 {
		b := r.byte()
		v |= uint64(b&0x7F) << shift
		if b < 0x80 {
			return v
		}
	}
}

func (r *dataReader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *dataReader) byte() byte {
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *dataReader) text() string {
	n := r.uvarint()
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// zoneIndex is zoneData with its zones not yet read.
type zoneIndex struct {
	ids     map[string]int // the number of a zone, by all the ids that stand for it
	longest int            // the length of the longest id
	own     []string       // the id of each zone
	records []string

	mu    sync.Mutex // guards zones
	zones []*Zone    // nil until first used
}

var loadIndex = sync.OnceValue(func() *zoneIndex {
	r := dataReader{zoneData}
	r.text() // the release
	x := &zoneIndex{ids: map[string]int{}}
	add := func(id string, n int) {
		x.ids[id] = n
		x.longest = max(x.longest, len(id))
	}
	for n := range int(r.uvarint()) {
		id := r.text()
		add(id, n)
		x.own = append(x.own, id)
		x.records = append(x.records, r.text())
	}
	for range int(r.uvarint()) {
		id := r.text()
		add(id, int(r.uvarint()))
	}
	x.zones = make([]*Zone, len(x.own))
	return x
})

// zone gives the zone that an id stands for, nil for none.
func (x *zoneIndex) zone(id string) *Zone {
	n, ok := x.ids[id]
	if !ok {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.zones[n] == nil {
		x.zones[n] = decodeZone(x.own[n], x.records[n])
	}
	return x.zones[n]
}

// longestID gives the length of the longest zone id that text continues with at pos, 0 for none.
func (x *zoneIndex) longestID(text string, pos int) int {
	for n := min(x.longest, len(text)-pos); n > 0; n-- {
		if _, ok := x.ids[text[pos:pos+n]]; ok {
			return n
		}
	}
	return 0
}

// decodeZone reads a record: the kinds of states, the changes by their distance and the kind that follows,
// and maybe a rule for ever after.
func decodeZone(id, record string) *Zone {
	r := dataReader{record}
	kinds := make([]transition, r.uvarint())
	for i := range kinds {
		kinds[i] = transition{offset: r.varint(), standard: r.varint()}
	}
	z := &Zone{id: id, first: kinds[0], end: math.MaxInt64}
	at := int64(0)
	for range int(r.uvarint()) {
		at += r.varint()
		t := kinds[r.uvarint()]
		t.at = at
		z.trans = append(z.trans, t)
	}
	if r.byte() != 0 {
		standard := r.varint()
		var rules [2]yearlyRule
		for i := range rules {
			rules[i] = yearlyRule{mode: r.byte(), month: int64(r.byte()), day: int64(int8(r.byte())), weekday: int64(r.byte()),
				forward: r.byte() != 0, millis: r.varint(), save: r.varint()}
		}
		z.extend(standard, rules)
	}
	z.fixed = len(z.trans) == 0
	return z
}

// yearlyRule is a change that comes every year.
type yearlyRule struct {
	mode       byte // what millis counts in: u(TC), s(tandard) or w(all) time
	month, day int64
	// weekday, if it is not 0, moves the day to the next one of its kind, or back if forward is false. A
	// negative day counts from the end of the month.
	weekday int64
	forward bool
	millis  int64 // of the day
	save    int64 // what is added to standard time from then on
}

// at is the instant of the change in a year; before is what was added to standard time until then.
func (r yearlyRule) at(year, standard, before int64) int64 {
	day := daysFromDate(year, r.month, r.day)
	if r.day < 0 {
		day = daysFromDate(year, r.month, monthLength(year, r.month)) + r.day + 1
	}
	if r.weekday != 0 {
		if ahead := mod(r.weekday-weekday(day), 7); r.forward || ahead == 0 {
			day += ahead
		} else {
			day += ahead - 7
		}
	}
	ms := day*dayMillis + r.millis
	switch r.mode {
	case 'w':
		return ms - standard - before
	case 's':
		return ms - standard
	}
	return ms
}

// extend adds the changes that the rules give after the last one, for 400 whole years and some more.
func (z *Zone) extend(standard int64, rules [2]yearlyRule) {
	last := z.trans[len(z.trans)-1].at
	from := yearOf(last)
	to := from + 402
	for y := from; y <= to; y++ {
		a := transition{at: rules[0].at(y, standard, rules[1].save), offset: standard + rules[0].save, standard: standard}
		b := transition{at: rules[1].at(y, standard, rules[0].save), offset: standard + rules[1].save, standard: standard}
		if a.at > b.at {
			a, b = b, a
		}
		for _, t := range []transition{a, b} {
			if t.at > last {
				z.trans = append(z.trans, t)
			}
		}
	}
	z.end = yearStart(to)
}
