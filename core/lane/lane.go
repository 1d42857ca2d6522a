// Package lane decides a workflow's lane: which number a start gets, which runs wait, which begin and which are
// decided away, by the workflow's run strategy. Like package engine it is pure: the shell loads a Lane, calls Decide,
// commits it on the revision that was read and then carries out the orders.
//
// The lane is the only place where instance and run numbers are given and where runs of one workflow are weighed
// against each other. It does not know what a run does: a run is in the queue, running, or gone.
package lane

import (
	"cmp"
	"slices"

	"github.com/downbeat/downbeat/core/fault"
)

// Rule is a run strategy's rule.
type Rule uint8

// The rules, with Maestro's names in String.
const (
	Sequential       Rule = iota // one at a time, in order
	StrictSequential             // as Sequential, and a failed instance blocks until it is unblocked
	Parallel                     // up to Concurrency at once
	FirstOnly                    // a start is refused while another run is not terminal
	LastOnly                     // a start ends whatever runs or waits
	SerialLatestOnly             // one runs, at most the newest waits
)

var ruleNames = [...]string{"SEQUENTIAL", "STRICT_SEQUENTIAL", "PARALLEL", "FIRST_ONLY", "LAST_ONLY", "SERIAL_LATEST_ONLY"}

func (r Rule) String() string { return ruleNames[r] }

// ParseRule reads a rule's upper-case name.
func ParseRule(name string) (Rule, bool) {
	i := slices.Index(ruleNames[:], name)
	if i < 0 {
		return Sequential, false
	}
	return Rule(i), true
}

// Strategy is a rule with how many runs may be executing at once (1 to 1000; above 1 only with Parallel).
type Strategy struct {
	Rule        Rule
	Concurrency int
}

// MaxDispatch is how many queued runs one decision takes at most (Maestro's dequeue batch). More follow in the next.
const MaxDispatch = 50

// Entry names a run.
type Entry struct {
	Instance, Run int64
}

func (e Entry) before(f Entry) bool {
	if e.Instance != f.Instance {
		return e.Instance < f.Instance
	}
	return e.Run < f.Run
}

// Target is what an order makes of a run.
type Target uint8

// The targets. Each is idempotent on the run's head: carrying an order out twice, or late, changes nothing.
const (
	Queue     Target = iota + 1 // write the number to the start, create the head as queued
	Begin                       // the same if need be, then let it begin
	Reject                      // create the head as STOPPED: refused by FIRST_ONLY
	Drop                        // end a queued run as STOPPED: pushed out by a newer one under LAST_ONLY
	Supersede                   // the same under SERIAL_LATEST_ONLY
	Cancel                      // end a queued run on a user's word
	Fail                        // create the head as FAILED: a start whose parameters could not be evaluated
	Halt                        // stop a running run: pushed out by LAST_ONLY
)

// Away tells that the run leaves the lane with the order: it is not listed any more.
func (t Target) Away() bool {
	switch t {
	case Reject, Drop, Supersede, Cancel, Fail:
		return true
	}
	return false
}

// Order is a run with what must still be made of it. It stays in the lane until somebody has seen it done, so that a
// crash after the lane's commit loses nothing (P12).
type Order struct {
	Entry
	Target Target
	// UUID finds the start item while the head may not exist; empty for a run that has one.
	UUID string
	// By is the instance that pushed this one out (Drop, Supersede, Halt) or blocks it (Reject).
	By int64
	// Kill makes Cancel end the run as FAILED in place of STOPPED.
	Kill bool
	// User and Reason are those of a Cancel.
	User, Reason string
	// Changed tells that a later decision than the one that gave the number replaced this order: who asked for the start
	// was told of another.
	Changed bool
	// Given tells that the caller chose the uuid and may ask with it again: its number must be kept for ever. Nobody but
	// its own caller can ever ask about another one.
	Given bool
}

