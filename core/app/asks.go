package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/downbeat/downbeat/core/permit"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// Asks of permit heads. Who meets nobody moves the heads himself. Who loses a race, or would have to change several heads
// in a transaction, or comes to where others have met, leaves what he wants beside the first of the heads and looks who
// else is there. The one whose ask has the smallest name serves all in one write; the others look again after a tick, and
// act themselves when four have passed. An ask is served at most once, since the head remembers what it took of its newest
// revisions and takes nothing older; it is not deleted, but expires. Its caller finds the answer on the heads: then what he
// wants changes nothing there any more. One whose caller is gone is served like a request whose caller dies after it, and
// found when its lease is looked at (P30).

const (
	// maxAsks is how many asks of others are served in one write, and maxAskHeads how many heads it may change.
	maxAsks     = 50
	maxAskHeads = 20
	// maxAskLooks bounds how often an ask is looked after before its caller gives up.
	maxAskLooks = 60
)

// left is an ask that lies beside a head.
type left struct {
	head string
	rev  int64 // of the head, as the caller had read it
	name string
}

// askPermits has an ask served, alone or together with those of others, and returns the outcomes of its requests and the
// runs to poke. have are the heads as they were just read, nil if they were not.
func (a *App) askPermits(ctx context.Context, k *permit.Ask, have *permitHeads) ([]permit.Outcome, []task, error) {
	if len(k.Heads) == 0 {
		return slices.Repeat([]permit.Outcome{permit.Granted}, len(k.Requests)), nil, nil // nothing limits them
	}
	var mine *left // what this caller has left
	var tasks []task
	var last error
	lost1 := 0 // races
	for look, waited := 0, 0; look < maxAskLooks && lost1 < maxTriesWaiting; look++ {
		p := have
		have = nil
		var found []foundAsk
		var err error
		if p == nil {
			p, found, err = a.readAsks(ctx, k, mine)
		}
		if err != nil {
			if last = err; !lost(err) {
				return nil, tasks, err
			}
			lost1++
			if err := a.backOff(ctx, lost1); err != nil {
				return nil, tasks, err
			}
			continue
		}
		now := a.now()
		freed, err := a.freeOrphans(ctx, p.heads, now)
		if err != nil {
			return nil, tasks, err
		}
		trial, err := p.copy()
		if err != nil {
			return nil, tasks, err
		}
		outcomes, _, err := permit.Fold(trial, []*permit.Ask{k}, now)
		if err != nil {
			return nil, tasks, err
		}
		if i := slices.Index(outcomes, permit.Doubtful); i >= 0 {
			begun, err := a.fenceOff(ctx, &k.Requests[i])
			if err != nil {
				return nil, tasks, err
			}
			if !begun {
				continue
			}
			rest := *k
			rest.Requests = slices.Delete(slices.Clone(k.Requests), i, i+1)
			outcomes, more, err := a.askPermits(ctx, &rest, nil)
			if err != nil {
				return nil, tasks, err
			}
			return slices.Insert(outcomes, i, permit.Granted), append(tasks, more...), nil
		}
		changed := changedHeads(trial)
		if len(changed) == 0 && len(freed) == 0 {
			return outcomes, tasks, nil
		}
		if mine == nil && (len(changed) > 1 || lost1 > 0 || p.heads[k.Heads[0]].Crowd > 0) {
			head := k.Heads[0]
			if len(changed) > 0 {
				head = changed[0]
			}
			mine = &left{head, p.items[head].Rev, strconv.FormatUint(a.cfg.IDs.Token(), 36)}
			item := table.Item{Key: store.PermitAskKey(mine.head, mine.rev, mine.name), Rev: 1, Data: k.Encode(), Expires: now/1000 + pointerKept}
			if err := a.write(ctx, table.Write{Item: item}); err != nil && !lost(err) {
				return nil, tasks, err
			}
			waited = 0
			continue
		}
		if mine != nil {
			if at := permit.PointerOf(mine.rev, mine.name); !p.heads[mine.head].CanTake(at, p.items[mine.head].Rev) {
				mine = nil // served, and something happened since; or too old for anybody to take
				lost1 = max(lost1, 1)
				continue
			}
			patience := 4 // ticks
			if len(found) == 0 || found[0].left.name >= mine.name {
				patience = 0
				if p.heads[mine.head].Crowd > 0 {
					patience = 1 // more may come
				}
			}
			if waited < patience {
				waited++
				if err := a.cfg.Clock.Sleep(ctx, time.Duration((0.8+0.4*a.cfg.IDs.Float())*float64(tick))); err != nil {
					return nil, tasks, err
				}
				continue
			}
		}
		outcomes, more, err := a.serveAsks(ctx, k, mine, found, p, now)
		if err == nil {
			return outcomes, append(tasks, append(pokes(freed), more...)...), nil
		}
		if last = err; !lost(err) {
			return nil, tasks, err
		}
		a.count(CountConflicts, 1)
		lost1++
		if mine != nil {
			waited = 0
			if err := a.cfg.Clock.Sleep(ctx, time.Duration(a.cfg.IDs.Float()*float64(tick))); err != nil {
				return nil, tasks, err
			}
		}
	}
	return nil, tasks, fmt.Errorf("permits %v: %w", k.Heads, last)
}

