package dynamotable

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
)

// translate turns an error of the SDK, which has done its own retries, into one of the port. It is the only place that
// looks at the service's errors, and it looks at types and codes, never at texts. Failed conditions of single writes
// are handled before.
func translate(op string, key table.Key, err error) error {
	if err == nil {
		return nil
	}
	return &table.Error{Code: codeOf(err), Op: op, Key: key, Cause: err}
}

func codeOf(err error) table.Code {
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		return codeOfReasons(cancelled.CancellationReasons)
	}
	var conflict *types.ConditionalCheckFailedException
	if errors.As(err, &conflict) {
		return table.CodeConflict
	}
	if code := codeOfName(awsconf.NameOf(err)); code != 0 {
		return code
	}
	switch awsconf.FailureOf(err) {
	case awsconf.FailureNoAnswer:
		return table.CodeUnknown
	case awsconf.FailureBraked:
		return table.CodeThrottled
	}
	return table.CodeInternal
}

// codeOfName knows the codes of DynamoDB ("Error handling with DynamoDB" in its developer guide); 0 for others.
func codeOfName(name string) table.Code {
	switch name {
	case "ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded",
		"ThrottlingError", "ProvisionedThroughputExceeded", "LimitExceededException":
		return table.CodeThrottled
	case "TransactionConflictException", "TransactionInProgressException", "TransactionConflict", "ReplicatedWriteConflictException":
		return table.CodeContended
	case "ValidationException", "ValidationError", "ItemCollectionSizeLimitExceededException", "ItemCollectionSizeLimitExceeded":
		return table.CodeInvalid
	case "ConditionalCheckFailed":
		return table.CodeConflict
	case "InternalServerError", "InternalFailure", "ServiceUnavailable":
		return table.CodeUnknown // the service says that it may have written
	}
	return 0
}

// codeOfReasons judges a cancelled transaction by the gravest of its reasons: what can never succeed, then what must be
// decided again, then what may be repeated.
func codeOfReasons(reasons []types.CancellationReason) table.Code {
	found := map[table.Code]bool{}
	for _, r := range reasons {
		if r.Code != nil {
			found[codeOfName(*r.Code)] = true
		}
	}
	for _, c := range []table.Code{table.CodeInvalid, table.CodeConflict, table.CodeContended, table.CodeThrottled} {
		if found[c] {
			return c
		}
	}
	return table.CodeInternal
}
