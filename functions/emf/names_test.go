package emf

import (
	"slices"
	"testing"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/functions/env"
)

func TestNamesAreTheApplications(t *testing.T) {
	want := []string{
		app.CountDecisions, app.CountConflicts, app.CountFolds, app.CountSwept, app.CountParked, app.CountDeaths,
		app.CountDone, app.CountRetried, app.CountDropped, CountLater, CountSweeps,
	}
	if !slices.Equal(metrics, want) {
		t.Errorf("metrics %v, the application counts %v", metrics, want)
	}
	if app.CountParked != env.MetricParked {
		t.Errorf("the application counts %s, the alarm watches %s", app.CountParked, env.MetricParked)
	}
}
