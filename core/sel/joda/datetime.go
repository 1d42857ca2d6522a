package joda

import (
	"math"
	"strconv"
)

// DateTime is an instant in a zone.
type DateTime struct {
	Millis int64
	Zone   *Zone
}

func (d DateTime) local() int64 { return d.Millis + d.Zone.Offset(d.Millis) }

// InRange is nil if the local time can be told: next to the ends of the range of instants it cannot in
// most zones, and then no field can.
func (d DateTime) InRange() error {
	if _, ok := addExact(d.Millis, d.Zone.Offset(d.Millis)); !ok {
		return &Error{Kind: Overflow, Message: "Adding time zone offset caused overflow"}
	}
	return nil
}

// Get reads a field of an instant in range.
func (d DateTime) Get(f Field) int64 { return f.get(d.local()) }

// With sets a field. A local time in a gap moves forward by it, unless that undoes the value.
func (d DateTime) With(f Field, v int64) (DateTime, error) {
	if err := d.InRange(); err != nil {
		return d, err
	}
	local, err := f.set(d.local(), v)
	if err != nil {
		return d, err
	}
	r := DateTime{d.Zone.keeping(local, d.Millis), d.Zone}
	if r.Get(f) != v {
		return d, &Error{Kind: BadField, gap: true, Message: "Value " + strconv.FormatInt(v, 10) + " for " + f.String() + " is not supported: " + gapMessage(local, d.Zone)}
	}
	return r, nil
}

func gapMessage(local int64, z *Zone) string {
	text := appendDateTime(nil, local)
	return "Illegal instant due to time zone offset transition (daylight savings time 'gap'): " + string(text) + " (" + z.id + ")"
}

// Unit is a unit of date arithmetic.
type Unit uint8

// The units.
const (
	Years Unit = iota
	Months
	Weeks
	Days
	Hours
	Minutes
	Seconds
	Millis
)

// Plus adds n units, n being a 32-bit number or its negation, or any number of milliseconds. Hours and smaller act on the instant.
func (d DateTime) Plus(u Unit, n int64) (DateTime, error) {
	if n == 0 {
		return d, nil
	}
	over := func() error {
		return overflow(strconv.FormatInt(d.Millis, 10) + " + " + strconv.FormatInt(n, 10))
	}
	if err := d.InRange(); err != nil {
		return d, err
	}
	local, ok := d.local(), false
	if u >= Hours {
		// The sum of local times must fit, even though the instant is what moves.
		step, ok1 := mulExact(n, [...]int64{hour, minute, second, 1}[u-Hours])
		_, ok2 := addExact(local, step)
		if !ok1 || !ok2 {
			return d, over()
		}
		return DateTime{d.Millis + step, d.Zone}, nil
	}
	switch u {
	case Years, Months:
		days := div(local, dayMillis)
		y, m, dom := dateFromDays(days)
		if u == Years {
			y += n
			if y < minYear || y > maxYear {
				return d, fieldError(Year, y, minYear, maxYear)
			}
		} else {
			total := y*12 + m - 1 + n
			y, m = div(total, 12), mod(total, 12)+1
			if y < minYear-1 || y > maxYear+1 {
				return d, over()
			}
		}
		day := daysFromDate(y, m, min(dom, monthLength(y, m)))
		midnight, fits := mulExact(day, dayMillis)
		if local, ok = addExact(midnight, local-days*dayMillis); !fits || !ok {
			return d, over()
		}
	default:
		step := int64(dayMillis)
		if u == Weeks {
			step = weekMillis
		}
		if local, ok = addExact(local, n*step); !ok {
			return d, over()
		}
	}
	ms, _ := d.Zone.resolve(local)
	if o := local - ms; (local^o) < 0 && (local^ms) < 0 {
		return d, over()
	}
	return DateTime{ms, d.Zone}, nil
}

// StartOfDay is midnight of the local day; where that is skipped, it moves forward like any time in a gap.
func (d DateTime) StartOfDay() (DateTime, error) {
	if err := d.InRange(); err != nil {
		return d, err
	}
	ms, _ := d.Zone.resolve(DayOfMonth.floor(d.local()))
	return DateTime{ms, d.Zone}, nil
}

