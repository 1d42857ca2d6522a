// Package queue is the port to the message queues. The contract is that of SQS standard queues: a message is
// delivered at least once, in any order, and is a poke, not a fact (a completion until it is folded excepted: P18).
package queue

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"
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
	MaxGroup = 128
	// MaxReceives is after how many receives a message goes to the dead-letter queue.
	MaxReceives = 5
)

// Message is a message to send. Check says which are legal.
type Message struct {
	Body  []byte        // UTF-8 text of 1 to MaxBody bytes
	Delay time.Duration // 0..MaxDelay; the message is not delivered before
	Group string        // fairness group: one group's backlog does not delay the others'; never an order
}

// Check returns why the message can never be sent.
func (m Message) Check() error {
	switch {
	case len(m.Body) == 0:
		return fmt.Errorf("body is empty")
	case len(m.Body) > MaxBody:
		return fmt.Errorf("body has %d bytes, more than %d", len(m.Body), MaxBody)
	case !utf8.Valid(m.Body):
		return fmt.Errorf("body is not valid UTF-8")
	case m.Delay < 0 || m.Delay > MaxDelay:
		return fmt.Errorf("delay %s is not in [0, %s]", m.Delay, MaxDelay)
	case len(m.Group) > MaxGroup:
		return fmt.Errorf("group has %d bytes, more than %d", len(m.Group), MaxGroup)
	}
	return nil
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
// visibility time-out and comes again unless deleted; one received MaxReceives times goes to the dead-letter queue in
// place of coming once more. All methods are safe for concurrent use.
type Receiver interface {
	// Receive waits for messages and returns at least one and at most max, or none with no error when none came for a
	// while, or the error of ctx when that ends first. A service may give fewer than max though there are more.
	Receive(ctx context.Context, name Name, max int, visibility time.Duration) ([]Delivery, error)
	// Delete ends messages. A receipt that is not the newest of its message is ignored.
	Delete(ctx context.Context, name Name, receipts []string) error
	// Release makes a received message visible again after d.
	Release(ctx context.Context, name Name, receipt string, d time.Duration) error
	// Dead reads up to max messages of the dead-letter queue without removing them.
	Dead(ctx context.Context, name Name, max int) ([]Delivery, error)
	// Redrive moves everything in the dead-letter queue back and returns how many.
	Redrive(ctx context.Context, name Name) (int, error)
}
