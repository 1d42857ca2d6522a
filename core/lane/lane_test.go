package lane

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/downbeat/downbeat/core/pack"
)

// show writes a lane as one line: what waits, what runs, what is ordered.
func show(l *Lane) string {
	var b strings.Builder
	list := func(name string, es []Entry) {
		fmt.Fprintf(&b, "%s", name)
		for _, e := range es {
			fmt.Fprintf(&b, " %d/%d", e.Instance, e.Run)
		}
		b.WriteString("; ")
	}
	list("queued", l.Queued.All())
	list("running", l.Running.All())
	b.WriteString("orders")
	names := [...]string{"", "queue", "begin", "reject", "drop", "supersede", "cancel", "fail", "halt"}
	for _, o := range l.Orders {
		fmt.Fprintf(&b, " %s:%d/%d", names[o.Target], o.Instance, o.Run)
	}
	return b.String()
}

func start(uuid string) Arrival { return Arrival{UUID: uuid} }

func TestStrategies(t *testing.T) {
	type move struct {
		in   Input
		want string
	}
	arrive := func(s Strategy, as ...Arrival) Input { return Input{Now: 1, Strategy: s, Arrivals: as} }
	seq, strict := Strategy{Sequential, 1}, Strategy{StrictSequential, 1}
	par2, first := Strategy{Parallel, 2}, Strategy{FirstOnly, 1}
	last, serial := Strategy{LastOnly, 1}, Strategy{SerialLatestOnly, 1}
	done := func(s Strategy, orders ...Order) Input { return Input{Now: 1, Strategy: s, Done: orders} }
	ended := func(s Strategy, es ...Entry) Input { return Input{Now: 1, Strategy: s, Ended: es} }
	begin := func(i int64) Order { return Order{Entry: Entry{i, 1}, Target: Begin} }
	for name, moves := range map[string][]move{
		"sequential runs one at a time": {
			{arrive(seq, start("a"), start("b")), "queued 2/1; running 1/1; orders begin:1/1 queue:2/1"},
			{done(seq, begin(1)), "queued 2/1; running 1/1; orders queue:2/1"},
			{ended(seq, Entry{1, 1}), "queued; running 2/1; orders begin:2/1"},
			{ended(seq, Entry{2, 1}), "queued; running; orders"},
		},
		"an end that the lane does not list frees nothing": {
			{arrive(seq, start("a"), start("b"), start("c")), "queued 2/1 3/1; running 1/1; orders begin:1/1 queue:2/1 queue:3/1"},
			{ended(seq, Entry{1, 1}), "queued 3/1; running 2/1; orders begin:2/1 queue:3/1"},
			{ended(seq, Entry{1, 1}), "queued 3/1; running 2/1; orders begin:2/1 queue:3/1"},
		},
		"a restart of an older instance overtakes the queue": {
			{arrive(seq, start("a"), start("b")), "queued 2/1; running 1/1; orders begin:1/1 queue:2/1"},
			{ended(seq, Entry{1, 1}), "queued; running 2/1; orders begin:2/1"},
			{arrive(seq, start("c"), Arrival{UUID: "r", Instance: 1, LatestRun: 1}), "queued 1/2 3/1; running 2/1; orders begin:2/1 queue:3/1 queue:1/2"},
			{ended(seq, Entry{2, 1}), "queued 3/1; running 1/2; orders queue:3/1 begin:1/2"},
		},
		"strict is blocked by a failure": {
			{Input{Now: 1, Strategy: strict, Blocked: true, Arrivals: []Arrival{start("a")}}, "queued 1/1; running; orders queue:1/1"},
			{Input{Now: 1, Strategy: strict}, "queued; running 1/1; orders begin:1/1"},
		},
		"parallel fills its slots": {
			{arrive(par2, start("a"), start("b"), start("c")), "queued 3/1; running 1/1 2/1; orders begin:1/1 begin:2/1 queue:3/1"},
			{ended(par2, Entry{2, 1}), "queued; running 1/1 3/1; orders begin:1/1 begin:3/1"},
		},
		"first only refuses the newcomer": {
			{arrive(first, start("a"), start("b")), "queued; running 1/1; orders begin:1/1 reject:2/1"},
			{ended(first, Entry{1, 1}), "queued; running; orders reject:2/1"},
			{arrive(first, start("c")), "queued; running 3/1; orders reject:2/1 begin:3/1"},
		},
		"last only replaces what waits and halts what runs": {
			{arrive(last, start("a")), "queued; running 1/1; orders begin:1/1"},
			{done(last, begin(1)), "queued; running 1/1; orders"},
			{arrive(last, start("b")), "queued 2/1; running 1/1; orders halt:1/1 queue:2/1"},
			{arrive(last, start("c")), "queued 3/1; running 1/1; orders halt:1/1 drop:2/1 queue:3/1"},
			{ended(last, Entry{1, 1}), "queued 3/1; running; orders drop:2/1 queue:3/1"}, // held
			{arrive(last, start("d")), "queued 4/1; running; orders drop:2/1 drop:3/1 queue:4/1"},
			{Input{Now: 2000, Strategy: last}, "queued 4/1; running; orders drop:2/1 drop:3/1 queue:4/1"},
			{Input{Now: 2001, Strategy: last}, "queued; running 4/1; orders drop:2/1 drop:3/1 begin:4/1"},
			{Input{Now: 2002, Strategy: last, Ended: []Entry{{4, 1}}}, "queued; running; orders drop:2/1 drop:3/1"},
			{Input{Now: 2003, Strategy: last, Arrivals: []Arrival{start("e")}}, "queued; running 5/1; orders drop:2/1 drop:3/1 begin:5/1"}, // nothing runs: not held
		},
		"last only refuses a start beside two that run": {
			{arrive(par2, start("a"), start("b")), "queued; running 1/1 2/1; orders begin:1/1 begin:2/1"},
			{arrive(last, start("c")), "queued; running 1/1 2/1; orders begin:1/1 begin:2/1"},
		},
		"another strategy does not know the hold": {
			{arrive(last, start("a")), "queued; running 1/1; orders begin:1/1"},
			{arrive(last, start("b")), "queued 2/1; running 1/1; orders halt:1/1 queue:2/1"},
			{ended(seq, Entry{1, 1}), "queued; running 2/1; orders begin:2/1"},
		},
		"serial latest only keeps the newest waiting": {
			{arrive(serial, start("a")), "queued; running 1/1; orders begin:1/1"},
			{arrive(serial, start("b")), "queued 2/1; running 1/1; orders begin:1/1 queue:2/1"},
			{arrive(serial, start("c")), "queued 3/1; running 1/1; orders begin:1/1 supersede:2/1 queue:3/1"},
		},
		"a failed start is kept and never queued": {
			{arrive(seq, Arrival{UUID: "a", Failed: true}), "queued; running; orders fail:1/1"},
		},
		"cancel all ends the queue, not what runs": {
			{arrive(seq, start("a"), start("b"), start("c")), "queued 2/1 3/1; running 1/1; orders begin:1/1 queue:2/1 queue:3/1"},
			{Input{Now: 1, Strategy: seq, CancelAll: true, User: "ana"}, "queued; running 1/1; orders begin:1/1 cancel:2/1 cancel:3/1"},
		},
		"a deleting lane refuses starts": {
			{Input{Now: 1, Strategy: seq, Delete: true}, "queued; running; orders"},
			{arrive(seq, start("a")), "queued; running; orders"},
			{Input{Now: 1, Strategy: seq, Revive: true, Arrivals: []Arrival{start("b")}}, "queued; running 1/1; orders begin:1/1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := &Lane{}
			for i, m := range moves {
				Decide(l, m.in)
				if got := show(l); got != m.want {
					t.Fatalf("move %d:\n got %s\nwant %s", i, got, m.want)
				}
			}
		})
	}
}

