package sel

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/sel/joda"
)

// dateError turns an error of package joda into ours.
func (ev *evaluator) dateError(err error) *cell {
	ev.fail(&Error{Category: dateCategory(err), Message: err.Error()})
	return nil
}

func dateCategory(err error) Category {
	var e *joda.Error
	if errors.As(err, &e) {
		switch e.Kind {
		case joda.BadText:
			return CatDateText
		case joda.Gap:
			return CatDSTGap
		case joda.BadZone:
			return CatZoneID
		case joda.BadPattern:
			return CatPattern
		case joda.NoParser:
			return CatUnsupportedParse
		case joda.NoConverter:
			return CatDuration
		case joda.BadNumber:
			return CatNumberText
		case joda.Overflow:
			return CatDivision // Java has one class for both
		}
	}
	return CatDateField
}

// zoneArg is a zone argument; a null zone is the default one.
func (ev *evaluator) zoneArg(a *cell) (*joda.Zone, bool) {
	if a.typ == TypeDateTimeZone {
		if a.null {
			return ev.zone, true
		}
		return a.ref.(*joda.Zone), true
	}
	ev.castError(a.typ, "DATETIME_ZONE")
	return nil, false
}

func (ev *evaluator) newDateTime(args []*cell) *cell {
	switch len(args) {
	case 0:
		return ev.dateTime(joda.DateTime{Millis: ev.env.NowMillis, Zone: ev.zone})
	case 1:
		return ev.convertInstant(args[0], nil)
	case 2:
		if !args[0].hasContent() {
			return ev.noContent(args[0].typ)
		}
		z, ok := ev.zoneArg(args[1])
		if !ok {
			return nil
		}
		return ev.convertInstant(args[0], z)
	case 8:
		var v [7]int64
		for i := range v {
			a := args[i]
			if a.typ != TypeLong {
				return ev.castError(a.typ, "LONG")
			}
			v[i] = int64(int32(a.num))
		}
		z, ok := ev.zoneArg(args[7])
		if !ok {
			return nil
		}
		d, err := joda.New(v[0], v[1], v[2], v[3], v[4], v[5], v[6], z)
		if err != nil {
			return ev.dateError(err)
		}
		return ev.dateTime(d)
	}
	ev.failf(CatNoConstructor, "Invalid input arguments (%s) for DateTime constructor", argsText(args))
	return nil
}

// convertInstant makes a DateTime of one value; z nil leaves the zone to the value.
func (ev *evaluator) convertInstant(a *cell, z *joda.Zone) *cell {
	if !a.hasContent() {
		return ev.noContent(a.typ)
	}
	zone := z
	if zone == nil {
		zone = ev.zone
	}
	if a.isNull() {
		return ev.dateTime(joda.DateTime{Millis: ev.env.NowMillis, Zone: zone})
	}
	switch a.typ {
	case TypeLong:
		return ev.dateTime(joda.DateTime{Millis: a.num, Zone: zone})
	case TypeString:
		if !ev.spend(8 * len(a.str)) {
			return nil
		}
		d, err := joda.ParseISO(a.str, zone)
		if err != nil {
			return ev.dateError(err)
		}
		return ev.dateTime(d)
	case TypeDateTime:
		d := a.datetime()
		if z != nil {
			d.Zone = z
		}
		return ev.dateTime(d)
	}
	ev.failf(CatNoConstructor, "No instant converter found for type: %s", a.typ)
	return nil
}

