package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestStatusOfEveryCode(t *testing.T) {
	want := map[Code]int{
		BadRequest: 400, Unauthorized: 401, Forbidden: 403, NotFound: 404, RequestTimeout: 408, Conflict: 409,
		Gone: 410, PreconditionFailed: 412, UnprocessableEntity: 422, InternalError: 500, BadGateway: 502, "ODD": 500,
	}
	for code, status := range want {
		if got := code.Status(); got != status {
			t.Errorf("%s: got %d, want %d", code, got, status)
		}
	}
}

func TestOfFindsTheWrappedError(t *testing.T) {
	f := New(NotFound, "no workflow [%s]", "a").With("x")
	wrapped := fmt.Errorf("reading: %w", f)
	if CodeOf(wrapped) != NotFound || Of(wrapped) != f {
		t.Errorf("got %v, want the not found error", Of(wrapped))
	}
	other := errors.New("disk full")
	if CodeOf(other) != InternalError || Of(other).Message != "disk full" {
		t.Errorf("got %v, want an internal error", Of(other))
	}
	if CodeOf(nil) != "" || Of(nil) != nil {
		t.Error("nil is no error")
	}
}

func TestWithLeavesTheOriginalAlone(t *testing.T) {
	f := New(BadRequest, "bad").With("a")
	g := f.With("b")
	if len(f.Errors) != 1 || len(g.Errors) != 2 || g.Errors[1] != "b" {
		t.Errorf("got %v and %v", f.Errors, g.Errors)
	}
}
