package permit

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/pack"
)

func TestHeadOf(t *testing.T) {
	for tag, want := range map[string]string{
		"io":                               "tag#io",
		"a:b:c":                            "tag#a:b:c",
		"maestro_demo.daily":               "wf#demo.daily",
		"maestro_demo.daily:hello":         "wf#demo.daily",
		"maestro_maestro_foreach_Ab_x1_:s": "wf#maestro_foreach_Ab_x1_",
		"maestro_demo.daily:18:1":          "corr#demo.daily:18:1",
		"maestro_":                         "wf#",
		"my maestro_demo":                  "tag#my maestro_demo",
	} {
		if got := HeadOf(tag); got != want {
			t.Errorf("HeadOf(%q) = %q, want %q", tag, got, want)
		}
	}
}

func TestDerived(t *testing.T) {
	n := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		leaf        bool
		inst, steps *int64
		want        []Tag
	}{
		"nothing set":             {true, nil, nil, []Tag{{"maestro_w", 20}, {"maestro_w:s", 20}}},
		"nothing set, a loop":     {false, nil, nil, []Tag{{"maestro_w", 20}, {"maestro_w:s", 20}}},
		"step concurrency":        {true, nil, n(7), []Tag{{"maestro_w", 7}, {"maestro_w:s", 20}}},
		"instance, a leaf":        {true, n(3), nil, []Tag{{"maestro_w:1:1", 3}}},
		"instance, a loop":        {false, n(3), nil, nil},
		"both, a leaf":            {true, n(3), n(7), []Tag{{"maestro_w", 7}, {"maestro_w:1:1", 3}}},
		"both, a loop":            {false, n(3), n(7), []Tag{{"maestro_w", 7}}},
		"a negative setting is 0": {true, n(-3), n(-1), []Tag{{"maestro_w", 0}, {"maestro_w:1:1", 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Derived(Step{WorkflowID: "w", StepID: "s", CorrelationID: "w:1:1", Leaf: c.leaf, InstanceStepConcurrency: c.inst, StepConcurrency: c.steps})
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("tags: %v, want %v", got, c.want)
			}
		})
	}
}

// world is a set of heads with short calls on it.
type world struct {
	t     *testing.T
	heads Heads
	now   int64
	// fenced is that of the requests.
	fenced bool
}

func newWorld(t *testing.T, names ...string) *world {
	w := &world{t: t, heads: Heads{}, now: 1_700_000_000_000}
	for _, n := range names {
		w.heads[n] = &Head{}
	}
	return w
}

// reload stores and reads every head, as the shell does between two calls.
func (w *world) reload() {
	w.t.Helper()
	for name, h := range w.heads {
		data := h.Encode()
		got, err := Decode(data)
		if err != nil {
			w.t.Fatalf("head %s: %v", name, err)
		}
		if again := got.Encode(); !slices.Equal(again, data) {
			w.t.Fatalf("head %s: stored twice it differs: %x, %x", name, data, again)
		}
		w.heads[name] = got
	}
}

