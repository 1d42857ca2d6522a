package eventbridgebus

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
)

// translate turns an error of the SDK, which has done its own retries, into one of the port. It is the only place that
// looks at the service's errors, and it looks at types and codes, never at texts.
func (b *Bus) translate(err error) error {
	if err == nil {
		return nil
	}
	return &port.Error{Code: awsconf.PortCode(err, codeOfName), Op: "publish to", Name: b.cfg.Bus, Cause: err}
}

// translateEntry does the same with one entry of a request.
func (b *Bus) translateEntry(e types.PutEventsResultEntry) error {
	return b.translate(&smithy.GenericAPIError{Code: aws.ToString(e.ErrorCode), Message: aws.ToString(e.ErrorMessage)})
}

// codeOfName knows the codes of EventBridge (PutEventsResultEntry and "Common errors" in its API reference); 0 for
// others.
func codeOfName(name string) port.Code {
	switch name {
	case "ThrottlingException", "Throttling", "LimitExceededException":
		return port.CodeThrottled
	case "MalformedDetail", "InvalidArgument", "ValidationException", "ValidationError", "InvalidParameterValue":
		return port.CodeInvalid
	case "InternalFailure", "InternalException", "ServiceUnavailable":
		return port.CodeUnknown
	}
	return 0
}
