package snsbus

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
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
	return &port.Error{Code: awsconf.PortCode(err, codeOfName), Op: "publish to", Name: b.cfg.Topic, Cause: err}
}

// translateEntry does the same with one entry of a request.
func (b *Bus) translateEntry(f types.BatchResultErrorEntry) error {
	cause := &smithy.GenericAPIError{Code: aws.ToString(f.Code), Message: aws.ToString(f.Message)}
	code := codeOfName(cause.Code)
	if code == 0 {
		// The service says whose fault it was: only that of the sender is there again when the entry is.
		if code = port.CodeUnknown; f.SenderFault {
			code = port.CodeInternal
		}
	}
	return &port.Error{Code: code, Op: "publish to", Name: b.cfg.Topic, Cause: cause}
}

// codeOfName knows the codes of SNS (PublishBatch and "Common errors" in its API reference); 0 for others.
func codeOfName(name string) port.Code {
	switch name {
	case "Throttled", "ThrottlingException", "Throttling", "KMSThrottling":
		return port.CodeThrottled
	case "InvalidParameter", "ParameterValueInvalid", "BatchRequestTooLong", "ValidationException", "ValidationError":
		return port.CodeInvalid
	case "InternalError", "InternalFailure", "ServiceUnavailable":
		return port.CodeUnknown
	}
	return 0
}
