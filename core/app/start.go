package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/request"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
)

// Started is the answer to a start or restart.
type Started struct {
	WorkflowID    string
	Version       int64
	Instance, Run int64
	UUID          string
	// Duplicated: the request id was used before. Rejected: the run was refused by its strategy and is STOPPED.
	Duplicated, Rejected bool
	// Step and Attempt are set when the restart was given to a step of a run that goes on.
	Step    string
	Attempt int64
}

// loadBody reads the body of a run, which is immutable.
func (a *App) loadBody(ctx context.Context, id store.RunID, uuid string) (*engine.Body, error) {
	key := store.StartKey(id.Workflow, uuid)
	// The number is part of the cache key: it is not in the item, and is given once.
	cacheKey := key.String() + id.String()
	if b, ok := a.cache.get(cacheKey); ok {
		return b.(*engine.Body), nil
	}
	item, err := a.get(ctx, key)
	if err != nil {
		return nil, err
	}
	if !item.Exists() {
		return nil, errNoRun
	}
	start, err := decoded(a, "start", item.Data, func() (*keptBody, error) { return a.readStart(ctx, item) })
	if err != nil {
		return nil, err
	}
	var workflow *definition.Workflow
	if start.version != 0 {
		vs, err := a.versions(ctx, id.Workflow, start.internalID, []int64{start.version})
		if err != nil {
			return nil, err
		}
		if vs[0] == nil {
			return nil, fmt.Errorf("version %d of workflow %s, which run %s was started with, is gone", start.version, id.Workflow, id)
		}
		workflow = vs[0].Workflow
	}
	b, err := decoded(a, "body "+id.String(), start.data, func() (*engine.Body, error) { return store.DecodeBody(start.data, workflow, id) })
	if err != nil {
		return nil, a.park(item, err)
	}
	a.cache.put(cacheKey, b, 3*len(start.data)+2000)
	return b, nil
}

// keptBody is the body of a start as it is kept, with the version that it needs.
type keptBody struct {
	data                []byte
	internalID, version int64
}

func (a *App) readStart(ctx context.Context, item table.Item) (*keptBody, error) {
	data, err := a.bodies.Fetch(ctx, item.Data)
	if err != nil {
		return nil, err
	}
	s := &keptBody{data: data}
	if s.internalID, s.version, err = store.BodyVersion(data); err != nil {
		return nil, a.park(item, err)
	}
	return s, nil
}

// Start starts a version of a workflow: it plans the run, stores it under its request id and has the lane number it.
// The answer comes as soon as the number is safe; what follows happens meanwhile.
func (a *App) Start(ctx context.Context, workflow, version, caller string, r engine.StartRequest) (*Started, error) {
	ctl, err := a.loadCtl(ctx, workflow)
	if err != nil {
		return nil, err
	}
	return a.startOn(ctx, ctl, workflow, version, caller, r)
}

// startOn is Start with the control item that was just read.
func (a *App) startOn(ctx context.Context, ctl *Ctl, workflow, version, caller string, r engine.StartRequest) (*Started, error) {
	n, err := definition.ResolveVersion(ctl.Control, workflow, version)
	if err != nil {
		return nil, err
	}
	v, err := a.Version(ctx, ctl.Control, n)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, definition.MissingVersion(workflow, n)
	}
	if err := checkTrigger(ctl.Control, v, &r); err != nil {
		return nil, err
	}
	if r.Initiator.Type == engine.Manual {
		r.Initiator.User = caller
	}
	given := r.RequestID != ""
	if !given {
		r.RequestID = a.cfg.IDs.NewUUID()
	}
	if r.GroupInfo == 0 {
		r.GroupInfo = a.set.MaxGroups
	}
	env := a.newPlanEnv(ctx, workflow)
	var body *engine.Body
	for round := 0; ; round++ {
		body, err = engine.PlanStart(engine.Version{
			InternalID: ctl.Control.InternalID, VersionID: n, Workflow: v.Workflow, Properties: engine.PropertiesOf(&ctl.Control.Properties),
		}, r, env)
		if again, err2 := env.again(ctx, err, round); err2 != nil {
			return nil, err2
		} else if !again {
			break
		}
	}
	started, err := a.number(ctx, body, 0, given)
	if err != nil {
		return nil, err
	}
	started.Version = n
	return started, nil
}