// TestLaneInvariants checks, over random moves under random strategies: numbers are dense and unique, no more runs
// than the concurrency are begun by a decision, nothing is in two lists, and every run listed is ordered until done.
func TestLaneInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &Lane{}
		numbered := map[Entry]bool{}
		now := int64(1_000)
		for range rapid.IntRange(1, 60).Draw(t, "moves") {
			now += rapid.Int64Range(0, 20_000).Draw(t, "pause")
			in := Input{Now: now, Strategy: Strategy{Rule: Rule(rapid.IntRange(0, 5).Draw(t, "rule")), Concurrency: rapid.IntRange(1, 4).Draw(t, "concurrency")}}
			switch rapid.IntRange(0, 3).Draw(t, "move") {
			case 0:
				for range rapid.IntRange(1, 4).Draw(t, "arrivals") {
					in.Arrivals = append(in.Arrivals, Arrival{UUID: "u", Failed: rapid.IntRange(0, 9).Draw(t, "failed") == 0})
				}
			case 1:
				if l.Running.Len() > 0 {
					in.Ended = []Entry{rapid.SampledFrom(l.Running.All()).Draw(t, "ended")}
				}
			case 2:
				if len(l.Orders) > 0 {
					in.Done = []Order{rapid.SampledFrom(l.Orders).Draw(t, "done")}
				}
			case 3:
				in.CancelAll = rapid.IntRange(0, 5).Draw(t, "cancel") == 0
			}
			before, latest := l.Running.Len()-len(in.Ended), l.Latest
			out := Decide(l, in)
			fresh := 0
			for _, r := range out.Results {
				if r.Err != nil {
					continue
				}
				fresh++
				if numbered[r.Entry] || r.Instance != latest+int64(fresh) {
					t.Fatalf("number %v is not the next after %d", r.Entry, latest+int64(fresh)-1)
				}
				numbered[r.Entry] = true
			}
			limit := in.Strategy.Concurrency
			if in.Strategy.Rule != Parallel {
				limit = 1
			}
			if l.Running.Len() > max(limit, before) {
				t.Fatalf("%d run under %v, %d before", l.Running.Len(), in.Strategy, before)
			}
			for _, q := range l.Queued.All() {
				if l.Running.Has(q) {
					t.Fatalf("%v waits and runs", q)
				}
			}
			if l.Busy() && l.Due == 0 {
				t.Fatal("a busy lane has no due time: a crash would lose it")
			}
			back, err := Decode(l.Encode())
			if err != nil || show(back) != show(l) || back.Hold != l.Hold || !reflect.DeepEqual(back.Orders, append([]Order(nil), l.Orders...)) {
				t.Fatalf("decode(encode(%s)) = %s, %v", show(l), show(back), err)
			}
		}
	})
}

