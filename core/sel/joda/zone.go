// Package joda has dates and times as Joda-Time shows them: an ISO calendar with milliseconds, zones
// with gaps and overlaps, patterns with lenient parsing. Nothing here reads a clock, a file or the
// environment: zone data is part of the binary.
package joda

import (
	"archive/zip"
	"bytes"
	_ "embed" // the zone data
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"
	"sync"
)

// zoneinfo.zip is the IANA data (release 2025c) in the form in which the Go distribution ships it.
//
//go:embed zoneinfo.zip
var zoneinfo []byte

// Zone is a time zone. Zones are shared and immutable; compare them by ID.
type Zone struct {
	id    string
	fixed bool
	first transition   // before the first change
	trans []transition // ascending
	// Beyond end the changes of the last 400 years repeat: the calendar does, weekdays included.
	end int64
}

type transition struct {
	at     int64 // epoch milliseconds of the change
	offset int64 // milliseconds to add to UTC from then on
	abbr   string
	dst    bool
}

// cycleMillis is the length of 400 Gregorian years, which are whole weeks.
const cycleMillis = 146097 * dayMillis

// UTC is the zone of that name.
var UTC = &Zone{id: "UTC", fixed: true, first: transition{abbr: "UTC"}}

// ID is the zone's text.
func (z *Zone) ID() string { return z.id }

var index struct {
	once  sync.Once
	files map[string]*zip.File
	ids   []string
	max   int

	mu    sync.Mutex // guards zones
	zones map[string]*Zone
}

func loadIndex() {
	index.once.Do(func() {
		index.files, index.zones = map[string]*zip.File{}, map[string]*Zone{}
		r, err := zip.NewReader(bytes.NewReader(zoneinfo), int64(len(zoneinfo)))
		if err != nil {
			panic("joda: embedded zone data: " + err.Error())
		}
		for _, f := range r.File {
			if strings.HasSuffix(f.Name, "/") || f.Name == "Factory" || f.Name == "localtime" {
				continue
			}
			index.files[f.Name] = f
			index.ids = append(index.ids, f.Name)
			index.max = max(index.max, len(f.Name))
		}
		sort.Strings(index.ids)
	})
}

// ForID finds a zone by its id or offset text.
func ForID(id string) (*Zone, error) {
	if id == "UTC" {
		return UTC, nil
	}
	z, err := named(id)
	if err != nil || z != nil {
		return z, err
	}
	if strings.HasPrefix(id, "+") || strings.HasPrefix(id, "-") {
		var b bucket
		pos := zoneOffset{separators: true}.parse(&b, id, 0)
		if pos < 0 || pos < len(id) {
			return nil, formatError(id, pos)
		}
		return ForOffset(b.offset), nil
	}
	return nil, &Error{Kind: BadZone, Message: "The datetime zone id '" + id + "' is not recognised"}
}

// ForOffset is the zone with that many milliseconds.
func ForOffset(ms int64) *Zone {
	if ms == 0 {
		return UTC
	}
	id := string(appendOffset(nil, ms, true, 2, 4))
	return &Zone{id: id, fixed: true, first: transition{offset: ms}}
}

