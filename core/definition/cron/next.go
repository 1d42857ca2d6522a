package cron

import (
	"math/bits"
	"slices"
	"time"
)

// horizonYears is how far ahead a fire time is searched.
const horizonYears = 100

// Next is the first fire time strictly after a time, in epoch milliseconds, reckoned in the calendar of
// the zone. It is false when nothing fires within 100 years.
//
// In the repeated hour of autumn a job that fires less often than every other hour around it runs once:
// see the second half of time-triggers.md 4.
func (s *Schedule) Next(after int64, zone *time.Location) (int64, bool) {
	found, ok := s.next(after, zone)
	if !ok || !s.Fires(after, zone) || offset(found, zone) >= offset(after, zone) {
		return found, ok
	}
	if following, ok := s.next(found, zone); ok && following-found < 2*3600_000 {
		return found, true
	}
	return s.next(after+3600_000, zone)
}

func offset(ms int64, zone *time.Location) int {
	_, off := time.UnixMilli(ms).In(zone).Zone()
	return off
}

// Fires tells whether a time, in epoch milliseconds, is a fire time.
func (s *Schedule) Fires(ms int64, zone *time.Location) bool {
	if ms%1000 != 0 {
		return false
	}
	t := time.UnixMilli(ms).In(zone)
	for i := range s.exprs {
		e := &s.exprs[i]
		if e.on(t.Year(), int(t.Month()), t.Day()) && e.hour>>t.Hour()&1 == 1 && e.minute>>t.Minute()&1 == 1 && e.second>>t.Second()&1 == 1 {
			return true
		}
	}
	return false
}

// next is Next without the rule for the repeated hour.
func (s *Schedule) next(after int64, zone *time.Location) (int64, bool) {
	var best int64
	found := false
	for i := range s.exprs {
		if t, ok := s.exprs[i].next(after, zone); ok && (!found || t < best) {
			best, found = t, true
		}
	}
	return best, found
}

func (e *expr) next(after int64, zone *time.Location) (int64, bool) {
	// A day earlier, for zones that set the clock back across midnight.
	start := time.UnixMilli(after).In(zone).AddDate(0, 0, -1)
	y, m, d := start.Date()
	for end := y + horizonYears; y <= end; y, m, d = y+1, 1, 1 {
		if e.years != nil && (y < 1970 || y > 2099 || !e.years[y-1970]) {
			continue
		}
		for ; m <= 12; m, d = m+1, 1 {
			if e.month>>m&1 == 0 {
				continue
			}
			for n := daysIn(y, int(m)); d <= n; d++ {
				if !e.on(y, int(m), d) {
					continue
				}
				if t, ok := e.onDay(y, m, d, after, zone); ok {
					return t, true
				}
			}
		}
	}
	return 0, false
}

// on tells whether the expression fires on a day at all.
func (e *expr) on(y, m, d int) bool {
	if e.month>>m&1 == 0 || e.years != nil && (y < 1970 || y > 2099 || !e.years[y-1970]) {
		return false
	}
	x := &e.days
	n := daysIn(y, m)
	week := weekday(y, m, d)
	inMonth := x.dayOfMonth>>d&1 == 1 || x.lastWeekday && d == nearestWeekday(y, m, n)
	for _, before := range x.last {
		inMonth = inMonth || d == n-before
	}
	for _, near := range x.nearest {
		inMonth = inMonth || near <= n && d == nearestWeekday(y, m, near)
	}
	inWeek := x.dayOfWeek>>week&1 == 1
	for _, w := range x.lastOf {
		inWeek = inWeek || w == week && d > n-7
	}
	for _, nth := range x.nth {
		inWeek = inWeek || nth[0] == week && nth[1] == (d+6)/7
	}
	switch {
	case x.either:
		return inMonth || inWeek
	case x.useMonth:
		return inMonth
	case x.useWeek:
		return inWeek
	}
	return true
}

// onDay is the first fire time of a local day after a time.
func (e *expr) onDay(y int, m time.Month, d int, after int64, zone *time.Location) (int64, bool) {
	midnight := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()
	early, late := offset((midnight-26*3600)*1000, zone), offset((midnight+50*3600)*1000, zone)
	if early == late {
		from := int(floorDiv(after, 1000) + 1 - (midnight - int64(early))) // first second of the day that is late enough
		if from < 0 {
			from = 0
		}
		sec, ok := e.secondOfDay(from)
		return (midnight - int64(early) + int64(sec)) * 1000, ok
	}
	var best int64
	found := false
	for sec, ok := e.secondOfDay(0); ok; sec, ok = e.secondOfDay(sec + 1) {
		for _, off := range []int{early, late, offset((midnight+int64(sec))*1000, zone)} {
			t := (midnight + int64(sec) - int64(off)) * 1000
			if t > after && (!found || t < best) && offset(t, zone) == off {
				best, found = t, true
			}
		}
	}
	return best, found
}

// secondOfDay is the first matching second of a day from a second on.
func (e *expr) secondOfDay(from int) (int, bool) {
	if from >= 86400 {
		return 0, false
	}
	h, m, s := from/3600, from/60%60, from%60
	for hour, ok := nextBit(e.hour, h); ok; hour, ok = nextBit(e.hour, hour+1) {
		if hour > h {
			m, s = 0, 0
		}
		for minute, ok := nextBit(e.minute, m); ok; minute, ok = nextBit(e.minute, minute+1) {
			if minute > m {
				s = 0
			}
			if second, ok := nextBit(e.second, s); ok {
				return hour*3600 + minute*60 + second, true
			}
		}
		m, s = 0, 0
	}
	return 0, false
}

func nextBit(set uint64, from int) (int, bool) {
	if from > 63 {
		return 0, false
	}
	set &= ^uint64(0) << from
	return bits.TrailingZeros64(set), set != 0
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func daysIn(y, m int) int {
	if m == 2 {
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	if slices.Contains([]int{4, 6, 9, 11}, m) {
		return 30
	}
	return 31
}

func weekday(y, m, d int) int {
	return int(time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC).Weekday())
}

// nearestWeekday is the day from Monday to Friday that is nearest to a day, within its month.
func nearestWeekday(y, m, d int) int {
	switch weekday(y, m, d) {
	case 6:
		if d == 1 {
			return 3
		}
		return d - 1
	case 0:
		if d == daysIn(y, m) {
			return d - 2
		}
		return d + 1
	}
	return d
}
