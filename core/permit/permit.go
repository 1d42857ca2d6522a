// Package permit decides who may run: step attempts hold a permit for each of their tags that has a limit, or wait for
// all of them. Like package engine it is pure: the shell loads heads, calls a function on them, commits what changed
// and pokes the runs that the function names.
//
// # Heads
//
// Where a tag is counted follows from its name alone (HeadOf), so that everybody who names it meets at one head:
//
//	maestro_<workflow>, maestro_<workflow>:<step>   wf#<workflow>      all derived tags of a workflow in one item (P28)
//	maestro_<correlation id>                        corr#<correlation> the tree of one root run
//	any other                                       tag#<name>         named tags, for which limits are set by the API
//
// A correlation id has two colons (`<workflow>:<instance>:<run>`), workflow and step ids have none, and no user's tag
// begins with `maestro_`: the three kinds cannot be mistaken for each other. Correlation tags have heads of their own
// because they are hot only within one tree, while the workflow's head is shared by all of its runs.
//
// A head that is absent from the store is an empty one (Decode of no data). A tag without a limit never blocks, is
// written nowhere and needs no head: attempts that ran before a limit was set are not counted. This is different from
// Maestro, which counts every tag of every step.
//
// # Holding and waiting
//
// A request takes the permits of all its tags at once or none (P29): Acquire is given all heads concerned, and what it
// changed must be committed together. A request that is refused waits in each head that refused it, in the order of
// the time at which the attempt began to wait, and keeps that place however often it asks again. A blocked request
// does not hold up later ones.
//
// When capacity comes free, a waiter that needs nothing outside of the head is granted at once; one that needs other
// heads too is given a short reservation (ReserveMillis) and its run is poked, so that it asks again before later ones
// are served. A waiter that does not come in that time has missed: it keeps its place, but nothing is kept free for it
// until it asks again.
//
// Of the attempts of one run that wait, the oldest few alone stand in a queue (maxPlaces).
//
// Requests are idempotent by step uuid, and may be made before the run's own commit: uuids are deterministic, so a
// decision that is taken twice asks twice for the same. A holder is never freed because of its age. At the lease time
// the shell reads the holder's run, and Verify frees only what that run does not name as live (P30).
package permit

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

// NoLimit is the Limit of a tag that brings none.
const NoLimit = -1

// Times in milliseconds.
const (
	// ReserveMillis is how long capacity is kept for a poked waiter that must ask in other heads too.
	ReserveMillis = 5_000
	// LeaseMillis is after what time a holder or waiter is looked up. It is longer than any function may run, so that a
	// holder whose run is not committed yet is not mistaken for a dead one. Nobody is looked up while nobody waits: a
	// forgotten holder then harms nobody, and an uncontended head costs no entry in the due index.
	LeaseMillis = 5 * 60_000
	// confirmMillis is from what age on a holder that asks again is written down as living. Who asks again may be about to
	// commit what nobody has committed yet, while another, who found nothing of it, is about to free the permit: one of
	// the two must lose the race for the head.
	confirmMillis = 60_000
)

// maxPlaces is how many attempts of one run get a place in a queue for one tag at the same time. The others are known to the
// run alone: whenever one of those in the queue is granted, or ends, the run asks again for all that are left, each as of
// the time since which it waits, and when half of the places are empty they are filled. So a run of hundreds of steps does
// not make the head large, which is written whole each time, and is served in the order of all.
const maxPlaces = 6

// Bounds of a head, in approximate bytes, that keep its item below 400 KB whatever the names are. They allow some 4,000
// holders and 2,000 waiters. A head that is full of holders blocks, as if its limit were reached; a request that finds
// it full of waiters is refused without a place in the queue, and asks again like any other.
const (
	maxHolderWeight = 200_000
	maxWaiterWeight = 100_000
	maxLimitWeight  = 64_000
)

// Tag is a tag that an attempt carries, with the limit that it brings for it.
type Tag struct {
	Name string
	// Limit is used unless the API has set one for the tag: 0 blocks, NoLimit (any negative number) never blocks.
	Limit int64
}

// Request asks for the permits of one attempt.
type Request struct {
	UUID string // of the step attempt
	Run  string // names the run of the attempt; what is poked, and asked at the lease time
	Tags []Tag  // without two of a name
	// Since is when the attempt began to wait for permits, epoch milliseconds: its place in every queue.
	Since int64
	// Fenced tells that no decision is under way any more to which the attempt's permits were granted before.
	Fenced bool
}

// Outcome is the answer to a request.
type Outcome uint8

// The outcomes.
const (
	Granted Outcome = iota + 1
	Waiting         // the run is poked when it is worth asking again; it should ask every 15 s nevertheless
	// Doubtful: the attempt holds a part of what it needs, and there is no room for the rest: a tag has got a limit since, or a
	// part was freed at the lease time. Nothing is changed. If the attempt has begun it is as good as Granted: whoever asks
	// stood still since before. Otherwise a Fenced request gives back what it holds, and waits (P29).
	Doubtful
)

