package dynamotable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/downbeat/downbeat/core/table"
)

func TestCodeOf(t *testing.T) {
	reasons := func(codes ...string) error {
		e := &types.TransactionCanceledException{}
		for _, c := range codes {
			e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: aws.String(c)})
		}
		return e
	}
	status := func(code int) error {
		return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: code}}, Err: errors.New("x")}
	}
	for _, c := range []struct {
		err  error
		want table.Code
	}{
		{&types.ConditionalCheckFailedException{}, table.CodeConflict},
		{&types.ProvisionedThroughputExceededException{}, table.CodeThrottled},
		{&types.RequestLimitExceeded{}, table.CodeThrottled},
		{&types.ThrottlingException{}, table.CodeThrottled},
		{&smithy.GenericAPIError{Code: "ThrottlingException"}, table.CodeThrottled},
		{&types.TransactionConflictException{}, table.CodeContended},
		{&types.TransactionInProgressException{}, table.CodeContended},
		{&smithy.GenericAPIError{Code: "ValidationException"}, table.CodeInvalid},
		{&types.ItemCollectionSizeLimitExceededException{}, table.CodeInvalid},
		{&types.InternalServerError{}, table.CodeUnknown},
		{&types.ResourceNotFoundException{}, table.CodeInternal},
		{&smithy.GenericAPIError{Code: "AccessDeniedException"}, table.CodeInternal},
		{reasons("None", "ConditionalCheckFailed"), table.CodeConflict},
		{reasons("TransactionConflict", "ConditionalCheckFailed"), table.CodeConflict},
		{reasons("None", "TransactionConflict"), table.CodeContended},
		{reasons("ThrottlingError", "None"), table.CodeThrottled},
		{reasons("ThrottlingError", "TransactionConflict"), table.CodeContended},
		{reasons("ValidationError", "ConditionalCheckFailed"), table.CodeInvalid},
		{reasons("None"), table.CodeInternal},
		{&smithyhttp.RequestSendError{Err: io.EOF}, table.CodeUnknown},
		{&net.OpError{Op: "read", Err: errors.New("connection reset")}, table.CodeUnknown},
		{context.Canceled, table.CodeUnknown},
		{context.DeadlineExceeded, table.CodeUnknown},
		{&smithy.DeserializationError{Err: io.ErrUnexpectedEOF}, table.CodeUnknown},
		{status(503), table.CodeUnknown},
		{status(403), table.CodeInternal},
		{ratelimit.QuotaExceededError{}, table.CodeThrottled},
		{errors.Join(&smithyhttp.RequestSendError{Err: io.EOF}, ratelimit.QuotaExceededError{}), table.CodeUnknown},
		{errors.New("anything"), table.CodeInternal},
	} {
		wrapped := &smithy.OperationError{ServiceID: "DynamoDB", OperationName: "PutItem", Err: fmt.Errorf("wrapped: %w", c.err)}
		if got := codeOf(wrapped); got != c.want {
			t.Errorf("%T %v: %s, want %s", c.err, c.err, got, c.want)
		}
	}
}
