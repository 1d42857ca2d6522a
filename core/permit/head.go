package permit

import (
	"slices"
	"sort"
	"strings"
)

// Head is the state of the tags that are counted at one place. The zero value is an empty head.
type Head struct {
	Limits  []Limit  // set by the API, by tag name
	Holders []Holder // in the order in which they were granted
	Waiters []Waiter // in the order of the queue
	// Taken are the pointers that the commits of the newest revisions have taken, and Crowd is how many callers the last one
	// served besides its own.
	Taken []Pointer
	Crowd int

	changed bool
	// counts holds how many holders have a tag. It is derived, made when it is first needed.
	counts                     map[string]int64
	holderWeight, waiterWeight int
}

// Holder is an attempt that holds permits.
type Holder struct {
	UUID, Run string
	Tags      []string // those of this head
	Verified  int64    // when it was granted, or last found live
}

// Waiter is an attempt that this head refused.
type Waiter struct {
	UUID, Run string
	Tags      []Tag // those of this head
	Since     int64 // place in the queue; equal ones stand in the order in which they came
	// Elsewhere says that it needs permits of other heads too: it is granted by who has all of them at hand, else poked.
	Elsewhere bool
	Others    []Tag // with Elsewhere: those that are not of this head
	// Reserved is until when capacity is kept for it; 0 if none is.
	Reserved int64
	// Missed says that it did not ask in the time of its last reservation.
	Missed   bool
	Verified int64 // when it came, or was last found live
}

// Changed tells whether a call changed the head since it was decoded.
func (h *Head) Changed() bool { return h.changed }

// Empty tells whether the head holds nothing: its item can be deleted, or need not be created.
func (h *Head) Empty() bool { return len(h.Limits) == 0 && len(h.Holders) == 0 && len(h.Waiters) == 0 }

// count makes what is derived from holders and waiters.
func (h *Head) count() {
	if h.counts != nil {
		return
	}
	h.counts = make(map[string]int64)
	for _, e := range h.Holders {
		h.countHolder(e)
	}
	for _, w := range h.Waiters {
		h.waiterWeight += w.weight()
	}
}

func (h *Head) countHolder(e Holder) {
	h.holderWeight += e.weight()
	for _, t := range e.Tags {
		if h.counts[t]++; h.counts[t] == 1 {
			h.holderWeight += tagWeight(t)
		}
	}
}

// used is how many attempts hold the tag.
func (h *Head) used(tag string) int64 {
	h.count()
	return h.counts[tag]
}

func (h *Head) waitedFor(tag string) bool {
	return slices.ContainsFunc(h.Waiters, func(w Waiter) bool { return w.wants(tag) })
}

// limit is the limit that holds for the tag: the one set by the API, else the one it brings; negative for none.
func (h *Head) limit(t Tag) int64 {
	if i, ok := h.findLimit(t.Name); ok {
		return h.Limits[i].Max
	}
	return t.Limit
}

// limited gives those of the tags that are counted in this head and have a limit.
func (h *Head) limited(tags []Tag, name string) []Tag {
	var out []Tag
	for _, t := range tags {
		if HeadOf(t.Name) == name && h.limit(t) >= 0 {
			out = append(out, t)
		}
	}
	return out
}

// confirm tells whether an attempt is a holder, and notes that it is alive if that is not known of late.
func (h *Head) confirm(uuid string, now int64) bool {
	for i := range h.Holders {
		if e := &h.Holders[i]; e.UUID == uuid {
			if e.Verified+confirmMillis <= now {
				e.Verified, h.changed = now, true
			}
			return true
		}
	}
	return false
}

func (h *Head) holds(uuid string) bool {
	return slices.ContainsFunc(h.Holders, func(e Holder) bool { return e.UUID == uuid })
}

func (h *Head) waits(uuid string) bool {
	return slices.ContainsFunc(h.Waiters, func(w Waiter) bool { return w.UUID == uuid })
}