// WithLeast and WithGreatest set the field to its bound for that date. Where that falls into a gap, the
// result is the first instant after it, or the last millisecond before it.
func (d DateTime) WithLeast(f Field) (DateTime, error) {
	lo, _ := f.bounds(d.local())
	r, err := d.With(f, lo)
	if e, ok := err.(*Error); ok && e.gap {
		return DateTime{d.Zone.next(d.Millis - dayMillis), d.Zone}, nil
	}
	return r, err
}

// WithGreatest: see WithLeast.
func (d DateTime) WithGreatest(f Field) (DateTime, error) {
	_, hi := f.bounds(d.local())
	r, err := d.With(f, hi)
	if e, ok := err.(*Error); ok && e.gap {
		return DateTime{d.Zone.previous(d.Millis + dayMillis), d.Zone}, nil
	}
	return r, err
}

// FieldText is the field in words: month and weekday names in full, others as numbers.
func (d DateTime) FieldText(f Field) string { return f.text(d.Get(f), false) }

// New makes a DateTime from its fields.
func New(y, mo, d, h, mi, s, ms int64, z *Zone) (DateTime, error) {
	for _, c := range []struct {
		f Field
		v int64
	}{{HourOfDay, h}, {MinuteOfHour, mi}, {SecondOfMinute, s}, {MillisOfSecond, ms}, {Year, y}, {MonthOfYear, mo}} {
		lo, hi := fields[c.f].lo, fields[c.f].hi
		if c.f == Year && (c.v == lo-1 || c.v == hi+1) {
			continue // of which a part are instants
		}
		if c.v < lo || c.v > hi {
			return DateTime{}, fieldError(c.f, c.v, lo, hi)
		}
	}
	if n := monthLength(y, mo); d < 1 || d > n {
		return DateTime{}, fieldError(DayOfMonth, d, 1, n)
	}
	local := fromDate(y, mo, d, h*hour+mi*minute+s*second+ms)
	if y > maxYear && local < 0 || y < minYear && local > 0 {
		return DateTime{}, fieldError(Year, y, minYear, maxYear)
	}
	at, gap := z.resolve(local)
	if gap {
		return DateTime{}, &Error{Kind: Gap, Message: gapMessage(local, z)}
	}
	return DateTime{at, z}, nil
}

// DaysBetween counts whole days in a's zone, toward zero.
func DaysBetween(a, b DateTime) (int64, error) {
	from, ok1 := addExact(a.Millis, a.Zone.Offset(a.Millis))
	to, ok2 := addExact(b.Millis, a.Zone.Offset(b.Millis))
	neg, ok3 := addExact(to, -from)
	if from == math.MinInt64 {
		ok3 = false
	}
	if !ok1 || !ok2 || !ok3 {
		return 0, overflow("days between")
	}
	n := neg / dayMillis
	if n > math.MaxInt32 || n < math.MinInt32 {
		return 0, &Error{Kind: Overflow, Message: "Value cannot fit in an int: " + strconv.FormatInt(n, 10)}
	}
	return n, nil
}

// String is the ISO text with milliseconds and offset.
func (d DateTime) String() string {
	o := d.Zone.Offset(d.Millis)
	if d.InRange() != nil {
		o = 0 // shown in UTC
	}
	out := appendDateTime(make([]byte, 0, 32), d.Millis+o)
	if o == 0 {
		return string(append(out, 'Z'))
	}
	return string(appendOffset(out, o, true, 2, 4))
}

func appendDateTime(out []byte, local int64) []byte {
	days := div(local, dayMillis)
	t := local - days*dayMillis
	y, m, d := dateFromDays(days)
	out = appendPadded(out, y, 4)
	out = append(out, '-')
	out = appendPadded(out, m, 2)
	out = append(out, '-')
	out = appendPadded(out, d, 2)
	out = append(out, 'T')
	out = appendPadded(out, t/hour, 2)
	out = append(out, ':')
	out = appendPadded(out, t/minute%60, 2)
	out = append(out, ':')
	out = appendPadded(out, t/second%60, 2)
	out = append(out, '.')
	return appendPadded(out, t%second, 3)
}

// appendPadded writes a number with at least that many digits, the sign not counted.
func appendPadded(out []byte, v int64, digits int) []byte {
	if v < 0 {
		out = append(out, '-')
		v = -v
	}
	var buf [20]byte
	b := strconv.AppendInt(buf[:0], v, 10)
	for n := len(b); n < digits; n++ {
		out = append(out, '0')
	}
	return append(out, b...)
}
