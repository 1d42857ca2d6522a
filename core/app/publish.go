package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/downbeat/downbeat/core/bus"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/permit"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/view"
	"github.com/downbeat/downbeat/events"
)

// publish sends one event about a definition; sent is the time that it tells as that of its sending.
func (a *App) publish(ctx context.Context, e events.Published, sent int64) error {
	if !a.wants(e.EventType()) {
		return nil
	}
	data, err := events.EncodePublished(e, a.set.Cluster, sent)
	if err != nil {
		return err
	}
	return a.sendEvents(ctx, [][]byte{data})
}

// CountUnpublished counts status events that no bus takes.
const CountUnpublished = "UnpublishedEvents"

// sendEvents publishes events. One that no bus takes (bus.CheckEvent) is dropped, loudly: it would fail each time, and keep
// back all that are published with it and after it.
func (a *App) sendEvents(ctx context.Context, list [][]byte) error {
	var out [][]byte
	for _, e := range list {
		if err := bus.CheckEvent(e); err != nil {
			a.log.ErrorContext(ctx, "event can never be published and is dropped", "error", err, "event", string(e[:min(len(e), 500)]))
			a.count(CountUnpublished, 1)
			continue
		}
		out = append(out, e)
	}
	if len(out) == 0 {
		return nil
	}
	a.count(CountPublished, float64(len(out)))
	return a.cfg.Bus.Publish(ctx, out)
}

// publishUnsent publishes the events of changes of a workflow that wait in its control item.
func (a *App) publishUnsent(ctx context.Context, c *Ctl) error {
	var out [][]byte
	for _, data := range c.Unsent {
		e, err := events.ParsePublished(data)
		if err != nil {
			return err
		}
		if !a.wants(e.EventType()) {
			continue
		}
		if data, err = events.EncodePublished(e, a.set.Cluster, a.now()); err != nil {
			return err
		}
		out = append(out, data)
	}
	if len(out) == 0 {
		return nil
	}
	return a.sendEvents(ctx, out)
}

// wants tells whether events of a type are published.
func (a *App) wants(eventType string) bool {
	return a.set.Publish && (len(a.set.PublishTypes) == 0 || slices.Contains(a.set.PublishTypes, eventType))
}

// owes tells whether the head's cursor has not passed everything that it names and that somebody wants to know.
func (a *App) owes(h *store.RunHead) bool {
	return a.wants(events.TypeStepStatus) && h.Published < len(h.Pages) || a.wants(events.TypeWorkflowStatus) && len(h.Changes) > 0
}

// publishDue is after what time the sweep looks at a run that has something to publish, should whoever committed it
// have died before.
const publishDue = minuteMillis

// publishRun publishes the status events of what a run's head names and has not published yet (P35). The head's cursor
// moves after they are sent: a crash in between sends them again, and none is left out.
//
// The event about the end goes after permits and lane have been told. Who has just committed the end does all three, in
// this order; with redo it is somebody else, who cannot know how far that one came, and does them again.
func (a *App) publishRun(ctx context.Context, id store.RunID, redo bool) ([]task, error) {
	if !a.set.Publish {
		return nil, nil
	}
	v, err := a.loadRun(ctx, id, "")
	if errors.Is(err, errNoRun) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	h := v.head
	if !a.owes(h) {
		return nil, nil
	}
	var tasks []task
	if redo && h.Run.Status.Terminal() {
		if tasks, err = a.redoEnd(ctx, v); err != nil {
			return nil, err
		}
	}
	wanted := view.Changes{Steps: a.wants(events.TypeStepStatus), Begin: true, End: true}
	var changed []*engine.Attempt
	for _, page := range v.pages[min(h.Published, len(h.Pages)):len(h.Pages)] {
		changed = append(changed, page...)
	}
	record := h.Run
	record.Changes = h.Changes
	list := wanted.Events(v.body, &record, changed)
	out := make([][]byte, 0, len(list))
	for _, e := range list {
		data, err := events.EncodePublished(e, a.set.Cluster, a.now())
		if err != nil {
			return nil, fmt.Errorf("events of run %s: %w", id, err)
		}
		out = append(out, data)
	}
	if err := a.sendEvents(ctx, out); err != nil {
		return nil, fmt.Errorf("events of run %s: %w", id, err)
	}
	next := *h
	next.Published, next.Changes = len(h.Pages), nil
	data, err := next.Encode()
	if err != nil {
		return nil, err
	}
	due := v.item.Due
	if h.Run.Status.Terminal() {
		due = 0
	}
	err = a.put(ctx, v.item, store.RunKey(id), data, due)
	if table.CodeOf(err) == table.CodeConflict {
		// The run has moved on; whoever moved it publishes the rest, and this again, which is allowed.
		return tasks, nil
	}
	return tasks, err
}

// redoEnd tells permits and lane of the end of a run, as whoever committed it did or was about to. Both may be told again.
func (a *App) redoEnd(ctx context.Context, v *runView) ([]task, error) {
	var uuids []string
	heads := map[string]bool{}
	for _, at := range v.attempts() {
		if at.Times.WaitPermit == 0 {
			continue // it never came to ask for a permit
		}
		uuids = append(uuids, at.Permit())
		if at.PermitUUID != "" {
			uuids = append(uuids, at.UUID) // its place in the queue, should it have had one
		}
		for _, n := range permit.HeadsOf(engine.PermitTagsOf(v.body, at)) {
			heads[n] = true
		}
	}
	var tasks []task
	if len(uuids) > 0 {
		more, err := a.releasePermits(ctx, task{uuids: uuids, heads: sortedKeys(heads)})
		if err != nil {
			return nil, err
		}
		tasks = more
	}
	item, err := a.get(ctx, store.LaneKey(v.id.Workflow))
	if err != nil || !item.Exists() {
		return tasks, err
	}
	l, err := lane.Decode(item.Data)
	if err != nil {
		return nil, a.park(item, err)
	}
	if !l.Running.Has(lane.Entry{Instance: v.id.Instance, Run: v.id.Run}) {
		return tasks, nil
	}
	more, err := a.tellLane(ctx, task{workflow: v.id.Workflow, run: v.id, failed: v.head.Run.Status == engine.InstanceFailed})
	return append(tasks, more...), err
}
