package engine

import (
	"fmt"
	"slices"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/sel/joda"
)

// interpolated is the run's own copy of alerting, with the params of the workflow in place (workflow-definition.md 4.4):
// e-mail texts are interpolated, one that cannot be stays as it is; the target completion time gets its time, if that can
// be computed.
func interpolated(a *definition.Alerting, params Params) *definition.Alerting {
	if a == nil || params == nil {
		return a
	}
	own := *a
	if len(a.Emails) > 0 {
		own.Emails = slices.Clone(a.Emails)
		for i, text := range own.Emails {
			if filled, err := sel.Interpolate(text, lookupIn(params)); err == nil {
				own.Emails[i] = filled
			}
		}
	}
	if a.TCT != nil && a.TCT.CompletedByTS == nil {
		if at, err := completion(a.TCT, params); err == nil {
			tct := *a.TCT
			tct.CompletedByTS = &at
			own.TCT = &tct
		}
	}
	return &own
}

// completion is the target completion time, epoch milliseconds.
func completion(t *definition.TCT, params Params) (int64, error) {
	if t.DurationMinutes != nil {
		start, ok := params.Value("RUN_TS")
		if !ok || start.Type() != sel.TypeLong {
			return 0, fmt.Errorf("RUN_TS is no LONG")
		}
		return start.AsLong() + *t.DurationMinutes*60_000, nil
	}
	if t.CompletedByHour == nil {
		return 0, fmt.Errorf("tct has no time")
	}
	id := ""
	if t.TZ != nil {
		id = *t.TZ
	}
	if v, ok := params.Value("WORKFLOW_CRON_TIMEZONE"); ok && id == "" {
		id = v.AsString()
	}
	zone, err := joda.ForID(id)
	if err != nil {
		return 0, err
	}
	date, _ := params.Value("TARGET_RUN_DATE")
	var y, m, d int64
	if n, err := fmt.Sscanf(date.AsString(), "%4d%2d%2d", &y, &m, &d); err != nil || n != 3 {
		return 0, fmt.Errorf("TARGET_RUN_DATE is no date")
	}
	noon, err := joda.New(y, m, d, 12, 0, 0, 0, zone) // a time that every day has
	if err != nil {
		return 0, err
	}
	return noon.StartOfDay().Millis + *t.CompletedByHour*3_600_000 - 1000, nil
}

// lookupIn finds evaluated params for texts.
func lookupIn(params Params) func(name string) (sel.Value, error) {
	return func(name string) (sel.Value, error) {
		if params != nil {
			if v, ok := params.Value(name); ok {
				return v, nil
			}
		}
		return sel.Value{}, fmt.Errorf("Cannot find the referenced param [%s] in the workflow", name)
	}
}
