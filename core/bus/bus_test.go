package bus_test

import (
	"context"
	"errors"
	"testing"

	"github.com/downbeat/downbeat/core/bus"
	"github.com/downbeat/downbeat/core/port"
)

type counter struct {
	n   int
	err error
}

func (c *counter) Publish(_ context.Context, events [][]byte) error {
	c.n += len(events)
	return c.err
}

func TestAllPublishesToEach(t *testing.T) {
	down := &port.Error{Code: port.CodeThrottled, Op: "publish to", Name: "a", Cause: errors.New("busy")}
	a, b := &counter{err: down}, &counter{}
	err := bus.All(a, b).Publish(t.Context(), [][]byte{[]byte("{}"), []byte("{}")})
	if port.CodeOf(err) != port.CodeThrottled {
		t.Errorf("error %v, want code throttled", err)
	}
	if a.n != 2 || b.n != 2 {
		t.Errorf("%d and %d events, want 2 and 2", a.n, b.n)
	}
	a.err = nil
	if err := bus.All(a, b).Publish(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if one := bus.All(a); one != bus.Publisher(a) {
		t.Error("one publisher is wrapped")
	}
	if err := bus.All().Publish(t.Context(), [][]byte{[]byte("{}")}); err != nil {
		t.Errorf("to nobody: %v", err)
	}
}
