package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/permit"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/template"
)

// runEnv is what a decision about a run is handed (engine.Env). It answers from what is loaded; what is not is noted,
// loaded by load, and the decision taken again (P1).
type runEnv struct {
	a   *App
	v   *runView
	at  int64
	ctl *Ctl

	// Requests for permits are answered with Waiting at first and noted; load makes all of them in one write, in the order
	// in which the steps asked: of those that wait since the same moment the first one created is served first.
	requests []permit.Request
	grants   map[string]engine.Grant
	permits  map[string]*permit.Head
	// passed are heads as they will be after what this decision has passed on; unpassable those where that came to its end.
	passed     map[string]*permit.Head
	unpassable map[string]bool

	earlier map[string]*engine.Attempt
	outside *outsideData
	signals *signalEnv
	pending map[engine.Key]bool
	lacking map[string]bool       // permit heads asked for and not loaded
	read    map[string]table.Item // those that this try has loaded and not used for a request yet
}

// newEnv loads what every decision about a run reads. What the tries before were given is kept, which saves asking twice,
// but permits only while the run is as it was: another decision may have given them back, or their lease may be over (see
// fence). Asking again for what is held costs no write.
func (a *App) newEnv(ctx context.Context, v *runView, before *runEnv) (*runEnv, error) {
	e := a.bareEnv(v, before)
	return e, e.loadControl(ctx)
}

// bareEnv is newEnv before anything is read: enough for what a lane makes of a run, which no step has a say in.
func (a *App) bareEnv(v *runView, before *runEnv) *runEnv {
	now := a.now()
	if v.head != nil {
		// Time never runs backwards within a run, whatever the clocks of two machines say (P2).
		now = max(now, v.head.Run.LastTime)
	}
	e := &runEnv{
		a: a, v: v, at: max(now, v.body.CreateTime),
		grants: map[string]engine.Grant{}, permits: map[string]*permit.Head{},
		earlier: map[string]*engine.Attempt{}, outside: newOutside(), pending: map[engine.Key]bool{}, lacking: map[string]bool{}, read: map[string]table.Item{},
		signals: newSignalEnv(),
	}
	if before != nil {
		e.earlier, e.outside, e.signals.announced = before.earlier, before.outside, before.signals.announced
		if before.v.item.Rev == v.item.Rev {
			e.grants, e.permits = before.grants, before.permits
		}
	}
	return e
}

// loadControl reads the control item of the workflow, if that is not done.
func (e *runEnv) loadControl(ctx context.Context) (err error) {
	if e.ctl == nil {
		e.ctl, err = e.a.loadCtl(ctx, owner(e.v.body))
	}
	return err
}

// owner is the workflow whose definition a run executes: of an iteration that of the nearest run above that is none.
func owner(b *engine.Body) string {
	if !b.Initiator.Type.Inline() {
		return b.WorkflowID
	}
	for i := len(b.Initiator.Ancestors) - 1; i >= 0; i-- {
		if id := b.Initiator.Ancestors[i].WorkflowID; !definition.IsInlineID(id) {
			return id
		}
	}
	return b.WorkflowID
}

func (e *runEnv) Now() int64 { return e.at }

// Environment is the name that expressions get from getExecutionEnvironment.
func (e *runEnv) Environment() string { return e.a.set.Environment }

// Template is a job template, nil when there is none.
func (e *runEnv) Template(jobType, version string) (*template.Template, error) {
	return e.outside.template(jobType, version)
}

// Subworkflow and Foreach read children for expressions.
func (e *runEnv) Subworkflow(a *engine.Attempt, childStep string) (*param.StepRecord, error) {
	return e.outside.subworkflow(a, childStep)
}

func (e *runEnv) Foreach(a *engine.Attempt, bodyStep, name string) ([]sel.Value, error) {
	return e.outside.foreach(a, bodyStep, name)
}

func (e *runEnv) MaxSteps() int { return 200 }

func (e *runEnv) Breakpoint(stepID string) (bool, error) {
	return e.ctl.HasBreakpoint(e.v.id.Workflow, stepID), nil
}

