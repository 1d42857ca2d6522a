package view

import (
	"strconv"

	"github.com/downbeat/downbeat/core/fault"
)

// MaxPage is the largest number of elements that a page may be asked for.
const MaxPage = 200

// PageRequest asks for a page of a list whose elements have dense numbers, the newest having the largest. First walks
// from newer to older, Last from older to newer. The cursor is exclusive: the end cursor of a page with First, its start
// cursor with Last.
type PageRequest struct {
	First, Last int64 // exactly one of them, 1 to MaxPage; 0: not given
	HasFirst    bool  // First was given, be it 0
	HasLast     bool
	Cursor      int64
	HasCursor   bool
}

// Check refuses a request that has both or neither of first and last, or one out of range.
func (p PageRequest) Check() error {
	switch {
	case p.HasFirst == p.HasLast:
		return fault.New(fault.BadRequest, "exactly one of first and last must be given")
	case p.HasFirst && (p.First < 1 || p.First > MaxPage):
		return fault.New(fault.BadRequest, `400 BAD_REQUEST "Validation failure": first must be from 1 to %d`, MaxPage)
	case p.HasLast && (p.Last < 1 || p.Last > MaxPage):
		return fault.New(fault.BadRequest, `400 BAD_REQUEST "Validation failure": last must be from 1 to %d`, MaxPage)
	}
	return nil
}

// Span is a range of numbers, both ends included. It is empty when Low > High.
type Span struct{ Low, High int64 }

// Empty tells whether the span holds no number.
func (s Span) Empty() bool { return s.Low > s.High }

// Clip is the part of the span that lies in another one.
func (s Span) Clip(to Span) Span { return Span{max(s.Low, to.Low), min(s.High, to.High)} }

// Window is the range of numbers that a page of instances or runs asks for, of those that exist. It may ask for some
// that do not exist: with 5 elements, first=2 with cursor 1 is an empty window, last=2 with cursor 5 is 5 again, a quirk
// (clients stop on has_previous_page).
func (p PageRequest) Window(exist Span) Span {
	if exist.Empty() {
		return exist
	}
	w := Span{exist.Low, exist.High}
	switch {
	case p.HasFirst && p.HasCursor:
		w = Span{max(exist.Low, sub(p.Cursor, p.First)), sub(p.Cursor, 1)}
	case p.HasFirst:
		w.Low = max(exist.Low, exist.High+1-p.First)
	case p.HasCursor:
		w = Span{add(p.Cursor, 1), min(exist.High, add(p.Cursor, p.Last))}
	default:
		w.High = min(exist.High, exist.Low+p.Last-1)
	}
	w.Low = min(w.Low, w.High)
	return w.Clip(exist)
}

// VersionWindow is Window for versions 1 to latest, which clip their cursors in their own way: with first, a cursor
// that names no version counts as absent; with last the page is filled up from below, so that near the top it reaches
// below the cursor, a quirk.
func (p PageRequest) VersionWindow(latest int64) Span {
	if p.HasFirst {
		top := latest + 1
		if p.HasCursor && p.Cursor > 0 && p.Cursor <= latest {
			top = p.Cursor
		}
		return Span{max(1, top-p.First), top - 1}
	}
	top := latest
	if p.HasCursor {
		top = min(latest, add(p.Cursor, p.Last))
	} else {
		top = min(latest, p.Last)
	}
	return Span{max(1, top-p.Last+1), top}
}

// add and sub do not wrap around: a cursor may be any number.
func add(a, b int64) int64 {
	if c := a + b; c >= a {
		return c
	}
	return 1<<63 - 1
}

func sub(a, b int64) int64 {
	if c := a - b; c <= a {
		return c
	}
	return -1 << 63
}

// Element is an element of a page, by its number.
type Element struct {
	ID   int64
	JSON []byte
}

// AppendPage appends the page with these elements, in their order, of a list of which exist is the range of numbers.
// Elements of the window may be missing: an answer must not grow beyond what the front door takes (P36). Nulls are
// written.
func AppendPage(b []byte, exist Span, elements []Element) []byte {
	w := newWriter(b)
	w.Open()
	w.Object("page_info")
	total := max(0, exist.High-exist.Low+1)
	if len(elements) == 0 {
		w.Null("start_cursor")
		w.Null("end_cursor")
		w.Bool("has_previous_page", false)
		w.Bool("has_next_page", false)
		w.Null("start_index")
		if total > 0 {
			total = exist.High
		}
	} else {
		low, high := elements[0].ID, elements[0].ID
		for _, e := range elements {
			low, high = min(low, e.ID), max(high, e.ID)
		}
		w.Str("start_cursor", strconv.FormatInt(high, 10))
		w.Str("end_cursor", strconv.FormatInt(low, 10))
		w.Bool("has_previous_page", high < exist.High)
		w.Bool("has_next_page", low > exist.Low)
		w.Long("start_index", exist.High+1-high)
	}
	w.Close()
	w.Long("total_count", total)
	w.List("elements")
	for _, e := range elements {
		w.RawItem(e.JSON)
	}
	w.CloseList()
	w.Close()
	return w.Bytes()
}
