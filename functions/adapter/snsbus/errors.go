package snsbus

import (
	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
)

const op = "publish to"

// translate turns an error of the SDK, which has done its own retries, into one of the port. It is the only place that
// looks at the service's errors, and it looks at types and codes, never at texts.
func (b *Bus) translate(err error) error {
	if err == nil {
		return nil
	}
	return &port.Error{Code: awsconf.PortCode(err, codeOfName), Op: op, Name: b.cfg.Topic, Cause: err}
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