// The methods of DATETIME, by name.
var (
	plusUnits = map[string]joda.Unit{"Years": joda.Years, "Months": joda.Months, "Weeks": joda.Weeks, "Days": joda.Days,
		"Hours": joda.Hours, "Minutes": joda.Minutes, "Seconds": joda.Seconds, "Millis": joda.Millis}
	withFields = map[string]joda.Field{"withYear": joda.Year, "withMonthOfYear": joda.MonthOfYear, "withDayOfMonth": joda.DayOfMonth,
		"withDayOfYear": joda.DayOfYear, "withDayOfWeek": joda.DayOfWeek, "withWeekOfWeekyear": joda.WeekOfWeekyear, "withWeekyear": joda.Weekyear,
		"withHourOfDay": joda.HourOfDay, "withMinuteOfHour": joda.MinuteOfHour, "withSecondOfMinute": joda.SecondOfMinute,
		"withMillisOfSecond": joda.MillisOfSecond, "withMillisOfDay": joda.MillisOfDay}
	getFields = map[string]joda.Field{"getYear": joda.Year, "getMonthOfYear": joda.MonthOfYear, "getDayOfMonth": joda.DayOfMonth,
		"getDayOfYear": joda.DayOfYear, "getDayOfWeek": joda.DayOfWeek, "getWeekyear": joda.Weekyear, "getWeekOfWeekyear": joda.WeekOfWeekyear,
		"getHourOfDay": joda.HourOfDay, "getMinuteOfDay": joda.MinuteOfDay, "getMinuteOfHour": joda.MinuteOfHour, "getSecondOfDay": joda.SecondOfDay,
		"getSecondOfMinute": joda.SecondOfMinute, "getMillisOfDay": joda.MillisOfDay, "getMillisOfSecond": joda.MillisOfSecond}
	propertyFields = map[string]joda.Field{"monthOfYear": joda.MonthOfYear, "weekyear": joda.Weekyear, "weekOfWeekyear": joda.WeekOfWeekyear,
		"dayOfYear": joda.DayOfYear, "dayOfMonth": joda.DayOfMonth, "dayOfWeek": joda.DayOfWeek, "hourOfDay": joda.HourOfDay,
		"minuteOfDay": joda.MinuteOfDay, "minuteOfHour": joda.MinuteOfHour, "secondOfDay": joda.SecondOfDay, "secondOfMinute": joda.SecondOfMinute,
		"millisOfDay": joda.MillisOfDay, "millisOfSecond": joda.MillisOfSecond}
)

func plusMethod(name string) (u joda.Unit, sign int64, ok bool) {
	if rest, found := strings.CutPrefix(name, "plus"); found {
		u, ok = plusUnits[rest]
		return u, 1, ok
	}
	if rest, found := strings.CutPrefix(name, "minus"); found {
		u, ok = plusUnits[rest]
		return u, -1, ok
	}
	return 0, 0, false
}

func dateTimeMethod(name string, n int) bool {
	switch n {
	case 0:
		_, get := getFields[name]
		_, prop := propertyFields[name]
		return get || prop || name == "toString" || name == "getMillis" || name == "withTimeAtStartOfDay"
	case 1:
		switch name {
		case "toString", "withZone", "toDateTime", "isAfter", "isBefore", "isEqual":
			return true
		}
		_, _, plus := plusMethod(name)
		_, with := withFields[name]
		return plus || with
	}
	return n == 2 && name == "parse"
}

func (ev *evaluator) callDateTime(x *cell, name string, args []*cell) *cell {
	n := len(args)
	if !dateTimeMethod(name, n) {
		return ev.noMethod(x.typ, name, args)
	}
	for _, a := range args {
		if !a.hasContent() {
			return ev.failed(name, n, errCast(a))
		}
	}
	if name == "parse" {
		if !x.null {
			return ev.failed(name, n, errors.New("parse needs no receiver"))
		}
		s, f := args[0], args[1]
		if s.typ != TypeString || s.null || f.typ != TypeDateTimeFormatter || f.null {
			return ev.failed(name, n, errCast(s))
		}
		d, err := ev.parseWith(f, s.str)
		if err != nil {
			return ev.failed(name, n, err)
		}
		return ev.dateTime(d)
	}
	if x.null {
		return ev.failed(name, n, errNull)
	}
	d := x.datetime()
	if n == 0 {
		switch name {
		case "toString":
			return ev.text(d.String())
		case "getMillis":
			return ev.long(d.Millis)
		case "withTimeAtStartOfDay":
			d, err := d.StartOfDay()
			if err != nil {
				return ev.failed(name, n, err)
			}
			return ev.dateTime(d)
		}
		if f, ok := getFields[name]; ok {
			if err := d.InRange(); err != nil {
				return ev.failed(name, n, err)
			}
			return ev.long(d.Get(f))
		}
		c := ev.make(TypeDateTimeProperty)
		if c != nil {
			c.num, c.ref = d.Millis, property{propertyFields[name], d.Zone}
		}
		return c
	}
	a := args[0]
	switch name {
	case "toString":
		switch {
		case a.isNull():
			return ev.text(d.String())
		case a.typ != TypeString:
			return ev.failed(name, n, errCast(a))
		}
		f, err := ev.forPattern(a.str)
		if err != nil {
			return ev.failed(name, n, err)
		}
		if !ev.spend(8 * len(a.str)) {
			return nil
		}
		return ev.text(f.Print(d.Millis, d.Zone))
	case "withZone", "toDateTime":
		z := ev.zone
		if !a.isNull() {
			if a.typ != TypeDateTimeZone {
				return ev.failed(name, n, errCast(a))
			}
			z = a.ref.(*joda.Zone)
		}
		return ev.dateTime(joda.DateTime{Millis: d.Millis, Zone: z})
	case "isAfter", "isBefore", "isEqual":
		other := ev.env.NowMillis
		switch {
		case a.isNull():
		case a.typ != TypeDateTime:
			return ev.failed(name, n, errCast(a))
		default:
			other = a.num
		}
		switch name {
		case "isAfter":
			return ev.boolean(d.Millis > other)
		case "isBefore":
			return ev.boolean(d.Millis < other)
		}
		return ev.boolean(d.Millis == other)
	}
	if a.typ != TypeLong {
		return ev.failed(name, n, errCast(a))
	}
	v, ok := narrow(a.num)
	if !ok {
		return ev.failed(name, n, errors.New("Cannot cast java.lang.Long to java.lang.Integer"))
	}
	var err error
	if u, sign, ok := plusMethod(name); ok {
		d, err = d.Plus(u, sign*v)
	} else {
		d, err = d.With(withFields[name], v)
	}
	if err != nil {
		return ev.failed(name, n, err)
	}
	return ev.dateTime(d)
}