// Lane is the state. Its zero value is the lane of a workflow that never ran.
type Lane struct {
	// Latest is the newest instance number; it survives the deletion of the workflow.
	Latest          int64
	Queued, Running Set
	Orders          []Order
	// Deleting refuses every start: the workflow is being deleted (P15).
	Deleting bool
	// Since is when the oldest of Orders was given, 0 without orders.
	Since int64
	// Due is when the sweep must look here, 0 when at rest.
	Due int64
	// Hold is until when LastOnly lets nothing begin: set by the first start that halts a running run. 0: nothing is held.
	Hold int64

	// The inbox, where callers leave pointers who lost the race for the lane (P13).

	// Crowd is how many pointers the newest commit took; 0 while callers do not meet.
	Crowd int
	// FoldAt is by when whoever committed last has promised to look into the inbox again, in epoch milliseconds; the time
	// of the commit where nothing is promised.
	FoldAt int64
	// Taken tells that no pointer left at this revision of the lane, or an earlier one, is taken any more.
	Taken int64
	// Recent are the pointers above Taken that have been taken, oldest revision first.
	Recent []Pointer

	// While a decision is taken: the index of Orders, and how many of them are older than it.
	index map[Entry]int
	old   int
}

// Pointer names what a caller left in the inbox: by the lane's revision that it lost to, and a hash of what it asks. Two
// that are taken for one cost a caller another try and nothing else.
type Pointer struct {
	Rev  int64
	Hash uint64
}

// Window is for how many revisions a pointer may be on its way into the inbox. One that comes later is not taken, and
// its caller asks again.
const Window = 4

// HasTaken tells whether a pointer is not to be taken: it has been, or it came too late.
func (l *Lane) HasTaken(p Pointer) bool {
	return p.Rev <= l.Taken || slices.ContainsFunc(l.Recent, func(q Pointer) bool { return q.Hash == p.Hash })
}

// Take notes pointers as taken in a decision about revision rev of the lane. left is the oldest revision of those that
// were seen and not taken, 0 when there are none.
func (l *Lane) Take(rev int64, taken []Pointer, left int64) {
	l.Crowd = len(taken)
	upTo := rev - Window
	if left != 0 {
		upTo = min(upTo, left-1)
	}
	l.Taken = max(l.Taken, upTo)
	l.Recent = append(l.Recent, taken...)
	l.Recent = slices.DeleteFunc(l.Recent, func(p Pointer) bool { return p.Rev <= l.Taken })
	slices.SortStableFunc(l.Recent, func(p, q Pointer) int { return cmp.Compare(p.Rev, q.Rev) })
}

// Arrival is a start or a restart that wants a number.
type Arrival struct {
	UUID string
	// Instance is that of a restart, 0 for a fresh start. LatestRun is then its newest run, read after the lane was.
	Instance, LatestRun int64
	// Failed marks a start that is kept though its parameters could not be evaluated: it is never queued.
	Failed bool
	// Given is that of its order.
	Given bool
	// Life is the internal id of the workflow that the start was planned for. It is the shell that compares it with that
	// of the workflow as it is: a start is not numbered in another life of the same workflow id.
	Life int64
}

// Input is everything that a decision takes in at once.
type Input struct {
	Now      int64
	Strategy Strategy
	// Blocked tells that a failed instance blocks the queue; asked only under StrictSequential.
	Blocked  bool
	Arrivals []Arrival
	// Ended are runs seen terminal. One that the lane does not list is ignored: a late duplicate must not free a
	// slot twice (P14).
	Ended []Entry
	// Done are orders seen carried out.
	Done []Order
	// CancelAll ends everything queued, on the word of User.
	CancelAll    bool
	Kill         bool
	User, Reason string
	// Delete marks the lane deleted if nothing is queued, running or ordered.
	Delete bool
	// Revive ends Deleting: the deletion is finished and the id may be used again.
	Revive bool
}

// Result tells each arrival's fate, in the order of Input.Arrivals.
type Result struct {
	Entry
	// Status is CREATED or STOPPED.
	Rejected bool
	// By is the instance that a rejected one found not terminal; 0 when that is not known any more.
	By  int64
	Err error
}

// Outcome is what a decision gives besides the new state.
type Outcome struct {
	Results   []Result
	Cancelled int
	Changed   bool
	// More tells that MaxDispatch was reached and another decision would begin more runs.
	More bool
}

