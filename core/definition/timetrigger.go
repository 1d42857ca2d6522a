package definition

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/downbeat/downbeat/core/definition/cron"
)

var predefinedCrons = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
}

// parsePredefined reads `@daily` or `daily` in any letter case.
func parsePredefined(text string) (string, bool) {
	expr := "@" + strings.TrimPrefix(strings.ToLower(text), "@")
	_, ok := predefinedCrons[expr]
	return expr, ok
}

// CronText is the cron of a CRON or PREDEFINED trigger, "" for others.
func (t *TimeTrigger) CronText() string {
	switch {
	case t.Type == PredefinedTrigger:
		return predefinedCrons[t.Expression]
	case t.Cron != nil:
		return *t.Cron
	}
	return ""
}

// String is the trigger in Maestro's rendering, PREDEFINED ones as their cron: seeds of the jitter are made of it.
func (t *TimeTrigger) String() string {
	if t.Type == IntervalTrigger {
		return "IntervalTimeTrigger"
	}
	return "CronTimeTrigger(cron=" + t.CronText() + t.rendering()
}

// Declared is the trigger in Maestro's rendering, PREDEFINED ones as they are: ids are made of it.
func (t *TimeTrigger) Declared() string {
	if t.Type != PredefinedTrigger {
		return t.String()
	}
	return "PredefinedTimeTrigger(expression=" + strings.ToUpper(strings.TrimPrefix(t.Expression, "@")) + t.rendering()
}

// rendering is what follows the first member.
func (t *TimeTrigger) rendering() string {
	s := ", timezone=null"
	if t.Timezone != nil {
		s = ", timezone=" + *t.Timezone
	}
	if t.FuzzyMaxDelay != nil {
		s += ", fuzzyMaxDelay=" + t.FuzzyMaxDelay.String()
	}
	return s + ")"
}

// StartID is the request id of the run that the trigger starts at a fire time: the version 3 UUID of workflow, trigger
// and epoch second (time-triggers.md 10). However often a fire time is handled, and by whichever version, it is one start.
func (t *TimeTrigger) StartID(workflowID string, fire int64) string {
	return textUUID([]byte(workflowID + ":" + t.Declared() + ":" + strconv.FormatInt(fire/1000, 10)))
}

// Timer computes the fire times of a time trigger.
type Timer struct {
	schedule *cron.Schedule
	zone     *time.Location
	// DelayMillis is the jitter: fixed for a trigger and a workflow, 0 without fuzzy_max_delay.
	DelayMillis int64
}

// Timer prepares the fire times of a trigger. It fails for a cron or zone that is not valid, for a
// jitter below one second, and for INTERVAL triggers, which Maestro does not implement.
func (t *TimeTrigger) Timer(workflowID string) (*Timer, error) {
	if t.Type == IntervalTrigger {
		return nil, errors.New("TimeTrigger nextExecutionDate is not implemented for type: INTERVAL")
	}
	schedule, err := cron.Parse(t.CronText())
	if err != nil {
		return nil, err
	}
	zone := time.UTC
	if t.Timezone != nil {
		if zone, err = cron.Zone(*t.Timezone); err != nil {
			return nil, err
		}
	}
	delay, err := t.delayMillis(workflowID)
	if err != nil {
		return nil, err
	}
	return &Timer{schedule: schedule, zone: zone, DelayMillis: delay}, nil
}

// Next is the first fire time after a time, jitter included: the cron time after it plus the jitter.
// It is false when the trigger never fires again.
//
// After a fire time it goes on from the cron time of that one. Different from Maestro, which looks for the repeated hour
// of autumn from the jittered time, does not find it, and fires a daily job of that hour twice. Where the jitter is longer
// than the distance of cron times, those in between are left out, as Maestro does.
func (t *Timer) Next(after int64) (int64, bool) {
	if at := after - t.DelayMillis; t.DelayMillis > 0 && t.schedule.Fires(at, t.zone) {
		if next, ok := t.schedule.Next(at, t.zone); !ok || next > after {
			return next + t.DelayMillis, ok
		}
	}
	next, ok := t.schedule.Next(after, t.zone)
	return next + t.DelayMillis, ok
}

// delayMillis is the jitter (time-triggers.md 5). Its maximum is a number of milliseconds, or a duration;
// a text of digits has no unit and gives none.
func (t *TimeTrigger) delayMillis(workflowID string) (int64, error) {
	if t.FuzzyMaxDelay == nil {
		return 0, nil
	}
	limit := t.FuzzyMaxDelay.Number
	if t.FuzzyMaxDelay.IsText {
		limit = DurationMillis(t.FuzzyMaxDelay.Text)
	}
	if limit == 0 {
		return 0, nil
	}
	bound := limit / 1000
	if bound < 1 || bound > 1<<31-1 {
		return 0, fmt.Errorf("fuzzy_max_delay of %d ms is not between one second and %d seconds", limit, 1<<31-1)
	}
	return javaRandomBelow(nameUUID(t.String()+workflowID), int32(bound)) * 1000, nil
}

// nameUUID gives the low half of the version 3 UUID of a text.
func nameUUID(text string) uint64 {
	sum := md5.Sum([]byte(text))
	sum[8] = sum[8]&0x3f | 0x80
	return binary.BigEndian.Uint64(sum[8:])
}

// javaRandomBelow is the first number below a bound of Java's generator with that seed, so that a
// trigger fires when Maestro would fire it.
func javaRandomBelow(seed uint64, bound int32) int64 {
	const multiplier, mask = 0x5DEECE66D, 1<<48 - 1
	state := (seed ^ multiplier) & mask
	next := func() int64 {
		state = (state*multiplier + 11) & mask
		return int64(state >> 17)
	}
	n := int64(bound)
	r := next()
	if n&(n-1) == 0 {
		return n * r >> 31
	}
	for {
		v := r % n
		if r-v+n-1 < 1<<31 {
			return v
		}
		r = next()
	}
}

// NextTimes are the next fire times of all time triggers of a workflow, in order; nil entries never fire
// again. A trigger that is not valid has none.
func (w *Workflow) NextTimes(now int64) []*int64 {
	times := make([]*int64, len(w.TimeTriggers))
	for i := range w.TimeTriggers {
		timer, err := w.TimeTriggers[i].Timer(w.ID)
		if err != nil {
			continue
		}
		if next, ok := timer.Next(now); ok {
			times[i] = &next
		}
	}
	return times
}
