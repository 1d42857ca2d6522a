package sqsqueue

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
)

// translate turns an error of the SDK, which has done its own retries, into one of the port. It is the only place that
// looks at the service's errors, and it looks at types and codes, never at texts.
func translate(op string, name queue.Name, err error) error {
	if err == nil {
		return nil
	}
	return &port.Error{Code: awsconf.PortCode(err, codeOfName), Op: op, Name: string(name), Cause: err}
}

// refusal is what the service says of one entry of a batch.
func refusal(f types.BatchResultErrorEntry) awsconf.Refusal {
	return awsconf.Refusal{ID: aws.ToString(f.Id), Code: aws.ToString(f.Code), Message: aws.ToString(f.Message), SenderFault: f.SenderFault}
}

func nameOf(f types.BatchResultErrorEntry) string {
	return awsconf.NameOf(&smithy.GenericAPIError{Code: aws.ToString(f.Code)})
}

// codeOfName knows the codes of SQS (its API reference, "Common errors" and those of the actions), with and without the
// prefix of its older protocol; 0 for others.
func codeOfName(name string) port.Code {
	switch name {
	case "RequestThrottled", "ThrottlingException", "Throttling", "OverLimit", "AWS.SimpleQueueService.OverLimit", "KmsThrottled", "KMS.ThrottlingException":
		return port.CodeThrottled
	case "InvalidMessageContents", "BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", "InvalidParameterValue",
		"InvalidAttributeValue", "InvalidParameterCombination", "ValidationError":
		return port.CodeInvalid
	case "InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable":
		return port.CodeUnknown
	}
	return 0
}

// gone tells the codes that say that a receipt's message is deleted, or visible again. (SQS takes the receipt of a
// deleted message for a success; other implementations do not know it any more.)
func gone(name string) bool {
	switch name {
	case "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", "ReceiptHandleIsInvalid":
		return true
	}
	return false
}
