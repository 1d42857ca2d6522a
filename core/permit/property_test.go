package permit

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"testing"

	"pgregory.net/rapid"
)

// model drives heads as a shell would, with attempts that come, ask again, go and die, and remembers what must be true.
type model struct {
	heads   Heads
	now     int64
	tags    [][]Tag          // what attempt i carries
	since   map[int]int64    // attempts that have asked and are not over
	granted map[int]bool     // of these, the ones that were told so
	limits  map[string]int64 // set by the API
	used    map[string]int64 // as counted after the last call
	names   map[int]string   // under which attempts hold that go on with the permit of another
	log     []string
}

var modelTags = []Tag{{"maestro_w", 3}, {"maestro_w:a", 2}, {"maestro_w:b", 1}, {"maestro_v", 1}, {"maestro_w:1:1", 2}, {"x", NoLimit}, {"y", NoLimit}}

func newModel(t *rapid.T) *model {
	m := &model{heads: Heads{}, now: 1000, since: map[int]int64{}, granted: map[int]bool{}, limits: map[string]int64{}, used: map[string]int64{}, names: map[int]string{}}
	for _, name := range HeadsOf(modelTags) {
		m.heads[name] = &Head{}
	}
	for range 12 {
		carried := rapid.SliceOfNDistinct(rapid.SampledFrom(modelTags), 1, 4, rapid.ID[Tag]).Draw(t, "tags")
		m.tags = append(m.tags, carried)
	}
	return m
}

func (m *model) uuid(i int) string { return fmt.Sprint("u", i) }

// held is the name under which attempt i holds its permit.
func (m *model) held(i int) string {
	if name, ok := m.names[i]; ok {
		return name
	}
	return m.uuid(i)
}

func (m *model) run(i int) string { return fmt.Sprint("r", i/3) }

func (m *model) limitOf(tag string) int64 {
	if n, ok := m.limits[tag]; ok {
		return n
	}
	for _, t := range modelTags {
		if t.Name == tag {
			return t.Limit
		}
	}
	return NoLimit
}

// stored puts every head through its stored form.
func (m *model) stored(t *rapid.T) {
	for name, h := range m.heads {
		got, err := Decode(h.Encode())
		if err != nil {
			t.Fatalf("head %s: %v", name, err)
		}
		want := *h
		want.changed, want.counts, want.holderWeight, want.waiterWeight = false, nil, 0, 0
		if !reflect.DeepEqual(*got, want) && !(got.Empty() && want.Empty()) {
			same := len(got.Limits) == len(want.Limits) && len(got.Holders) == len(want.Holders) && len(got.Waiters) == len(want.Waiters) &&
				slices.Equal(got.Encode(), want.Encode())
			if !same {
				t.Fatalf("head %s stored: %+v, want %+v", name, *got, want)
			}
		}
		m.heads[name] = got
	}
}

func (m *model) ask(t *rapid.T, attempts ...int) {
	var requests []Request
	attempts = slices.DeleteFunc(attempts, func(i int) bool { return m.names[i] != "" || m.passed(i) }) // who goes on with another's permit, or has ended, does not ask
	for _, i := range attempts {
		if _, ok := m.since[i]; !ok {
			m.since[i] = m.now
		}
		requests = append(requests, Request{UUID: m.uuid(i), Run: m.run(i), Tags: m.tags[i], Since: m.since[i], Fenced: true})
	}
	unchanged := map[int]bool{}
	for _, i := range attempts {
		unchanged[i] = m.limitsUnchangedFor(i)
	}
	out, poke, err := Acquire(m.heads, requests, m.now)
	if err != nil {
		t.Fatal(err)
	}
	for k, i := range attempts {
		if m.granted[i] && out[k] != Granted && unchanged[i] {
			t.Fatalf("attempt %d was granted and is not any more", i)
		}
		m.granted[i] = out[k] == Granted
	}
	m.log = append(m.log, fmt.Sprint("ask ", attempts, out, poke))
}

