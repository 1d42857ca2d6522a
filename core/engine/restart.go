package engine

// RestartRequest is a request for a new run of an instance.
type RestartRequest struct {
	Policy RunPolicy
	// StepID is the restarted step; "" for RESTART_FROM_INCOMPLETE and RESTART_FROM_BEGINNING of the instance.
	StepID           string
	DownstreamPolicy RunPolicy
	Params           ParamDefs // of the run; only without StepID
	StepParams       ParamDefs // of StepID
	Skip             bool      // StepID is to be SKIPPED
	// StartSteps, EndSteps and SkipSteps bound a customized run.
	StartSteps, EndSteps, SkipSteps []string

	RequestID   string
	RequestTime int64 // 0 for a run made by a skip
	User        string
}
