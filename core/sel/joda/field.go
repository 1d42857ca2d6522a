package joda

import (
	"math"
	"strconv"
)

// Field is a field of a date or time, seen in the ISO calendar.
type Field uint8

// The fields.
const (
	Era Field = iota
	CenturyOfEra
	YearOfEra
	Year
	Weekyear
	MonthOfYear
	WeekOfWeekyear
	DayOfYear
	DayOfMonth
	DayOfWeek
	HalfdayOfDay
	HourOfDay
	ClockhourOfDay
	HourOfHalfday
	ClockhourOfHalfday
	MinuteOfDay
	MinuteOfHour
	SecondOfDay
	SecondOfMinute
	MillisOfDay
	MillisOfSecond
	// Fractions as parsing saves them: milliseconds within a larger unit.
	millisOfMinute
	millisOfHour
)

type fieldInfo struct {
	name string
	// unit and span are the lengths in milliseconds of the field's unit and of the unit it counts within;
	// span 0 is unbounded. unit math.MaxInt64 is an era.
	unit, span int64
	lo, hi     int64 // of time fields
}

const (
	avgYear  = 31556952000
	avgMonth = 2629746000
	half     = 43200000
	hour     = 3600000
	minute   = 60000
	second   = 1000
)

var fields = [...]fieldInfo{
	Era:                {"era", math.MaxInt64, 0, 0, 1},
	CenturyOfEra:       {"centuryOfEra", 100 * avgYear, 0, 0, maxYear / 100},
	YearOfEra:          {"yearOfEra", avgYear, 0, 1, maxYear},
	Year:               {"year", avgYear, 0, minYear, maxYear},
	Weekyear:           {"weekyear", avgYear, 0, minYear, maxYear},
	MonthOfYear:        {"monthOfYear", avgMonth, avgYear, 1, 12},
	WeekOfWeekyear:     {"weekOfWeekyear", weekMillis, avgYear, 1, 53},
	DayOfYear:          {"dayOfYear", dayMillis, avgYear, 1, 366},
	DayOfMonth:         {"dayOfMonth", dayMillis, avgMonth, 1, 31},
	DayOfWeek:          {"dayOfWeek", dayMillis, weekMillis, 1, 7},
	HalfdayOfDay:       {"halfdayOfDay", half, dayMillis, 0, 1},
	HourOfDay:          {"hourOfDay", hour, dayMillis, 0, 23},
	ClockhourOfDay:     {"clockhourOfDay", hour, dayMillis, 1, 24},
	HourOfHalfday:      {"hourOfHalfday", hour, half, 0, 11},
	ClockhourOfHalfday: {"clockhourOfHalfday", hour, half, 1, 12},
	MinuteOfDay:        {"minuteOfDay", minute, dayMillis, 0, 1439},
	MinuteOfHour:       {"minuteOfHour", minute, hour, 0, 59},
	SecondOfDay:        {"secondOfDay", second, dayMillis, 0, 86399},
	SecondOfMinute:     {"secondOfMinute", second, minute, 0, 59},
	MillisOfDay:        {"millisOfDay", 1, dayMillis, 0, dayMillis - 1},
	MillisOfSecond:     {"millisOfSecond", 1, second, 0, 999},
	millisOfMinute:     {"millisOfSecond", 1, minute, 0, minute - 1},
	millisOfHour:       {"millisOfSecond", 1, hour, 0, hour - 1},
}

func (f Field) String() string { return fields[f].name }

