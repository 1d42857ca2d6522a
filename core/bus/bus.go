// Package bus is the port through which status events leave. Delivery is at least once and unordered.
package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/port"
)

// MaxEvent is how long an event may be in bytes: what EventBridge and SNS both take ("Calculating PutEvents event entry
// size" in the Amazon EventBridge user guide, "PublishBatch" in the Amazon SNS API reference: 256 KiB and more), less
// the room for what goes around it.
const MaxEvent = 255 << 10

// CheckEvent returns why an event can never be published: it must be one JSON object of at most MaxEvent bytes.
func CheckEvent(event []byte) error {
	if !json.Valid(event) || !bytes.HasPrefix(bytes.TrimLeft(event, " \t\r\n"), []byte("{")) {
		return errors.New("not a JSON object")
	}
	if len(event) > MaxEvent {
		return fmt.Errorf("%d bytes, more than %d", len(event), MaxEvent)
	}
	return nil
}

// CheckEvents is the error of a publication that holds an event that CheckEvent refuses, nil when there is none. All
// implementations ask it before they publish anything.
func CheckEvents(name string, events [][]byte) error {
	for i, e := range events {
		if err := CheckEvent(e); err != nil {
			return port.Invalid("publish to", name, fmt.Errorf("event %d: %w", i, err))
		}
	}
	return nil
}

// Publisher publishes events, each one JSON object in Maestro's format. Adapters pack several into one entry where
// their service bills by the entry. A nil error means that all were accepted; after another, a *port.Error, any of them
// may have been, but none after port.CodeInvalid. Publish is safe for concurrent use and keeps no passed slice.
type Publisher interface {
	Publish(ctx context.Context, events [][]byte) error
}

// All publishes to several, one after the other; to none, it drops everything. The events of a call that failed at one are published to the others all
// the same; whoever repeats the call publishes to all again.
func All(publishers ...Publisher) Publisher {
	if len(publishers) == 1 {
		return publishers[0]
	}
	return all(publishers)
}

type all []Publisher

func (a all) Publish(ctx context.Context, events [][]byte) error {
	var errs []error
	for _, p := range a {
		errs = append(errs, p.Publish(ctx, events))
	}
	return errors.Join(errs...)
}