// Decide takes in, in this order: what is done, what ended, a cancellation, the arrivals; then it begins what may.
func Decide(l *Lane, in Input) Outcome {
	var out Outcome
	if l.dropOrders(in.Done, in.Ended) {
		out.Changed = true
	}
	l.old = len(l.Orders)
	for _, e := range in.Ended {
		waited, ran := l.Queued.Remove(e), l.Running.Remove(e)
		out.Changed = out.Changed || waited || ran
	}
	if in.Revive && l.Deleting {
		l.Deleting, out.Changed = false, true
	}
	if in.CancelAll {
		out.Cancelled = l.Queued.Len()
		for _, e := range l.Queued.All() {
			l.order(Order{Entry: e, Target: Cancel, Kill: in.Kill, User: in.User, Reason: in.Reason}, in.Now)
			out.Changed = true
		}
		l.Queued.Clear()
	}
	for _, a := range in.Arrivals {
		r := l.arrive(a, in)
		if r.Err == nil {
			out.Changed = true
		}
		out.Results = append(out.Results, r)
	}
	if l.dispatch(in, &out) {
		out.Changed = true
	}
	if in.Delete && !l.Busy() && !l.Deleting {
		l.Deleting, out.Changed = true, true
	}
	if len(l.Orders) == 0 {
		l.Since = 0
	}
	if due := l.nextDue(in.Now); due != l.Due {
		l.Due, out.Changed = due, true
	}
	l.index, l.old = nil, 0
	return out
}

// Busy tells whether any run is not terminal, or an order is not yet seen done.
func (l *Lane) Busy() bool { return l.NonTerminal()+len(l.Orders) > 0 }

// NonTerminal counts the runs that are not terminal.
func (l *Lane) NonTerminal() int { return l.Queued.Len() + l.Running.Len() }

// OrderOf finds the order about a run.
func (l *Lane) OrderOf(e Entry) (Order, bool) {
	for _, o := range l.Orders {
		if o.Entry == e {
			return o, true
		}
	}
	return Order{}, false
}

func (l *Lane) arrive(a Arrival, in Input) Result {
	if l.Deleting {
		return Result{Err: fault.New(fault.NotFound, "the workflow is being deleted")}
	}
	e := Entry{Instance: a.Instance, Run: a.LatestRun + 1}
	if a.Instance != 0 {
		for _, list := range []*Set{&l.Queued, &l.Running} {
			if f, ok := list.OfInstance(a.Instance); ok {
				return Result{Err: fault.New(fault.BadRequest, "workflow instance %d is not terminal: its run %d must end first", a.Instance, f.Run)}
			}
		}
		// A run that was numbered and is in no list any more may still have no head, so that an older one was read as the
		// newest: its number must not be given again.
		for _, o := range l.Orders {
			if o.Instance == a.Instance && o.Run > a.LatestRun {
				return Result{Err: fault.New(fault.BadRequest, "workflow instance %d is not terminal: its run %d is being made", a.Instance, o.Run)}
			}
		}
	}
	nonTerminal := l.NonTerminal()
	// Under FirstOnly one run at most is there, under LastOnly one that is being ended and one that waits for it.
	many := in.Strategy.Rule == FirstOnly && nonTerminal > 1 ||
		in.Strategy.Rule == LastOnly && max(l.Queued.Len(), l.Running.Len()) > 1
	if many {
		return Result{Err: fault.New(fault.BadRequest, "run strategy %s finds %d runs that are not terminal, at most one is allowed", in.Strategy.Rule, nonTerminal)}
	}
	if a.Instance == 0 {
		l.Latest++
		e = Entry{Instance: l.Latest, Run: 1}
	}
	if a.Failed {
		l.order(Order{Entry: e, Target: Fail, UUID: a.UUID, Given: a.Given}, in.Now)
		return Result{Entry: e}
	}
	switch in.Strategy.Rule {
	case FirstOnly:
		if nonTerminal > 0 {
			by := l.oldest().Instance
			l.order(Order{Entry: e, Target: Reject, UUID: a.UUID, Given: a.Given, By: by}, in.Now)
			return Result{Entry: e, Rejected: true, By: by}
		}
	case LastOnly, SerialLatestOnly:
		target := Drop
		if in.Strategy.Rule == SerialLatestOnly {
			target = Supersede
		}
		for _, q := range l.Queued.All() {
			l.order(Order{Entry: q, Target: target, By: e.Instance}, in.Now)
		}
		l.Queued.Clear()
		if in.Strategy.Rule == LastOnly {
			for _, r := range l.Running.All() {
				l.order(Order{Entry: r, Target: Halt, By: e.Instance}, in.Now)
				if l.Hold <= in.Now {
					l.Hold = in.Now + holdMillis
				}
			}
		}
	}
	l.order(Order{Entry: e, Target: Queue, UUID: a.UUID, Given: a.Given}, in.Now)
	l.Queued.Add(e)
	return Result{Entry: e}
}

