// Package queue is the port to the message queues. The contract is that of SQS standard queues: a message is
// delivered at least once, in any order, and is a poke, not a fact (a completion until it is folded excepted: P18).
package queue

import (
	"context"
	"time"
)

// Name is a queue's logical name; adapters map it to an address.
type Name string

// The queues of Downbeat.
const (
	Advance  Name = "advance"  // pokes for runs and lanes
	Execute  Name = "execute"  // launches, polls and stops of outside attempts
	Complete Name = "complete" // results of outside attempts
	Trigger  Name = "trigger"  // starts that events asked for
)

// Names lists all queues.
func Names() []Name { return []Name{Advance, Execute, Complete, Trigger} }

// Limits of SQS (Amazon SQS developer guide, "message quotas").
const (
	MaxDelay = 900 * time.Second
	MaxBody  = 256 << 10
	MaxBatch = 10
	// MaxReceives is after how many receives a message goes to the dead-letter queue.
	MaxReceives = 5
)

// Message is a message to send.
type Message struct {
	Body  []byte
	Delay time.Duration // 0..MaxDelay; the message is not delivered before
	Group string        // fairness group: one group's backlog does not delay the others'; never an order
}

// Sender sends. Send returns nil only when every message was accepted; after an error any of them may be delivered
// all the same. It splits what exceeds MaxBatch.
type Sender interface {
	Send(ctx context.Context, name Name, msgs []Message) error
}

// Delivery is a received message. Receives counts this receive.
type Delivery struct {
	Receipt  string
	Body     []byte
	Receives int
}

// Receiver is the consuming half, used where no event source mapping does it. A received message is hidden for the
// visibility time-out and comes again unless deleted; one received MaxReceives times goes to the dead-letter queue.
type Receiver interface {
	Receive(ctx context.Context, name Name, max int, visibility time.Duration) ([]Delivery, error)
	Delete(ctx context.Context, name Name, receipts []string) error
	// Release makes a received message visible again after d.
	Release(ctx context.Context, name Name, receipt string, d time.Duration) error
	// Dead reads up to max messages of the dead-letter queue without removing them.
	Dead(ctx context.Context, name Name, max int) ([]Delivery, error)
	// Redrive moves everything in the dead-letter queue back and returns how many.
	Redrive(ctx context.Context, name Name) (int, error)
}
