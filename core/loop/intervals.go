package loop

import (
	"encoding/json"
	"fmt"
	"sort"

	"github.com/downbeat/downbeat/core/wire"
)

// intervals are sets of iteration ids, as sorted, disjoint and not adjacent ranges. A million finished iterations are a
// handful of them.
type intervals [][2]int64

// Has tells whether an id is in the set.
func (s intervals) Has(id int64) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i][1] >= id })
	return i < len(s) && s[i][0] <= id
}

func (s intervals) with(id int64) intervals {
	if s.Has(id) {
		return s
	}
	out := make(intervals, 0, len(s)+1)
	add := [2]int64{id, id}
	placed := false
	for _, r := range s {
		switch {
		case r[1]+1 < add[0]:
			out = append(out, r)
		case add[1]+1 < r[0]:
			if !placed {
				out, placed = append(out, add), true
			}
			out = append(out, r)
		default:
			add = [2]int64{min(r[0], add[0]), max(r[1], add[1])}
		}
	}
	if !placed {
		out = append(out, add)
	}
	return out
}

func (s intervals) without(id int64) intervals {
	out := make(intervals, 0, len(s)+1)
	for _, r := range s {
		if id < r[0] || r[1] < id {
			out = append(out, r)
			continue
		}
		if r[0] < id {
			out = append(out, [2]int64{r[0], id - 1})
		}
		if id < r[1] {
			out = append(out, [2]int64{id + 1, r[1]})
		}
	}
	return out
}

func (s intervals) count() (n int64) {
	for _, r := range s {
		n += r[1] - r[0] + 1
	}
	return n
}

func (s intervals) last() int64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1][1]
}

// all yields the ids in order.
func (s intervals) all(yield func(int64) bool) {
	for _, r := range s {
		for id := r[0]; id <= r[1]; id++ {
			if !yield(id) {
				return
			}
		}
	}
}

// AppendJSON writes [id, [first,last], …].
func (s intervals) AppendJSON(b []byte) []byte {
	w := wire.NewWriter(b)
	w.OpenList()
	for _, r := range s {
		if r[0] == r[1] {
			w.LongItem(r[0])
			continue
		}
		w.OpenList()
		w.LongItem(r[0])
		w.LongItem(r[1])
		w.CloseList()
	}
	w.CloseList()
	return w.Bytes()
}

// UnmarshalJSON reads what AppendJSON writes; a range of one id is accepted too.
func (s *intervals) UnmarshalJSON(data []byte) error {
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return err
	}
	*s = nil
	for _, raw := range items {
		var one int64
		if json.Unmarshal(raw, &one) == nil {
			*s = append(*s, [2]int64{one, one})
			continue
		}
		var pair []int64
		if err := json.Unmarshal(raw, &pair); err != nil || len(pair) != 2 {
			return fmt.Errorf("details: %s is neither an id nor a pair of ids", raw)
		}
		*s = append(*s, [2]int64{pair[0], pair[1]})
	}
	return nil
}
