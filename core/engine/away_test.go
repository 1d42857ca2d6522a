package engine

import (
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/timeline"
)

// What readers see of runs that end without having run (engine.md 3.2, engine-runs-and-actions.md 2.1).
func TestApplyAway(t *testing.T) {
	const created, now = 100, 150
	failure := timeline.Failure(created, "the run could not be started")
	for name, c := range map[string]struct {
		away       Away
		status     InstanceStatus
		start, end int64
		from       InstanceStatus
		changed    int64 // event time
		line       string
		level      timeline.Level
		at         int64
		entries    int
	}{
		"refused by FIRST_ONLY":              {Away{Kind: AwayRejected, By: 3}, InstanceStopped, created, created, InstanceCreated, created, "instance 3", timeline.Info, created, 1},
		"refused by an unknown instance":     {Away{Kind: AwayRejected}, InstanceStopped, created, created, InstanceCreated, created, "another instance", timeline.Info, created, 1},
		"pushed out by LAST_ONLY":            {Away{Kind: AwayReplaced, By: 3}, InstanceStopped, now, now, InstanceCreated, now, "instance 3", timeline.Info, now, 1},
		"pushed out by SERIAL_LATEST_ONLY":   {Away{Kind: AwaySuperseded, By: 3}, InstanceStopped, 0, now, InstanceCreated, now, "instance 3", timeline.Info, now, 1},
		"stopped in the queue":               {Away{Kind: AwayCancelled, User: "ana"}, InstanceStopped, 0, now, InstanceCreated, now, "ana", timeline.Warn, now, 1},
		"killed in the queue":                {Away{Kind: AwayCancelled, Kill: true, User: "ana"}, InstanceFailed, 0, now, InstanceCreated, now, "ana", timeline.Warn, now, 1},
		"params that cannot be evaluated":    {Away{Kind: AwayFailed}, InstanceFailed, 0, now, InstanceFailed, created, "parameters", timeline.Info, created, 2},
		"halted before it was seen to begin": {Away{Kind: AwayHalted, By: 3}, InstanceStopped, now, now, InstanceCreated, now, "instance 3", timeline.Info, now, 1},
	} {
		t.Run(name, func(t *testing.T) {
			st := NewState(started(t, workflow(t, twoSteps), StartRequest{RunParams: nil, PersistFailedRun: true}, newTestEnv()))
			st.Body.CreateTime, st.Body.StartFailure = created, &failure
			changed, action := ApplyAway(st, c.away, now)
			r := &st.Run
			if !changed || action != nil || r.Status != c.status || r.StartTime != c.start || r.EndTime != c.end || r.ModifyTime != now {
				t.Fatalf("changed %v, action %v, %v, start %d, end %d, modify %d", changed, action, r.Status, r.StartTime, r.EndTime, r.ModifyTime)
			}
			if ch := r.Changes; len(ch) != 1 || ch[0] != (InstanceChange{From: c.from, To: c.status, Time: c.changed}) {
				t.Errorf("changes %+v", ch)
			}
			first := r.Timeline[0]
			if len(r.Timeline) != c.entries || first.Type != timeline.Log || first.Level != c.level || first.Timestamp != c.at || !strings.Contains(first.Message, c.line) {
				t.Errorf("timeline %+v", r.Timeline)
			}
			if (r.Failed == FailedBlocking) != (c.status == InstanceFailed) {
				t.Errorf("failed code %v", r.Failed)
			}
			if again, _ := ApplyAway(st, c.away, now+1); again || r.EndTime != c.end {
				t.Error("a second word changed a run that has ended")
			}
		})
	}
}
