// Package cron reads the cron texts that Maestro's time triggers accept, five UNIX fields or six to
// seven Quartz fields, and computes when they fire (time-triggers.md 3 and 4).
//
// What differs from common cron libraries and is on purpose: the two day fields of UNIX are joined by
// "or" whenever neither is `*` (`*/2` counts as restricted); a Quartz range that wraps fires at its
// start only, except on days of the week; `L` forms in a Quartz list are ignored; local times in a
// spring gap are skipped, not moved.
package cron

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Schedule is a parsed text: the union of one or more expressions. It is immutable.
type Schedule struct {
	exprs []expr
}

// expr is one expression. Bit n of a field stands for the value n; days of the week are 0, Sunday, to 6.
type expr struct {
	second, minute, hour, month uint64
	days                        days
	years                       []bool // from 1970; nil is every year
}

// days is what the two day fields ask for.
type days struct {
	dayOfMonth, dayOfWeek uint64
	either                bool // UNIX with both restricted: one of them is enough
	useMonth, useWeek     bool
	nearest               []int // nW
	last                  []int // L-n: days before the last
	lastWeekday           bool  // LW
	lastOf                []int // nL, by day of the week
	nth                   [][2]int
}

// Parse reads a text as UNIX cron and, if that fails for any reason, as Quartz; the error is that of
// the second attempt. `A||B` is a union, and `x|y` inside the fields combines them by position.
func Parse(text string) (*Schedule, error) {
	if strings.TrimSpace(text) == "" {
		return nil, fmt.Errorf("empty expression")
	}
	if s, err := parseUnion(text, parseUnix); err == nil {
		return s, nil
	}
	return parseUnion(text, parseQuartz)
}

func parseUnion(text string, parse func(fields []string) (expr, error)) (*Schedule, error) {
	alternatives := strings.Split(text, "||")
	for len(alternatives) > 1 && alternatives[len(alternatives)-1] == "" {
		alternatives = alternatives[:len(alternatives)-1]
	}
	s := &Schedule{}
	for _, a := range alternatives {
		combos, err := positions(strings.Fields(a))
		if err != nil {
			return nil, err
		}
		for _, fields := range combos {
			e, err := parse(fields)
			if err != nil {
				return nil, err
			}
			s.exprs = append(s.exprs, e)
		}
	}
	return s, nil
}

// positions splits fields such as `0|30 9|17` into one list of fields for each position.
func positions(fields []string) ([][]string, error) {
	n := 1
	for _, f := range fields {
		if c := strings.Count(f, "|") + 1; c > 1 {
			if n > 1 && c != n {
				return nil, fmt.Errorf("fields have different numbers of alternatives")
			}
			n = c
		}
	}
	out := make([][]string, n)
	for i := range out {
		for _, f := range fields {
			if parts := strings.Split(f, "|"); len(parts) > 1 {
				f = parts[i]
			}
			out[i] = append(out[i], f)
		}
	}
	return out, nil
}

// field describes a field that holds plain values.
type field struct {
	name     string
	min, max int
	names    []string // of the values from first on
	first    int
	wraps    bool // a range may end before it starts
	weekday  bool // a wrapping range goes through the end of the week
}

var (
	monthNames = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	dayNames   = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

	unixFields = []field{
		{name: "minute", max: 59},
		{name: "hour", max: 23},
		{name: "day of month", min: 1, max: 31},
		{name: "month", min: 1, max: 12, names: monthNames, first: 1},
		{name: "day of week", max: 7, names: dayNames},
	}
	quartzFields = []field{
		{name: "second", max: 59, wraps: true},
		{name: "minute", max: 59, wraps: true},
		{name: "hour", max: 23, wraps: true},
		{name: "day of month", min: 1, max: 31, wraps: true},
		{name: "month", min: 1, max: 12, names: monthNames, first: 1, wraps: true},
		{name: "day of week", min: 1, max: 7, names: dayNames, first: 1, wraps: true, weekday: true},
		{name: "year", min: 1970, max: 2099, wraps: true},
	}
)

func parseUnix(fields []string) (expr, error) {
	if len(fields) != 5 {
		return expr{}, fmt.Errorf("expression has %d parts, expected 5", len(fields))
	}
	var bits [5]uint64
	for i, f := range unixFields {
		values, err := f.list(fields[i])
		if err != nil {
			return expr{}, err
		}
		for _, v := range values {
			if i == 4 {
				v %= 7 // 7 is Sunday too
			}
			bits[i] |= 1 << v
		}
	}
	e := expr{second: 1, minute: bits[0], hour: bits[1], month: bits[3]}
	e.days = days{dayOfMonth: bits[2], dayOfWeek: bits[4], useMonth: fields[2] != "*", useWeek: fields[4] != "*"}
	e.days.either = e.days.useMonth && e.days.useWeek
	return e, nil
}