func (w *world) limit(tag string, n int64) []string {
	w.t.Helper()
	w.reload()
	poke, err := w.heads[HeadOf(tag)].SetLimit(LimitRequest{Tag: tag, MaxAllowed: n}, "ann", w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return poke
}

// ask requests permits for attempt u<n> of run r<n>, which began to wait at time n.
func (w *world) ask(n int64, tags ...Tag) (Outcome, []string) {
	w.t.Helper()
	w.reload()
	out, poke, err := Acquire(w.heads, []Request{{UUID: fmt.Sprint("u", n), Run: fmt.Sprint("r", n), Tags: tags, Since: n, Fenced: w.fenced}}, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return out[0], poke
}

func (w *world) want(n int64, want Outcome, tags ...Tag) {
	w.t.Helper()
	if got, _ := w.ask(n, tags...); got != want {
		w.t.Fatalf("request %d: %s, want %s", n, got, want)
	}
}

func (w *world) release(n ...int64) []string {
	w.reload()
	var uuids []string
	for _, n := range n {
		uuids = append(uuids, fmt.Sprint("u", n))
	}
	return Release(w.heads, uuids, w.now)
}

// releaseApart releases in each head by itself, as who has only one of them at hand does.
func (w *world) releaseApart(n int64) []string {
	w.t.Helper()
	w.reload()
	var poke []string
	for _, name := range slices.Sorted(maps.Keys(w.heads)) {
		poke = append(poke, Release(Heads{name: w.heads[name]}, []string{fmt.Sprint("u", n)}, w.now)...)
	}
	return poke
}

func (w *world) poked(got []string, want ...string) {
	w.t.Helper()
	if !slices.Equal(got, want) {
		w.t.Fatalf("poked %v, want %v", got, want)
	}
}

// queue shows the waiters of a head.
func (w *world) queue(head string) string {
	var out []string
	for _, e := range w.heads[head].Waiters {
		s := e.UUID
		if e.Reserved > 0 {
			s += "!"
		}
		if e.Missed {
			s += "?"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func io() Tag              { return Tag{"io", NoLimit} }
func wf(limit int64) Tag   { return Tag{"maestro_w", limit} }
func step(limit int64) Tag { return Tag{"maestro_w:s", limit} }

func TestWithoutALimitNothingIsWritten(t *testing.T) {
	w := newWorld(t, "tag#io")
	w.want(1, Granted, io())
	if h := w.heads["tag#io"]; h.Changed() || !h.Empty() {
		t.Errorf("head changed: %+v", h)
	}
}

func TestLimitZeroBlocksAndRaisingItFrees(t *testing.T) {
	w := newWorld(t, "tag#io")
	w.limit("io", 0)
	w.want(1, Waiting, io())
	w.want(2, Waiting, io())
	w.poked(w.limit("io", 1), "r1")
	w.want(1, Granted, io())
	w.want(2, Waiting, io())
	w.poked(w.release(1), "r2")
}

func TestDeletingALimitLetsAllWaitersGo(t *testing.T) {
	w := newWorld(t, "tag#io")
	w.limit("io", 0)
	w.want(1, Waiting, io())
	w.want(2, Waiting, io())
	w.poked(w.heads["tag#io"].DeleteLimit("io", w.now), "r1", "r2")
	if h := w.heads["tag#io"]; !h.Empty() {
		t.Errorf("left behind: %+v", h)
	}
	w.want(1, Granted, io())
}

func TestTheLimitOfTheAPIOverridesTheOneATagBrings(t *testing.T) {
	w := newWorld(t, "wf#w")
	w.limit("maestro_w", 1)
	w.want(1, Granted, wf(20), step(20))
	w.want(2, Waiting, wf(20), step(20))
	w.poked(w.limit("maestro_w", 3), "r2")
	w.want(3, Granted, wf(20), step(20))
	w.want(4, Waiting, wf(20), step(20))
}

func TestNoHeadOfLineBlocking(t *testing.T) {
	w := newWorld(t, "wf#w")
	other := Tag{"maestro_w:other", 1}
	w.want(1, Granted, wf(3), step(1))
	w.want(2, Waiting, wf(3), step(1))
	w.want(3, Granted, wf(3), other)
	w.want(4, Waiting, wf(3), other)
	w.poked(w.release(3), "r4")
}

func TestTheQueueIsInTheOrderOfTheWait(t *testing.T) {
	w := newWorld(t, "wf#w")
	w.want(1, Granted, wf(1))
	for _, n := range []int64{30, 10, 20} {
		w.want(n, Waiting, wf(1))
	}
	if got := w.queue("wf#w"); got != "u10 u20 u30" {
		t.Errorf("queue: %s", got)
	}
	w.poked(w.release(1), "r10")
	w.want(10, Granted, wf(1))
	w.poked(w.release(10, 20), "r30")
}

func TestRequestsOfOneCallAreServedInOrder(t *testing.T) {
	w := newWorld(t, "wf#w")
	requests := []Request{
		{UUID: "c", Run: "r", Since: 2, Tags: []Tag{wf(2)}},
		{UUID: "a", Run: "r", Since: 1, Tags: []Tag{wf(2)}},
		{UUID: "d", Run: "r", Since: 2, Tags: []Tag{wf(2)}},
		{UUID: "b", Run: "r", Since: 1, Tags: []Tag{wf(2)}},
	}
	got, _, err := Acquire(w.heads, requests, w.now)
	if want := []Outcome{Waiting, Granted, Waiting, Granted}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("outcomes %v, error %v, want %v", got, err, want)
	}
	if q := w.queue("wf#w"); q != "c d" {
		t.Errorf("queue: %s", q)
	}
}

func TestAcquireIsIdempotent(t *testing.T) {
	w := newWorld(t, "wf#w", "tag#io")
	w.limit("io", 1)
	for range 3 {
		w.want(1, Granted, wf(1), io())
		w.want(2, Waiting, wf(1), io())
		w.want(3, Waiting, wf(1), io())
	}
	w.reload()
	w.want(3, Waiting, wf(1), io())
	w.want(1, Granted, wf(1), io())
	for name, h := range w.heads {
		if h.Changed() {
			t.Errorf("head %s changed by a repetition", name)
		}
		if len(h.Holders) != 1 {
			t.Errorf("head %s: holders %v", name, h.Holders)
		}
	}
	if a, b := w.queue("wf#w"), w.queue("tag#io"); a != "u2 u3" || b != "u2 u3" {
		t.Errorf("queues: %s; %s", a, b)
	}
}

func TestNeverAPartialHolding(t *testing.T) {
	w := newWorld(t, "wf#w", "tag#io")
	w.limit("io", 0)
	w.want(1, Waiting, wf(1), io())
	if len(w.heads["wf#w"].Holders) != 0 {
		t.Fatalf("holds the workflow's permit while it waits for io")
	}
	if q := w.queue("wf#w"); q != "" {
		t.Errorf("waits in a head that did not refuse it: %s", q)
	}
	w.want(2, Granted, wf(1))
}

// TestALimitSetBetweenTwoTries: whether the attempt has begun with what it holds only its run knows. As long as it does not
// say, nothing is taken away.
func TestALimitSetBetweenTwoTries(t *testing.T) {
	w := newWorld(t, "wf#w", "tag#io")
	w.want(1, Granted, wf(1), io())
	w.want(2, Waiting, wf(1))
	w.limit("io", 0)
	got, poke := w.ask(1, wf(1), io())
	if got != Doubtful || len(w.heads["wf#w"].Holders) != 1 || w.heads["wf#w"].Holders[0].UUID != "u1" {
		t.Fatalf("%s, holders %v", got, w.heads["wf#w"].Holders)
	}
	if q := w.queue("tag#io"); q != "" {
		t.Errorf("waits for the tag that got the limit: %s", q)
	}
	w.poked(poke)
	w.fenced = true
	got, poke = w.ask(1, wf(1), io())
	if got != Waiting || len(w.heads["wf#w"].Holders) != 1 || w.heads["wf#w"].Holders[0].UUID != "u2" {
		t.Fatalf("%s, holders %v", got, w.heads["wf#w"].Holders)
	}
	w.poked(poke, "r2")
}

// TestWhoLeavesAQueueIsServedFirst: who is granted leaves the queue of a tag that has no limit any more; the next there is
// not granted what is taken by the same call.
func TestWhoLeavesAQueueIsServedFirst(t *testing.T) {
	w := newWorld(t, "wf#w", "tag#io")
	w.limit("io", 0)
	w.want(1, Waiting, wf(1), io())
	w.want(2, Waiting, wf(1), io())
	w.heads["tag#io"].DeleteLimit("io", w.now)
	w.now += ReserveMillis
	w.heads["tag#io"].Settle(w.now)
	w.want(1, Granted, wf(1), io())
	if h := w.heads["wf#w"].Holders; len(h) != 1 || h[0].UUID != "u1" {
		t.Fatalf("holders %v", h)
	}
	w.want(2, Waiting, wf(1), io())
}

func TestWaitersOfSeveralHeadsArePokedInTurn(t *testing.T) {
	w := newWorld(t, "wf#w", "tag#io")
	w.limit("io", 1)
	w.want(1, Granted, wf(9), io())
	w.want(2, Waiting, wf(9), io())
	w.want(3, Waiting, wf(9), io())
	w.poked(w.releaseApart(1), "r2") // reserved, not granted: it needs the workflow's permit too, which is not at hand
	if len(w.heads["tag#io"].Holders) != 0 {
		t.Fatal("granted in one head only")
	}
	w.want(4, Waiting, wf(9), io()) // later ones do not overtake the poked one
	w.want(3, Waiting, wf(9), io())
	w.want(2, Granted, wf(9), io())
	w.poked(w.releaseApart(2), "r3")

	// The poked one does not come: its turn passes, and its place stays.
	if due := w.heads["tag#io"].Due(); due != w.now+ReserveMillis {
		t.Fatalf("due in %d ms", due-w.now)
	}
	w.now += ReserveMillis
	w.reload()
	w.poked(w.heads["tag#io"].Settle(w.now), "r4")
	if q := w.queue("tag#io"); q != "u3? u4!" {
		t.Fatalf("queue: %s", q)
	}
	w.want(4, Granted, wf(9), io())
	w.want(3, Waiting, wf(9), io())
	w.poked(w.releaseApart(4), "r3")
	w.want(3, Granted, wf(9), io())
}

func TestAReservationIsGivenUpWhenAnotherHeadRefuses(t *testing.T) {
	w := newWorld(t, "wf#w", "wf#v", "tag#io")
	v := Tag{"maestro_v", 1}
	w.limit("io", 1)
	w.want(1, Granted, v, io())
	w.want(2, Waiting, wf(1), io())
	w.want(3, Granted, wf(1))
	w.want(4, Waiting, v, io())
	w.poked(w.releaseApart(1), "r2", "r4") // 2 has io reserved, 4 the permit of v
	// 2 comes, and its workflow is full now: it waits there alone, and the next one, of which all is at hand, gets its own.
	got, poke := w.ask(2, wf(1), io())
	if got != Waiting {
		t.Fatal(got)
	}
	w.poked(poke, "r4")
	if a, b := w.queue("wf#w"), w.queue("tag#io"); a != "u2" || b != "" {
		t.Fatalf("queues: %q, %q", a, b)
	}
	w.want(4, Granted, v, io())
}

func TestReleaseIsIdempotentAndEndsWaiting(t *testing.T) {
	w := newWorld(t, "wf#w")
	w.want(1, Granted, wf(1))
	w.want(2, Waiting, wf(1))
	w.want(3, Waiting, wf(1))
	w.poked(w.release(2))
	w.poked(w.release(1), "r3")
	w.poked(w.release(1, 2))
	w.reload()
	w.release(1, 2)
	if w.heads["wf#w"].Changed() {
		t.Error("a repeated release changed the head")
	}
	w.release(3)
	if !w.heads["wf#w"].Empty() {
		t.Errorf("left behind: %+v", w.heads["wf#w"])
	}
}

func TestLoweringALimitTakesNothingAway(t *testing.T) {
	w := newWorld(t, "tag#io")
	w.limit("io", 2)
	w.want(1, Granted, io())
	w.want(2, Granted, io())
	w.limit("io", 1)
	w.want(2, Granted, io())
	w.want(3, Waiting, io())
	w.poked(w.release(1))
	w.poked(w.release(2), "r3")
}

func TestBlocked(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(w *world)
		tags []Tag
		want bool
	}{
		"empty":                 {func(*world) {}, []Tag{wf(20), step(20), io()}, false},
		"limit 0":               {func(*world) {}, []Tag{wf(0)}, true},
		"limit 0, head missing": {func(*world) {}, []Tag{{"maestro_x", 0}}, true},
		"head missing":          {func(*world) {}, []Tag{{"maestro_x", 1}}, false},
		"limit 0 by the API":    {func(w *world) { w.limit("io", 0) }, []Tag{wf(20), io()}, true},
		"room left":             {func(w *world) { w.ask(1, wf(2)) }, []Tag{wf(2)}, false},
		"at the limit":          {func(w *world) { w.ask(1, wf(1)) }, []Tag{wf(1)}, true},
		"somebody waits":        {func(w *world) { w.ask(1, wf(1)); w.ask(2, wf(1)) }, []Tag{wf(5)}, true},
		"they wait for another": {func(w *world) { w.ask(1, step(1)); w.ask(2, step(1)) }, []Tag{wf(5)}, false},
		"raised by the API":     {func(w *world) { w.ask(1, wf(1)); w.limit("maestro_w", 2) }, []Tag{wf(1)}, false},
		"a tag without a limit": {func(w *world) { w.ask(1, wf(1)) }, []Tag{{"maestro_w", NoLimit}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "wf#w", "tag#io")
			c.do(w)
			if got := Blocked(w.heads, c.tags); got != c.want {
				t.Errorf("blocked: %v, want %v", got, c.want)
			}
		})
	}
}

func TestAcquireNeedsItsHeads(t *testing.T) {
	w := newWorld(t, "wf#w")
	_, _, err := Acquire(w.heads, []Request{{UUID: "a", Tags: []Tag{wf(1)}}, {UUID: "b", Tags: []Tag{wf(1), io()}}}, 1)
	if err == nil || !strings.Contains(err.Error(), "tag#io") {
		t.Fatalf("error: %v", err)
	}
	if h := w.heads["wf#w"]; h.Changed() || !h.Empty() {
		t.Errorf("changed all the same: %+v", h)
	}
}

func TestVerifyFreesOnlyWhatIsNotLive(t *testing.T) {
	w := newWorld(t, "wf#w")
	for n := int64(1); n <= 4; n++ {
		w.want(n, Granted, wf(4))
	}
	w.want(5, Waiting, wf(4))
	w.want(6, Waiting, wf(4))
	w.now += LeaseMillis - 1
	h := w.heads["wf#w"]
	if got := h.Leases(LeasedBefore(w.now), 9); len(got) != 0 {
		t.Fatalf("leases too early: %v", got)
	}
	w.now++
	if h.Due() != w.now {
		t.Fatalf("due in %d ms", h.Due()-w.now)
	}
	if got := h.Leases(LeasedBefore(w.now), 2); !slices.Equal(got, []string{"r1", "r2"}) {
		t.Fatalf("the two first leases: %v", got)
	}
	if got := h.Leases(LeasedBefore(w.now), 9); len(got) != 6 {
		t.Fatalf("leases: %v", got)
	}
	live := func(run string) (map[string]bool, bool) {
		switch run {
		case "r1":
			return map[string]bool{"u1": true}, true
		case "r2":
			return map[string]bool{"another": true}, true // the attempt has ended
		case "r3":
			return nil, true // the run does not exist
		case "r4":
			return nil, false // not read
		case "r5":
			return nil, true // a waiter that was forgotten
		}
		return map[string]bool{"u6": true}, true
	}
	w.poked(h.Verify(w.now, LeasedBefore(w.now), live), "r6")
	var left []string
	for _, e := range h.Holders {
		left = append(left, e.UUID)
	}
	if !slices.Equal(left, []string{"u1", "u4", "u6"}) || w.queue("wf#w") != "" {
		t.Fatalf("holders %v, queue %s", left, w.queue("wf#w"))
	}
	if got := h.Due(); got != 0 {
		t.Errorf("with nobody waiting, due in %d ms", got-w.now)
	}
	w.want(7, Waiting, wf(3))
	if got := w.heads["wf#w"].Due(); got != w.now { // u4, whose run was not read, is overdue
		t.Errorf("with a waiter, due in %d ms", got-w.now)
	}
}

func TestVerifyLeavesYoungHoldersAlone(t *testing.T) {
	// P30: the permit may be taken before the decision that took it is committed.
	w := newWorld(t, "wf#w")
	w.want(1, Granted, wf(1))
	w.now += LeaseMillis - 1
	w.want(2, Waiting, wf(1))
	none := func(string) (map[string]bool, bool) { return nil, true }
	w.poked(w.heads["wf#w"].Verify(w.now, LeasedBefore(w.now), none))
	w.now++
	w.poked(w.heads["wf#w"].Verify(w.now, LeasedBefore(w.now), none), "r2")
}

func TestNothingIsDueWhileNobodyWaits(t *testing.T) {
	w := newWorld(t, "wf#w")
	w.want(1, Granted, wf(1))
	if due := w.heads["wf#w"].Due(); due != 0 {
		t.Errorf("with a holder alone: due %d", due)
	}

	if due := (&Head{}).Due(); due != 0 {
		t.Errorf("due %d", due)
	}
	h := &Head{Limits: []Limit{{Tag: "io"}}}
	if due := h.Due(); due != 0 {
		t.Errorf("with a limit alone: due %d", due)
	}
}

func uuid(i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", i*2654435761&0xffffffff, i) }

func TestHeadSizes(t *testing.T) {
	const itemLimit = 400 << 10 // DynamoDB's, names of attributes included
	long := func(prefix string, i int) string {
		s := fmt.Sprint(prefix, i)
		return s + strings.Repeat("x", 128-len(s))
	}
	for name, c := range map[string]struct {
		requests int
		request  func(i int) Request
		limit    int64
		max      int
	}{
		"20 of a workflow": {20, func(i int) Request {
			return Request{Run: "team.daily-report#" + fmt.Sprint(1000+i/5) + "#1", Tags: []Tag{{"maestro_team.daily-report", 20}, {fmt.Sprint("maestro_team.daily-report:step-", i%7), 20}}}
		}, -1, 1 << 10},
		"1000 of a workflow": {1000, func(i int) Request {
			return Request{Run: "team.daily-report#" + fmt.Sprint(1000+i/5) + "#1", Tags: []Tag{{"maestro_team.daily-report", 1000}, {fmt.Sprint("maestro_team.daily-report:step-", i%300), 20}}}
		}, -1, 32 << 10},
		"more than fit, the longest names": {20000, func(i int) Request {
			w := long("w", i)
			return Request{Run: long("r", i) + "#123456789#1", Tags: []Tag{{"io", NoLimit}, {"maestro_" + w, 20}}}
		}, 1 << 30, itemLimit - 64<<10},
		"more than fit, the longest steps": {20000, func(i int) Request {
			return Request{Run: long("r", 0) + fmt.Sprint("#", i, "#1"), Tags: []Tag{{"maestro_w", 1 << 30}, {"maestro_w:" + long("s", i), 20}}}
		}, -1, itemLimit - 64<<10},
		"more wait than fit": {20000, func(i int) Request {
			return Request{Run: long("r", i) + "#123456789#1", Tags: []Tag{{"io", NoLimit}}}
		}, 0, itemLimit - 64<<10},
	} {
		t.Run(name, func(t *testing.T) {
			heads := Heads{"wf#team.daily-report": {}, "wf#w": {}, "tag#io": {}}
			if c.limit >= 0 {
				if _, err := heads["tag#io"].SetLimit(LimitRequest{Tag: "io", MaxAllowed: c.limit}, "ann", 1); err != nil {
					t.Fatal(err)
				}
			}
			granted := 0
			for i := range c.requests {
				r := c.request(i)
				r.UUID, r.Since = uuid(i), 1_700_000_000_000+int64(i)*37
				for _, n := range HeadsOf(r.Tags) {
					if heads[n] == nil {
						heads[n] = &Head{}
					}
				}
				got, _, err := Acquire(heads, []Request{r}, r.Since)
				if err != nil {
					t.Fatal(err)
				}
				if got[0] == Granted {
					granted++
				}
			}
			biggest := 0
			for _, h := range heads {
				biggest = max(biggest, len(h.Encode()))
			}
			if biggest > c.max {
				t.Errorf("%d bytes with %d granted, want at most %d", biggest, granted, c.max)
			}
			t.Logf("%d bytes, %d of %d granted", biggest, granted, c.requests)
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	if _, err := Decode([]byte{headFormat + 1, 0}); !errors.Is(err, pack.ErrNewer) {
		t.Errorf("a newer format: %v", err)
	}
	w := newWorld(t, "wf#w", "tag#io")
	w.limit("io", 1)
	w.want(1, Granted, io(), wf(1))
	w.want(2, Waiting, io(), wf(1))
	for name, h := range w.heads {
		data := h.Encode()
		for n := 1; n < len(data); n++ {
			if _, err := Decode(data[:n]); err == nil {
				t.Errorf("head %s: read from %d of %d bytes", name, n, len(data))
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	h := &Head{Limits: []Limit{{Tag: "io", Max: 1, Extras: []Extra{{"a", []byte(`1`)}}, Changes: []Change{{5, "ann", 1}}}},
		Holders: []Holder{{uuid(1), "r#1", []string{"io"}, 7}}, Waiters: []Waiter{{UUID: "odd", Run: "r#2", Tags: []Tag{{"io", -1}}, Since: 8, Elsewhere: true, Others: []Tag{{"maestro_w", 3}}, Reserved: 9, Verified: 10}},
		Taken: []Pointer{{4, 77}}, Crowd: 2}
	f.Add(h.Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Decode(h.Encode())
		if err != nil || !reflect.DeepEqual(h, again) {
			t.Errorf("stored again: %+v, error %v, want %+v", again, err, h)
		}
	})
}

func TestSetLimitKeepsTheNewestChanges(t *testing.T) {
	w := newWorld(t, "tag#io")
	for i := range int64(40) {
		w.now++
		w.limit("io", i)
	}
	l, err := w.heads["tag#io"].LimitOf("io")
	if err != nil || len(l.Changes) != MaxChanges || l.Changes[0].Max != 8 || l.Changes[31].Max != 39 || l.Changes[31].Time != w.now {
		t.Fatalf("%d changes: %+v, error %v", len(l.Changes), l.Changes, err)
	}
	w.heads["tag#io"].DeleteLimit("io", w.now)
	if _, err := w.heads["tag#io"].LimitOf("io"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("deleted: %v", err)
	}
	w.limit("io", 5)
	if l, _ = w.heads["tag#io"].LimitOf("io"); len(l.Changes) != 1 {
		t.Errorf("set again after it was deleted: %+v", l.Changes)
	}
}

func TestSetLimitRefusesTooMuch(t *testing.T) {
	h := &Head{}
	big := []Extra{{"note", json.RawMessage(`"` + strings.Repeat("x", maxLimitWeight) + `"`)}}
	if _, err := h.SetLimit(LimitRequest{Tag: "io", Extras: big}, "ann", 1); fault.CodeOf(err) != fault.BadRequest || h.Changed() {
		t.Errorf("error %v, changed %v", err, h.Changed())
	}
	if _, err := h.SetLimit(LimitRequest{Tag: "io"}, strings.Repeat("é", 1000), 1); err != nil || len(h.Limits[0].Changes[0].User) > maxUser {
		t.Errorf("error %v, %d bytes of user", err, len(h.Limits[0].Changes[0].User))
	}
}

func TestLimitJSON(t *testing.T) {
	h := &Head{}
	r, err := ParseLimitRequest([]byte(`{"ticket":{"id": 7},"tag":"io","max_allowed":2,"source":"a<b","timeline":1,"none":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.SetLimit(r, "ann", 1735689600000); err != nil {
		t.Fatal(err)
	}
	h, err = Decode(h.Encode())
	if err != nil {
		t.Fatal(err)
	}
	l, err := h.LimitOf("io")
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.MarshalJSON()
	want := `{"tag":"io","max_allowed":2,"timeline":[{"timestamp":1735689600000,"type":"LOG","level":"INFO",` +
		`"message":"limit of tag [io] set to 2 by user [ann]"}],"ticket":{"id":7},"source":"a<b","none":null}`
	if err != nil || string(got) != want {
		t.Errorf("answer: %s, error %v\nwant %s", got, err, want)
	}
}

func TestParseLimitRequest(t *testing.T) {
	extras := func(pairs ...string) []Extra {
		var out []Extra
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, Extra{pairs[i], json.RawMessage(pairs[i+1])})
		}
		return out
	}
	for body, want := range map[string]*LimitRequest{
		`{"tag":"io","max_allowed":2}`:                          {"io", 2, nil},
		`{"tag":"io"}`:                                          {"io", 0, nil},
		`{"tag":"io","max_allowed":null}`:                       {"io", 0, nil},
		`{"tag":"io","max_allowed":"3"}`:                        {"io", 3, nil},
		`{"tag":"io","max_allowed":" 3 "}`:                      {"io", 3, nil},
		`{"tag":"io","max_allowed":""}`:                         {"io", 0, nil},
		`{"tag":"io","max_allowed":2.9}`:                        {"io", 2, nil},
		`{"tag":"io","max_allowed":1e3}`:                        {"io", 1000, nil},
		`{"tag":"io","max_allowed":2147483647}`:                 {"io", 2147483647, nil},
		`{"tag":"io","max_allowed":-0.5}`:                       {"io", 0, nil},
		`{"tag":7}`:                                             {"7", 0, nil},
		`{"tag":true}`:                                          {"true", 0, nil},
		`{"tag":"a","tag":"b","max_allowed":1,"max_allowed":2}`: {"b", 2, nil},
		`{"tag":"io"} and more`:                                 {"io", 0, nil},
		`{"tag":"io","b":1,"a":[1, 2],"b":null}`:                {"io", 0, extras("b", "null", "a", "[1,2]")},
		`{"a":1,"extra_info":{"x":1},"tag":"io","b":2}`:         {"io", 0, extras("x", "1", "b", "2")},
		`{"a":1,"extra_info":null,"tag":"io","b":2}`:            {"io", 0, extras("b", "2")},
		`{"tag":"io","extra_info":1}`:                           nil,
		`{"max_allowed":1}`:                                     nil,
		`{"tag":null,"max_allowed":1}`:                          nil,
		`{"tag":"  "}`:                                          nil,
		`{"tag":{}}`:                                            nil,
		`{"tag":["io"]}`:                                        nil,
		`{"tag":"io","max_allowed":-1}`:                         nil,
		`{"tag":"io","max_allowed":"few"}`:                      nil,
		`{"tag":"io","max_allowed":"1.5"}`:                      nil,
		`{"tag":"io","max_allowed":3000000000}`:                 nil,
		`{"tag":"io","max_allowed":1e300}`:                      nil,
		`{"tag":"io","max_allowed":true}`:                       nil,
		`{"tag":"io","max_allowed":[1]}`:                        nil,
		`{"tag":"` + strings.Repeat("x", maxTag+1) + `"}`:       nil,
		`{`:                  nil,
		`{"tag":"io"`:        nil,
		`{"tag":"io",}`:      nil,
		`null`:               nil,
		``:                   nil,
		` `:                  nil,
		`[]`:                 nil,
		`"io"`:               nil,
		"{\"tag\":\"\xff\"}": nil,
	} {
		got, err := ParseLimitRequest([]byte(body))
		if want == nil {
			if fault.CodeOf(err) != fault.BadRequest {
				t.Errorf("%s: read as %+v, error %v", body, got, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, *want) {
			t.Errorf("%s: read as %+v, error %v, want %+v", body, got, err, *want)
		}
	}
}

func TestParseLimitRequestNamesEveryViolation(t *testing.T) {
	_, err := ParseLimitRequest([]byte(`{"max_allowed":-1}`))
	if got := fault.Of(err); len(got.Errors) != 2 {
		t.Errorf("errors: %q", got.Errors)
	}
}

func TestInherits(t *testing.T) {
	wf := func(n int64) Tag { return Tag{"maestro_w", n} }
	k, next := Tag{"maestro_w:k", 20}, Tag{"maestro_w:next", 20}
	named := Tag{"maestro_w:named", NoLimit}
	for _, c := range []struct {
		name       string
		have, want []Tag
		prepare    func(h *Head)
		inherits   bool
	}{
		{"the workflow's limit is reached first", []Tag{wf(20), k}, []Tag{wf(20), next}, nil, true},
		{"the same tags", []Tag{wf(50), k}, []Tag{wf(50), k}, nil, true},
		{"a step's limit may be reached first", []Tag{wf(21), k}, []Tag{wf(21), next}, nil, false},
		{"an unlimited tag needs nothing", []Tag{wf(20)}, []Tag{wf(20), named}, nil, true},
		{"nothing in common", []Tag{k}, []Tag{next}, nil, false},
		{"somebody waits", []Tag{wf(1), k}, []Tag{wf(1), next}, func(h *Head) {
			h.wait(Waiter{UUID: "o", Run: "r2", Tags: []Tag{wf(1)}, Since: 1})
		}, false},
		{"somebody waits for the step's tag", []Tag{wf(20), k}, []Tag{wf(20), next}, func(h *Head) {
			h.wait(Waiter{UUID: "o", Run: "r2", Tags: []Tag{next}, Since: 1})
		}, false},
		{"the limit was lowered below what is used", []Tag{wf(20), k}, []Tag{wf(20), next}, func(h *Head) {
			h.hold(Holder{UUID: "o", Run: "r2", Tags: []string{"maestro_w"}})
			h.Limits = append(h.Limits, Limit{Tag: "maestro_w", Max: 1})
		}, false},
		{"the next step got a limit", []Tag{wf(20), k}, []Tag{wf(20), next}, func(h *Head) {
			h.Limits = append(h.Limits, Limit{Tag: "maestro_w:next", Max: 1})
		}, false},
		{"it holds nothing", []Tag{wf(20), k}, []Tag{wf(20), next}, func(h *Head) { h.dropHolder("k") }, false},
	} {
		h := &Head{}
		h.hold(Holder{UUID: "k", Run: "r", Tags: namesOf(c.have)})
		if c.prepare != nil {
			c.prepare(h)
		}
		h.changed = false
		if got := h.Inherits("k", c.have, c.want); got != c.inherits {
			t.Errorf("%s: %t", c.name, got)
		}
		if h.Changed() {
			t.Errorf("%s: the head was changed", c.name)
		}
	}
}