// fenceOff tells whether the attempt of a doubtful request has begun with the permits that it holds. Otherwise it sees to it
// that it cannot begin with them any more: the run's head is moved, and with it ends every decision to which they were
// granted, that of the caller too.
func (a *App) fenceOff(ctx context.Context, r *permit.Request) (begun bool, err error) {
	id, ok := parsePermitRun(r.Run)
	if !ok {
		return false, fmt.Errorf("permits: %q names no run", r.Run)
	}
	v, err := a.loadRun(ctx, id, "")
	if errors.Is(err, errNoRun) {
		// The first decision about the run is not committed. There is nothing to move; nothing was freed either, so that what
		// the attempt holds is all that had a limit when it was granted.
		return true, nil
	}
	if err != nil {
		return false, err
	}
	for _, at := range v.attempts() {
		if at.Permit() == r.UUID && at.HoldsPermit {
			return true, nil
		}
	}
	moved, err := a.fence(ctx, v.item)
	if err == nil && !moved {
		err = &table.Error{Code: table.CodeConflict, Op: "fence", Key: v.item.Key}
	}
	r.Fenced = err == nil
	return false, err
}

// foundAsk is one that lies beside a head and was not taken yet.
type foundAsk struct {
	left left
	ask  *permit.Ask
}

// readAsks reads the heads of an ask and, once this caller has left it, what others have left at the same head, in the
// order of names.
func (a *App) readAsks(ctx context.Context, k *permit.Ask, mine *left) (*permitHeads, []foundAsk, error) {
	if mine == nil {
		p, err := a.loadPermits(ctx, k.Heads)
		return p, nil, err
	}
	// The inbox is read first: what is taken out of it must be taken by a later revision than the one read.
	page, err := a.query(ctx, table.Query{PK: store.PermitKey(mine.head).PK, From: store.PermitAsksFrom(permit.OldestPointer(mine.rev)), To: store.PermitAsksTo, Limit: 2 * maxAsks})
	if err != nil {
		return nil, nil, err
	}
	p, err := a.loadPermits(ctx, k.Heads)
	if err != nil {
		return nil, nil, err
	}
	h, rev := p.heads[mine.head], p.items[mine.head].Rev
	var found []foundAsk
	for _, it := range page.Items {
		at, name, ok := store.ParsePermitAskKey(it.Key)
		if !ok || name == mine.name || !h.CanTake(permit.PointerOf(at, name), rev) {
			continue
		}
		ask, err := permit.DecodeAsk(it.Data)
		if err != nil {
			// Its caller looks after it, and acts himself in the end.
			a.log.ErrorContext(ctx, "what lies beside a permit head cannot be read", "key", it.Key.String(), "error", err)
			continue
		}
		found = append(found, foundAsk{left{mine.head, at, name}, ask})
	}
	sort.Slice(found, func(i, j int) bool { return found[i].left.name < found[j].left.name })
	return p, found, nil
}

// serveAsks moves the heads by this caller's ask and those of others in one write.
func (a *App) serveAsks(ctx context.Context, k *permit.Ask, mine *left, found []foundAsk, p *permitHeads, now int64) ([]permit.Outcome, []task, error) {
	asks := []*permit.Ask{k}
	var taken []permit.Pointer
	if mine != nil {
		taken = append(taken, permit.PointerOf(mine.rev, mine.name))
	}
	heads := slices.Clone(k.Heads)
	for _, f := range found {
		all := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(heads), f.ask.Heads...))))
		if len(asks) > maxAsks || len(all) > maxAskHeads {
			continue
		}
		heads, asks = all, append(asks, f.ask)
		taken = append(taken, permit.PointerOf(f.left.rev, f.left.name))
	}
	if err := a.loadMore(ctx, p, heads); err != nil {
		return nil, nil, err
	}
	if err := a.loadMore(ctx, p, p.heads.Lacking(maxAskHeads)); err != nil {
		return nil, nil, err
	}
	outcomes, poke, err := permit.Fold(p.heads, asks, now)
	if err != nil {
		return nil, nil, err
	}
	at := k.Heads[0]
	if mine != nil {
		at = mine.head
	}
	p.heads[at].Take(p.items[at].Rev, taken, len(asks)-1)
	return outcomes, pokes(poke), p.commit(ctx, a, now)
}

// loadMore adds heads to those that were read.
func (a *App) loadMore(ctx context.Context, p *permitHeads, names []string) error {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return p.heads[n] != nil })
	if len(names) == 0 {
		return nil
	}
	more, err := a.loadPermits(ctx, names)
	if err != nil {
		return err
	}
	for _, n := range names {
		p.heads[n], p.items[n] = more.heads[n], more.items[n]
	}
	return nil
}

// copy gives the heads as they were read, for a trial.
func (p *permitHeads) copy() (permit.Heads, error) {
	heads := make(permit.Heads, len(p.heads))
	for n := range p.heads {
		h, err := permit.Decode(p.items[n].Data)
		if err != nil {
			return nil, err
		}
		heads[n] = h
	}
	return heads, nil
}

// changedHeads are the names of the heads that changed, sorted.
func changedHeads(heads permit.Heads) []string {
	var names []string
	for _, n := range sortedKeys(heads) {
		if heads[n].Changed() {
			names = append(names, n)
		}
	}
	return names
}
