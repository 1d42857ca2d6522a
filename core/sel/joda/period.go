package joda

import (
	"strconv"
	"strings"
)

// ParsePeriod reads a duration in English words (specification, section 12) and gives its milliseconds.
func ParsePeriod(text string) (int64, error) {
	units := []struct {
		one, many string
		millis    int64 // 0: varies in length
	}{
		{"year", "years", 0}, {"month", "months", 0}, {"week", "weeks", weekMillis}, {"day", "days", dayMillis},
		{"hour", "hours", hour}, {"minute", "minutes", minute}, {"second", "seconds", second}, {"millisecond", "milliseconds", 1},
	}
	var total int64
	pos, next, months := 0, 0, false
	for first := true; pos < len(text); first = false {
		start := pos
		if !first {
			pos += separator(text[pos:])
		}
		n := pos
		if n < len(text) && (text[n] == '-' || text[n] == '+') {
			n++
		}
		for n < len(text) && isDigit(text[n]) {
			n++
		}
		v, err := strconv.ParseInt(text[pos:n], 10, 32)
		if err != nil || n == len(text) || text[n] != ' ' {
			return 0, formatError(text, ^start)
		}
		n++
		found := false
		for ; next < len(units) && !found; next++ {
			u := units[next]
			for _, name := range []string{u.many, u.one} {
				if len(text)-n >= len(name) && strings.EqualFold(text[n:n+len(name)], name) {
					n += len(name)
					found = true
					if u.millis == 0 {
						months = months || v != 0
						break
					}
					step, ok1 := mulExact(v, u.millis)
					sum, ok2 := addExact(total, step)
					if !ok1 || !ok2 {
						return 0, overflow(text)
					}
					total = sum
					break
				}
			}
		}
		if !found {
			return 0, formatError(text, ^start)
		}
		pos = n
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
