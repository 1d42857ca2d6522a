package app

import (
	"context"
	"errors"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/template"
)

// planEnv is what planning a run is handed: like runEnv it answers from what is loaded (P1).
type planEnv struct {
	a        *App
	workflow string
	at       int64
	outside  *outsideData
}

func (a *App) newPlanEnv(_ context.Context, workflow string) *planEnv {
	return &planEnv{a: a, workflow: workflow, at: a.now(), outside: newOutside()}
}

func (e *planEnv) Now() int64 { return e.at }

// Environment is the name that expressions get from getExecutionEnvironment.
func (e *planEnv) Environment() string { return e.a.set.Environment }

// Template is a job template, nil when there is none.
func (e *planEnv) Template(jobType, version string) (*template.Template, error) {
	return e.outside.template(jobType, version)
}

// again loads what a plan lacked and tells whether to plan again. Other errors are the caller's.
func (e *planEnv) again(ctx context.Context, err error, round int) (bool, error) {
	var need *engine.NeedError
	if !errors.As(err, &need) {
		return false, err
	}
	if round >= maxRounds {
		return false, errors.New("the params still lack data after too many rounds")
	}
	for _, k := range need.Keys {
		if err := e.outside.load(ctx, e.a, k); err != nil {
			return false, err
		}
	}
	return true, nil
}