func named(id string) (*Zone, error) {
	loadIndex()
	f := index.files[id]
	if f == nil {
		return nil, nil
	}
	if target, ok := links[id]; ok {
		id = target
		f = index.files[id]
	}
	index.mu.Lock()
	defer index.mu.Unlock()
	if z := index.zones[id]; z != nil {
		return z, nil
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("zone %s: %w", id, err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("zone %s: %w", id, err)
	}
	z, err := decodeZone(id, data)
	if err != nil {
		return nil, fmt.Errorf("zone %s: %w", id, err)
	}
	index.zones[id] = z
	return z, nil
}

// longestID gives the length of the longest zone id that text continues with at pos, 0 for none.
func longestID(text string, pos int) int {
	loadIndex()
	for n := min(index.max, len(text)-pos); n > 0; n-- {
		if index.files[text[pos:pos+n]] != nil {
			return n
		}
	}
	return 0
}

// decodeZone reads a TZif file (RFC 9636).
func decodeZone(id string, data []byte) (*Zone, error) {
	header := func(d []byte) (counts [6]int, ok bool) {
		if len(d) < 44 || string(d[:4]) != "TZif" {
			return counts, false
		}
		for i := range counts {
			counts[i] = int(binary.BigEndian.Uint32(d[20+4*i:]))
		}
		return counts, true
	}
	size := func(c [6]int, width int) int {
		return c[3]*width + c[3] + c[4]*6 + c[5] + c[2]*(width+4) + c[1] + c[0]
	}
	c, ok := header(data)
	if !ok {
		return nil, fmt.Errorf("not a TZif file")
	}
	data = data[44+size(c, 4):]
	if c, ok = header(data); !ok || len(data) < 44+size(c, 8) {
		return nil, fmt.Errorf("no 64-bit data")
	}
	data = data[44:]
	times, rest := data[:8*c[3]], data[8*c[3]:]
	kinds, rest := rest[:c[3]], rest[c[3]:]
	types, rest := rest[:6*c[4]], rest[6*c[4]:]
	names, rest := rest[:c[5]], rest[c[5]:]
	footer := strings.Trim(string(rest[c[2]*12+c[1]+c[0]:]), "\n")
	kind := func(i int) transition {
		t := types[6*i:]
		n := names[t[5]:]
		return transition{offset: int64(int32(binary.BigEndian.Uint32(t))) * 1000, dst: t[4] != 0, abbr: string(n[:bytes.IndexByte(n, 0)])}
	}
	z := &Zone{id: id, first: kind(0)}
	prev := z.first
	for i := range kinds {
		t := kind(int(kinds[i]))
		t.at = int64(binary.BigEndian.Uint64(times[8*i:])) * 1000
		if t.at < -1<<55 {
			continue // "since ever"
		}
		// A change of the name only is no transition, but the name counts.
		if t.offset == prev.offset && t.abbr == prev.abbr && t.dst == prev.dst {
			continue
		}
		z.trans = append(z.trans, t)
		prev = t
	}
	last := int64(-1 << 55)
	if n := len(kinds); n > 0 {
		// The rule holds after the last entry, also after one that changes nothing.
		last = max(last, int64(binary.BigEndian.Uint64(times[8*(n-1):]))*1000)
	}
	if err := z.extend(footer, last); err != nil {
		return nil, err
	}
	z.fixed = len(z.trans) == 0
	return z, nil
}

// extend adds the changes after last that the footer's rule gives, for 400 whole years and some more.
func (z *Zone) extend(footer string, last int64) error {
	z.end = math.MaxInt64
	if !strings.Contains(footer, ",") {
		return nil
	}
	r, err := parseRule(footer)
	if err != nil {
		return err
	}
	from := yearOf(last)
	to := from + 402
	for y := from; y <= to; y++ {
		a := transition{at: (yearStart(y) + r.start.millis(y)) - r.std, offset: r.dst, dst: true, abbr: r.dstName}
		b := transition{at: (yearStart(y) + r.end.millis(y)) - r.dst, offset: r.std, abbr: r.stdName}
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
	return nil
}

// fold brings an instant beyond end back by whole cycles.
func (z *Zone) fold(ms int64) (folded, shift int64) {
	if ms < z.end {
		return ms, 0
	}
	shift = ((ms-z.end)/cycleMillis + 1) * cycleMillis
	return ms - shift, shift
}

func (z *Zone) at(ms int64) *transition {
	if z.fixed {
		return &z.first
	}
	ms, _ = z.fold(ms)
	lo, hi := 0, len(z.trans)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if z.trans[m].at <= ms {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == 0 {
		return &z.first
	}
	return &z.trans[lo-1]
}

// Offset is the number of milliseconds to add to UTC at that instant.
func (z *Zone) Offset(ms int64) int64 { return z.at(ms).offset }

// next is the first change of the offset after ms, ms itself if there is none.
func (z *Zone) next(ms int64) int64 {
	if z.fixed {
		return ms
	}
	f, shift := z.fold(ms)
	i := sort.Search(len(z.trans), func(i int) bool { return z.trans[i].at > f })
	for ; i < len(z.trans); i++ {
		if z.trans[i].offset != z.before(i) {
			return z.trans[i].at + shift
		}
	}
	return ms
}

// previous is the last millisecond before the last change of the offset up to ms, ms itself if there is none.
func (z *Zone) previous(ms int64) int64 {
	if z.fixed {
		return ms
	}
	f, shift := z.fold(ms)
	i := sort.Search(len(z.trans), func(i int) bool { return z.trans[i].at > f }) - 1
	for ; i >= 0; i-- {
		if z.trans[i].offset != z.before(i) {
			return z.trans[i].at - 1 + shift
		}
	}
	return ms
}

func (z *Zone) before(i int) int64 {
	if i == 0 {
		return z.first.offset
	}
	return z.trans[i-1].offset
}

// resolve finds what a local time means: the instant of its earlier occurrence, or, in a gap, the
// instant that lies as far behind the change as the time lies in the gap.
func (z *Zone) resolve(local int64) (ms int64, gap bool) {
	if z.fixed || local < math.MinInt64+2*dayMillis {
		return local - z.first.offset, false
	}
	// No offset exceeds a day: whatever is in force a day earlier is the candidate from before a change.
	lo := z.Offset(local - dayMillis)
	ms = local - lo
	for t := z.next(local - dayMillis); t <= ms; {
		// The change t lies before the candidate: either the time is in the gap that it makes, or it
		// follows with the new offset.
		o := z.Offset(t)
		if local-o < t {
			return ms, true
		}
		lo, ms = o, local-o
		n := z.next(t)
		if n == t {
			break
		}
		t = n
	}
	return ms, false
}

// keeping is resolve for a changed field of the instant was: the offset in force there stays if it is
// valid for the local time.
func (z *Zone) keeping(local, was int64) int64 {
	o := z.Offset(was)
	if z.Offset(local-o) == o {
		return local - o
	}
	ms, _ := z.resolve(local)
	return ms
}

// appendOffset writes ±HH[:MM[:SS[.mmm]]]: at least minFields, further ones only if they are not zero.
func appendOffset(out []byte, ms int64, separators bool, minFields, maxFields int) []byte {
	sign := byte('+')
	if ms < 0 {
		sign, ms = '-', -ms
	}
	out = append(out, sign)
	out = appendPadded(out, ms/3600000, 2)
	ms %= 3600000
	for i, unit := range []int64{60000, 1000, 1} {
		if maxFields <= i+1 || ms == 0 && minFields <= i+1 {
			return out
		}
		width := 2
		if i == 2 {
			width = 3
		}
		if separators {
			if i == 2 {
				out = append(out, '.')
			} else {
				out = append(out, ':')
			}
		}
		out = appendPadded(out, ms/unit, width)
		ms %= unit
	}
	return out
}

// rule is a POSIX TZ rule such as EST5EDT,M3.2.0,M11.1.0.
type rule struct {
	stdName, dstName string
	std, dst         int64
	start, end       ruleDay
}

type ruleDay struct {
	kind             byte // M: week of month; J: day 1–365 without leap day; 0: day 0–365
	month, week, day int64
	time             int64
}

func parseRule(s string) (r rule, err error) {
	bad := fmt.Errorf("zone rule %q", s)
	p := s
	name := func() string {
		if strings.HasPrefix(p, "<") {
			i := strings.IndexByte(p, '>')
			if i < 0 {
				return ""
			}
			n := p[1:i]
			p = p[i+1:]
			return n
		}
		i := 0
		for i < len(p) && (p[i]|0x20) >= 'a' && (p[i]|0x20) <= 'z' {
			i++
		}
		n := p[:i]
		p = p[i:]
		return n
	}
	clock := func() int64 {
		i := 0
		for i < len(p) && (p[i] >= '0' && p[i] <= '9' || p[i] == ':' || p[i] == '-' || p[i] == '+') {
			i++
		}
		t := p[:i]
		p = p[i:]
		neg := strings.HasPrefix(t, "-")
		t = strings.TrimLeft(t, "+-")
		unit, v := int64(3600000), int64(0)
		for _, f := range strings.Split(t, ":") {
			n, _ := strconv.ParseInt(f, 10, 32)
			v += n * unit
			unit /= 60
		}
		if neg {
			v = -v
		}
		return v
	}
	r.stdName = name()
	r.std = -clock()
	r.dstName = name()
	if r.dstName == "" {
		return r, bad
	}
	r.dst = r.std + 3600000
	if !strings.HasPrefix(p, ",") {
		r.dst = -clock()
	}
	for _, d := range []*ruleDay{&r.start, &r.end} {
		if !strings.HasPrefix(p, ",") {
			return r, bad
		}
		p = p[1:]
		i := strings.IndexAny(p, ",/")
		if i < 0 {
			i = len(p)
		}
		spec := p[:i]
		p = p[i:]
		d.time = 2 * 3600000
		if strings.HasPrefix(p, "/") {
			p = p[1:]
			d.time = clock()
		}
		switch {
		case strings.HasPrefix(spec, "M"):
			d.kind = 'M'
			if _, err := fmt.Sscanf(spec, "M%d.%d.%d", &d.month, &d.week, &d.day); err != nil {
				return r, bad
			}
		case strings.HasPrefix(spec, "J"):
			d.kind = 'J'
			d.day, err = strconv.ParseInt(spec[1:], 10, 32)
		default:
			d.day, err = strconv.ParseInt(spec, 10, 32)
		}
		if err != nil {
			return r, bad
		}
	}
	return r, nil
}

// millis is the local time of the change, counted from the start of the year.
func (d ruleDay) millis(year int64) int64 {
	switch d.kind {
	case 'M':
		first := daysFromDate(year, d.month, 1)
		// Weekday of the first of the month, 0 = Sunday; 1970-01-01 was a Thursday.
		w := mod(first+4, 7)
		day := first + mod(d.day-w, 7) + (d.week-1)*7
		if day >= first+monthLength(year, d.month) {
			day -= 7
		}
		return (day-daysFromDate(year, 1, 1))*dayMillis + d.time
	case 'J':
		n := d.day - 1
		if isLeap(year) && d.day >= 60 {
			n++
		}
		return n*dayMillis + d.time
	}
	return d.day*dayMillis + d.time
}