func parseQuartz(fields []string) (expr, error) {
	if len(fields) != 6 && len(fields) != 7 {
		return expr{}, fmt.Errorf("expression has %d parts, expected 6 or 7", len(fields))
	}
	if (fields[3] == "?") == (fields[5] == "?") {
		return expr{}, fmt.Errorf("exactly one of day of month and day of week must be '?'")
	}
	var e expr
	for _, plain := range []struct {
		at   int
		bits *uint64
	}{{0, &e.second}, {1, &e.minute}, {2, &e.hour}, {4, &e.month}} {
		values, err := quartzFields[plain.at].list(fields[plain.at])
		if err != nil {
			return expr{}, err
		}
		for _, v := range values {
			*plain.bits |= 1 << v
		}
	}
	var err error
	if fields[3] != "?" {
		err = e.days.dayOfMonthField(strings.ToUpper(fields[3]))
	} else {
		err = e.days.dayOfWeekField(strings.ToUpper(fields[5]))
	}
	if err != nil {
		return expr{}, err
	}
	if len(fields) == 7 && fields[6] != "*" {
		years, err := quartzFields[6].list(fields[6])
		if err != nil {
			return expr{}, err
		}
		e.years = make([]bool, 2099-1970+1)
		for _, y := range years {
			e.years[y-1970] = true
		}
	}
	return e, nil
}

func (d *days) dayOfMonthField(text string) error {
	d.useMonth = true
	parts := strings.Split(text, ",")
	for _, p := range parts {
		switch {
		case p == "L" || p == "LW" || strings.HasPrefix(p, "L-"):
			before := 0
			if n, ok := strings.CutPrefix(p, "L-"); ok {
				var err error
				if before, err = number(n); err != nil || before > 30 {
					return fmt.Errorf("day of month [%s] is not valid", p)
				}
			}
			if len(parts) > 1 {
				continue // ignored in a list
			}
			if d.lastWeekday = p == "LW"; !d.lastWeekday {
				d.last = append(d.last, before)
			}
		case strings.HasSuffix(p, "W"):
			n, err := number(strings.TrimSuffix(p, "W"))
			if err != nil || n < 1 || n > 31 {
				return fmt.Errorf("day of month [%s] is not valid", p)
			}
			d.nearest = append(d.nearest, n)
		default:
			values, err := quartzFields[3].part(p)
			if err != nil {
				return err
			}
			for _, v := range values {
				d.dayOfMonth |= 1 << v
			}
		}
	}
	return nil
}

func (d *days) dayOfWeekField(text string) error {
	d.useWeek = true
	f := &quartzFields[5]
	for _, p := range strings.Split(text, ",") {
		if day, nth, ok := strings.Cut(p, "#"); ok {
			v, err := f.value(day)
			if err != nil {
				return err
			}
			k, err := number(nth)
			if err != nil {
				return fmt.Errorf("day of week [%s] is not valid", p)
			}
			d.nth = append(d.nth, [2]int{v - 1, k})
			continue
		}
		if p == "L" {
			d.dayOfWeek |= 1 << 6
			continue
		}
		if day, ok := strings.CutSuffix(p, "L"); ok {
			v, err := f.value(day)
			if err != nil {
				return err
			}
			d.lastOf = append(d.lastOf, v-1)
			continue
		}
		values, err := f.part(p)
		if err != nil {
			return err
		}
		for _, v := range values {
			d.dayOfWeek |= 1 << (v - 1)
		}
	}
	return nil
}

// list reads a comma list of values, ranges and steps.
func (f *field) list(text string) ([]int, error) {
	var all []int
	for _, p := range strings.Split(strings.ToUpper(text), ",") {
		values, err := f.part(p)
		if err != nil {
			return nil, err
		}
		all = append(all, values...)
	}
	return all, nil
}

// part reads `*`, `a`, `a-b`, each optionally with `/n`, and `/n`.
func (f *field) part(p string) ([]int, error) {
	base, stepText, stepped := strings.Cut(p, "/")
	step := 1
	if stepped {
		var err error
		if step, err = number(stepText); err != nil || step < 1 || step > f.max {
			return nil, fmt.Errorf("%s: step [%s] is not between 1 and %d", f.name, stepText, f.max)
		}
	}
	from, to := f.min, f.max
	if base == "" && !stepped {
		return nil, fmt.Errorf("%s: empty value", f.name)
	}
	if base != "*" && base != "" {
		a, b, ranged := strings.Cut(base, "-")
		var err error
		if from, err = f.value(a); err != nil {
			return nil, err
		}
		switch {
		case ranged:
			// A range knows Sunday by name as the 7th day of UNIX.
			if a == "SUN" && !f.wraps {
				from = 7
			}
			if to, err = f.value(b); err != nil {
				return nil, err
			}
			if b == "SUN" && !f.wraps {
				to = 7
			}
			if from > to {
				if !f.wraps {
					return nil, fmt.Errorf("%s: range [%s] ends before it starts", f.name, base)
				}
				if !f.weekday {
					return []int{from}, nil
				}
				to += 7
			}
		case !stepped:
			to = from
		}
	}
	var values []int
	for v := from; v <= to; v += step {
		if v > f.max {
			values = append(values, v-7)
		} else {
			values = append(values, v)
		}
	}
	return values, nil
}

func (f *field) value(text string) (int, error) {
	if i := slices.Index(f.names, text); i >= 0 {
		return i + f.first, nil
	}
	n, err := number(text)
	if err != nil || n < f.min || n > f.max {
		return 0, fmt.Errorf("%s: value [%s] is not between %d and %d", f.name, text, f.min, f.max)
	}
	return n, nil
}

func number(text string) (int, error) {
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return 0, fmt.Errorf("[%s] is not a number", text)
		}
	}
	return strconv.Atoi(text)
}
