package awsconf

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/downbeat/downbeat/core/port"
)

// Failure is what an error of the SDK says apart from the service's own codes.
type Failure uint8

// The failures.
const (
	FailureOther    Failure = iota // an answer of the service, or an error before anything was sent
	FailureNoAnswer                // the request may have been carried out: connections, time-outs, answers of 500 and above
	FailureBraked                  // the SDK's own brake: the last try was not sent
)

// FailureOf looks at types, never at texts.
func FailureOf(err error) Failure {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() >= 500 {
		return FailureNoAnswer
	}
	var (
		send    *smithyhttp.RequestSendError
		garbled *smithy.DeserializationError
		network net.Error
	)
	if errors.As(err, &send) || errors.As(err, &garbled) || errors.As(err, &network) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return FailureNoAnswer
	}
	var quota ratelimit.QuotaExceededError
	if errors.As(err, &quota) {
		return FailureBraked
	}
	return FailureOther
}

// NameOf is the service's code of an error, "" for one that is no answer of a service. A namespace before it, which some
// implementations leave for the client to cut off, is cut off.
func NameOf(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	name := api.ErrorCode()
	return name[strings.LastIndexByte(name, '#')+1:]
}

// PortCode is the code of an error for the ports of core/port: what the service's code means (byName; 0 for a code that
// it does not know) comes first, then what the SDK says.
func PortCode(err error, byName func(name string) port.Code) port.Code {
	if errors.Is(err, ErrRest) {
		return port.CodeThrottled
	}
	if code := byName(NameOf(err)); code != 0 {
		return code
	}
	switch FailureOf(err) {
	case FailureNoAnswer:
		return port.CodeUnknown
	case FailureBraked:
		return port.CodeThrottled
	}
	return port.CodeInternal
}