// fits tells whether the tags have capacity left for the request, besides what is reserved for waiters before it.
func (h *Head) fits(r Request, tags []Tag, now int64) bool {
	h.count()
	if h.holderWeight+weight(r.Run, tags) > maxHolderWeight {
		return false
	}
	var kept map[string]int64
	for _, w := range h.Waiters {
		if w.UUID == r.UUID || w.Since > r.Since {
			break
		}
		if w.Since == r.Since && w.UUID > r.UUID {
			// Of two that need the same heads, each may be the first at another one. What is kept for him there he would give up
			// for want of the other, and come back behind; for ever. Between them this order decides, at every head.
			continue
		}
		if w.Reserved > now {
			kept = w.keep(kept)
		}
	}
	return h.room(tags, kept)
}

// room tells whether one more holder of the tags can be granted besides what is kept.
func (h *Head) room(tags []Tag, kept map[string]int64) bool {
	for _, t := range tags {
		if limit := h.limit(t); limit >= 0 && h.used(t.Name)+kept[t.Name] >= limit {
			return false
		}
	}
	return true
}

// Inherits tells whether an attempt with the tags want can go on with the permit that is held as from by one with the tags
// have, which has ended, as if that one had given it back and this one had taken it: nobody waits for any of the tags, and
// every limit of want is one of have too, that is kept, or cannot be reached before such a one is. The head stays as it
// is. An attempt that goes on so is counted under the tags that the permit was taken for.
func (h *Head) Inherits(from string, have, want []Tag) bool {
	if !h.holds(from) || !h.alike(have, want) {
		return false
	}
	for _, list := range [][]Tag{have, want} {
		for _, t := range list {
			if h.waitedFor(t.Name) {
				return false
			}
		}
	}
	return true
}

// alike tells whether it makes no difference to anybody by which of the two lists of tags a permit is held: every limit
// of one side alone is not below that of a tag of both, and so is not reached before that one is.
func (h *Head) alike(have, want []Tag) bool {
	lowest := int64(-1) // of the limits of tags of both
	for _, t := range want {
		limit := h.limit(t)
		if limit < 0 || !slices.ContainsFunc(have, func(o Tag) bool { return o.Name == t.Name && h.limit(o) == limit }) {
			continue
		}
		if h.used(t.Name) > limit {
			return false
		}
		if lowest < 0 || limit < lowest {
			lowest = limit
		}
	}
	for _, list := range [][]Tag{have, want} {
		for _, t := range list {
			// A limit of one side alone: not below that of a tag that both have. What is not limited needs nothing, but what
			// is held of have is limited by what both have.
			if limit := h.limit(t); limit >= 0 && (lowest < 0 || limit < lowest) {
				return false
			}
		}
	}
	return true
}

func (h *Head) hold(e Holder) {
	h.count()
	h.countHolder(e)
	h.Holders = append(h.Holders, e)
	h.changed = true
}

func (h *Head) dropHolder(uuid string) bool {
	i := slices.IndexFunc(h.Holders, func(e Holder) bool { return e.UUID == uuid })
	if i < 0 {
		return false
	}
	h.count()
	for _, t := range h.Holders[i].Tags {
		if h.counts[t]--; h.counts[t] == 0 {
			h.holderWeight -= tagWeight(t)
		}
	}
	h.holderWeight -= h.Holders[i].weight()
	h.Holders = slices.Delete(h.Holders, i, i+1)
	h.changed = true
	return true
}

// wait puts the waiter into the queue. One that waits already keeps its place, and may be reserved for again; true says
// that it gave up a reservation.
func (h *Head) wait(w Waiter) bool {
	if i := slices.IndexFunc(h.Waiters, func(o Waiter) bool { return o.UUID == w.UUID }); i >= 0 {
		old := &h.Waiters[i]
		gaveUp := old.Reserved != 0
		if old.Reserved != 0 || old.Missed || old.Elsewhere != w.Elsewhere {
			h.waiterWeight += w.weight() - old.weight()
			old.Reserved, old.Missed, old.Elsewhere, old.Others = 0, false, w.Elsewhere, w.Others
			h.changed = true
		}
		return gaveUp
	}
	h.count()
	if h.waiterWeight+w.weight() > maxWaiterWeight {
		return false
	}
	i := sort.Search(len(h.Waiters), func(i int) bool { return h.Waiters[i].Since > w.Since })
	h.Waiters = slices.Insert(h.Waiters, i, w)
	h.waiterWeight += w.weight()
	h.changed = true
	return false
}

