package permit

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/downbeat/downbeat/core/pack"
)

// headFormat is the format that Encode writes (P10). 2 has what is taken of the inbox, and the other tags of waiters.
const headFormat = 2

// Encode gives the stored form: the names of tags and runs once each, sorted and without the beginning that they share
// with the one before, then limits, holders and waiters. A holder takes about 25 bytes, so a head with 20 of them stays
// below 1 KB.
func (h *Head) Encode() []byte {
	w := &pack.Writer{}
	w.Format(headFormat)
	var tags, runs names
	for _, l := range h.Limits {
		tags.add(l.Tag)
	}
	for _, e := range h.Holders {
		runs.add(e.Run)
		for _, t := range e.Tags {
			tags.add(t)
		}
	}
	for _, e := range h.Waiters {
		runs.add(e.Run)
		for _, t := range e.Tags {
			tags.add(t.Name)
		}
		for _, t := range e.Others {
			tags.add(t.Name)
		}
	}
	tags.write(w)
	runs.write(w)

	w.Uint(uint64(len(h.Limits)))
	for _, l := range h.Limits {
		w.Uint(tags.index(l.Tag))
		w.Int(l.Max)
		w.Uint(uint64(len(l.Extras)))
		for _, e := range l.Extras {
			w.Str(e.Name)
			w.Bytes(e.JSON)
		}
		w.Uint(uint64(len(l.Changes)))
		last := int64(0)
		for _, c := range l.Changes {
			w.Int(c.Time - last)
			w.Str(c.User)
			w.Int(c.Max)
			last = c.Time
		}
	}
	last := int64(0)
	w.Uint(uint64(len(h.Holders)))
	for _, e := range h.Holders {
		writeUUID(w, e.UUID)
		w.Uint(runs.index(e.Run))
		w.Int(e.Verified - last)
		last = e.Verified
		w.Uint(uint64(len(e.Tags)))
		for _, t := range e.Tags {
			w.Uint(tags.index(t))
		}
	}
	w.Uint(uint64(len(h.Waiters)))
	for _, e := range h.Waiters {
		writeUUID(w, e.UUID)
		w.Uint(runs.index(e.Run))
		w.Int(e.Verified - last)
		w.Int(e.Since - e.Verified)
		last = e.Verified
		w.Bool(e.Elsewhere)
		w.Bool(e.Missed)
		if e.Reserved == 0 {
			w.Bool(false)
		} else {
			w.Bool(true)
			w.Int(e.Reserved - e.Since)
		}
		for _, list := range [][]Tag{e.Tags, e.Others} {
			w.Uint(uint64(len(list)))
			for _, t := range list {
				w.Uint(tags.index(t.Name))
				w.Int(t.Limit)
			}
		}
	}
	w.Uint(uint64(h.Crowd))
	w.Uint(uint64(len(h.Taken)))
	for _, p := range h.Taken {
		w.Int(p.Rev)
		w.Uint(uint64(p.Hash))
	}
	return w.Buf
}

