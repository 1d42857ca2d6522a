package app

import (
	"context"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/definition"
)

// still is a clock that stands.
type still int64

func (c still) Now() int64                                       { return int64(c) }
func (c still) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// Two changes of a workflow never have the same time: it is the id of a snapshot, and what orders their events.
func TestChangeTimeGrows(t *testing.T) {
	a := &App{cfg: Config{Clock: still(100)}}
	for name, c := range map[string]struct {
		control *definition.Control
		want    int64
	}{
		"a new workflow":                     {nil, 100},
		"changed long ago":                   {&definition.Control{ModifyTime: 60, Properties: definition.Snapshot{CreateTime: 50}}, 100},
		"properties of this millisecond":     {&definition.Control{ModifyTime: 100, Properties: definition.Snapshot{CreateTime: 100}}, 101},
		"a version pushed in this one":       {&definition.Control{ModifyTime: 100, Properties: definition.Snapshot{CreateTime: 50}}, 101},
		"changed by a machine that is ahead": {&definition.Control{ModifyTime: 130, Properties: definition.Snapshot{CreateTime: 120}}, 131},
	} {
		if got := a.ChangeTime(&Ctl{Control: c.control}); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
