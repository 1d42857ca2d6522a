package engine

import "strings"

// InstanceStatus is the status of a run, and of its instance.
type InstanceStatus uint8

// The statuses in Maestro's declaration order, which is the order of every status-keyed JSON map.
const (
	InstanceNone InstanceStatus = iota
	InstanceCreated
	InstanceInProgress
	InstancePaused
	InstanceTimedOut
	InstanceStopped
	InstanceFailed
	InstanceSucceeded
)

var instanceStatusNames = [...]string{"", "CREATED", "IN_PROGRESS", "PAUSED", "TIMED_OUT", "STOPPED", "FAILED", "SUCCEEDED"}

func (s InstanceStatus) String() string { return instanceStatusNames[s] }

// Terminal tells whether a run in this status never changes again.
func (s InstanceStatus) Terminal() bool { return s >= InstanceTimedOut }

// ParseInstanceStatus reads a name in any letter case.
func ParseInstanceStatus(name string) (InstanceStatus, bool) {
	for i, n := range instanceStatusNames {
		if i > 0 && strings.EqualFold(n, name) {
			return InstanceStatus(i), true
		}
	}
	return InstanceNone, false
}

// StepStatus is the status of a step attempt.
type StepStatus uint8

// The statuses in Maestro's declaration order, which is the order of every status-keyed JSON map.
const (
	StepNotCreated StepStatus = iota
	StepCreated
	StepInitialized
	StepPaused
	StepWaitingForSignals
	StepEvaluatingParams
	StepWaitingForPermits
	StepStarting
	StepRunning
	StepFinishing
	StepDisabled
	StepUnsatisfied
	StepSkipped
	StepSucceeded
	StepCompletedWithError
	StepUserFailed
	StepPlatformFailed
	StepFatallyFailed
	StepInternallyFailed
	StepStopped
	StepTimeoutFailed
	StepTimedOut
	NumStepStatuses
)

var stepStatusNames = [NumStepStatuses]string{
	"NOT_CREATED", "CREATED", "INITIALIZED", "PAUSED", "WAITING_FOR_SIGNALS", "EVALUATING_PARAMS", "WAITING_FOR_PERMITS",
	"STARTING", "RUNNING", "FINISHING", "DISABLED", "UNSATISFIED", "SKIPPED", "SUCCEEDED", "COMPLETED_WITH_ERROR",
	"USER_FAILED", "PLATFORM_FAILED", "FATALLY_FAILED", "INTERNALLY_FAILED", "STOPPED", "TIMEOUT_FAILED", "TIMED_OUT",
}

func (s StepStatus) String() string { return stepStatusNames[s] }

// ParseStepStatus reads a name in any letter case.
func ParseStepStatus(name string) (StepStatus, bool) {
	for i, n := range stepStatusNames {
		if strings.EqualFold(n, name) {
			return StepStatus(i), true
		}
	}
	return StepNotCreated, false
}

// Terminal tells whether an attempt in this status never changes again.
func (s StepStatus) Terminal() bool { return s >= StepDisabled }

// Complete tells whether successors may run.
func (s StepStatus) Complete() bool { return s >= StepDisabled && s <= StepCompletedWithError }

// Retryable tells whether the engine itself makes another attempt.
func (s StepStatus) Retryable() bool {
	return s == StepUserFailed || s == StepPlatformFailed || s == StepTimeoutFailed
}

// Restartable tells whether only a user's restart makes another attempt.
func (s StepStatus) Restartable() bool { return s.Terminal() && !s.Complete() && !s.Retryable() }

// KeepsRef tells whether roll-ups name the attempts in this status.
func (s StepStatus) KeepsRef() bool {
	switch s {
	case StepPaused, StepWaitingForSignals, StepEvaluatingParams, StepWaitingForPermits, StepRunning, StepUserFailed,
		StepPlatformFailed, StepFatallyFailed, StepInternallyFailed, StepTimeoutFailed:
		return true
	}
	return false
}
