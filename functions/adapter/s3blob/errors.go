package s3blob

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
)

// translate turns an error of the SDK, which has done its own retries, into one of the port; an absent object into
// blob.ErrNotFound. It is the only place that looks at the service's errors, and it looks at types and codes, never at
// texts.
func translate(op, key string, err error) error {
	if err == nil {
		return nil
	}
	var absent *types.NoSuchKey
	if errors.As(err, &absent) || awsconf.NameOf(err) == "NoSuchKey" {
		err = fmt.Errorf("%w: %w", blob.ErrNotFound, err)
	}
	return &port.Error{Code: awsconf.PortCode(err, codeOfName), Op: op, Name: key, Cause: err}
}

// translateEntry does the same with one object of a batch.
func translateEntry(op, prefix string, e types.Error) error {
	return translate(op, prefix, &smithy.GenericAPIError{
		Code: aws.ToString(e.Code), Message: fmt.Sprintf("%s: %s", aws.ToString(e.Key), aws.ToString(e.Message)),
	})
}

// codeOfName knows the codes of S3 ("Error responses" in its API reference); 0 for others.
func codeOfName(name string) port.Code {
	switch name {
	case "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests":
		return port.CodeThrottled
	case "EntityTooLarge", "KeyTooLongError", "KeyTooLong", "InvalidArgument", "InvalidRequest", "MalformedXML":
		return port.CodeInvalid
	case "InternalError", "ServiceUnavailable", "RequestTimeout", "IncompleteBody", "OperationAborted":
		return port.CodeUnknown
	}
	return 0
}