func (h *Head) dropWaiter(uuid string) bool {
	i := slices.IndexFunc(h.Waiters, func(w Waiter) bool { return w.UUID == uuid })
	if i < 0 {
		return false
	}
	h.removeWaiter(i)
	return true
}

func (h *Head) removeWaiter(i int) {
	h.count()
	h.waiterWeight -= h.Waiters[i].weight()
	h.Waiters = slices.Delete(h.Waiters, i, i+1)
	h.changed = true
}

// settle gives free capacity to the waiters in order: it grants those that need nothing but what is in this head and the
// others at hand, nil for none, reserves for the others, and adds their runs to poke.
func (h *Head) settle(now int64, poke *runSet, at Heads) {
	h.count()
	var kept map[string]int64
	for i := 0; i < len(h.Waiters); i++ {
		w := &h.Waiters[i]
		if w.Reserved != 0 && w.Reserved <= now {
			w.Reserved, w.Missed = 0, true
			h.changed = true
		}
		if w.Reserved != 0 {
			kept = w.keep(kept)
			continue
		}
		if !h.room(w.Tags, kept) || h.holderWeight+w.weight() > maxHolderWeight {
			continue
		}
		if w.Elsewhere {
			if r := w.request(); at.grantable(r, now) {
				poke.add(w.Run)
				for _, name := range HeadsOf(r.Tags) {
					o := at[name]
					o.dropWaiter(r.UUID)
					if tags := o.limited(r.Tags, name); len(tags) > 0 && !o.holds(r.UUID) {
						o.hold(Holder{UUID: r.UUID, Run: r.Run, Tags: namesOf(tags), Verified: now})
					}
				}
				i--
				continue
			}
			if !w.Missed {
				w.Reserved = now + ReserveMillis
				h.changed = true
				kept = w.keep(kept)
				poke.add(w.Run)
			}
			continue
		}
		poke.add(w.Run)
		var held []string
		for _, t := range w.Tags {
			if h.limit(t) >= 0 {
				held = append(held, t.Name)
			}
		}
		if len(held) > 0 {
			h.hold(Holder{UUID: w.UUID, Run: w.Run, Tags: held, Verified: now})
		}
		h.removeWaiter(i)
		i--
	}
}

// Settle lets waiters go on whose turn came because time passed: a reservation before them was missed. It returns the
// runs to poke, sorted. It is to be called when the head is due.
func (h *Head) Settle(now int64) []string {
	var poke runSet
	h.settle(now, &poke, nil)
	return poke.sorted()
}

// LeasedBefore is before what time, at now, holders and waiters must have been verified last to have reached the lease
// time.
func LeasedBefore(now int64) int64 { return now - LeaseMillis + 1 }

// Leases gives up to n runs, sorted, of which holders or waiters were verified last before the time: to be read strongly
// and handed to Verify.
func (h *Head) Leases(before int64, n int) []string {
	due := make(map[string]int64) // the oldest entry of each run
	add := func(run string, verified int64) {
		if verified >= before {
			return
		}
		if old, ok := due[run]; !ok || verified < old {
			due[run] = verified
		}
	}
	for _, e := range h.Holders {
		add(e.Run, e.Verified)
	}
	for _, w := range h.Waiters {
		add(w.Run, w.Verified)
	}
	runs := make([]string, 0, len(due))
	for run := range due {
		runs = append(runs, run)
	}
	sort.Slice(runs, func(i, j int) bool {
		if due[runs[i]] != due[runs[j]] {
			return due[runs[i]] < due[runs[j]]
		}
		return runs[i] < runs[j]
	})
	runs = runs[:min(n, len(runs))]
	sort.Strings(runs)
	return runs
}

