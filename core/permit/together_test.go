package permit

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
)

func TestPasses(t *testing.T) {
	flow, a, b := Tag{"maestro_w", 1}, Tag{"maestro_w:a", 20}, Tag{"maestro_w:b", 20}
	for name, c := range map[string]struct {
		before func(w *world)
		have   []Tag
		to     string
		want   bool
	}{
		"the first of the queue":            {nil, []Tag{flow, a}, "u2", true},
		"not the second":                    {nil, []Tag{flow, a}, "u3", false},
		"not one that does not wait":        {nil, []Tag{flow, a}, "u9", false},
		"not from one that holds nothing":   {func(w *world) { w.release(1); w.release(2); w.release(3) }, []Tag{flow, a}, "u3", false},
		"not to one that needs a scarcer":   {func(w *world) { w.limit("maestro_w", 5) }, []Tag{a}, "u2", false},
		"not where the limit is lowered":    {func(w *world) { w.limit("maestro_w", 0) }, []Tag{flow, a}, "u2", false},
		"not from one that held a scarcer":  {func(w *world) { w.limit("maestro_w:a", 0) }, []Tag{flow, a}, "u2", false},
		"where an unlimited tag is alone":   {nil, []Tag{flow, a, {"maestro_w:c", NoLimit}}, "u2", true},
		"where nothing scarce is in common": {nil, []Tag{a}, "u2", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "wf#w")
			w.want(1, Granted, flow, a)
			w.want(2, Waiting, flow, b)
			w.want(3, Waiting, flow, b)
			if c.before != nil {
				c.before(w)
			}
			h := w.heads["wf#w"]
			stored := h.Encode()
			after, ok := w.heads.Passes("u1", c.have, c.to, []Tag{flow, b}, w.now)
			if ok != c.want {
				t.Fatalf("passes: %v, want %v", ok, c.want)
			}
			if !slices.Equal(h.Encode(), stored) {
				t.Error("the head was changed")
			}
			if !ok {
				return
			}
			// What was passed on can be passed on again, under the name that it has.
			if _, ok := after.Passes("u1", []Tag{flow, b}, "u3", []Tag{flow, b}, w.now); !ok {
				t.Error("the next one gets nothing")
			}
		})
	}
}

// Of a run's many attempts that wait the oldest few stand in the queue, and there are always some as long as any wait.
func TestPlacesInTheQueue(t *testing.T) {
	w := newWorld(t, "wf#w")
	const all = 40
	request := func(i int) Request {
		return Request{UUID: fmt.Sprintf("u%02d", i), Run: "r", Tags: []Tag{{"maestro_w", 2}}, Since: 7}
	}
	left := make([]Request, 0, all)
	for i := range all {
		left = append(left, request(i))
	}
	var order []string
	writes := 0
	for len(left) > 0 {
		w.reload()
		out, _, err := Acquire(w.heads, left, w.now)
		if err != nil {
			t.Fatal(err)
		}
		h := w.heads["wf#w"]
		if h.Changed() {
			writes++
		}
		var still []Request
		for i, r := range left {
			if out[i] == Waiting {
				still = append(still, r)
			}
		}
		if n := len(h.Waiters); n > maxPlaces || len(still) > 0 && n == 0 {
			t.Fatalf("%d of %d stand in the queue", n, len(still))
		}
		for i, o := range h.Waiters {
			if o.UUID != still[i].UUID {
				t.Fatalf("at place %d stands %s, the oldest is %s", i, o.UUID, still[i].UUID)
			}
		}
		held := h.Holders[0].UUID
		order = append(order, held)
		left = slices.DeleteFunc(still, func(r Request) bool { return r.UUID == held })
		w.reload()
		Release(w.heads, []string{held}, w.now)
	}
	if !slices.IsSorted(order) {
		t.Errorf("served in the order %v", order)
	}
	if writes > all/2 {
		t.Errorf("%d of the %d asks changed the head", writes, len(order))
	}
}

// Those that wait for the tags of their steps leave room in the queue for those that wait for the workflow's.
func TestPlacesOfOtherTags(t *testing.T) {
	w := newWorld(t, "wf#w")
	flow := Tag{"maestro_w", 1}
	w.want(1, Granted, flow)
	var list []Request
	for i := range 30 {
		step := fmt.Sprintf("maestro_w:s%02d", i)
		if i < 20 {
			w.limit(step, 0)
		}
		list = append(list, Request{UUID: fmt.Sprintf("a%02d", i), Run: "r", Tags: []Tag{flow, {step, 20}}, Since: 5})
	}
	w.reload()
	if _, _, err := Acquire(w.heads, list, w.now); err != nil {
		t.Fatal(err)
	}
	w.poked(w.release(1), "r")
	if got := holders(w.heads["wf#w"]); !slices.Equal(got, []string{"a20"}) {
		t.Errorf("held by %v", got)
	}
}

