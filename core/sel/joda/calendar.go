package joda

import "math"

const (
	dayMillis  = 86400000
	weekMillis = 7 * dayMillis
	minYear    = -292275054
	maxYear    = 292278993
)

func div(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func mod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}

func isLeap(y int64) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func monthLength(y, m int64) int64 {
	switch m {
	case 2:
		if isLeap(y) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func yearLength(y int64) int64 {
	if isLeap(y) {
		return 366
	}
	return 365
}

// daysFromDate counts days from 1970-01-01. Years are counted from March, so that the leap day is the
// last of a year.
func daysFromDate(y, m, d int64) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := div(y, 400)
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

func dateFromDays(days int64) (y, m, d int64) {
	days += 719468
	era := div(days, 146097)
	doe := days - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = mp + 3
	y = yoe + era*400
	if m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}

func yearStart(y int64) int64 { return daysFromDate(y, 1, 1) * dayMillis }

func yearOf(local int64) int64 { y, _, _ := dateFromDays(div(local, dayMillis)); return y }

func weekday(days int64) int64 { return mod(days+3, 7) + 1 } // Monday = 1

// weekYearStart is the day of Monday of week 1, the week with January 4.
func weekYearStart(y int64) int64 {
	d := daysFromDate(y, 1, 4)
	return d - (weekday(d) - 1)
}

func weekOf(days int64) (weekyear, week int64) {
	y, _, _ := dateFromDays(days)
	start := weekYearStart(y)
	switch {
	case days < start:
		y--
		start = weekYearStart(y)
	default:
		if next := weekYearStart(y + 1); days >= next {
			y++
			start = next
		}
	}
	return y, (days-start)/7 + 1
}

func weeksIn(weekyear int64) int64 {
	return (weekYearStart(weekyear+1) - weekYearStart(weekyear)) / 7
}

// fromDate joins a date and a time of day; the date may be beyond the range of instants.
func fromDate(y, m, d, millisOfDay int64) int64 { return daysFromDate(y, m, d)*dayMillis + millisOfDay }

func addExact(a, b int64) (int64, bool) {
	c := a + b
	return c, (a^c)&(b^c) >= 0
}

func mulExact(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	return c, c/b == a && !(a == math.MinInt64 && b == -1) && !(b == math.MinInt64 && a == -1)
}
