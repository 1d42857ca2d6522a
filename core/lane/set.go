package lane

import (
	"fmt"
	"slices"
	"sort"

	"github.com/downbeat/downbeat/core/pack"
)

// Set is an ordered set of runs, kept as spans: a queue of a million consecutive instances is one span. The zero value
// is empty.
type Set struct {
	spans []span
	n     int
}

// span is a stretch of consecutive instances, from first to last, whose runs have the same number. The spans of a set
// are disjoint and in the order of their entries, and no two neighbours could be one.
type span struct{ first, last, run int64 }

func (s span) head() Entry { return Entry{Instance: s.first, Run: s.run} }
func (s span) tail() Entry { return Entry{Instance: s.last, Run: s.run} }

// SetOf makes a set of entries in any order.
func SetOf(entries ...Entry) Set {
	var s Set
	for _, e := range entries {
		s.Add(e)
	}
	return s
}

// Len is how many runs are in the set.
func (s *Set) Len() int { return s.n }

// All lists the runs in order. It takes memory for each.
func (s *Set) All() []Entry { return s.Head(s.n) }

// Head lists the first n runs, or all when there are fewer.
func (s *Set) Head(n int) []Entry {
	list := make([]Entry, 0, min(n, s.n))
	for _, p := range s.spans {
		for i := p.first; i <= p.last; i++ {
			if len(list) == cap(list) {
				return list
			}
			list = append(list, Entry{Instance: i, Run: p.run})
		}
	}
	return list
}

// Restarts lists the runs that are not the first of their instance.
func (s *Set) Restarts() []Entry {
	var list []Entry
	for _, p := range s.spans {
		for i := p.first; p.run > 1 && i <= p.last; i++ {
			list = append(list, Entry{Instance: i, Run: p.run})
		}
	}
	return list
}

// search finds the first span that ends at e or after it.
func (s *Set) search(e Entry) int {
	return sort.Search(len(s.spans), func(i int) bool { return !s.spans[i].tail().before(e) })
}

// Has tells whether the run is in the set.
func (s *Set) Has(e Entry) bool {
	i := s.search(e)
	return i < len(s.spans) && s.spans[i].run == e.Run && s.spans[i].first <= e.Instance
}

// OfInstance finds a run of an instance.
func (s *Set) OfInstance(instance int64) (Entry, bool) {
	for i := s.search(Entry{Instance: instance}); i < len(s.spans); i++ {
		switch p := s.spans[i]; {
		case p.first > instance:
			return Entry{}, false
		case p.last >= instance:
			return Entry{Instance: instance, Run: p.run}, true
		}
	}
	return Entry{}, false
}

// Add puts a run into the set; one that is in it already changes nothing.
func (s *Set) Add(e Entry) {
	if s.Has(e) {
		return
	}
	s.n++
	i := s.search(e)
	if i < len(s.spans) && s.spans[i].head().before(e) {
		// The span runs past e, with another run number: e comes between two of its entries.
		p := s.spans[i]
		cut := e.Instance
		if e.Run < p.run {
			cut--
		}
		s.spans = slices.Replace(s.spans, i, i+1, span{p.first, cut, p.run}, span{cut + 1, p.last, p.run})
		i++
	}
	before := i > 0 && s.spans[i-1].run == e.Run && s.spans[i-1].last+1 == e.Instance
	after := i < len(s.spans) && s.spans[i].run == e.Run && s.spans[i].first-1 == e.Instance
	switch {
	case before && after:
		s.spans[i-1].last = s.spans[i].last
		s.spans = slices.Delete(s.spans, i, i+1)
	case before:
		s.spans[i-1].last++
	case after:
		s.spans[i].first--
	default:
		s.spans = slices.Insert(s.spans, i, span{e.Instance, e.Instance, e.Run})
	}
}

// Remove takes a run out of the set and tells whether it was in it.
func (s *Set) Remove(e Entry) bool {
	if !s.Has(e) {
		return false
	}
	s.n--
	i := s.search(e)
	p := s.spans[i]
	switch {
	case p.first == p.last:
		s.spans = slices.Delete(s.spans, i, i+1)
		if i > 0 && i < len(s.spans) && s.spans[i-1].run == s.spans[i].run && s.spans[i-1].last+1 == s.spans[i].first {
			// What lay between two halves of one span is gone.
			s.spans[i-1].last = s.spans[i].last
			s.spans = slices.Delete(s.spans, i, i+1)
		}
	case p.first == e.Instance:
		s.spans[i].first++
	case p.last == e.Instance:
		s.spans[i].last--
	default:
		s.spans = slices.Replace(s.spans, i, i+1, span{p.first, e.Instance - 1, p.run}, span{e.Instance + 1, p.last, p.run})
	}
	return true
}

// Clear empties the set.
func (s *Set) Clear() { *s = Set{} }

func (s *Set) encode(w *pack.Writer) {
	w.Uint(uint64(len(s.spans)))
	var prev int64
	for _, p := range s.spans {
		w.Int(p.first - prev)
		w.Uint(uint64(p.last - p.first))
		w.Int(p.run)
		prev = p.last
	}
}

// decodeSet reads a set whose instances must be between 1 and latest.
func decodeSet(r *pack.Reader, latest int64) (Set, error) {
	var s Set
	var prev int64
	for n := r.Count(); n > 0; n-- {
		first := prev + r.Int()
		size := r.Uint()
		p := span{first: first, run: r.Int()}
		if r.Err() != nil {
			break
		}
		if first < 1 || size > uint64(latest) || first+int64(size) > latest {
			return Set{}, fmt.Errorf("lane: a span of %d instances from %d exceeds the latest instance %d", size+1, first, latest)
		}
		p.last = first + int64(size)
		if k := len(s.spans); k > 0 && !s.spans[k-1].tail().before(p.head()) {
			return Set{}, fmt.Errorf("lane: spans are out of order at instance %d", first)
		}
		s.spans = append(s.spans, p)
		s.n += int(size) + 1
		prev = p.last
	}
	return s, nil
}
