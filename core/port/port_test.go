package port_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/downbeat/downbeat/core/port"
)

func TestCodeOf(t *testing.T) {
	cause := errors.New("x")
	for _, c := range []struct {
		err  error
		want port.Code
		text string
	}{
		{nil, 0, ""},
		{cause, port.CodeInternal, "x"},
		{port.Invalid("send", "advance", cause), port.CodeInvalid, "send advance: invalid: x"},
		{fmt.Errorf("wrapped: %w", port.Invalid("send", "advance", cause)), port.CodeInvalid, "wrapped: send advance: invalid: x"},
		{port.Local("get blob", "k", nil), 0, ""},
		{port.Local("get blob", "k", cause), port.CodeInternal, "get blob k: x"},
		{port.Local("get blob", "k", context.Canceled), port.CodeUnknown, "get blob k: unknown outcome: context canceled"},
		{port.Local("get blob", "k", context.DeadlineExceeded), port.CodeUnknown, "get blob k: unknown outcome: context deadline exceeded"},
		{&port.Error{Code: port.CodeThrottled, Op: "send", Name: "q", Cause: cause}, port.CodeThrottled, "send q: throttled: x"},
	} {
		if got := port.CodeOf(c.err); got != c.want {
			t.Errorf("%v: code %s, want %s", c.err, got, c.want)
		}
		if c.err != nil && c.err.Error() != c.text {
			t.Errorf("text %q, want %q", c.err, c.text)
		}
	}
	if !errors.Is(port.Local("a", "b", cause), cause) {
		t.Error("the cause is not found")
	}
}
