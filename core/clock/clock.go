// Package clock is the port to time, randomness and ids: everything that would make two equal decisions differ.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and waits.
type Clock interface {
	// Now is the time in epoch milliseconds. Clocks of two machines may differ by a second.
	Now() int64
	// Sleep waits for d or until ctx ends, whose error it then returns.
	Sleep(ctx context.Context, d time.Duration) error
}

// IDs makes what must be unique or random.
type IDs interface {
	NewUUID() string // version 4, lower case
	Token() uint64   // never 0
	Float() float64  // uniform in [0, 1)
}
