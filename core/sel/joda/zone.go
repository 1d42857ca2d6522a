// Package joda has dates and times as Joda-Time shows them: an ISO calendar with milliseconds, zones
// with gaps and overlaps, patterns with lenient parsing. Nothing here reads a clock, a file or the
// environment: zone data is part of the binary.
package joda

import (
	"math"
	"sort"
	"strings"
)

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
	// standard is the offset without summer time.
	standard int64
}

// cycleMillis is the length of 400 Gregorian years, which are whole weeks.
const cycleMillis = 146097 * dayMillis

// UTC is the zone of that name.
var UTC = &Zone{id: "UTC", fixed: true}

// ID is the zone's text.
func (z *Zone) ID() string { return z.id }

// ForID finds a zone by its id or offset text.
func ForID(id string) (*Zone, error) {
	if id == "UTC" {
		return UTC, nil
	}
	if z := loadIndex().zone(id); z != nil {
		return z, nil
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
	return &Zone{id: id, fixed: true, first: transition{offset: ms, standard: ms}}
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

// occurrences finds the instants that have a local time. If there are two, change is the one between them
// at which the clock was put back. In a gap both are the instant that lies as far behind the change as the
// time lies in the gap.
func (z *Zone) occurrences(local int64) (first, second, change int64, gap bool) {
	if z.fixed || local < math.MinInt64+2*dayMillis {
		return local - z.first.offset, local - z.first.offset, 0, false
	}
	// No offset exceeds a day: whatever is in force a day earlier is the candidate from before a change.
	first = local - z.Offset(local-dayMillis)
	for t := z.next(local - dayMillis); ; {
		after := local - z.Offset(t)
		switch {
		case t > first && after >= t:
			return first, after, t, false
		case t > first:
			return first, first, 0, false
		case after < t:
			return first, first, 0, true
		}
		first = after
		n := z.next(t)
		if n == t {
			return first, first, 0, false
		}
		t = n
	}
}

// resolve is the instant of a local time: the earlier one of two, unless the clock was put back across the
// date line, where Joda-Time takes the later one once that local time has come in UTC.
func (z *Zone) resolve(local int64) (ms int64, gap bool) {
	first, second, change, gap := z.occurrences(local)
	if second != first && local >= change && second > local {
		return second, false
	}
	return first, gap
}

// keeping is the instant of a local time that comes of changing a field of the instant was. The offset in
// force there stays if it is valid. Else, of two instants, it is the later one if the local time is, taken
// as UTC, behind the change: in zones east of Greenwich.
func (z *Zone) keeping(local, was int64) int64 {
	o := z.Offset(was)
	if z.Offset(local-o) == o {
		return local - o
	}
	first, second, change, _ := z.occurrences(local)
	if second != first && local >= change {
		return second
	}
	return first
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
