package lane

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
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
	list("queued", l.Queued)
	list("running", l.Running)
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
				if len(l.Running) > 0 {
					in.Ended = []Entry{rapid.SampledFrom(l.Running).Draw(t, "ended")}
				}
			case 2:
				if len(l.Orders) > 0 {
					in.Done = []Order{rapid.SampledFrom(l.Orders).Draw(t, "done")}
				}
			case 3:
				in.CancelAll = rapid.IntRange(0, 5).Draw(t, "cancel") == 0
			}
			before, latest := len(l.Running)-len(in.Ended), l.Latest
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
			if len(l.Running) > max(limit, before) {
				t.Fatalf("%d run under %v, %d before", len(l.Running), in.Strategy, before)
			}
			for _, q := range l.Queued {
				if slices.Contains(l.Running, q) {
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
	l := &Lane{Latest: 7, Queued: []Entry{{6, 1}}, Running: []Entry{{5, 1}}, Orders: []Order{{Entry: Entry{6, 1}, Target: Queue, UUID: "u"}}}
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

// A lane stored before Hold was known is read as one that holds nothing.
func TestDecodeFormat1(t *testing.T) {
	l := &Lane{Latest: 7, Queued: []Entry{{6, 1}}, Running: []Entry{{5, 1}}, Hold: 0}
	data := l.Encode()
	old := append([]byte{1}, data[1:len(data)-1]...)
	back, err := Decode(old)
	if err != nil || !reflect.DeepEqual(back, l) {
		t.Errorf("Decode(format 1) = %+v, %v; want %+v", back, err, l)
	}
}