func TestDecodeCorrupt(t *testing.T) {
	l := &Lane{
		Latest: 7, Queued: SetOf(Entry{6, 1}), Running: SetOf(Entry{5, 1}), Taken: 3, Recent: []Pointer{{4, 99}}, Crowd: 1,
		Orders: []Order{{Entry: Entry{6, 1}, Target: Queue, UUID: "u"}},
	}
	data := l.Encode()
	for n := 1; n < len(data); n++ {
		if _, err := Decode(data[:n]); err == nil {
			t.Errorf("a lane cut after %d of %d bytes was read without error", n, len(data))
		}
	}
	if _, err := Decode([]byte{99, 0}); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("format 99: %v", err)
	}
}

// TestDecodeOlder reads lanes as formats 1 and 2 stored them: lists in place of spans, Hold from 2 on.
func TestDecodeOlder(t *testing.T) {
	for stored := byte(1); stored <= 2; stored++ {
		var w pack.Writer
		w.Format(stored)
		w.Int(9) // latest
		w.Bool(false)
		w.Int(5) // since
		w.Int(15_000)
		for _, list := range [][]Entry{{{6, 1}, {7, 1}, {9, 1}}, {{4, 2}}} {
			w.Uint(uint64(len(list)))
			var prev int64
			for _, e := range list {
				w.Int(e.Instance - prev)
				w.Int(e.Run)
				prev = e.Instance
			}
		}
		w.Uint(1)
		w.Int(9)
		w.Int(1)
		w.Uint(uint64(Queue))
		w.Str("u")
		w.Int(0)
		w.Bool(true)
		w.Str("ana")
		w.Str("why")
		want := &Lane{
			Latest: 9, Since: 5, Due: 15_000, Queued: SetOf(Entry{6, 1}, Entry{7, 1}, Entry{9, 1}), Running: SetOf(Entry{4, 2}),
			Orders: []Order{{Entry: Entry{9, 1}, Target: Queue, UUID: "u", Kill: true, User: "ana", Reason: "why", Given: true}},
		}
		if stored == 2 {
			w.Int(77)
			want.Hold = 77
		}
		if got, err := Decode(w.Buf); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("format %d: %+v, %v; want %+v", stored, got, err, want)
		}
	}
}

