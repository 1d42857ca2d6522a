package app

import (
	"context"
	"time"

	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

const minuteMillis = 60_000

// sweepPage is how many entries of the due index are read at once.
const sweepPage = 500

// Sweep finds what is due. minute is the minute it stands for, in epoch milliseconds: that of the schedule's event, not
// of the clock, so that a late invocation covers its own minute.
//
// It sends pokes for what is due in the minute after next, delayed to the second, and of what is overdue only what
// becomes 1, 2, 4, … 64 minutes old in this minute: a backlog must not multiply (P23). Every 64th minute it looks at
// everything older too, so that sweeps that did not run leave nothing behind.
func (a *App) Sweep(ctx context.Context, minute int64) error {
	minute = minute / minuteMillis * minuteMillis
	from := minute - 65*minuteMillis
	all := minute/minuteMillis%64 == 0
	if all {
		from = 0
	}
	return a.sweep(ctx, from, minute+2*minuteMillis, func(e table.DueEntry) bool {
		due := e.Due
		if due >= minute+minuteMillis {
			return true
		}
		if all && due < minute-64*minuteMillis {
			return true
		}
		for age := int64(1); age <= 64; age *= 2 {
			if w := minute - age*minuteMillis; due >= w && due < w+minuteMillis {
				return true
			}
		}
		return false
	})
}

// Recover pokes every head that is not at rest, at once, and returns how many runs are among them. The local server does
// it when it starts, in place of waiting for each head's time: its queues were lost with the process.
func (a *App) Recover(ctx context.Context) (runs int, err error) {
	err = a.sweep(ctx, 0, 1<<62, func(e table.DueEntry) bool {
		if _, ok := store.ParseRunKey(e.Key); ok {
			runs++
		}
		return true
	})
	return runs, err
}

func (a *App) sweep(ctx context.Context, from, to int64, wanted func(e table.DueEntry) bool) error {
	for part := range table.DuePartitions {
		var after *table.DueEntry
		for {
			entries, u, err := a.cfg.Table.QueryDue(ctx, table.DueQuery{Partition: part, From: from, To: to, Limit: sweepPage, After: after})
			a.spend(u)
			if err != nil {
				return err
			}
			var out []outgoing
			for _, e := range entries {
				if !wanted(e) {
					continue
				}
				t, ok := headTask(e.Key)
				if !ok {
					a.count(CountParked, 1)
					a.log.ErrorContext(ctx, "due item of an unknown kind", "key", e.Key.String())
					continue
				}
				wait := e.Due - a.now()
				switch {
				case wait <= 0:
				case to < 1<<62:
					t.delay = wait
				case t.kind == taskTime && wait < sweepHorizon:
					t.delay = wait // the message for it was lost, and the next sweep may come too late
				case t.kind == taskTime:
					continue // it waits for nothing but its time
				}
				out = append(out, a.message(t))
			}
			if len(out) > 0 {
				a.count(CountSwept, float64(len(out)))
				if err := a.send(ctx, out); err != nil {
					return err
				}
			}
			if len(entries) < sweepPage {
				break
			}
			after = &entries[len(entries)-1]
		}
	}
	return nil
}

// headTask is the task for a head in the due index. It follows from the key: the sweep may read no items, and one that
// cannot be read must not keep it from the others.
func headTask(key table.Key) (task, bool) {
	if stream, ok := store.ParseSignalKey(key); ok {
		return task{kind: taskSignal, stream: stream}, true
	}
	if id, ok := store.ParseRunKey(key); ok {
		return task{kind: taskRun, workflow: id.Workflow, run: id}, true
	}
	if wf, ok := store.ParseLaneKey(key); ok {
		return task{kind: taskLane, workflow: wf}, true
	}
	if head, ok := store.ParsePermitKey(key); ok {
		return task{kind: taskPermit, permit: head}, true
	}
	if wf, ok := store.ParseCtlKey(key); ok {
		return task{kind: taskChange, workflow: wf}, true
	}
	if wf, ok := store.ParseTimesKey(key); ok {
		return task{kind: taskTime, workflow: wf}, true
	}
	if wf, ok := store.ParseDeletionKey(key); ok {
		return task{kind: taskDelete, workflow: wf}, true
	}
	return task{}, false
}

// MinuteOf is the minute of a time, for Sweep.
func MinuteOf(t time.Time) int64 { return t.UnixMilli() / minuteMillis * minuteMillis }
