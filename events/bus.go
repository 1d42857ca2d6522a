package events

import (
	"encoding/json"
	"time"
)

// BusEvent is an event of EventBridge as rules hand it on (Amazon EventBridge, "AWS service event metadata"). Detail
// belongs to Source and DetailType and is read by ReadDetail.
type BusEvent struct {
	Version    string          `json:"version"` // of the envelope: "0"
	ID         string          `json:"id"`      // the same in every delivery of the event
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       time.Time       `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// ParseBusEvent reads an event of the bus. ok is false for a document that is none, but may be some other message of
// the same queue. Errors: *UnreadableError.
func ParseBusEvent(data []byte) (e BusEvent, ok bool, err error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil || members["detail-type"] == nil || members["source"] == nil {
		return BusEvent{}, false, nil
	}
	const name = "bus event"
	if err := json.Unmarshal(data, &e); err != nil {
		return BusEvent{}, true, &UnreadableError{name, err.Error()}
	}
	if e.ID == "" || len(e.Detail) == 0 {
		return BusEvent{}, true, missing(name, "id and detail")
	}
	return e, true, nil
}

// Detail is the detail of a bus event that this code knows, read as far as it is used.
type Detail interface{ detail() }

// ReadDetail reads the detail of an event by its source and detail type. Errors: *UnknownError with the kind
// "source/detail type", *UnreadableError.
func (e BusEvent) ReadDetail() (Detail, error) {
	switch e.Source + "/" + e.DetailType {
	case "aws.s3/Object Created", "aws.s3/Object Deleted":
		return readDetail[S3Object](e)
	case "aws.ecs/ECS Task State Change":
		return readDetail[ECSTask](e)
	case "aws.batch/Batch Job State Change":
		return readDetail[BatchJob](e)
	case "aws.glue/Glue Job State Change":
		return readDetail[GlueJob](e)
	case "aws.states/Step Functions Execution Status Change":
		return readDetail[StatesExecution](e)
	case "aws.emr-serverless/EMR Serverless Job Run State Change":
		return readDetail[EMRServerlessJob](e)
	case "aws.athena/Athena Query State Change":
		return readDetail[AthenaQuery](e)
	}
	return nil, &UnknownError{"bus", e.Source + "/" + e.DetailType}
}

func readDetail[T Detail](e BusEvent) (Detail, error) {
	var d T
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		return nil, &UnreadableError{"bus event " + e.Source, err.Error()}
	}
	return d, nil
}
