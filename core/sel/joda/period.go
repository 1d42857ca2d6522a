package joda

import (
	"errors"
	"strconv"
	"strings"
)

// periodUnits are the units of a duration, in the order in which they must come.
var periodUnits = []struct {
	one, many string
	millis    int64 // 0: varies in length
}{
	{"year", "years", 0}, {"month", "months", 0}, {"week", "weeks", weekMillis}, {"day", "days", dayMillis},
	{"hour", "hours", hour}, {"minute", "minutes", minute}, {"second", "seconds", second}, {"millisecond", "milliseconds", 1},
}

// unitAt finds the unit, from the number next on, that text continues with behind a blank; size is the
// length of both, 0 if there is none.
func unitAt(text string, next int) (unit, size int) {
	if !strings.HasPrefix(text, " ") {
		return 0, 0
	}
	for i, u := range periodUnits[next:] {
		for _, name := range []string{u.many, u.one} {
			if len(text) > len(name) && strings.EqualFold(text[1:1+len(name)], name) {
				return next + i, 1 + len(name)
			}
		}
	}
	return 0, 0
}

// ParsePeriod reads a duration in English words (specification, section 12) and gives its milliseconds.
func ParsePeriod(text string) (int64, error) {
	var total int64
	next, months := 0, false
	for pos := 0; pos < len(text); {
		start := pos
		if pos > 0 {
			pos += separator(text[pos:])
		}
		end := pos
		if end < len(text) && (text[end] == '-' || text[end] == '+') {
			end++
		}
		digits := end
		for end < len(text) && isDigit(text[end]) {
			end++
		}
		unit, size := unitAt(text[end:], next)
		// Ten digits are read: what they are is looked at before what follows them.
		number := text[pos:min(end, digits+10)]
		v, err := strconv.ParseInt(number, 10, 32)
		switch {
		case size > 0 && errors.Is(err, strconv.ErrRange):
			return 0, &Error{Kind: BadNumber, Message: `For input string: "` + number + `"`}
		case size == 0 || err != nil || end > digits+10:
			return 0, formatError(text, ^start)
		}
		if u := periodUnits[unit]; u.millis == 0 {
			months = months || v != 0
		} else {
			step, ok1 := mulExact(v, u.millis)
			sum, ok2 := addExact(total, step)
			if !ok1 || !ok2 {
				return 0, overflow(text)
			}
			total = sum
		}
		next, pos = unit+1, end+size
	}
	if months {
		return 0, &Error{Kind: NoConverter, Message: "Cannot convert to Duration as this period contains months and months vary in length"}
	}
	return total, nil
}

// separator gives the length of what may stand between two items.
func separator(s string) int {
	for _, sep := range []string{", and ", ",and ", " and ", ", ", ",", " "} {
		if len(s) >= len(sep) && strings.EqualFold(s[:len(sep)], sep) {
			return len(sep)
		}
	}
	return 0
}