// Decode reads a stored head; no data is an empty head. A format newer than this code gives pack.ErrNewer.
func Decode(data []byte) (*Head, error) {
	h := &Head{}
	if len(data) == 0 {
		return h, nil
	}
	r, format, err := pack.NewReader(data, headFormat)
	if err != nil {
		return nil, fmt.Errorf("permit head: %w", err)
	}
	tags, err := readNames(r)
	if err != nil {
		return nil, fmt.Errorf("permit head: tags: %w", err)
	}
	runs, err := readNames(r)
	if err != nil {
		return nil, fmt.Errorf("permit head: runs: %w", err)
	}
	defect := error(nil)
	name := func(list []string, of string) string {
		i := r.Uint()
		if i >= uint64(len(list)) {
			if defect == nil {
				defect = fmt.Errorf("%s %d of %d does not exist", of, i, len(list))
			}
			return ""
		}
		return list[i]
	}
	for range r.Count() {
		l := Limit{Tag: name(tags, "tag"), Max: r.Int()}
		for range r.Count() {
			l.Extras = append(l.Extras, Extra{Name: r.Str(), JSON: slices.Clone(r.Bytes())})
		}
		last := int64(0)
		for range r.Count() {
			c := Change{Time: last + r.Int(), User: r.Str(), Max: r.Int()}
			l.Changes, last = append(l.Changes, c), c.Time
		}
		h.Limits = append(h.Limits, l)
	}
	last := int64(0)
	for range r.Count() {
		e := Holder{UUID: readUUID(r, format), Run: name(runs, "run"), Verified: last + r.Int()}
		last = e.Verified
		for range r.Count() {
			e.Tags = append(e.Tags, name(tags, "tag"))
		}
		h.Holders = append(h.Holders, e)
	}
	for range r.Count() {
		e := Waiter{UUID: readUUID(r, format), Run: name(runs, "run"), Verified: last + r.Int()}
		last = e.Verified
		e.Since = e.Verified + r.Int()
		e.Elsewhere, e.Missed = r.Bool(), r.Bool()
		if r.Bool() {
			e.Reserved = e.Since + r.Int()
		}
		for range r.Count() {
			e.Tags = append(e.Tags, Tag{Name: name(tags, "tag"), Limit: r.Int()})
		}
		if format >= 2 {
			for range r.Count() {
				e.Others = append(e.Others, Tag{Name: name(tags, "tag"), Limit: r.Int()})
			}
		}
		h.Waiters = append(h.Waiters, e)
	}
	if format >= 2 {
		h.Crowd = int(r.Uint())
		for range r.Count() {
			h.Taken = append(h.Taken, Pointer{Rev: r.Int(), Hash: uint32(r.Uint())})
		}
	}
	if err := errors.Join(r.Err(), defect); err != nil {
		return nil, fmt.Errorf("permit head: %w", err)
	}
	return h, nil
}

// names is a set of texts, sorted when it is written.
type names struct{ list []string }

// maxName bounds what a defective record can ask for.
const maxName = 8192

func (n *names) add(s string) { n.list = append(n.list, s) }

func (n *names) write(w *pack.Writer) {
	sort.Strings(n.list)
	n.list = slices.Compact(n.list)
	w.Uint(uint64(len(n.list)))
	last := ""
	for _, s := range n.list {
		k := 0
		for k < len(s) && k < len(last) && s[k] == last[k] {
			k++
		}
		w.Uint(uint64(k))
		w.Str(s[k:])
		last = s
	}
}

func (n *names) index(s string) uint64 {
	i, _ := slices.BinarySearch(n.list, s)
	return uint64(i)
}

func readNames(r *pack.Reader) ([]string, error) {
	var out []string
	last := ""
	for range r.Count() {
		k := r.Uint()
		if k > uint64(len(last)) {
			return nil, fmt.Errorf("shares %d bytes with one of %d", k, len(last))
		}
		if last = last[:k] + r.Str(); len(last) > maxName {
			return nil, fmt.Errorf("a name of %d bytes", len(last))
		}
		out = append(out, last)
	}
	return out, r.Err()
}

// writeUUID writes a uuid as its 16 bytes, any other text as no bytes and then as it is.
func writeUUID(w *pack.Writer, s string) {
	raw, ok := rawUUID(s)
	w.Bytes(raw)
	if !ok {
		w.Str(s)
	}
}

func rawUUID(s string) ([]byte, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return nil, false
	}
	raw, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	if err != nil || textUUID(raw) != s { // upper case is another text
		return nil, false
	}
	return raw, true
}

func textUUID(raw []byte) string {
	s := hex.EncodeToString(raw)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func readUUID(r *pack.Reader, format byte) string {
	if format < 2 && !r.Bool() {
		return r.Str()
	}
	raw := r.Bytes()
	switch len(raw) {
	case 16:
		return textUUID(raw)
	case 0:
		return r.Str()
	}
	return hex.EncodeToString(raw) // only of a defective record
}