// TestLaneSize shows what the spans and groups are for: the item stays below a KiB where runs crowd.
func TestLaneSize(t *testing.T) {
	l := &Lane{}
	var as []Arrival
	for i := range 10_000 {
		as = append(as, Arrival{UUID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", i)})
	}
	Decide(l, Input{Now: 1, Strategy: Strategy{Parallel, 100}, Arrivals: as})
	Decide(l, Input{Now: 1, Strategy: Strategy{Parallel, 100}})
	orders := len(l.Orders)
	if orders != 10_000 {
		t.Fatalf("%d orders, want one for each start", orders)
	}
	if n := len(l.Encode()); n > 17*orders {
		t.Errorf("%d bytes for %d orders about new starts", n, orders)
	}
	Decide(l, Input{Now: 1, Strategy: Strategy{Parallel, 100}, Done: append([]Order(nil), l.Orders...)})
	if n := len(l.Encode()); n > 40 {
		t.Errorf("%d bytes for a queue of %d and %d that run", n, l.Queued.Len(), l.Running.Len())
	}
	Decide(l, Input{Now: 1, Strategy: Strategy{Parallel, 100}, CancelAll: true, User: "ana", Reason: "enough"})
	if n := len(l.Encode()); n > 80 || len(l.Orders) != 9_900 {
		t.Errorf("%d bytes for %d orders to cancel", n, len(l.Orders))
	}
}

// TestSet compares a set with a sorted list, its naive twin.
func TestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		twin := map[Entry]bool{}
		for range rapid.IntRange(1, 80).Draw(t, "moves") {
			e := Entry{rapid.Int64Range(1, 12).Draw(t, "instance"), rapid.Int64Range(1, 3).Draw(t, "run")}
			if rapid.IntRange(0, 2).Draw(t, "add") > 0 {
				s.Add(e)
				twin[e] = true
			} else if s.Remove(e) != twin[e] {
				t.Fatalf("removing %v tells %v", e, !twin[e])
			} else {
				delete(twin, e)
			}
			var want []Entry
			for i := int64(1); i <= 12; i++ {
				found := false
				for r := int64(1); r <= 3; r++ {
					if twin[Entry{i, r}] {
						want = append(want, Entry{i, r})
						found = true
					}
				}
				if _, ok := s.OfInstance(i); ok != found {
					t.Fatalf("%v has a run of instance %d: %v", want, i, ok)
				}
			}
			if got := s.All(); s.Len() != len(want) || !slices.Equal(got, want) {
				t.Fatalf("set is %v, want %v", got, want)
			}
			for i := 1; i < len(s.spans); i++ {
				if a, b := s.spans[i-1], s.spans[i]; a.run == b.run && a.last+1 == b.first {
					t.Fatalf("neighbours %v and %v could be one span", a, b)
				}
			}
			var w pack.Writer
			w.Format(1)
			s.encode(&w)
			r, _, err := pack.NewReader(w.Buf, 1)
			if err != nil {
				t.Fatal(err)
			}
			back, err := decodeSet(r, 12)
			if err != nil || r.Err() != nil || !slices.Equal(back.All(), want) {
				t.Fatalf("decoded %v, %v; want %v", back.All(), err, want)
			}
		}
	})
}

// TestTake: over random moves a pointer is taken at most once, and never after the lane has closed its revision.
func TestTake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &Lane{}
		inbox := map[Pointer]bool{} // true: taken
		for rev := int64(1); rev < 40; rev++ {
			for range rapid.IntRange(0, 4).Draw(t, "left") {
				inbox[Pointer{Rev: max(1, rev-rapid.Int64Range(0, 2*Window).Draw(t, "late")), Hash: uint64(len(inbox) + 1)}] = false
			}
			if rapid.Bool().Draw(t, "plain") {
				continue
			}
			var open []Pointer
			for p := range inbox {
				if !l.HasTaken(p) {
					open = append(open, p)
				}
			}
			slices.SortFunc(open, func(p, q Pointer) int { return cmp.Or(cmp.Compare(p.Rev, q.Rev), cmp.Compare(p.Hash, q.Hash)) })
			n := rapid.IntRange(0, len(open)).Draw(t, "taken")
			left := int64(0)
			if n < len(open) {
				left = open[n].Rev
			}
			for _, p := range open[:n] {
				if inbox[p] {
					t.Fatalf("pointer %v is taken twice", p)
				}
				inbox[p] = true
			}
			l.Take(rev, slices.Clone(open[:n]), left)
			for _, p := range open[n:] {
				if l.HasTaken(p) && p.Rev > rev-Window {
					t.Fatalf("pointer %v of a newer revision was left and is not to be taken, taken up to %d", p, l.Taken)
				}
			}
			back, err := Decode(l.Encode())
			if err != nil || back.Taken != l.Taken || !slices.Equal(back.Recent, l.Recent) || back.Crowd != l.Crowd {
				t.Fatalf("decoded %+v, %v; want %+v", back, err, l)
			}
		}
	})
}