// limitsUnchangedFor: a limit that appears on a tag which had none may take a permit away before the step has started.
func (m *model) limitsUnchangedFor(i int) bool {
	for _, tag := range m.tags[i] {
		if m.limitOf(tag.Name) >= 0 && tag.Limit < 0 && !m.heads[HeadOf(tag.Name)].holds(m.uuid(i)) {
			return false
		}
	}
	return true
}

func (m *model) end(i int) {
	delete(m.since, i)
	delete(m.granted, i)
	delete(m.names, i)
}

// pass ends an attempt and lets one of the same run that waits go on with its permit, if it may.
func (m *model) pass(from, to int) {
	if _, waits := m.since[to]; !waits || from == to || m.run(from) != m.run(to) || !m.granted[from] || m.granted[to] {
		return
	}
	held := m.held(from)
	if _, ok := m.heads.Passes(held, m.tags[from], m.uuid(to), m.tags[to], m.now); !ok {
		return
	}
	m.log = append(m.log, fmt.Sprint("pass ", from, to))
	m.end(from)
	m.granted[to], m.names[to] = true, held
	Release(m.heads, []string{m.uuid(to)}, m.now)
}

// passed tells whether another attempt goes on with the permit of this one.
func (m *model) passed(i int) bool {
	for _, uuid := range m.names {
		if uuid == m.uuid(i) {
			return true
		}
	}
	return false
}

func (m *model) check(t *rapid.T) {
	for name, h := range m.heads {
		seen := map[string]bool{}
		for _, e := range h.Holders {
			if seen[e.UUID] {
				t.Fatalf("head %s: %s holds twice", name, e.UUID)
			}
			seen[e.UUID] = true
		}
		for k, w := range h.Waiters {
			if seen[w.UUID] {
				t.Fatalf("head %s: %s holds and waits, or waits twice", name, w.UUID)
			}
			seen[w.UUID] = true
			if k > 0 && h.Waiters[k-1].Since > w.Since {
				t.Fatalf("head %s: queue out of order: %+v", name, h.Waiters)
			}
			if !w.Elsewhere && h.room(w.Tags, m.keptBefore(h, k)) {
				t.Fatalf("head %s: %s waits though there is room", name, w.UUID)
			}
		}
		fresh := Head{Holders: h.Holders, Waiters: h.Waiters}
		fresh.count()
		if h.count(); h.holderWeight != fresh.holderWeight || h.waiterWeight != fresh.waiterWeight {
			t.Fatalf("head %s: weights %d and %d, want %d and %d", name, h.holderWeight, h.waiterWeight, fresh.holderWeight, fresh.waiterWeight)
		}
	}
	for _, tag := range modelTags {
		used := int64(0)
		for _, e := range m.heads[HeadOf(tag.Name)].Holders {
			if slices.Contains(e.Tags, tag.Name) {
				used++
			}
		}
		if limit := m.limitOf(tag.Name); limit >= 0 && used > limit && used > m.used[tag.Name] {
			t.Fatalf("tag %s: %d of %d held, %d before", tag.Name, used, limit, m.used[tag.Name])
		}
		m.used[tag.Name] = used
	}
	// Never a partial holding: an attempt that holds a permit holds those of all tags that have had a limit since.
	for i := range m.tags {
		for _, tag := range m.tags[i] {
			if m.granted[i] && tag.Limit >= 0 && !m.heads[HeadOf(tag.Name)].holds(m.held(i)) {
				t.Fatalf("attempt %d was granted without %s", i, tag.Name)
			}
		}
		if _, waits := m.since[i]; waits && !m.granted[i] && len(HeadsOf(m.tags[i])) > 1 {
			held, limited := 0, 0
			for _, name := range HeadsOf(m.tags[i]) {
				if len(m.heads[name].limited(m.tags[i], name)) > 0 {
					limited++
				}
				if m.heads[name].holds(m.uuid(i)) {
					held++
				}
			}
			if held > 0 && held < limited && m.limitsUnchangedFor(i) {
				t.Fatalf("attempt %d holds %d of %d", i, held, limited)
			}
		}
	}
}