// dispatch begins queued runs in the order of instance and run, so that a restart of an older instance overtakes.
func (l *Lane) dispatch(in Input, out *Outcome) bool {
	limit := max(in.Strategy.Concurrency, 1)
	if in.Strategy.Rule != Parallel {
		limit = 1
	}
	if in.Strategy.Rule == StrictSequential && in.Blocked {
		return false
	}
	if in.Strategy.Rule == LastOnly && in.Now < l.Hold {
		return false
	}
	free := limit - l.Running.Len()
	if free <= 0 || l.Queued.Len() == 0 {
		return false
	}
	l.Hold = 0
	n := min(free, l.Queued.Len())
	if n > MaxDispatch {
		n, out.More = MaxDispatch, true
	}
	for _, e := range l.Queued.Head(n) {
		l.order(Order{Entry: e, Target: Begin}, in.Now)
		l.Queued.Remove(e)
		l.Running.Add(e)
	}
	return true
}

// order adds an order, or replaces the one about the same run: the later word counts, the start is kept.
func (l *Lane) order(o Order, now int64) {
	if l.Since == 0 {
		l.Since = now
	}
	if l.index == nil {
		l.index = make(map[Entry]int, len(l.Orders)+1)
		for i := range l.Orders {
			l.index[l.Orders[i].Entry] = i
		}
	}
	i, ok := l.index[o.Entry]
	if !ok {
		l.index[o.Entry] = len(l.Orders)
		l.Orders = append(l.Orders, o)
		return
	}
	o.Changed = i < l.old
	if have := l.Orders[i]; o.UUID == "" {
		o.UUID, o.Given = have.UUID, have.Given
	}
	l.Orders[i] = o
}

// dropOrders drops orders that were seen done, but for those that have since been replaced by another target, and all
// about runs that ended: that a run ended proves that its head existed and began or was ended in the queue.
func (l *Lane) dropOrders(done []Order, ended []Entry) bool {
	if len(l.Orders) == 0 || len(done)+len(ended) == 0 {
		return false
	}
	type key struct {
		Entry
		Target Target
	}
	gone := make(map[key]bool, len(done))
	for _, d := range done {
		gone[key{d.Entry, d.Target}] = true
	}
	over := make(map[Entry]bool, len(ended))
	for _, e := range ended {
		over[e] = true
	}
	before := len(l.Orders)
	l.Orders = slices.DeleteFunc(l.Orders, func(o Order) bool { return over[o.Entry] || gone[key{o.Entry, o.Target}] })
	l.index = nil
	return len(l.Orders) < before
}

// Intervals of the lane's due time, in milliseconds.
const (
	// orderRetry is after how long an order that nobody reported done is looked at.
	orderRetry = 15_000
	// verifyEvery is how often the oldest runs are compared with their heads while anything runs (P14), and whether the
	// deletion goes on that a lane was told of.
	verifyEvery = 300_000
	// holdMillis is how long what waits under LastOnly does not begin after a start has halted what runs: as long as
	// Maestro leaves the run that ends before it looks again. Of many starts in this time only the last one ever begins.
	holdMillis = 2_000
)

// nextDue moves due only earlier, or, once passed, to the next: a start in a busy lane costs no index write (P8).
// An idle lane keeps a due that has not passed: clearing and setting it again with each run would cost four index
// writes a run, letting the sweep find nothing to do costs one a while.
func (l *Lane) nextDue(now int64) int64 {
	var want int64
	switch {
	case len(l.Orders) > 0:
		want = roundUp(now + orderRetry)
	case l.NonTerminal() > 0, l.Deleting:
		want = roundUp(now + verifyEvery)
	}
	if l.Hold > now && l.Queued.Len() > 0 {
		want = min(want, roundUp(l.Hold))
	}
	if l.Due > now && (want == 0 || l.Due <= want) {
		return l.Due
	}
	return want
}

// roundUp rounds a due time up to 15 s, so that neighbours share index writes.
func roundUp(t int64) int64 { return (t + 14_999) / 15_000 * 15_000 }

func (l *Lane) oldest() Entry {
	if l.Running.Len() > 0 {
		return l.Running.Head(1)[0]
	}
	return l.Queued.Head(1)[0]
}