// Who waits for permits of several heads is granted them by whoever has all of the heads at hand.
func TestGrantOverSeveralHeads(t *testing.T) {
	w := newWorld(t, "tag#io", "wf#w")
	io, flow := Tag{"io", NoLimit}, Tag{"maestro_w", 20}
	w.limit("io", 1)
	w.want(1, Granted, io, flow)
	w.want(2, Waiting, io, flow)
	w.reload()
	alone := Heads{"tag#io": w.heads["tag#io"]}
	if got := alone.Lacking(5); got != nil {
		t.Errorf("lacking while there is no room: %v", got)
	}
	alone["tag#io"].dropHolder("u1")
	if got := alone.Lacking(5); !slices.Equal(got, []string{"wf#w"}) {
		t.Errorf("lacking: %v", got)
	}
	w.poked(w.release(1), "r2")
	for name, h := range w.heads {
		if len(h.Waiters) > 0 || !reflect.DeepEqual(holders(h), []string{"u2"}) {
			t.Errorf("%s: held by %v, %d wait", name, holders(h), len(h.Waiters))
		}
	}
	w.want(2, Granted, io, flow)
	w.want(3, Waiting, io, flow)
	w.limit("maestro_w", 1)
	w.want(4, Waiting, io, flow)
	// One head allows it, the other does not: nobody holds a part.
	w.poked(w.limit("io", 5), "r3", "r4")
	w.release()
	for name, h := range w.heads {
		if !reflect.DeepEqual(holders(h), []string{"u2"}) {
			t.Errorf("%s is held by %v", name, holders(h))
		}
	}
}

func TestPassesOverSeveralHeads(t *testing.T) {
	w := newWorld(t, "tag#io", "tag#free", "wf#w")
	tags := []Tag{{"io", NoLimit}, {"free", NoLimit}, {"maestro_w", 20}}
	w.limit("io", 1)
	w.want(1, Granted, tags...)
	w.want(2, Waiting, tags...)
	w.want(3, Waiting, tags...)
	after, ok := w.heads.Passes("u1", tags, "u2", tags, w.now)
	if !ok {
		t.Fatal("not passed")
	}
	for _, name := range []string{"tag#io", "wf#w"} {
		if got := holders(after[name]); !slices.Equal(got, []string{"u1"}) {
			t.Errorf("%s is held by %v then", name, got)
		}
	}
	if q := after["tag#io"].Waiters; len(q) != 1 || q[0].UUID != "u3" {
		t.Errorf("queue then: %+v", q)
	}
	if _, ok := w.heads.Passes("u1", tags, "u3", tags, w.now); ok {
		t.Error("passed to the second")
	}
	if w.heads.Inherits("u1", tags, tags) {
		t.Error("inherited though somebody waits")
	}
	w.release(2)
	w.release(3)
	if !w.heads.Inherits("u1", tags, tags) || w.heads.Inherits("u1", tags, tags[:2]) || w.heads.Inherits("u9", tags, tags) {
		t.Error("inherited or not, the other way round")
	}
	w.limit("maestro_w", 0)
	if _, ok := w.heads.Passes("u1", tags, "u2", tags, w.now); ok {
		t.Error("passed where one head is above its limit")
	}
}

func holders(h *Head) (uuids []string) {
	for _, e := range h.Holders {
		uuids = append(uuids, e.UUID)
	}
	return uuids
}

func TestFold(t *testing.T) {
	w := newWorld(t, "tag#io", "wf#w")
	io, flow := Tag{"io", NoLimit}, Tag{"maestro_w", 20}
	w.limit("io", 2)
	w.want(1, Granted, io, flow)
	w.want(2, Granted, io, flow)
	w.want(5, Waiting, io, flow)
	request := func(n int64) Request {
		return Request{UUID: fmt.Sprint("u", n), Run: fmt.Sprint("r", n), Tags: []Tag{io, flow}, Since: n}
	}
	asks := []*Ask{
		{Heads: []string{"tag#io", "wf#w"}, Requests: []Request{request(7), request(6)}},
		{Heads: []string{"tag#io", "wf#w"}, Released: []string{"u1", "u2"}},
		{Heads: []string{"tag#io", "wf#w"}, Requests: []Request{request(8)}},
	}
	for i, k := range asks {
		again, err := DecodeAsk(k.Encode())
		if err != nil || !reflect.DeepEqual(again, k) {
			t.Fatalf("ask %d stored: %+v, error %v", i, again, err)
		}
	}
	out, poke, err := Fold(w.heads, asks, w.now)
	if err != nil || !slices.Equal(out, []Outcome{Waiting, Granted}) {
		t.Fatalf("outcomes %v, error %v", out, err)
	}
	w.poked(poke, "r5")
	if got := holders(w.heads["wf#w"]); !slices.Equal(got, []string{"u5", "u6"}) {
		t.Errorf("held by %v: who waited comes first, then the older one", got)
	}
	delete(w.heads, "tag#io")
	if _, _, err := Fold(w.heads, asks, w.now); err == nil {
		t.Error("a head is missing and nobody says so")
	}
}

// A pointer is taken once, and not by who cannot know any more whether it was.
func TestPointersAreTakenOnce(t *testing.T) {
	h := &Head{}
	at := PointerOf(10, "a")
	for rev := int64(10); rev < 14; rev++ {
		if !h.CanTake(at, rev) {
			t.Errorf("not to be taken at revision %d", rev)
		}
	}
	if h.CanTake(at, 14) {
		t.Error("to be taken four revisions later")
	}
	h.Take(11, []Pointer{at}, 3)
	if !h.Changed() || h.Crowd != 3 {
		t.Errorf("taking is not noted: %+v", h)
	}
	for rev := int64(12); rev < 20; rev++ {
		h, err := Decode(h.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if h.CanTake(at, rev) {
			t.Errorf("to be taken again at revision %d", rev)
		}
		h.Take(rev, nil, 0)
		if want := rev < 13; len(h.Taken) > 0 != want {
			t.Errorf("after revision %d it is remembered: %v", rev, !want)
		}
	}
}
