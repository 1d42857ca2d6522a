package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// A decision that panics names the step that it was at, and is taken again with that step failed. One that takes its
// process with it, by its memory or its time, says nothing: its message comes again. From the second delivery on the
// tries are counted beside the head; with the third of them the run is decided one step at a time, each step named
// before it is decided. Who then finds a name that is too old for anybody to be at that step still knows at which step a
// predecessor died (P4). Processes die of other things than steps too, so it takes two deaths at one step to fail it.

// Decider decides about a run; engine.Decide where nobody tests what happens when it dies.
type Decider func(st *engine.State, in []engine.Input, env engine.Env) (*engine.Decision, error)

// safeFrom is with how many counted tries a run is decided one step at a time.
const safeFrom = 3

// fatalDeaths is how many processes in a row must have died at a step for it to be failed.
const fatalDeaths = 2

// maxPoison bounds how many steps one decision may fail because it died at them.
const maxPoison = 20

type suspiciousKey struct{}

// withReceives marks the work for a message that was delivered before: whoever handled it may have died of it.
func withReceives(ctx context.Context, receives int) context.Context {
	if receives < 2 {
		return ctx
	}
	return context.WithValue(ctx, suspiciousKey{}, true)
}

func suspicious(ctx context.Context) bool { return ctx.Value(suspiciousKey{}) != nil }

// moveRun folds inputs into a run: load, decide, commit on the revision, and the tasks that follow. A lost race is
// decided again from a fresh load. uuid names the start of a run that may have no head yet, else it is empty.
func (a *App) moveRun(ctx context.Context, id store.RunID, uuid string, mv move, tries int) (*moved, error) {
	unlock := a.runs.lock(id.String())
	defer unlock()
	if !suspicious(ctx) {
		return a.tryMove(ctx, id, uuid, mv, tries)
	}
	item, err := a.get(ctx, store.SuspectKey(id))
	if err != nil {
		return nil, err
	}
	s, err := store.DecodeSuspect(item.Data)
	if err != nil {
		return nil, a.park(item, err)
	}
	if s.Step != "" {
		if s.Named >= max(a.now()-a.set.ClaimTimeout.Milliseconds()/2, a.cfg.Since) {
			// Naming it anew would keep the name young for ever where messages come often, and nobody would be found dead.
			return nil, fmt.Errorf("run %s: step %s is being decided by another process, or killed it", id, s.Step)
		}
		if s.Victim != s.Step {
			s.Victim, s.Deaths = s.Step, 0
		}
		s.Deaths++
		s.Step = ""
		a.count(CountDeaths, 1)
		a.log.ErrorContext(ctx, "a process died at a step", "run", id.String(), "step", s.Victim, "deaths", s.Deaths)
	}
	if s.Deaths >= fatalDeaths {
		mv.poison = append(mv.poison, engine.Poison{StepID: s.Victim, Reason: fmt.Sprintf("%d processes that decided about the step died", s.Deaths)})
	}
	s.Tries++
	if item, err = a.noteSuspect(ctx, id, item, s); err != nil {
		return nil, err
	}
	var m *moved
	if s.Tries < safeFrom {
		m, err = a.tryMove(ctx, id, uuid, mv, tries)
	} else {
		m, item, err = a.moveSafely(ctx, id, uuid, mv, item, s)
	}
	if err != nil {
		return nil, err
	}
	if err := a.write(ctx, table.Write{Op: table.OpDelete, Item: table.Item{Key: item.Key}}); err != nil {
		// It makes the next repeated delivery more careful than need be.
		a.log.DebugContext(ctx, "the count of tries stays", "run", id.String(), "error", err)
	}
	return m, nil
}

func (a *App) noteSuspect(ctx context.Context, id store.RunID, item table.Item, s store.Suspect) (table.Item, error) {
	w := a.next(item, store.SuspectKey(id), s.Encode(), 0)
	return w.Item, a.write(ctx, w)
}

// moveSafely is moveRun in safe mode. The inputs are folded first, by themselves; then each step has its turn, named
// before it is decided and committed after. An error takes the name back: it is no death.
func (a *App) moveSafely(ctx context.Context, id store.RunID, uuid string, mv move, item table.Item, s store.Suspect) (*moved, table.Item, error) {
	if mv.byLane() {
		m, err := a.tryMove(ctx, id, uuid, mv, maxTries)
		return m, item, err
	}
	var tasks []task
	var answers []engine.Answer
	ended := false
	alone := ""
	first := mv
	first.only = &alone
	m, err := a.tryMove(ctx, id, uuid, first, maxTries)
	for err == nil {
		tasks, answers, ended = append(tasks, m.tasks...), append(answers, m.answers...), ended || m.ended
		rev := m.view.item.Rev
		var env *runEnv
		if env, err = a.newEnv(ctx, m.view, nil); err != nil {
			break
		}
		for _, step := range engine.Turns(m.view.state(), env) {
			s.Step, s.Named = step, a.now()
			if item, err = a.noteSuspect(ctx, id, item, s); err != nil {
				return nil, item, err
			}
			if m, err = a.tryMove(ctx, id, uuid, move{poison: mv.poison, only: &step}, maxTries); err != nil {
				s.Step = ""
				if _, err := a.noteSuspect(context.WithoutCancel(ctx), id, item, s); err != nil {
					a.log.WarnContext(ctx, "a step that nobody died at stays named", "run", id.String(), "step", step, "error", err)
				}
				return nil, item, err
			}
			tasks, ended = append(tasks, m.tasks...), ended || m.ended
		}
		if m.view.item.Rev == rev {
			break
		}
	}
	if err != nil {
		return nil, item, err
	}
	// Every step that can go on has: what is left is the end of the run.
	s.Step = ""
	if item, err = a.noteSuspect(ctx, id, item, s); err != nil {
		return nil, item, err
	}
	if m, err = a.tryMove(ctx, id, uuid, move{poison: mv.poison}, maxTries); err != nil {
		return nil, item, err
	}
	m.tasks, m.answers, m.ended = append(tasks, m.tasks...), answers, ended || m.ended
	return m, item, nil
}

// died takes a decision that panicked at a step: the step is failed in the next try. It returns false where it named no
// step, or too many.
func (a *App) died(ctx context.Context, id store.RunID, err error, mv *move) bool {
	var death *engine.DeathError
	if !errors.As(err, &death) {
		return false
	}
	a.count(CountDeaths, 1)
	a.log.ErrorContext(ctx, "a decision died", "run", id.String(), "step", death.StepID, "cause", death.Cause, "stack", string(death.Stack))
	if death.StepID == "" || len(mv.poison) >= maxPoison {
		return false
	}
	mv.poison = append(mv.poison, engine.Poison{StepID: death.StepID, Reason: death.Cause})
	return true
}

// with gives the inputs of one call of the decider: those that hold for every slice come first.
func (mv *move) with(in []engine.Input) []engine.Input {
	if len(mv.poison) == 0 && mv.only == nil {
		return in
	}
	var all []engine.Input
	for _, p := range mv.poison {
		all = append(all, p)
	}
	if mv.only != nil {
		all = append(all, engine.Only{StepID: *mv.only})
	}
	return append(all, in...)
}