// get reads the field of a local time.
func (f Field) get(local int64) int64 {
	switch f {
	case Era:
		if yearOf(local) > 0 {
			return 1
		}
		return 0
	case CenturyOfEra:
		return abs(yearOf(local)) / 100
	case YearOfEra:
		y := yearOf(local)
		if y <= 0 {
			y = 1 - y
		}
		return y
	case Year:
		return yearOf(local)
	case Weekyear:
		y, _ := weekOf(div(local, dayMillis))
		return y
	case MonthOfYear:
		_, m, _ := dateFromDays(div(local, dayMillis))
		return m
	case WeekOfWeekyear:
		_, w := weekOf(div(local, dayMillis))
		return w
	case DayOfYear:
		days := div(local, dayMillis)
		y, _, _ := dateFromDays(days)
		return days - daysFromDate(y, 1, 1) + 1
	case DayOfMonth:
		_, _, d := dateFromDays(div(local, dayMillis))
		return d
	case DayOfWeek:
		return weekday(div(local, dayMillis))
	}
	info := &fields[f]
	v := mod(local, info.span) / info.unit
	if v == 0 && (f == ClockhourOfDay || f == ClockhourOfHalfday) {
		v = info.hi
	}
	return v
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// bounds are the least and greatest value for the date that local is in.
func (f Field) bounds(local int64) (lo, hi int64) {
	lo, hi = fields[f].lo, fields[f].hi
	switch f {
	case WeekOfWeekyear:
		hi = weeksIn(Weekyear.get(local))
	case DayOfYear:
		hi = yearLength(yearOf(local))
	case DayOfMonth:
		y, m, _ := dateFromDays(div(local, dayMillis))
		hi = monthLength(y, m)
	}
	return lo, hi
}

// set changes the field of a local time; larger fields stay, the day is cut to fit a month or year.
func (f Field) set(local, v int64) (int64, error) {
	lo, hi := fields[f].lo, fields[f].hi
	switch f {
	case WeekOfWeekyear:
		if hi = 52; v > 52 {
			_, hi = f.bounds(local)
		}
	case DayOfYear:
		if hi = 365; v > 365 || v < 1 {
			_, hi = f.bounds(local)
		}
	case DayOfMonth:
		if hi = 28; v > 28 || v < 1 {
			_, hi = f.bounds(local)
		}
	}
	if v < lo || v > hi {
		return 0, fieldError(f, v, lo, hi)
	}
	return f.put(local, v, hi), nil
}

// setParsed is set for a field of a text: there the years on both sides of the range, of which a part
// are instants, are let through.
func (f Field) setParsed(local, v int64) (int64, error) {
	r, err := int64(0), error(nil)
	if f == Year && (v == maxYear+1 || v == minYear-1) {
		r = f.put(local, v, v)
	} else {
		r, err = f.set(local, v)
	}
	if err == nil && (f == Year && (v == maxYear+1 && r < 0 || v == minYear-1 && r > 0) || yearOf(local) > maxYear && r < 0) {
		return 0, fieldError(f, v, minYear, maxYear)
	}
	return r, err
}

// put is set without looking at the range.
func (f Field) put(local, v, hi int64) int64 {
	days := div(local, dayMillis)
	rest := local - days*dayMillis
	switch f {
	case Era:
		if f.get(local) == v {
			return local
		}
		return Year.put(local, -yearOf(local), 0)
	case CenturyOfEra:
		y := yearOf(local)
		n := v*100 + abs(y)%100
		if y < 0 {
			n = -n
		}
		return Year.put(local, n, 0)
	case YearOfEra:
		if yearOf(local) <= 0 {
			v = 1 - v
		}
		return Year.put(local, v, 0)
	case Year:
		_, m, d := dateFromDays(days)
		return fromDate(v, m, min(d, monthLength(v, m)), rest)
	case Weekyear:
		_, w := weekOf(days)
		return (weekYearStart(v)+(min(w, weeksIn(v))-1)*7+weekday(days)-1)*dayMillis + rest
	case MonthOfYear:
		y, _, d := dateFromDays(days)
		return fromDate(y, v, min(d, monthLength(y, v)), rest)
	}
	if v == hi && (f == ClockhourOfDay || f == ClockhourOfHalfday) {
		v = 0
	}
	cur := f.get(local)
	if cur == hi && (f == ClockhourOfDay || f == ClockhourOfHalfday) {
		cur = 0
	}
	return local + (v-cur)*fields[f].unit
}

// floor sets everything smaller than the field to its least value.
func (f Field) floor(local int64) int64 {
	days := div(local, dayMillis)
	switch f {
	case Era:
		if yearOf(local) > 0 {
			return yearStart(1)
		}
		return math.MinInt64
	case CenturyOfEra:
		y := yearOf(local)
		n := abs(y) / 100 * 100
		if y < 0 {
			n = -n
		}
		return yearStart(n)
	case YearOfEra, Year:
		return yearStart(yearOf(local))
	case Weekyear:
		return weekYearStart(Weekyear.get(local)) * dayMillis
	case MonthOfYear:
		y, m, _ := dateFromDays(days)
		return fromDate(y, m, 1, 0)
	case WeekOfWeekyear:
		return (days - (weekday(days) - 1)) * dayMillis
	}
	u := fields[f].unit
	return local - mod(local, u)
}

var monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
var dayNames = [...]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// text is the field in words, short or full.
func (f Field) text(v int64, short bool) string {
	name := ""
	switch f {
	case Era:
		return [...]string{"BC", "AD"}[v]
	case HalfdayOfDay:
		return [...]string{"AM", "PM"}[v]
	case MonthOfYear:
		name = monthNames[v-1]
	case DayOfWeek:
		name = dayNames[v-1]
	default:
		return strconv.FormatInt(v, 10)
	}
	if short {
		return name[:3]
	}
	return name
}

// words are the texts that parsing accepts for the field, with their values.
var words = func() map[Field]map[string]int64 {
	out := map[Field]map[string]int64{}
	for f, n := range map[Field]int64{Era: 1, HalfdayOfDay: 1, MonthOfYear: 12, DayOfWeek: 7} {
		m := map[string]int64{}
		lo := fields[f].lo
		for v := lo; v <= n; v++ {
			for _, w := range []string{f.text(v, true), f.text(v, false)} {
				m[w], m[lower(w)], m[upper(w)] = v, v, v
			}
		}
		out[f] = m
	}
	era := out[Era]
	era["CE"], era["ce"], era["BCE"], era["bce"] = 1, 1, 0, 0
	return out
}()

func lower(s string) string { return mapASCII(s, 'A', 'Z') }
func upper(s string) string { return mapASCII(s, 'a', 'z') }

func mapASCII(s string, lo, hi byte) string {
	b := []byte(s)
	for i, c := range b {
		if c >= lo && c <= hi {
			b[i] = c ^ 0x20
		}
	}
	return string(b)
}