// forPattern compiles a pattern; two-digit years are seen from now.
func (ev *evaluator) forPattern(p string) (*joda.Formatter, error) {
	return joda.ForPattern(p, joda.DateTime{Millis: ev.env.NowMillis, Zone: ev.zone})
}

func (ev *evaluator) parseWith(f *cell, s string) (joda.DateTime, error) {
	if !ev.spend(8 * len(s)) {
		return joda.DateTime{}, ev.err
	}
	return f.ref.(*joda.Formatter).Parse(s, ev.zone)
}

func (ev *evaluator) callDateType(x *cell, name string, args []*cell) *cell {
	key := name + strconv.Itoa(len(args))
	switch x.typ {
	case TypeDateTimeZone:
		switch key {
		case "forID1":
			a := args[0]
			switch {
			case a.typ == TypeString && a.null:
				return ev.zoneCell(ev.zone)
			case a.typ != TypeString:
				return ev.castError(a.typ, "STRING")
			}
			z, err := joda.ForID(a.str)
			if err != nil {
				return ev.dateError(err)
			}
			return ev.zoneCell(z)
		case "getOffset1":
			a := args[0]
			if a.typ != TypeDateTime {
				return ev.castError(a.typ, "DATETIME")
			}
			ms := ev.env.NowMillis
			if !a.null {
				ms = a.num
			}
			if x.null {
				return ev.nullObject("the zone")
			}
			return ev.long(x.ref.(*joda.Zone).Offset(ms))
		}
	case TypeDateTimeFormatter:
		return ev.callFormatter(x, key, name, args)
	case TypeDateTimeProperty:
		switch key {
		case "get0", "getAsText0", "withMinimumValue0", "withMaximumValue0":
		default:
			return ev.noMethod(x.typ, name, args)
		}
		if x.null {
			return ev.nullObject("the property")
		}
		p := x.ref.(property)
		d := joda.DateTime{Millis: x.num, Zone: p.zone}
		err := d.InRange()
		if err != nil {
			return ev.dateError(err)
		}
		switch key {
		case "get0":
			return ev.long(d.Get(p.field))
		case "getAsText0":
			return ev.text(d.FieldText(p.field))
		case "withMinimumValue0":
			d, err = d.WithLeast(p.field)
		default:
			d, err = d.WithGreatest(p.field)
		}
		if err != nil {
			return ev.dateError(err)
		}
		return ev.dateTime(d)
	case TypeDateTimeDays:
		switch key {
		case "daysBetween2":
			for _, a := range args {
				if a.typ != TypeDateTime {
					return ev.castError(a.typ, "DATETIME")
				}
			}
			for _, a := range args {
				if a.null {
					return ev.nullObject("a date of Days.daysBetween")
				}
			}
			n, err := joda.DaysBetween(args[0].datetime(), args[1].datetime())
			if err != nil {
				return ev.dateError(err)
			}
			c := ev.make(TypeDateTimeDays)
			if c != nil {
				c.num = n
			}
			return c
		case "getDays0":
			if x.null {
				return ev.nullObject("the days")
			}
			return ev.long(x.num)
		}
	}
	return ev.noMethod(x.typ, name, args)
}

