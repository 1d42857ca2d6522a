// Package queue is the port to the message queues. The contract is that of SQS standard queues: a message is
// delivered at least once, in any order, and is a poke, not a fact (a completion until it is folded excepted: P18).
package queue

import (
	"bytes"
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
	// MaxBody is what a message, and what the messages of one request together, may have in bytes. AWS has taken 1 MiB
	// since 2025; other implementations still hold 256 KiB.
	MaxBody  = 256 << 10
	MaxBatch = 10
	MaxGroup = 128
	// MaxVisibility bounds a visibility time-out.
	MaxVisibility = 12 * time.Hour
	// MaxReceives is after how many receives a message goes to the dead-letter queue. A receive whose process is killed
	// counts. Where one in five of them dies of something else than the message, 5 receives would lose one message in
	// 3,000, and these lose one in 10 million; a run whose own step kills its processes needs 6 to end (core/app).
	MaxReceives = 10
)

// Message is a message to send. Check says which are legal.
type Message struct {
	Body  []byte        // text of 1 to MaxBody bytes in UTF-8, without characters that XML has not
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
	case bytes.IndexFunc(m.Body, refused) >= 0:
		return fmt.Errorf("body contains %U, which SQS refuses", []rune(string(m.Body[bytes.IndexFunc(m.Body, refused):]))[0])
	case m.Delay < 0 || m.Delay > MaxDelay:
		return fmt.Errorf("delay %s is not in [0, %s]", m.Delay, MaxDelay)
	case len(m.Group) > MaxGroup:
		return fmt.Errorf("group has %d bytes, more than %d", len(m.Group), MaxGroup)
	}
	return nil
}

// refused tells the characters that no message may contain (SendMessageBatch in the Amazon SQS API reference): those
// that are no XML characters. JSON can write all of them as escapes, and must for those below U+0020.
func refused(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\uFFFE' || r == '\uFFFF'
}

// CheckReceive returns why nothing can ever be received so: at least one message must be asked for, with a visibility
// time-out of 0..MaxVisibility.
func CheckReceive(max int, visibility time.Duration) error {
	if max < 1 {
		return fmt.Errorf("max %d is below 1", max)
	}
	return CheckVisibility(visibility)
}

// CheckVisibility returns why a message cannot be hidden for so long.
func CheckVisibility(d time.Duration) error {
	if d < 0 || d > MaxVisibility {
		return fmt.Errorf("visibility %s is not in [0, %s]", d, MaxVisibility)
	}
	return nil
}

// Sender sends. Errors are *port.Error. Send returns nil only when every message was accepted; after an error any of them may be delivered
// all the same. It splits what exceeds MaxBatch or MaxBody. Messages that can never be sent (Message.Check) are
// port.CodeInvalid, and then none of the call is sent.
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
// place of coming once more. All methods are safe for concurrent use. Errors are *port.Error, but for that of a context
// that ended.
type Receiver interface {
	// Receive waits for messages and returns at least one and at most max, or none with no error when none came for a
	// while, or the error of ctx when that ends first. A service may give fewer than max though there are more.
	Receive(ctx context.Context, name Name, max int, visibility time.Duration) ([]Delivery, error)
	// Delete ends messages. A receipt of a message that is gone is ignored; so is one that is not the newest of its
	// message, or it deletes the message all the same.
	Delete(ctx context.Context, name Name, receipts []string) error
	// Release makes a received message visible again after d, 0..MaxVisibility. A message that is gone or visible again
	// already is left as it is.
	Release(ctx context.Context, name Name, receipt string, d time.Duration) error
	// Dead reads up to max messages of the dead-letter queue without removing them. Their receipts have no use.
	Dead(ctx context.Context, name Name, max int) ([]Delivery, error)
	// Redrive moves what is in the dead-letter queue back and returns how many. A message may be moved twice; its
	// receives count from 0 again.
	Redrive(ctx context.Context, name Name) (int, error)
}
