package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/permit"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
)

// permitRun is how permit heads name a run: what is poked, and asked at the lease time.
func permitRun(id store.RunID) string {
	return id.Workflow + "/" + strconv.FormatInt(id.Instance, 10) + "/" + strconv.FormatInt(id.Run, 10)
}

func parsePermitRun(s string) (store.RunID, bool) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return store.RunID{}, false
	}
	instance, err1 := strconv.ParseInt(parts[1], 10, 64)
	run, err2 := strconv.ParseInt(parts[2], 10, 64)
	return store.RunID{Workflow: parts[0], Instance: instance, Run: run}, err1 == nil && err2 == nil
}

// permitHeads are heads as they were read, with their revisions.
type permitHeads struct {
	heads permit.Heads
	items map[string]table.Item
}

func (a *App) loadPermits(ctx context.Context, names []string) (*permitHeads, error) {
	keys := make([]table.Key, len(names))
	for i, n := range names {
		keys[i] = store.PermitKey(n)
	}
	items, err := a.batchGet(ctx, keys)
	if err != nil {
		return nil, err
	}
	p := &permitHeads{heads: permit.Heads{}, items: map[string]table.Item{}}
	for i, n := range names {
		h, err := permit.Decode(items[i].Data)
		if err != nil {
			return nil, a.park(items[i], err)
		}
		p.heads[n], p.items[n] = h, items[i]
	}
	return p, nil
}

// commit writes the heads that changed: one alone by its own conditional write, several in a transaction (P29). An
// emptied head is stored empty, not deleted: its revision must go on.
func (p *permitHeads) commit(ctx context.Context, a *App, now int64) error {
	var writes []table.Write
	for _, n := range sortedKeys(p.heads) {
		h := p.heads[n]
		if !h.Changed() || h.Empty() && !p.items[n].Exists() {
			continue
		}
		prev := p.items[n]
		writes = append(writes, a.next(prev, store.PermitKey(n), h.Encode(), moveDue(prev.Due, h.Due(), now)))
	}
	switch len(writes) {
	case 0:
		return nil
	case 1:
		return a.write(ctx, writes[0])
	}
	u, err := a.cfg.Table.Transact(ctx, writes)
	a.spend(u)
	return err
}