// keptBefore is what is reserved for the waiters before number k.
func (m *model) keptBefore(h *Head, k int) map[string]int64 {
	var kept map[string]int64
	for i := range k {
		if h.Waiters[i].Reserved > 0 {
			kept = h.Waiters[i].keep(kept)
		}
	}
	return kept
}

// step makes one random call.
func (m *model) step(t *rapid.T) {
	attempt := rapid.IntRange(0, len(m.tags)-1)
	switch rapid.SampledFrom([]string{"ask", "ask", "ask", "ask all", "pass", "pass", "release", "release", "limit", "delete", "time", "time", "verify"}).Draw(t, "call") {
	case "ask":
		m.ask(t, rapid.SliceOfNDistinct(attempt, 1, 4, rapid.ID[int]).Draw(t, "attempts")...)
	case "ask all":
		m.askAll(t)
	case "pass":
		m.pass(attempt.Draw(t, "from"), attempt.Draw(t, "to"))
	case "release":
		gone := rapid.SliceOfNDistinct(attempt, 1, 3, rapid.ID[int]).Draw(t, "attempts")
		gone = slices.DeleteFunc(gone, m.passed) // its permit is another's: nobody gives it back for it
		var uuids []string
		for _, i := range gone {
			uuids = append(uuids, m.uuid(i), m.held(i))
			m.end(i)
		}
		m.log = append(m.log, fmt.Sprint("release ", gone, Release(m.heads, uuids, m.now)))
		if again := Release(m.heads, uuids, m.now); len(again) > 0 {
			t.Fatalf("a repeated release pokes %v", again)
		}
	case "limit":
		tag := rapid.SampledFrom(modelTags).Draw(t, "tag")
		n := rapid.Int64Range(0, 3).Draw(t, "limit")
		m.limits[tag.Name] = n
		poke, err := m.heads[HeadOf(tag.Name)].SetLimit(LimitRequest{Tag: tag.Name, MaxAllowed: n}, "ann", m.now)
		if err != nil {
			t.Fatal(err)
		}
		m.log = append(m.log, fmt.Sprint("limit ", tag.Name, n, poke))
	case "delete":
		tag := rapid.SampledFrom(modelTags).Draw(t, "tag")
		delete(m.limits, tag.Name)
		m.log = append(m.log, fmt.Sprint("delete ", tag.Name, m.heads[HeadOf(tag.Name)].DeleteLimit(tag.Name, m.now)))
	case "time":
		m.now += rapid.SampledFrom([]int64{1, ReserveMillis, LeaseMillis}).Draw(t, "millis")
		m.due()
	case "verify":
		gone := rapid.SliceOfNDistinct(attempt, 0, 3, rapid.ID[int]).Draw(t, "ended without a release")
		for _, i := range gone {
			m.end(i)
		}
		m.verify()
	}
}

// due does what a head's due asks for, but for leases.
func (m *model) due() {
	for _, name := range HeadsOf(modelTags) {
		if h := m.heads[name]; h.Due() != 0 && h.Due() <= m.now {
			m.log = append(m.log, fmt.Sprint("settle ", name, h.Settle(m.now)))
		}
	}
}

func (m *model) verify() {
	for _, name := range HeadsOf(modelTags) {
		poke := m.heads[name].Verify(m.now, LeasedBefore(m.now), func(run string) (map[string]bool, bool) {
			live := map[string]bool{}
			for i := range m.since {
				if m.run(i) == run {
					live[m.held(i)] = true
				}
			}
			return live, true
		})
		m.log = append(m.log, fmt.Sprint("verify ", name, poke))
	}
}

