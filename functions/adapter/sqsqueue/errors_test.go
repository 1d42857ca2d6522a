package sqsqueue

import (
	"fmt"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/downbeat/downbeat/core/port"
)

func TestTranslate(t *testing.T) {
	for _, c := range []struct {
		err  error
		want port.Code
	}{
		{&types.RequestThrottled{}, port.CodeThrottled},
		{&types.OverLimit{}, port.CodeThrottled},
		{&types.KmsThrottled{}, port.CodeThrottled},
		{&smithy.GenericAPIError{Code: "ThrottlingException"}, port.CodeThrottled},
		{&types.InvalidMessageContents{}, port.CodeInvalid},
		{&types.BatchRequestTooLong{}, port.CodeInvalid},
		{&smithy.GenericAPIError{Code: "InvalidParameterValue"}, port.CodeInvalid},
		{&smithy.GenericAPIError{Code: "com.amazonaws.sqs#InvalidAttributeValue"}, port.CodeInvalid},
		{&smithy.GenericAPIError{Code: "ServiceUnavailable"}, port.CodeUnknown},
		{&smithy.GenericAPIError{Code: "InternalFailure"}, port.CodeUnknown},
		{&smithyhttp.RequestSendError{Err: io.EOF}, port.CodeUnknown},
		{&types.QueueDoesNotExist{}, port.CodeInternal},
		{&types.QueueDeletedRecently{}, port.CodeInternal},
		{&types.KmsAccessDenied{}, port.CodeInternal},
		{&smithy.GenericAPIError{Code: "AccessDenied"}, port.CodeInternal},
	} {
		if got := port.CodeOf(translate("send to", "advance", fmt.Errorf("wrapped: %w", c.err))); got != c.want {
			t.Errorf("%T %v: %s, want %s", c.err, c.err, got, c.want)
		}
	}
	if translate("send to", "advance", nil) != nil {
		t.Error("no error became one")
	}
}

func TestTranslateEntry(t *testing.T) {
	for _, c := range []struct {
		code  string
		fault bool
		want  port.Code
	}{
		{"RequestThrottled", true, port.CodeThrottled},
		{"InternalError", false, port.CodeUnknown},
		{"InvalidMessageContents", true, port.CodeInvalid},
		{"AccessDenied", true, port.CodeInternal},
		{"SomethingNew", false, port.CodeUnknown},
		{"SomethingNew", true, port.CodeInternal},
		{"com.amazonaws.sqs#InvalidMessageContents", true, port.CodeInvalid},
	} {
		if got := port.CodeOf(refusal(types.BatchResultErrorEntry{Code: &c.code, SenderFault: c.fault}).Err("send to", "advance", codeOfName)); got != c.want {
			t.Errorf("%s, the sender's fault: %v: %s, want %s", c.code, c.fault, got, c.want)
		}
	}
}