// movePermits loads heads, lets change work on them and commits, again from the start when it loses a race. It returns
// the runs that change names, as tasks.
func (a *App) movePermits(ctx context.Context, names []string, change func(heads permit.Heads, now int64) ([]string, error)) ([]task, error) {
	var err error
	for try := 0; try < maxTriesWaiting; try++ {
		if try > 0 {
			a.count(CountConflicts, 1)
			if err := a.backOff(ctx, try-1); err != nil {
				return nil, err
			}
		}
		var p *permitHeads
		if p, err = a.loadPermits(ctx, names); err == nil {
			now := a.now()
			freed, err2 := a.freeOrphans(ctx, p.heads, now)
			if err2 != nil {
				return nil, err2
			}
			var poke []string
			if poke, err = change(p.heads, now); err != nil {
				return nil, err
			}
			if err = p.commit(ctx, a, now); err == nil {
				return pokes(append(freed, poke...)), nil
			}
		}
		if !lost(err) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("permits %v: %w", names, err)
}

// pokes are the tasks for runs that permit heads name.
func pokes(runs []string) []task {
	var tasks []task
	for _, run := range runs {
		if id, ok := parsePermitRun(run); ok {
			tasks = append(tasks, task{kind: taskRun, workflow: id.Workflow, run: id})
		}
	}
	return tasks
}

// releasePermits frees what ended attempts held. Where nobody waits each head is its own affair; else who waits may need
// what comes free in several of them.
func (a *App) releasePermits(ctx context.Context, t task) ([]task, error) {
	p, err := a.loadPermits(ctx, t.heads)
	if err != nil {
		return nil, err
	}
	all := &permit.Ask{Heads: t.heads, Released: t.uuids}
	for _, h := range p.heads {
		if len(h.Waiters) > 0 {
			_, tasks, err := a.askPermits(ctx, all, p)
			return tasks, err
		}
	}
	var tasks []task
	for _, name := range t.heads {
		alone := &permit.Ask{Heads: []string{name}, Released: t.uuids}
		_, more, err := a.askPermits(ctx, alone, &permitHeads{permit.Heads{name: p.heads[name]}, map[string]table.Item{name: p.items[name]}})
		if err != nil {
			return tasks, err
		}
		tasks = append(tasks, more...)
	}
	return tasks, nil
}

// lookAtPermit serves a head that is due: turns that were missed, and holders whose run no longer names them.
func (a *App) lookAtPermit(ctx context.Context, name string) ([]task, error) {
	return a.movePermits(ctx, []string{name}, func(heads permit.Heads, now int64) ([]string, error) {
		h := heads[name]
		poke, err := a.verify(ctx, h, now, permit.LeasedBefore(now))
		return append(poke, h.Settle(now)...), err
	})
}

// freeOrphans frees what a process that is gone held for attempts that have ended: it died before it gave the permits
// back, and nobody can be between asking for them and the commit any more.
func (a *App) freeOrphans(ctx context.Context, heads permit.Heads, now int64) ([]string, error) {
	var poke []string
	for _, name := range sortedKeys(heads) {
		more, err := a.verify(ctx, heads[name], now, a.cfg.Since)
		if err != nil {
			return nil, err
		}
		poke = append(poke, more...)
	}
	return poke, nil
}

// verifyRuns is of how many runs the holders of a head are verified at once.
const verifyRuns = 20

// verify asks the runs of holders and waiters that were verified last before the time whether they still name them.
func (a *App) verify(ctx context.Context, h *permit.Head, now, before int64) ([]string, error) {
	runs := h.Leases(before, verifyRuns)
	if len(runs) == 0 {
		return nil, nil
	}
	live := map[string]map[string]bool{}
	for _, run := range runs {
		id, ok := parsePermitRun(run)
		if !ok {
			live[run] = map[string]bool{}
			continue
		}
		uuids, known, err := a.liveAttempts(ctx, id, h.Leased(run, before))
		if err != nil {
			return nil, err
		}
		if known {
			live[run] = uuids
		}
	}
	return h.Verify(now, before, func(run string) (map[string]bool, bool) {
		uuids, known := live[run]
		return uuids, known
	}), nil
}

// liveAttempts are the permits of a run's attempts that are not terminal. It is false when it cannot be told that those
// asked for which are not among them stay so: a decision that was granted them and stood still may yet commit.
func (a *App) liveAttempts(ctx context.Context, id store.RunID, asked []string) (map[string]bool, bool, error) {
	v, err := a.loadRun(ctx, id, "")
	if errors.Is(err, errNoRun) {
		// A deleted run has something in its place that nobody writes over. One that has nothing is yet to be made.
		item, u, err := a.cfg.Table.Get(ctx, store.RunKey(id))
		a.spend(u)
		return map[string]bool{}, store.IsGone(item), err
	}
	if err != nil {
		return nil, false, err
	}
	live := map[string]bool{}
	st := v.state()
	for i := range st.Steps {
		if at := st.Steps[i].Latest; at != nil && !at.Status.Terminal() {
			live[at.Permit()] = true
		}
	}
	if v.head.Run.Status.Terminal() || !slices.ContainsFunc(asked, func(uuid string) bool { return !live[uuid] }) {
		return live, true, nil
	}
	known, err := a.fence(ctx, v.item)
	return live, known, err
}

// fence moves a head, as that of a run, by one revision and changes nothing else, so that no decision commits any more that
// was made of what was read, or of something older. It is false when somebody else has moved the head.
func (a *App) fence(ctx context.Context, item table.Item) (bool, error) {
	err := a.put(ctx, item, item.Key, item.Data, item.Due)
	if lost(err) {
		return false, nil
	}
	return err == nil, err
}

func permitPoke(head string) events.Poke {
	if wf, ok := strings.CutPrefix(head, "wf#"); ok {
		return events.Poke{Kind: events.PokePermit, Workflow: wf}
	}
	return events.Poke{Kind: events.PokePermit, Tag: head}
}

func permitOfPoke(p events.Poke) string {
	if p.Workflow != "" {
		return "wf#" + p.Workflow
	}
	return p.Tag
}

// SetTagPermit sets the limit of a tag. Attempts that wait for it and may go on now are poked.
func (a *App) SetTagPermit(ctx context.Context, r permit.LimitRequest, user string) error {
	name := permit.HeadOf(r.Tag)
	tasks, err := a.movePermits(ctx, []string{name}, func(heads permit.Heads, now int64) ([]string, error) {
		return heads[name].SetLimit(r, user, now)
	})
	if err != nil {
		return err
	}
	return a.settleSoon(ctx, tasks)
}

// TagPermit reads the limit that was set for a tag, or NOT_FOUND.
func (a *App) TagPermit(ctx context.Context, tag string) (permit.Limit, error) {
	name := permit.HeadOf(tag)
	p, err := a.loadPermits(ctx, []string{name})
	if err != nil {
		return permit.Limit{}, err
	}
	return p.heads[name].LimitOf(tag)
}

// DeleteTagPermit removes the limit of a tag; removing none is no error.
func (a *App) DeleteTagPermit(ctx context.Context, tag string) error {
	name := permit.HeadOf(tag)
	tasks, err := a.movePermits(ctx, []string{name}, func(heads permit.Heads, now int64) ([]string, error) {
		return heads[name].DeleteLimit(tag, now), nil
	})
	if err != nil {
		return err
	}
	return a.settleSoon(ctx, tasks)
}