// askAll lets every attempt that waits ask again.
func (m *model) askAll(t *rapid.T) {
	var waiting []int
	for i := range m.since {
		if !m.granted[i] {
			waiting = append(waiting, i)
		}
	}
	sort.Ints(waiting)
	if len(waiting) > 0 {
		m.ask(t, waiting...)
	}
}

func TestPermitsHoldUnderAnyCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			m.step(t)
			m.check(t)
			m.stored(t)
		}
	})
}

// However the heads were left: once limits allow it, the dead are found out, the waiting ask every 15 s and the granted
// end, everybody is served.
func TestNobodyStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		for range rapid.IntRange(1, 40).Draw(t, "calls") {
			m.step(t)
			m.check(t)
			m.stored(t)
		}
		for _, tag := range modelTags {
			if n, ok := m.limits[tag.Name]; ok && n == 0 {
				m.limits[tag.Name] = 1
				if _, err := m.heads[HeadOf(tag.Name)].SetLimit(LimitRequest{Tag: tag.Name, MaxAllowed: 1}, "ann", m.now); err != nil {
					t.Fatal(err)
				}
			}
		}
		m.now += LeaseMillis
		m.verify()
		rounds := 2*len(m.since) + 2
		for ; len(m.since) > 0; rounds-- {
			if rounds == 0 {
				t.Fatalf("still waiting: %v", m.since)
			}
			m.now += 15_000
			m.due()
			m.askAll(t)
			m.check(t)
			served := false
			for i := range m.tags {
				if m.granted[i] {
					served = true
					Release(m.heads, []string{m.uuid(i), m.held(i)}, m.now)
					m.end(i)
				}
			}
			if !served {
				m.now += ReserveMillis
			}
			m.stored(t)
		}
		for name, h := range m.heads {
			if len(h.Holders)+len(h.Waiters) > 0 {
				t.Fatalf("head %s: left behind: %+v", name, h)
			}
		}
	})
}

// No capacity lies idle: when nothing is reserved and everybody has asked, nobody who waits would fit.
func TestNoCapacityLiesIdle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		for range rapid.IntRange(1, 40).Draw(t, "calls") {
			m.step(t)
		}
		m.now += ReserveMillis
		m.due()
		for range len(m.tags) { // each round may give up reservations for another
			m.askAll(t)
		}
	waiting:
		for i := range m.since {
			if m.granted[i] {
				continue
			}
			for _, tag := range m.tags[i] {
				h := m.heads[HeadOf(tag.Name)]
				kept := map[string]int64{}
				for _, w := range h.Waiters {
					if w.Reserved > m.now && w.UUID != m.uuid(i) {
						kept = w.keep(kept)
					}
				}
				if !h.holds(m.uuid(i)) && !h.room([]Tag{tag}, kept) {
					continue waiting
				}
			}
			t.Fatalf("attempt %d waits though it fits: %v", i, m.tags[i])
		}
	})
}

// Same calls, same bytes.
func TestDeterminism(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		calls := rapid.SliceOfN(rapid.IntRange(0, 99), 1, 40).Draw(t, "calls")
		play := func() string {
			heads := Heads{}
			for _, name := range HeadsOf(modelTags) {
				heads[name] = &Head{}
			}
			log := ""
			for k, c := range calls {
				r := Request{UUID: fmt.Sprint("u", c%10), Run: fmt.Sprint("r", c%4), Since: int64(k), Tags: modelTags[c%5 : c%5+2]}
				out, poke, err := Acquire(heads, []Request{r}, int64(k))
				log += fmt.Sprint(out, poke, err)
				if c%3 == 0 {
					log += fmt.Sprint(Release(heads, []string{fmt.Sprint("u", c%7)}, int64(k)))
				}
			}
			for _, name := range HeadsOf(modelTags) {
				log += string(heads[name].Encode())
			}
			return log
		}
		if a, b := play(), play(); a != b {
			t.Fatalf("%q, then %q", a, b)
		}
	})
}