// Leased are the uuids of a run's holders and waiters that were verified last before the time.
func (h *Head) Leased(run string, before int64) []string {
	var uuids []string
	for _, e := range h.Holders {
		if e.Run == run && e.Verified < before {
			uuids = append(uuids, e.UUID)
		}
	}
	for _, w := range h.Waiters {
		if w.Run == run && w.Verified < before {
			uuids = append(uuids, w.UUID)
		}
	}
	return uuids
}

// Verify frees the holders and waiters that were verified last before the time and that their run, read strongly, does
// not name as live (P30), and returns the runs to poke, sorted. live gives the uuids of a run's attempts that are not
// ended, none for a run that does not exist, and false for a run that was not read: what belongs to it stays. Younger
// entries stay too: the decision that asked for them may not be committed yet. So before is LeasedBefore(now), or a time
// since which no decision can be under way. Older decisions that stood still must have been made unable to commit.
func (h *Head) Verify(now, before int64, live func(run string) (map[string]bool, bool)) []string {
	dead := func(uuid, run string, verified *int64) bool {
		if *verified >= before {
			return false
		}
		uuids, known := live(run)
		if !known {
			return false
		}
		if !uuids[uuid] {
			return true
		}
		*verified = now
		h.changed = true
		return false
	}
	var gone []string
	for i := range h.Holders {
		if e := &h.Holders[i]; dead(e.UUID, e.Run, &e.Verified) {
			gone = append(gone, e.UUID)
		}
	}
	for i := range h.Waiters {
		if w := &h.Waiters[i]; dead(w.UUID, w.Run, &w.Verified) {
			gone = append(gone, w.UUID)
		}
	}
	for _, uuid := range gone {
		h.dropHolder(uuid)
		h.dropWaiter(uuid)
	}
	return h.Settle(now)
}

// Due is when the head must be looked at next, epoch milliseconds: the end of the first reservation, or the first lease
// time; 0 while nobody waits (P8). What is to do then: Verify with the runs of Leases, which settles too.
func (h *Head) Due() int64 {
	due := int64(0)
	if len(h.Waiters) == 0 {
		return due
	}
	at := func(t int64) {
		if due == 0 || t < due {
			due = t
		}
	}
	for _, e := range h.Holders {
		at(e.Verified + LeaseMillis)
	}
	for _, w := range h.Waiters {
		at(w.Verified + LeaseMillis)
		if w.Reserved != 0 {
			at(w.Reserved)
		}
	}
	return due
}

func (w *Waiter) wants(tag string) bool {
	return slices.ContainsFunc(w.Tags, func(t Tag) bool { return t.Name == tag })
}

// request is what the waiter asks of all heads.
func (w *Waiter) request() Request {
	return Request{UUID: w.UUID, Run: w.Run, Tags: append(slices.Clip(w.Tags), w.Others...), Since: w.Since}
}

// keep adds what is reserved for the waiter.
func (w *Waiter) keep(kept map[string]int64) map[string]int64 {
	if kept == nil {
		kept = make(map[string]int64)
	}
	for _, t := range w.Tags {
		kept[t.Name]++
	}
	return kept
}

// weight is that of a holder without the names of its tags, which are stored once for all.
func (e *Holder) weight() int { return 24 + len(e.Run) + 2*len(e.Tags) }

func (w *Waiter) weight() int { return weight(w.Run, w.Tags) + weight("", w.Others) }

func weight(run string, tags []Tag) int {
	n := 36 + len(run)
	for _, t := range tags {
		n += tagWeight(t.Name)
	}
	return n
}

// tagWeight is what the name of a tag takes: the names of one head share all that stands before the last colon.
func tagWeight(tag string) int {
	if i := strings.LastIndexByte(tag, ':'); i >= 0 && strings.HasPrefix(tag, derivedPrefix) {
		return 4 + len(tag) - i
	}
	return 4
}
