// Package bus is the port through which status events leave. Delivery is at least once and unordered.
package bus

import "context"

// Publisher publishes events, each one JSON document in Maestro's format. Adapters pack several into one entry where
// their service bills by the entry. A nil error means all were accepted.
type Publisher interface {
	Publish(ctx context.Context, events [][]byte) error
}