func (e *runEnv) HasRuntime(stepType string) bool { _, ok := e.a.cfg.Runtimes[stepType]; return ok }

func (e *runEnv) EarlierAttempt(stepID string) (*engine.Attempt, error) {
	if at, ok := e.earlier[stepID]; ok {
		return at, nil
	}
	return nil, &engine.NeedError{Keys: []engine.Key{{Kind: engine.KeyEarlierAttempt, StepID: stepID}}}
}

func (e *runEnv) Acquire(stepUUID string, tags []engine.PermitTag) (engine.Grant, error) {
	if g, ok := e.grants[stepUUID]; ok {
		return g, nil
	}
	key := engine.Key{Kind: engine.KeyPermit, Name: stepUUID}
	if !e.pending[key] {
		e.pending[key] = true
		e.requests = append(e.requests, permit.Request{UUID: stepUUID, Run: permitRun(e.v.id), Tags: tags, Since: e.waitingSince(stepUUID)})
	}
	return engine.Waiting, nil
}

// waitingSince is when the attempt began to wait for permits: its place in every queue.
func (e *runEnv) waitingSince(stepUUID string) int64 {
	for i := len(e.v.pages) - 1; i >= 0; i-- {
		for _, at := range e.v.pages[i] {
			if at.UUID == stepUUID && at.Times.WaitPermit != 0 {
				return at.Times.WaitPermit
			}
		}
	}
	return e.at
}

func (e *runEnv) Blocked(stepID string, tags []engine.PermitTag) (bool, error) {
	list := tags
	for _, name := range permit.HeadsOf(list) {
		if _, ok := e.permits[name]; !ok {
			e.lacking[name] = true
			e.pending[engine.Key{Kind: engine.KeyPermitState, Name: name}] = true
		}
	}
	if len(e.lacking) > 0 {
		return false, nil
	}
	return permit.Blocked(e.permits, list), nil
}

// Inherit implements engine.InheritEnv.
func (e *runEnv) Inherit(from string, have, want []engine.PermitTag) (bool, error) {
	if err := e.needPermits(want); err != nil {
		return false, err
	}
	return permit.Heads(e.permits).Inherits(from, have, want), nil
}

// Pass implements engine.InheritEnv.
func (e *runEnv) Pass(from string, have []engine.PermitTag, to string, want []engine.PermitTag) (bool, error) {
	names := permit.HeadsOf(want)
	if slices.ContainsFunc(names, func(n string) bool { return e.unpassable[n] }) {
		return false, nil
	}
	if err := e.needPermits(want); err != nil {
		return false, err
	}
	heads := permit.Heads{}
	for _, n := range names {
		heads[n] = e.permits[n]
		if h, ok := e.passed[n]; ok {
			heads[n] = h
		}
	}
	after, ok := heads.Passes(from, have, to, want, e.at)
	if !ok {
		// Whoever is first in the queue is not among those who ask: it would be in vain for each of the others, too.
		for _, n := range names {
			e.unpassable[n] = true
		}
		return false, nil
	}
	maps.Copy(e.passed, after)
	return true, nil
}

// needPermits asks for the heads of the tags that are not loaded yet.
func (e *runEnv) needPermits(tags []engine.PermitTag) error {
	var keys []engine.Key
	for _, n := range permit.HeadsOf(tags) {
		if _, ok := e.permits[n]; !ok {
			keys = append(keys, engine.Key{Kind: engine.KeyPermitState, Name: n})
		}
	}
	if len(keys) > 0 {
		return &engine.NeedError{Keys: keys}
	}
	return nil
}

// begin forgets what a decision did that is taken again.
func (e *runEnv) begin() { e.passed, e.unpassable = map[string]*permit.Head{}, map[string]bool{} }

// unsettled are the keys that the decision asked for while it went on without them.
func (e *runEnv) unsettled() []engine.Key {
	keys := make([]engine.Key, 0, len(e.pending))
	for k := range e.pending {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if keys[i].Kind != keys[j].Kind {
			return keys[i].Kind < keys[j].Kind
		}
		return keys[i].Name < keys[j].Name
	})
	return keys
}

