package cron

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones are data of the program: a Lambda image has none
)

// Zone reads the time zone of a trigger: "" is UTC, else a region id of the tz database in its exact
// spelling, or an offset such as `Z`, `+9`, `-03:30`, `UTC+9`, `GMT+02:00` (time-triggers.md 2).
// The three-letter names that clash with others (`EST`, `PST`, `IST`) are refused.
func Zone(id string) (*time.Location, error) {
	switch id {
	case "", "Z", "UTC", "GMT", "UT":
		return time.UTC, nil
	case "EST", "MST", "HST", "ROC", "Local":
		return nil, fmt.Errorf("Unknown time-zone ID: %s", id)
	}
	text := id
	for _, prefix := range []string{"UTC", "GMT", "UT"} {
		if t, ok := strings.CutPrefix(id, prefix); ok && (strings.HasPrefix(t, "+") || strings.HasPrefix(t, "-")) {
			text = t
			break
		}
	}
	if text[0] == '+' || text[0] == '-' {
		seconds, ok := offsetText(text[1:])
		if !ok {
			return nil, fmt.Errorf("Invalid ID for offset-based ZoneId: %s", id)
		}
		if text[0] == '-' {
			seconds = -seconds
		}
		return time.FixedZone(id, seconds), nil
	}
	loc, err := time.LoadLocation(id)
	// A case-insensitive file system must not decide which spellings there are.
	if err != nil || !regionSpelling(id) {
		return nil, fmt.Errorf("Unknown time-zone ID: %s", id)
	}
	return loc, nil
}

// offsetText reads h, hh, hh:mm, hhmm, hh:mm:ss and hhmmss up to 18 hours.
func offsetText(s string) (int, bool) {
	digits := strings.ReplaceAll(s, ":", "")
	switch {
	case len(s) == 1 || len(s) == 2 || len(s) == 4 && s == digits || len(s) == 6 && s == digits:
	case len(s) == 5 && s[2] == ':' && len(digits) == 4:
	case len(s) == 8 && s[2] == ':' && s[5] == ':' && len(digits) == 6:
	default:
		return 0, false
	}
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	total, unit := 0, 3600
	for i := 0; i < len(digits); i += 2 {
		n, err := number(digits[i : i+2])
		if err != nil || i > 0 && n > 59 {
			return 0, false
		}
		total, unit = total+n*unit, unit/60
	}
	return total, total <= 18*3600
}

// regionSpelling refuses ids whose letters cannot be those of a region id: its words begin with a
// capital letter, apart from a few joining words.
func regionSpelling(id string) bool {
	if id != strings.ToLower(id) && id != strings.ToUpper(id) {
		for _, part := range strings.Split(id, "/") {
			if part == "" || part[0] < 'A' || part[0] > 'Z' {
				return false
			}
		}
		return true
	}
	return id == strings.ToUpper(id)
}