func (ev *evaluator) callFormatter(x *cell, key, name string, args []*cell) *cell {
	formatter := func(f *joda.Formatter) *cell {
		c := ev.make(TypeDateTimeFormatter)
		if c != nil {
			c.ref = f
		}
		return c
	}
	if len(args) != 1 {
		return ev.noMethod(x.typ, name, args)
	}
	a := args[0]
	switch key {
	case "forPattern1":
		if a.typ != TypeString {
			return ev.castError(a.typ, "STRING")
		}
		if !ev.spend(8 * len(a.str)) {
			return nil
		}
		f, err := ev.forPattern(a.str) // an empty pattern and a null one fail alike
		if err != nil {
			return ev.dateError(err)
		}
		return formatter(f)
	case "withZone1":
		if a.typ != TypeDateTimeZone {
			return ev.castError(a.typ, "DATETIME_ZONE")
		}
		if x.null {
			return ev.nullObject("the formatter")
		}
		var z *joda.Zone
		if !a.null {
			z = a.ref.(*joda.Zone)
		}
		return formatter(x.ref.(*joda.Formatter).WithZone(z))
	case "parseDateTime1", "parseMillis1":
		s, null := a.str, a.null
		switch {
		case a.typ == TypeString:
		case name == "parseMillis":
			return ev.castError(a.typ, "STRING")
		case a.typ == TypeLong:
			s = a.scalarText()
		default:
			return ev.noMethod(x.typ, name, args)
		}
		if x.null {
			return ev.nullObject("the formatter")
		}
		if null {
			return ev.nullObject("the text of a date")
		}
		d, err := ev.parseWith(x, s)
		if err != nil {
			return ev.dateError(err)
		}
		if name == "parseMillis" {
			return ev.long(d.Millis)
		}
		return ev.dateTime(d)
	case "print1":
		if a.typ != TypeLong && a.typ != TypeDateTime {
			return ev.noMethod(x.typ, name, args)
		}
		if x.null {
			return ev.nullObject("the formatter")
		}
		f := x.ref.(*joda.Formatter)
		switch {
		case a.typ == TypeLong:
			return ev.text(f.Print(a.num, ev.zone))
		case a.null:
			return ev.text(f.Print(ev.env.NowMillis, ev.zone))
		}
		return ev.text(f.Print(a.num, a.ref.(*joda.Zone)))
	}
	return ev.noMethod(x.typ, name, args)
}

// formatDate is a %t conversion of String.format.
func formatDate(d joda.DateTime, conv byte) (string, bool) {
	pattern := func(p string) (string, bool) {
		f, err := joda.ForPattern(p, d)
		if err != nil {
			return "", false
		}
		return f.Print(d.Millis, d.Zone), true
	}
	num := func(n int64, width int) (string, bool) { return fmt.Sprintf("%0*d", width, n), true }
	year := d.Get(joda.Year)
	switch conv {
	case 'H':
		return pattern("HH")
	case 'I':
		return pattern("hh")
	case 'k':
		return pattern("H")
	case 'l':
		return pattern("h")
	case 'M':
		return pattern("mm")
	case 'S':
		return pattern("ss")
	case 'L':
		return pattern("SSS")
	case 'N':
		return num(d.Get(joda.MillisOfSecond)*1000000, 9)
	case 'p':
		s, ok := pattern("a")
		return strings.ToLower(s), ok
	case 'z':
		return pattern("Z")
	case 'Z':
		return pattern("z")
	case 's':
		return num(d.Millis/1000, 1)
	case 'Q':
		return num(d.Millis, 1)
	case 'B':
		return pattern("MMMM")
	case 'b', 'h':
		return pattern("MMM")
	case 'A':
		return pattern("EEEE")
	case 'a':
		return pattern("EEE")
	case 'C':
		return num(year/100, 2)
	case 'Y':
		return num(year, 4)
	case 'y':
		return num(year%100, 2)
	case 'j':
		return pattern("DDD")
	case 'm':
		return pattern("MM")
	case 'd':
		return pattern("dd")
	case 'e':
		return pattern("d")
	case 'R':
		return pattern("HH:mm")
	case 'T':
		return pattern("HH:mm:ss")
	case 'r':
		return pattern("hh:mm:ss a")
	case 'D':
		return pattern("MM/dd/yy")
	case 'F':
		return pattern("yyyy-MM-dd")
	case 'c':
		return pattern("EEE MMM dd HH:mm:ss z yyyy")
	}
	return "", false
}

// dateIntPattern parses a date-int, or one with an hour, by its pattern.
func (ev *evaluator) dateIntPattern(text, pattern string, z *joda.Zone) (joda.DateTime, bool) {
	f, err := ev.forPattern(pattern)
	if err == nil {
		var d joda.DateTime
		if d, err = f.WithZone(z).Parse(text, z); err == nil {
			return d, ev.spend(8 * len(text))
		}
	}
	ev.dateError(err)
	return joda.DateTime{}, false
}

func printDateInt(ms int64) string {
	f, err := joda.ForPattern("YYYYMMdd", joda.DateTime{Zone: joda.UTC})
	if err != nil {
		return ""
	}
	return f.Print(ms, joda.UTC)
}