func (o Outcome) String() string {
	switch o {
	case Granted:
		return "granted"
	case Waiting:
		return "waiting"
	case Doubtful:
		return "doubtful"
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

const derivedPrefix = "maestro_"

// HeadOf names the head at which a tag is counted.
func HeadOf(tag string) string {
	id, derived := strings.CutPrefix(tag, derivedPrefix)
	if !derived {
		return "tag#" + tag
	}
	if strings.Count(id, ":") > 1 {
		return "corr#" + id
	}
	workflow, _, _ := strings.Cut(id, ":")
	return "wf#" + workflow
}

// HeadsOf names the heads of the tags, sorted and each once. All of them must be given to Acquire and Release.
func HeadsOf(tags []Tag) []string {
	seen := make(map[string]bool, len(tags))
	out := make([]string, 0, len(tags))
	for _, t := range tags {
		if h := HeadOf(t.Name); !seen[h] {
			seen[h] = true
			out = append(out, h)
		}
	}
	sort.Strings(out)
	return out
}

// DefaultLimit is the limit of a derived tag for which neither the workflow nor the API sets one.
const DefaultLimit = 20

// Step is what the derived tags of a step attempt follow from.
type Step struct {
	WorkflowID    string // the inline id within a loop
	StepID        string
	CorrelationID string
	Leaf          bool // the step type is no loop and no subworkflow
	// InstanceStepConcurrency and StepConcurrency are the settings of the run; nil is unset.
	InstanceStepConcurrency, StepConcurrency *int64
}

// Derived gives the tags that a step holds besides its own (engine.md 11.1). A setting below 0 counts as 0.
func Derived(s Step) []Tag {
	workflow := derivedPrefix + s.WorkflowID
	if s.InstanceStepConcurrency == nil {
		tags := []Tag{{workflow, DefaultLimit}, {workflow + ":" + s.StepID, DefaultLimit}}
		if s.StepConcurrency != nil {
			tags[0].Limit = max(0, *s.StepConcurrency)
		}
		return tags
	}
	var tags []Tag
	if s.StepConcurrency != nil {
		tags = append(tags, Tag{workflow, max(0, *s.StepConcurrency)})
	}
	if s.Leaf {
		tags = append(tags, Tag{derivedPrefix + s.CorrelationID, max(0, *s.InstanceStepConcurrency)})
	}
	return tags
}

// Heads are decoded heads by name.
type Heads map[string]*Head

// Acquire answers requests in the order of Since, those of equal Since as given, and changes the heads: the changed
// ones (Head.Changed) must be committed together, on the revisions that were read, or the whole be repeated. Outcomes
// are in the order of the requests. The runs to poke, sorted, are those of other waiters that can go on because a
// request gave up a reservation.
//
// All heads named by HeadsOf for the requests must be there; a missing one is an error, and then nothing is changed.
func Acquire(heads Heads, requests []Request, now int64) ([]Outcome, []string, error) {
	order := make([]int, len(requests))
	for i, r := range requests {
		order[i] = i
		for _, name := range HeadsOf(r.Tags) {
			if heads[name] == nil {
				return nil, nil, fmt.Errorf("permits of step attempt %s: head %s is not loaded", r.UUID, name)
			}
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return requests[order[a]].Since < requests[order[b]].Since })
	outcomes := make([]Outcome, len(requests))
	var poke runSet
	waiting := placesFor(heads, requests)
	for _, i := range order {
		outcomes[i] = acquire(heads, requests[i], now, &poke, waiting)
	}
	return outcomes, poke.sorted(), nil
}

// places are how many more of a call's requests may wait in a head, by run and by the tag that they wait for: those that
// wait for a step's own tag must not be all that stand in the queue when the workflow's tag comes free.
type places map[place]int

type place struct{ head, run, tag string }

// place is where a request for the tags of this head stands: at the last of those that have no room.
func (h *Head) place(r Request, name string, tags []Tag) place {
	at := place{head: name, run: r.Run}
	for i := range tags {
		if !h.room(tags[i:i+1], nil) {
			at.tag = tags[i].Name
		}
	}
	return at
}

func placesFor(heads Heads, requests []Request) places {
	p := places{}
	for _, r := range requests {
		for _, name := range HeadsOf(r.Tags) {
			h := heads[name]
			at := h.place(r, name, h.limited(r.Tags, name))
			if _, ok := p[at]; !ok {
				p[at] = maxPlaces
			}
			if h.waits(r.UUID) {
				p[at]--
			}
		}
	}
	for at, n := range p {
		if n < maxPlaces/2 {
			p[at] = 0 // enough of them wait
		}
	}
	return p
}

func (p places) take(at place) bool {
	if _, ok := p[at]; !ok {
		p[at] = maxPlaces // what it waits for came to its limit in this call
	}
	if p[at] <= 0 {
		return false
	}
	p[at]--
	return true
}

func acquire(heads Heads, r Request, now int64, poke *runSet, waiting places) Outcome {
	names := HeadsOf(r.Tags)
	wanted := make([][]Tag, len(names)) // the tags with a limit, by head
	limited := 0
	for i, name := range names {
		wanted[i] = heads[name].limited(r.Tags, name)
		if len(wanted[i]) > 0 {
			limited++
		}
	}
	refused := make([]bool, len(names))
	granted := true
	for i, name := range names {
		if len(wanted[i]) > 0 && !heads[name].holds(r.UUID) && !heads[name].fits(r, wanted[i], now) {
			refused[i], granted = true, false
		}
	}
	if !granted && !r.Fenced && slices.ContainsFunc(names, func(name string) bool { return heads[name].holds(r.UUID) }) {
		return Doubtful
	}
	// The heads are settled when the request has what it gets: a head that is settled before may grant another waiter what is
	// about to be taken here.
	var freed []*Head
	for i, name := range names {
		h := heads[name]
		switch {
		case granted && len(wanted[i]) > 0:
			h.dropWaiter(r.UUID)
			if !h.confirm(r.UUID, now) {
				h.hold(Holder{UUID: r.UUID, Run: r.Run, Tags: namesOf(wanted[i]), Verified: now})
			}
		case refused[i]:
			if !h.waits(r.UUID) && !waiting.take(h.place(r, name, wanted[i])) {
				break
			}
			if h.wait(Waiter{UUID: r.UUID, Run: r.Run, Tags: wanted[i], Since: r.Since, Elsewhere: limited > 1, Others: others(r.Tags, name, limited), Verified: now}) {
				freed = append(freed, h)
			}
		default:
			// Nothing is wanted here, or not all of it can be had elsewhere: what was kept goes to the next (P29).
			held := !granted && h.dropHolder(r.UUID)
			if h.dropWaiter(r.UUID) || held {
				freed = append(freed, h)
			}
		}
	}
	for _, h := range freed {
		h.settle(now, poke, heads)
	}
	if granted {
		return Granted
	}
	return Waiting
}

// Blocked tells whether a step with these tags would have to wait: one of them is at its limit, or somebody waits for
// it. A step that begins and ends within one decision asks this in place of Acquire: when nothing blocks it, nobody
// can see that it held no permit. Heads that are not there count as empty.
func Blocked(heads Heads, tags []Tag) bool {
	for _, t := range tags {
		h := heads[HeadOf(t.Name)]
		if h == nil {
			if t.Limit == 0 {
				return true
			}
			continue
		}
		limit := h.limit(t)
		if limit < 0 {
			continue
		}
		if h.used(t.Name) >= limit || h.waitedFor(t.Name) {
			return true
		}
	}
	return false
}

// Release gives back whatever the attempts hold or wait for in the heads, and returns the runs to poke, sorted: those of
// waiters that were granted and of waiters for which capacity is reserved. Repeating it does nothing.
func Release(heads Heads, uuids []string, now int64) []string {
	names := make([]string, 0, len(heads))
	for name := range heads {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, uuid := range uuids {
			heads[name].dropHolder(uuid)
			heads[name].dropWaiter(uuid)
		}
	}
	var poke runSet
	for _, name := range names {
		heads[name].settle(now, &poke, heads)
	}
	return poke.sorted()
}

// grantable tells whether all that the request needs can be had from the heads, each of which is at hand.
func (heads Heads) grantable(r Request, now int64) bool {
	for _, name := range HeadsOf(r.Tags) {
		h := heads[name]
		if h == nil {
			return false
		}
		if tags := h.limited(r.Tags, name); len(tags) > 0 && !h.holds(r.UUID) && !h.fits(r, tags, now) {
			return false
		}
	}
	return true
}

// Lacking names heads that are not at hand, up to n: those that waiters need whom one that is would serve.
func (heads Heads) Lacking(n int) []string {
	lacking := map[string]bool{}
	for _, h := range heads {
		for _, w := range h.Waiters {
			if !w.Elsewhere || !h.room(w.Tags, nil) {
				continue
			}
			for _, name := range HeadsOf(w.Others) {
				if heads[name] == nil && len(lacking) < n {
					lacking[name] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(lacking))
}

// others are the tags that are not counted at the head, if any of them is limited at another.
func others(tags []Tag, name string, limited int) []Tag {
	if limited < 2 {
		return nil
	}
	var out []Tag
	for _, t := range tags {
		if HeadOf(t.Name) != name {
			out = append(out, t)
		}
	}
	return out
}

// runSet collects runs to poke.
type runSet map[string]bool

func (s *runSet) add(run string) {
	if *s == nil {
		*s = make(runSet)
	}
	(*s)[run] = true
}

func (s runSet) sorted() []string {
	if len(s) == 0 {
		return nil
	}
	out := make([]string, 0, len(s))
	for run := range s {
		out = append(out, run)
	}
	sort.Strings(out)
	return out
}

func namesOf(tags []Tag) []string {
	out := make([]string, len(tags))
	for i, t := range tags {
		out[i] = t.Name
	}
	return out
}
