package definition

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/sel"
)

// ParsableLong is a non-negative number, or a text that becomes one: a number, a duration, or something
// with parameters in it. It is written back in the kind in which it was given.
type ParsableLong struct {
	IsText bool
	Number int64
	Text   string
}

// LongNumber is a ParsableLong given as a number.
func LongNumber(n int64) *ParsableLong { return &ParsableLong{Number: n} }

// LongText is a ParsableLong given as a text.
func LongText(s string) *ParsableLong { return &ParsableLong{IsText: true, Text: s} }

// String is the value as Maestro's messages show it: the number, or the text in double quotes.
func (p ParsableLong) String() string {
	if p.IsText {
		return `"` + p.Text + `"`
	}
	return strconv.FormatInt(p.Number, 10)
}

// HasParams tells whether a text refers to parameters, so that its value is known at run time only.
func (p ParsableLong) HasParams() bool { return p.IsText && strings.Contains(p.Text, "$") }

// Interpolated is p with the parameters in its text replaced; lookup's error is returned as it is.
func (p ParsableLong) Interpolated(lookup func(name string) (sel.Value, error)) (ParsableLong, error) {
	if !p.HasParams() {
		return p, nil
	}
	text, err := sel.Interpolate(p.Text, lookup)
	if err != nil {
		return p, err
	}
	return ParsableLong{IsText: true, Text: text}, nil
}

// The limits of a timeout (workflow-definition.md 5.3).
const (
	DefaultTimeoutMillis int64 = 10 * 24 * 3600 * 1000  // of a workflow or step that declares none
	MaxTimeoutMillis     int64 = 120 * 24 * 3600 * 1000 // 120 days
)

// TimeoutMillis is the value as a timeout: a number, or a text that is one, in seconds; any other text is
// a duration. It must be positive and not above 120 days.
func (p ParsableLong) TimeoutMillis() (int64, error) {
	ms := p.durationMillis()
	if ms <= 0 || ms > MaxTimeoutMillis {
		return 0, fmt.Errorf("timeout [%d ms]/[%s] cannot be non-positive or more than system limit: 120 days", ms, p)
	}
	return ms, nil
}

func (p ParsableLong) durationMillis() int64 {
	n, ok := p.Number, true
	if p.IsText {
		n, ok = decimalLong(p.Text)
	}
	if !ok {
		return DurationMillis(p.Text)
	}
	if n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
		return math.MaxInt64
	}
	return n * 1000
}

// decimalLong reads a decimal 64-bit number with an optional sign and nothing else.
func decimalLong(s string) (int64, bool) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

var durationUnits = []struct {
	names  []string // longest first
	millis int64
}{
	{[]string{"days", "day", "d"}, 24 * 3600 * 1000},
	{[]string{"hours", "hour", "h"}, 3600 * 1000},
	{[]string{"minutes", "minute", "min"}, 60 * 1000},
	{[]string{"seconds", "second", "sec", "s"}, 1000},
	{[]string{"milliseconds", "millisecond", "ms"}, 1},
}

// DurationMillis adds up everything in a text that is a number, at most one blank, and a unit; the rest
// is ignored. So order and repetition do not matter, `1.5h` is 5 hours, and `5m` (no unit) is 0. A sum
// beyond 64 bits is the largest number.
func DurationMillis(text string) int64 {
	s := strings.ToLower(text)
	var sum int64
	for i := 0; i < len(s); {
		if s[i] < '0' || s[i] > '9' {
			i++
			continue
		}
		j := i
		for j < len(s) && s[j] >= '0' && s[j] <= '9' {
			j++
		}
		k := j
		if k < len(s) && s[k] == ' ' {
			k++
		}
		millis, end := unitAt(s, k)
		if end == 0 {
			i = j
			continue
		}
		n, err := strconv.ParseInt(s[i:j], 10, 64)
		if err != nil || n > (math.MaxInt64-sum)/millis {
			return math.MaxInt64
		}
		sum, i = sum+n*millis, end
	}
	return sum
}

// unitAt gives the unit that begins at i and where it ends; end 0 is none. `ms` is not a second, and
// `m` alone is nothing.
func unitAt(s string, i int) (millis int64, end int) {
	for _, u := range durationUnits {
		for _, name := range u.names {
			if strings.HasPrefix(s[i:], name) && i+len(name) > end {
				millis, end = u.millis, i+len(name)
			}
		}
	}
	return millis, end
}
