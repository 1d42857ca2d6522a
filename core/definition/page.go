package definition

import (
	"strconv"
)

// VersionWindow is the range of version numbers on a page, both inclusive; empty when High < Low.
type VersionWindow struct{ Low, High int64 }

// FirstVersions is the window of `first=n`: the n versions below the cursor, from the newest on without
// one. A cursor that is not between 1 and the newest version counts as none.
func FirstVersions(latest, n int64, cursor *int64) VersionWindow {
	before := latest + 1
	if cursor != nil && *cursor >= 1 && *cursor <= latest {
		before = *cursor
	}
	return VersionWindow{Low: max(1, before-n), High: before - 1}
}

// LastVersions is the window of `last=n`: the n highest versions below cursor + n + 1, the oldest n
// without a cursor. Near the newest version it may reach below the cursor, as Maestro's does.
func LastVersions(latest, n int64, cursor *int64) VersionWindow {
	high := n
	if cursor != nil {
		if *cursor >= latest {
			high = latest
		} else {
			high = *cursor + n
		}
	}
	high = min(high, latest)
	return VersionWindow{Low: max(1, high-n+1), High: high}
}

// AppendVersionsPage writes a page of versions, newest first, of a workflow whose newest version is
// latest; 0 and no views for an unknown workflow.
func AppendVersionsPage(out []byte, latest int64, views []*VersionView) []byte {
	w := newWriter(out)
	w.Object("page_info")
	if len(views) == 0 {
		w.Null("start_cursor")
		w.Null("end_cursor")
		w.Bool("has_previous_page", false)
		w.Bool("has_next_page", false)
		w.Null("start_index")
	} else {
		high, low := views[0].Version.Metadata.VersionID, views[len(views)-1].Version.Metadata.VersionID
		w.Str("start_cursor", strconv.FormatInt(high, 10))
		w.Str("end_cursor", strconv.FormatInt(low, 10))
		w.Bool("has_previous_page", high < latest)
		w.Bool("has_next_page", low > 1)
		w.Long("start_index", latest+1-high)
	}
	w.Close()
	w.Long("total_count", latest)
	w.List("elements")
	for _, v := range views {
		w.AppendItem(v)
	}
	w.CloseList()
	w.Close()
	return w.Bytes()
}