// checkTrigger applies the rules for starts that a trigger asked for (engine.md 2 of Maestro's contract).
func checkTrigger(ctl *definition.Control, v *definition.Version, r *engine.StartRequest) error {
	t := r.Initiator.Type
	if t != engine.TimeTriggered && t != engine.Signalled {
		return nil
	}
	id := v.Metadata.VersionID
	if ctl.ActiveVersion != id {
		return fault.New(fault.BadRequest, "version [%d] of workflow [%s] is not active: a trigger starts active versions only", id, ctl.WorkflowID)
	}
	known := false
	for _, uuid := range definition.TriggerUUIDs(v.Workflow, t == engine.TimeTriggered) {
		known = known || uuid == r.Initiator.TriggerUUID
	}
	if !known {
		return fault.New(fault.Conflict, "trigger uuid [%s] does not belong to version [%d] of workflow [%s]", r.Initiator.TriggerUUID, id, ctl.WorkflowID)
	}
	if t == engine.TimeTriggered && ctl.Properties.TimeTriggersDisabled() || t == engine.Signalled && ctl.Properties.SignalTriggersDisabled() {
		return fault.New(fault.UnprocessableEntity, "triggers of this kind are disabled in the properties of workflow [%s]", ctl.WorkflowID)
	}
	return nil
}

// Restart makes a new run of an instance from its newest, terminal one. What a step has started is restarted through that
// step: by a new run of the root when everything above has ended, else inside the run that goes on (Delegated).
func (a *App) Restart(ctx context.Context, prev *RunView, r engine.RestartRequest) (*Started, error) {
	given := r.RequestID != ""
	if !given {
		r.RequestID = a.cfg.IDs.NewUUID()
	}
	if b := prev.Body(); b.Initiator.Type.Upstream() && r.Initiator == nil && prev.State().Run.Status.Terminal() {
		parent, above := engine.Above(b, r)
		v, err := a.Run(ctx, store.RunID{Workflow: parent.WorkflowID, Instance: parent.InstanceID})
		if err != nil {
			return nil, err
		}
		if v.State().Run.Status.Terminal() {
			return a.Restart(ctx, v, above)
		}
		return a.delegate(ctx, v, parent.StepID, above)
	}
	body, err := a.planRestart(ctx, prev, r)
	if err != nil {
		return nil, err
	}
	started, err := a.number(ctx, body, prev.ID().Instance, given)
	if err != nil {
		return nil, err
	}
	started.Version = body.VersionID
	if started.Duplicated {
		started.Instance, started.Run = prev.ID().Instance, 0
	}
	return started, nil
}

// planRestart makes the body of a restart, with what its params read.
func (a *App) planRestart(ctx context.Context, prev *RunView, r engine.RestartRequest) (*engine.Body, error) {
	env := a.newPlanEnv(ctx, prev.ID().Workflow)
	var body *engine.Body
	for round := 0; ; round++ {
		var err error
		body, err = engine.PlanRestart(prev.State(), r, env)
		if again, err2 := env.again(ctx, err, round); err2 != nil {
			return nil, err2
		} else if !again {
			return body, nil
		}
	}
}

// number stores a planned run and has the lane number it. The start item is the truth of the start (P12): without a
// number nobody was answered, and whoever asks with the same request id finishes it. given tells that the caller chose
// the id.
func (a *App) number(ctx context.Context, body *engine.Body, instance int64, given bool) (*Started, error) {
	wf := body.WorkflowID
	out := &Started{WorkflowID: wf, UUID: body.UUID}
	data, err := store.EncodeBody(body)
	if err != nil {
		return nil, err
	}
	// The instance is not known yet: large bodies of starts lie under the start's own name.
	kept, err := a.bodies.KeepStart(ctx, fmt.Sprintf("%s/%d/start", wf, body.InternalID), data)
	if err != nil {
		return nil, err
	}
	w := a.next(table.Item{}, store.StartKey(wf, body.UUID), kept, 0)
	if !given {
		w.Item.Order = store.MadeID
	}
	for try := 0; ; try++ {
		// The same token each time: a repetition that finds its own success is one.
		err = a.write(ctx, w)
		if code := table.CodeOf(err); code != table.CodeUnknown && code != table.CodeThrottled || try == maxTries {
			break
		}
		if err := a.backOff(ctx, try); err != nil {
			return nil, err
		}
	}
	failed, life, resumed := body.StartFailure != nil, body.InternalID, false
	if table.CodeOf(err) == table.CodeConflict {
		stored, err := a.storedStart(ctx, wf, body.UUID)
		if err != nil {
			return nil, err
		}
		if stored.numbered {
			out.Duplicated = true
			return out, nil
		}
		// Somebody stored this start and was never answered. Its body stands, this one's is forgotten.
		failed, instance, life, resumed, given = stored.failed, stored.instance, stored.life, true, true
	} else if err != nil {
		return nil, err
	}
	// A start that was just stored under a new id has no number yet.
	ask := &laneAsk{check: given || resumed, arrival: &lane.Arrival{UUID: body.UUID, Instance: instance, Failed: failed, Given: given, Life: life}}
	tasks, err := a.askLane(ctx, wf, ask)
	if errors.Is(err, errAskAgain) || err == nil && ask.before {
		// Another caller with the same request id is numbered: it is the one who is answered.
		out.Duplicated = true
		err = a.settleSoon(ctx, tasks)
		return out, err
	}
	if err != nil {
		// What was decided for others in the same commit follows whatever became of this start.
		if err := a.settleSoon(ctx, tasks); err != nil {
			a.log.WarnContext(ctx, "what follows from a decision of the lane is left to the sweep", "workflow", wf, "error", err)
		}
		return nil, err
	}
	out.Instance, out.Run, out.Rejected = ask.result.Instance, ask.result.Run, ask.result.Rejected
	if instance != 0 {
		// A reader of the instance finds its newest head, and has no reason to ask the lane for a newer one: it must
		// exist before the number is told.
		if err := a.createRestarted(ctx, wf, ask.result, body.UUID, given); err != nil {
			a.log.WarnContext(ctx, "the head of a restart is left to its order", "workflow", wf, "uuid", body.UUID, "error", err)
		}
		// The failure of the run before no longer blocks: this run is judged in its place.
		tasks = append(tasks, task{kind: taskSupersede, workflow: wf, run: store.RunID{Workflow: wf, Instance: instance, Run: out.Run - 1}})
	}
	if err := a.settleSoon(ctx, tasks); err != nil {
		a.log.WarnContext(ctx, "what follows from a start is left to the sweep", "workflow", wf, "uuid", body.UUID, "error", err)
	}
	return out, nil
}

