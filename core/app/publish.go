package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/bus"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/view"
	"github.com/downbeat/downbeat/events"
)

// publish sends one event about a definition; sent is the time that it tells as that of its sending.
func (a *App) publish(ctx context.Context, e events.Published, sent int64) error {
	if !a.set.Publish {
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
	return a.cfg.Bus.Publish(ctx, out)
}

// publishRun publishes the status events of what a run's head names and has not published yet (P35). The head's cursor
// moves after they are sent: a crash in between sends them again, and none is left out.
func (a *App) publishRun(ctx context.Context, id store.RunID) ([]task, error) {
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
	if published(h) {
		return nil, nil
	}
	var changed []*engine.Attempt
	for _, page := range v.pages[min(h.Published, len(v.pages)):] {
		changed = append(changed, page...)
	}
	record := h.Run
	record.Changes = unpublished(h)
	list := view.AllChanges().Events(v.body, &record, changed)
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
	next.Published, next.PublishedStatus = len(h.Pages), h.Run.Status
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
		return nil, nil
	}
	return nil, err
}

// unpublished are the changes of the run itself that no event has told yet. They follow from the record: a run begins
// once and ends once.
func unpublished(h *store.RunHead) []engine.InstanceChange {
	r := &h.Run
	var out []engine.InstanceChange
	from := engine.InstanceCreated
	if r.Executed {
		if h.PublishedStatus < engine.InstanceInProgress {
			out = append(out, engine.InstanceChange{From: from, To: engine.InstanceInProgress, Time: r.StartTime})
		}
		from = engine.InstanceInProgress
	}
	if r.Status.Terminal() && !h.PublishedStatus.Terminal() {
		out = append(out, engine.InstanceChange{From: from, To: r.Status, Time: r.EndTime})
	}
	return out
}