// load reads the keys strongly, and makes the requests for permits that were noted.
func (e *runEnv) load(ctx context.Context, keys []engine.Key) error {
	for _, k := range keys {
		switch k.Kind {
		case engine.KeyEarlierAttempt:
			if err := e.loadEarlier(ctx, k.StepID); err != nil {
				return err
			}
		case engine.KeyPermitState:
			e.lacking[k.Name] = true
		case engine.KeyPermit:
		default:
			if done, err := e.loadSignals(ctx, k); done || err != nil {
				if err != nil {
					return err
				}
				continue
			}
			if err := e.outside.load(ctx, e.a, k); err != nil {
				return err
			}
		}
	}
	if len(e.lacking) > 0 {
		names := sortedKeys(e.lacking)
		p, err := e.a.loadPermits(ctx, names)
		if err != nil {
			return err
		}
		for n, h := range p.heads {
			e.permits[n], e.read[n] = h, p.items[n]
		}
		e.lacking = map[string]bool{}
	}
	if len(e.requests) > 0 {
		if err := e.acquire(ctx); err != nil {
			return err
		}
	}
	e.pending = map[engine.Key]bool{}
	return nil
}

// acquire makes the noted requests, all in one commit of the heads concerned.
func (e *runEnv) acquire(ctx context.Context) error {
	list := e.requests
	heads := map[string]bool{}
	for _, r := range list {
		for _, n := range permit.HeadsOf(r.Tags) {
			heads[n] = true
		}
	}
	names := sortedKeys(heads)
	have, err := e.justRead(names)
	if err != nil {
		return err
	}
	outcomes, tasks, err := e.a.askPermits(ctx, &permit.Ask{Heads: names, Requests: list}, have)
	if err != nil {
		return err
	}
	for i, r := range list {
		e.grants[r.UUID] = engine.Waiting
		if outcomes[i] == permit.Granted {
			e.grants[r.UUID] = engine.Granted
		}
	}
	e.requests = nil
	if len(tasks) > 0 {
		// Others were served on the way; they are poked at once, whatever becomes of this decision.
		var out []outgoing
		for _, t := range tasks {
			out = append(out, e.a.message(t))
		}
		return e.a.send(ctx, out)
	}
	return nil
}

// justRead gives the heads as this try has read them, nil if it has not read all. What is decided of them is written on
// their revisions, and an attempt that has its place in the queue already is told to wait by an older one as well.
func (e *runEnv) justRead(names []string) (*permitHeads, error) {
	p := &permitHeads{heads: permit.Heads{}, items: map[string]table.Item{}}
	for _, n := range names {
		item, ok := e.read[n]
		if !ok {
			return nil, nil
		}
		h, err := permit.Decode(item.Data)
		if err != nil {
			return nil, e.a.park(item, err)
		}
		p.heads[n], p.items[n] = h, item
		delete(e.read, n)
	}
	return p, nil
}

// loadEarlier finds the newest attempt of a step over the earlier runs of the instance.
func (e *runEnv) loadEarlier(ctx context.Context, stepID string) error {
	e.earlier[stepID] = nil
	runs := []int64{}
	if view, ok := e.v.body.Baseline.Find(stepID); ok && view.RunID > 0 {
		runs = append(runs, view.RunID)
	} else {
		for r := e.v.id.Run - 1; r >= 1; r-- {
			runs = append(runs, r)
		}
	}
	for _, r := range runs {
		id := store.RunID{Workflow: e.v.id.Workflow, Instance: e.v.id.Instance, Run: r}
		v, err := e.a.loadRun(ctx, id, "")
		if err == errNoRun {
			continue
		}
		if err != nil {
			return fmt.Errorf("earlier run %s: %w", id, err)
		}
		var newest *engine.Attempt
		for _, at := range v.attempts() {
			if at.StepID == stepID && (newest == nil || at.AttemptID >= newest.AttemptID) {
				newest = at
			}
		}
		if newest != nil {
			e.earlier[stepID] = newest
			return nil
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
