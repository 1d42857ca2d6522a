package events

import "encoding/json"

// State changes of jobs outside, as the services report them. Each names the job and carries what we gave it at its
// start, by which its attempt is found: results are accepted by step uuid, never by job id (P19).

// ECSTask is the detail of `ECS Task State Change` from aws.ecs. The attempt's uuid is in StartedBy.
type ECSTask struct {
	TaskARN       string `json:"taskArn"`
	ClusterARN    string `json:"clusterArn"`
	StartedBy     string `json:"startedBy"`
	LastStatus    string `json:"lastStatus"` // STOPPED is the last
	DesiredStatus string `json:"desiredStatus"`
	StopCode      string `json:"stopCode"` // e.g. EssentialContainerExited, TaskFailedToStart
	StoppedReason string `json:"stoppedReason"`
	Version       int64  `json:"version"` // grows with every change of the task
	Containers    []struct {
		Name     string `json:"name"`
		ExitCode *int64 `json:"exitCode"` // nil: it did not exit by itself
		Reason   string `json:"reason"`
	} `json:"containers"`
}

// BatchJob is the detail of `Batch Job State Change` from aws.batch. The attempt's uuid is the end of JobName.
type BatchJob struct {
	JobID        string            `json:"jobId"`
	JobName      string            `json:"jobName"`
	Status       string            `json:"status"` // SUBMITTED … SUCCEEDED, FAILED
	StatusReason string            `json:"statusReason"`
	Tags         map[string]string `json:"tags"`
	Container    struct {
		ExitCode *int64 `json:"exitCode"`
		Reason   string `json:"reason"`
	} `json:"container"`
}

// GlueJob is the detail of `Glue Job State Change` from aws.glue. It carries nothing of ours: the attempt is found
// through the job run id that its artifacts hold.
type GlueJob struct {
	JobName  string `json:"jobName"`
	JobRunID string `json:"jobRunId"`
	State    string `json:"state"` // SUCCEEDED, FAILED, TIMEOUT, STOPPED
	Message  string `json:"message"`
	Severity string `json:"severity"`
}

// StatesExecution is the detail of `Step Functions Execution Status Change` from aws.states. The attempt's uuid is Name.
type StatesExecution struct {
	ExecutionARN    string  `json:"executionArn"`
	StateMachineARN string  `json:"stateMachineArn"`
	Name            string  `json:"name"`
	Status          string  `json:"status"` // RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED
	Output          *string `json:"output"` // JSON text; nil when it is too large or there is none
	Error           *string `json:"error"`
	Cause           *string `json:"cause"`
	StartDate       int64   `json:"startDate"` // epoch milliseconds
	StopDate        *int64  `json:"stopDate"`
}

// EMRServerlessJob is the detail of `EMR Serverless Job Run State Change` from aws.emr-serverless. The attempt's uuid is
// JobRunName.
type EMRServerlessJob struct {
	ApplicationID string `json:"applicationId"`
	JobRunID      string `json:"jobRunId"`
	JobRunName    string `json:"jobRunName"`
	State         string `json:"state"` // … SUCCESS, FAILED, CANCELLED
	PreviousState string `json:"previousState"`
}

// AthenaQuery is the detail of `Athena Query State Change` from aws.athena. It carries nothing of ours: the attempt is
// found through the query execution id that its artifacts hold.
type AthenaQuery struct {
	QueryExecutionID string `json:"queryExecutionId"`
	CurrentState     string `json:"currentState"` // QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED
	PreviousState    string `json:"previousState"`
	WorkgroupName    string `json:"workgroupName"`
	AthenaError      *struct {
		Category  int64  `json:"errorCategory"` // 1 system, 2 user, 3 other
		Type      int64  `json:"errorType"`
		Message   string `json:"errorMessage"`
		Retryable bool   `json:"retryable"`
	} `json:"athenaError"`
}

func (ECSTask) detail()          {}
func (BatchJob) detail()         {}
func (GlueJob) detail()          {}
func (StatesExecution) detail()  {}
func (EMRServerlessJob) detail() {}
func (AthenaQuery) detail()      {}

// LambdaDestination is what an asynchronous invocation of a Lambda function leaves at its destination (AWS Lambda,
// "invocation record"). The attempt's uuid is in the request payload that we sent.
type LambdaDestination struct {
	Version        string `json:"version"`
	Timestamp      string `json:"timestamp"`
	RequestContext struct {
		RequestID   string `json:"requestId"`
		FunctionARN string `json:"functionArn"`
		Condition   string `json:"condition"` // Success, RetriesExhausted, EventAgeExceeded
		Invocations int64  `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	RequestPayload  json.RawMessage `json:"requestPayload"`
	ResponseContext *struct {
		StatusCode      int64  `json:"statusCode"`
		ExecutedVersion string `json:"executedVersion"`
		FunctionError   string `json:"functionError,omitempty"`
	} `json:"responseContext,omitempty"`
	ResponsePayload json.RawMessage `json:"responsePayload,omitempty"`
}

// ParseLambdaDestination reads an invocation record. ok is false for a document that is none, but may be some other
// message of the same queue. Errors: *UnreadableError.
func ParseLambdaDestination(data []byte) (d LambdaDestination, ok bool, err error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil || members["requestContext"] == nil || members["requestPayload"] == nil {
		return LambdaDestination{}, false, nil
	}
	const name = "Lambda destination"
	if err := json.Unmarshal(data, &d); err != nil {
		return LambdaDestination{}, true, &UnreadableError{name, err.Error()}
	}
	if d.RequestContext.Condition == "" {
		return LambdaDestination{}, true, missing(name, "requestContext.condition")
	}
	return d, true, nil
}
