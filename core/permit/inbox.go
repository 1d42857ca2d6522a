package permit

import (
	"hash/fnv"
	"slices"

	"github.com/downbeat/downbeat/core/pack"
)

// What callers who meet at a head leave there for each other. The shell tells when.

// Ask is what one caller wants of heads: permits, or that something is given back.
type Ask struct {
	Heads    []string // sorted; those of the requests, or of the attempts that give back
	Requests []Request
	Released []string // uuids
}

// Pointer is how a head remembers an ask that it took out of its inbox.
type Pointer struct {
	Rev  int64  // of the head that the caller had read
	Hash uint32 // of its name; who shares one with another just asks again
}

// takenRevisions is how many revisions a pointer can be taken for, and is remembered for then.
const takenRevisions = 4

// PointerOf names an ask that was left at a revision of a head.
func PointerOf(rev int64, name string) Pointer {
	h := fnv.New32a()
	h.Write([]byte(name))
	return Pointer{rev, h.Sum32()}
}

// OldestPointer is the smallest revision of pointers that may be taken by who has read the head at the revision.
func OldestPointer(rev int64) int64 { return max(0, rev-takenRevisions+1) }

// CanTake tells whether a pointer may be taken by who has read the head at the revision: none was left so long ago that
// the head would not know any more that it was taken.
func (h *Head) CanTake(p Pointer, rev int64) bool {
	return p.Rev >= OldestPointer(rev) && !slices.Contains(h.Taken, p)
}

// Take notes what the commit after the revision takes out of the inbox, and how many asks of others are among it.
func (h *Head) Take(rev int64, pointers []Pointer, others int) {
	h.Taken = slices.DeleteFunc(append(h.Taken, pointers...), func(p Pointer) bool { return p.Rev < OldestPointer(rev+1) })
	h.Crowd = others
	h.changed = h.changed || len(pointers) > 0
}

// askFormat is the format that Ask.Encode writes (P10).
const askFormat = 1

// Encode gives the stored form of an ask.
func (k *Ask) Encode() []byte {
	w := &pack.Writer{}
	w.Format(askFormat)
	w.Uint(uint64(len(k.Heads)))
	for _, h := range k.Heads {
		w.Str(h)
	}
	w.Uint(uint64(len(k.Requests)))
	for _, r := range k.Requests {
		writeUUID(w, r.UUID)
		w.Str(r.Run)
		w.Int(r.Since)
		w.Uint(uint64(len(r.Tags)))
		for _, t := range r.Tags {
			w.Str(t.Name)
			w.Int(t.Limit)
		}
	}
	w.Uint(uint64(len(k.Released)))
	for _, uuid := range k.Released {
		writeUUID(w, uuid)
	}
	return w.Buf
}

// DecodeAsk reads a stored ask.
func DecodeAsk(data []byte) (*Ask, error) {
	r, _, err := pack.NewReader(data, askFormat)
	if err != nil {
		return nil, err
	}
	k := &Ask{}
	for range r.Count() {
		k.Heads = append(k.Heads, r.Str())
	}
	for range r.Count() {
		q := Request{UUID: readUUID(r, headFormat), Run: r.Str(), Since: r.Int()}
		for range r.Count() {
			q.Tags = append(q.Tags, Tag{Name: r.Str(), Limit: r.Int()})
		}
		k.Requests = append(k.Requests, q)
	}
	for range r.Count() {
		k.Released = append(k.Released, readUUID(r, headFormat))
	}
	return k, r.Err()
}

// Fold serves asks in one step: first what is given back, then those who wait, then the requests, as Acquire does. The
// outcomes are those of the requests of the first ask. The runs to poke, sorted, are those of waiters that can go on.
func Fold(heads Heads, asks []*Ask, now int64) ([]Outcome, []string, error) {
	var released []string
	var requests []Request
	for _, k := range asks {
		released = append(released, k.Released...)
		requests = append(requests, k.Requests...)
	}
	var poke runSet
	if len(released) > 0 {
		for _, run := range Release(heads, released, now) {
			poke.add(run)
		}
	}
	outcomes, more, err := Acquire(heads, requests, now)
	if err != nil {
		return nil, nil, err
	}
	for _, run := range more {
		poke.add(run)
	}
	return outcomes[:len(asks[0].Requests)], poke.sorted(), nil
}
