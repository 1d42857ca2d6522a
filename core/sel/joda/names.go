package joda

import (
	_ "embed" // the names
	"strings"
	"sync"
)

// zoneNamesText has a line for each set of names, written by zonegen from those of Java 17: short and long
// in standard time, short and long in summer time, and the zones that have them, without the prefix Etc/.
//
//go:embed zonenames.txt
var zoneNamesText string

type zoneNames struct{ short, long, summerShort, summerLong string }

var loadNames = sync.OnceValue(func() map[string]*zoneNames {
	out := map[string]*zoneNames{}
	for line := range strings.Lines(zoneNamesText) {
		f := strings.Split(strings.TrimSpace(line), "|")
		names := &zoneNames{f[0], f[1], f[2], f[3]}
		for _, id := range strings.Fields(f[4]) {
			out[id] = names
		}
	}
	return out
})

// displayName is the zone's English name at a time, its offset if it has none.
func displayName(z *Zone, at *transition, long bool) string {
	n := loadNames()[strings.TrimPrefix(z.id, "Etc/")]
	summer := at.offset != at.standard
	switch {
	case n == nil:
		return string(appendOffset(nil, at.offset, true, 2, 4))
	case summer && long:
		return n.summerLong
	case summer:
		return n.summerShort
	case long:
		return n.long
	}
	return n.short
}
