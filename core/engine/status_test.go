package engine

import "testing"

func TestStepStatusProperties(t *testing.T) { // engine.md 4.1
	for s := StepNotCreated; s < NumStepStatuses; s++ {
		want := ""
		switch s {
		case StepDisabled, StepUnsatisfied, StepSkipped, StepSucceeded, StepCompletedWithError:
			want = "terminal complete"
		case StepUserFailed, StepPlatformFailed, StepTimeoutFailed:
			want = "terminal retryable ref"
		case StepFatallyFailed, StepInternallyFailed:
			want = "terminal restartable ref"
		case StepStopped, StepTimedOut:
			want = "terminal restartable"
		case StepPaused, StepWaitingForSignals, StepEvaluatingParams, StepWaitingForPermits, StepRunning:
			want = "ref"
		}
		got := ""
		for _, p := range []struct {
			name string
			is   bool
		}{{"terminal", s.Terminal()}, {"complete", s.Complete()}, {"retryable", s.Retryable()}, {"restartable", s.Restartable()}, {"ref", s.KeepsRef()}} {
			if p.is {
				if got != "" {
					got += " "
				}
				got += p.name
			}
		}
		if got != want {
			t.Errorf("%s is %q, want %q", s, got, want)
		}
		if back, ok := ParseStepStatus(s.String()); !ok || back != s {
			t.Errorf("%s is read back as %s", s, back)
		}
	}
	if _, ok := ParseStepStatus("NOPE"); ok {
		t.Error("NOPE is a status")
	}
	for s := InstanceCreated; s <= InstanceSucceeded; s++ {
		if back, ok := ParseInstanceStatus(s.String()); !ok || back != s {
			t.Errorf("%s is read back as %s", s, back)
		}
		if s.Terminal() != (s == InstanceTimedOut || s == InstanceStopped || s == InstanceFailed || s == InstanceSucceeded) {
			t.Errorf("%s: terminal %t", s, s.Terminal())
		}
	}
}