// createRestarted makes the head of a restart that the lane has numbered. The run begins with whoever carries out the
// lane's order, which stays.
func (a *App) createRestarted(ctx context.Context, workflow string, r lane.Result, uuid string, given bool) error {
	o := lane.Order{Entry: r.Entry, UUID: uuid, Given: given, Target: lane.Queue}
	if r.Rejected {
		o.Target, o.By = lane.Reject, r.By
	}
	_, err := a.carryOut(ctx, workflow, o, true)
	return err
}

// storedStart is what a start that was stored by an earlier try tells about itself.
type storedStart struct {
	numbered bool
	failed   bool  // kept as failed
	instance int64 // that it restarts, 0 for none
	life     int64 // the internal id of the workflow that it was planned for
}

// storedStart reads a start that was stored by an earlier try.
func (a *App) storedStart(ctx context.Context, workflow, uuid string) (storedStart, error) {
	item, err := a.get(ctx, store.StartKey(workflow, uuid))
	if err != nil {
		return storedStart{}, err
	}
	if item.Order == store.MadeID {
		// Who knows an id that we made up was answered with it.
		return storedStart{numbered: true}, nil
	}
	n, err := a.get(ctx, store.NumberKey(workflow, uuid))
	if err != nil || n.Exists() {
		return storedStart{numbered: n.Exists()}, err
	}
	data, err := a.bodies.Fetch(ctx, item.Data)
	if err != nil {
		return storedStart{}, err
	}
	failed, instance, err := store.BodyOfStart(data)
	var life int64
	if err == nil {
		life, _, err = store.BodyVersion(data)
	}
	if err != nil {
		return storedStart{}, a.park(item, err)
	}
	return storedStart{failed: failed, instance: instance, life: life}, nil
}

// supersede notes on a FAILED run that a later run of its instance exists, and takes its mark away.
func (a *App) supersede(ctx context.Context, id store.RunID) ([]task, error) {
	m, err := a.moveRun(ctx, id, "", move{supersede: true}, maxTries)
	if err != nil {
		return nil, err
	}
	return m.tasks, a.unmarkFailed(ctx, id)
}

// StartFromEvent starts a run that an event asked for: exactly one per request id, however often it is delivered.
func (a *App) StartFromEvent(ctx context.Context, s events.Start) error {
	r, err := request.Start(s.Body, a.now())
	if err != nil {
		return a.refuseStart(ctx, s, err)
	}
	r.RequestID = s.RequestID
	version := s.Version
	if version == "" {
		version = "active"
	}
	_, err = a.Start(ctx, s.Workflow, version, s.Source, *r)
	if err == nil || fault.CodeOf(err) == fault.InternalError {
		return err
	}
	return a.refuseStart(ctx, s, err)
}

// refuseStart ends an event's start that can never succeed: the caller is gone, so the log is told, and the message is
// not kept.
func (a *App) refuseStart(ctx context.Context, s events.Start, err error) error {
	a.count(CountRefused, 1)
	a.log.ErrorContext(ctx, "event does not start a run", "workflow", s.Workflow, "request_id", s.RequestID, "source", s.Source, "error", err)
	return nil
}
