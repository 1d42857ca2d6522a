// Package table is the port to the one table that Downbeat keeps everything in: items under a partition and a sort
// key, moved by conditional writes, with one sparse index on their due time.
//
// The contract is that of DynamoDB. What DynamoDB does not promise, no implementation gives: the due index lags
// behind the table and a write whose answer was lost may have happened.
package table

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
)

// Key names an item. PK spreads the load; items of one PK are ordered by the bytes of SK. CheckKey says which keys are
// legal.
type Key struct {
	PK, SK string
}

func (k Key) String() string { return k.PK + "/" + k.SK }

// Token identifies one attempt to write. It is unique per decision, never reused, and lets a writer that was told
// "condition failed" recognise its own success (protocol P5). Zero is no token.
type Token uint64

// KeptTokens is how many write tokens an item remembers: a writer that retries sees its own token unless more than
// this many others have written since.
const KeptTokens = 4

// Item is one stored item.
type Item struct {
	Key
	// Rev is the revision: 1 for a created item, one more with each write, 0 for an item that is absent.
	Rev int64
	// Tokens are the tokens of the newest writes, newest first, at most KeptTokens.
	Tokens []Token
	// Order is a number of the owner's choice that a condition may compare (CondOrderBelow); 0 when unused.
	Order int64
	// Due is when the sweep must look at the item, in epoch milliseconds; 0 keeps it out of the due index.
	Due int64
	// Expires is when the item may be deleted by the table itself, in epoch seconds; 0 keeps it for ever.
	Expires int64
	// Data is the content, opaque to the table. The whole item may have MaxItemBytes.
	Data []byte
}

// Exists tells whether the item was found.
func (it Item) Exists() bool { return it.Rev > 0 }

// HasToken tells whether one of the remembered writes carried the token.
func (it Item) HasToken(t Token) bool {
	for _, have := range it.Tokens {
		if have == t && t != 0 {
			return true
		}
	}
	return false
}

// Limits set by DynamoDB (Amazon DynamoDB developer guide, "Service, account, and table quotas").
const (
	MaxItemBytes    = 400 << 10 // one item, keys and attribute names included
	MaxBatchGet     = 100       // keys of one BatchGetItem
	MaxBatchWrite   = 25        // items of one BatchWriteItem
	MaxTransactItem = 100       // writes of one TransactWriteItems
)

// CondKind says what a write requires of the stored item.
type CondKind uint8

// The conditions. They are values, not expressions, so that all implementations mean the same.
const (
	CondNone       CondKind = iota // no requirement
	CondAbsent                     // the item does not exist
	CondRev                        // the item exists with revision Cond.N
	CondOrderBelow                 // the item is absent, or its Order is below Cond.N
	CondExists                     // the item exists
)

// Cond is one requirement.
type Cond struct {
	Kind CondKind
	N    int64
}

// Conditions, written as calls.
func None() Cond              { return Cond{Kind: CondNone} }
func Absent() Cond            { return Cond{Kind: CondAbsent} }
func RevIs(rev int64) Cond    { return Cond{Kind: CondRev, N: rev} }
func OrderBelow(n int64) Cond { return Cond{Kind: CondOrderBelow, N: n} }
func Exists() Cond            { return Cond{Kind: CondExists} }
func (c Cond) Holds(it Item) bool {
	switch c.Kind {
	case CondAbsent:
		return !it.Exists()
	case CondRev:
		return it.Rev == c.N
	case CondOrderBelow:
		return !it.Exists() || it.Order < c.N
	case CondExists:
		return it.Exists()
	}
	return true
}

// OpKind is what a Write does.
type OpKind uint8

// The operations of a Write.
const (
	OpPut    OpKind = iota // replace the whole item
	OpDelete               // remove it; deleting an absent item succeeds when the condition allows it
	OpCheck                // only check the condition; legal in Transact alone
)

// Write is one conditional write. For OpPut the caller sets Item.Rev to the new revision; Item.Tokens[0], if any, is
// the token of this write. For the other operations only Item.Key counts: a repeated delete whose first answer was lost
// finds its item absent, which a condition that needs the item reports as CodeConflict with Old absent.
type Write struct {
	Op   OpKind
	Item Item
	Cond Cond
}

// Units are consumed request units as DynamoDB counts them: a write unit per started KiB (twice that in a
// transaction, and one to two more when an indexed attribute changes), half a read unit per started 4 KiB read
// eventually, a whole one read strongly.
type Units struct {
	Read, Write float64
}

// Add sums two amounts.
func (u Units) Add(v Units) Units { return Units{u.Read + v.Read, u.Write + v.Write} }

// Query asks for items of one partition in the order of their sort keys. Reads are strong.
type Query struct {
	PK       string
	Prefix   string // only sort keys with this prefix
	From, To string // only sort keys in [From, To]; empty is unbounded; combined with Prefix both must hold
	Reverse  bool
	Limit    int    // at most this many; 0 is one page of the service (1 MB)
	After    string // the sort key after which (in the direction of the query) to go on
	KeysOnly bool   // Data is left out; costs the same
}

// Page is an answer to a Query. More says that another call with After = the last SK may find more; it may also find
// nothing. A page is never empty while there is more.
type Page struct {
	Items []Item
	More  bool
}

// DuePartitions is over how many partitions the due index is spread: one alone would cap the system at 1,000 changes
// a second, and a throttled index throttles the table (P8).
const DuePartitions = 32

// DuePartition is the partition of the due index that holds the items of a partition key.
func DuePartition(pk string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(pk))
	return int(h.Sum32() % DuePartitions)
}

// DueEntry is an entry of the due index. The index is read eventually: an entry may be missing for a while, or
// tell an older due than the item has.
type DueEntry struct {
	Key
	Due int64
}

// DueQuery asks for the entries of one index partition due in [From, To), oldest first; those of equal due in any
// order. An answer with fewer than Limit entries is the last one.
type DueQuery struct {
	Partition int
	From, To  int64
	Limit     int       // at most this many; 0 is all of them
	After     *DueEntry // go on after this entry
}

// Table is the port. All methods are safe for concurrent use. Returned slices belong to the caller; passed ones are
// not kept. Errors are *Error; their Code says what a caller can do.
//
// Durability: when a write returns nil it survives any crash. When it returns CodeUnknown it may or may not have
// happened: the caller reads again, or repeats it with the same token (P5).
type Table interface {
	// Get reads one item strongly; an absent one has Rev 0 and no error.
	Get(ctx context.Context, key Key) (Item, Units, error)
	// BatchGet reads up to any number of items strongly, in the order of keys, absent ones with Rev 0.
	BatchGet(ctx context.Context, keys []Key) ([]Item, Units, error)
	Query(ctx context.Context, q Query) (Page, Units, error)
	// Write does one conditional write. CodeConflict carries the stored item in Error.Old; a write whose token the
	// stored item shows is reported as success.
	Write(ctx context.Context, w Write) (Units, error)
	// BatchPut stores items without condition and not atomically: after an error any of them may be stored. Of two
	// items with the same key the later one stays.
	BatchPut(ctx context.Context, items []Item) (Units, error)
	// Transact does all writes or none. CodeConflict tells a failed condition, CodeContended a clash with another
	// write in flight, which may simply be repeated. A transaction that fails on an item that shows its own token is
	// success, as with Write.
	Transact(ctx context.Context, writes []Write) (Units, error)
	// QueryDue reads the due index, eventually consistent.
	QueryDue(ctx context.Context, q DueQuery) ([]DueEntry, Units, error)
}

// Code is what a caller can do about an error.
type Code uint8

// The codes.
const (
	CodeConflict  Code = iota + 1 // a condition failed: read again and decide again
	CodeContended                 // another transaction was in the way: repeat
	CodeThrottled                 // too much at once: repeat later; nothing was written
	CodeUnknown                   // no answer: may have been written or not
	CodeInvalid                   // the request can never succeed (too large, bad key)
	CodeInternal                  // anything else
)

func (c Code) String() string {
	switch c {
	case CodeConflict:
		return "conflict"
	case CodeContended:
		return "contended"
	case CodeThrottled:
		return "throttled"
	case CodeUnknown:
		return "unknown outcome"
	case CodeInvalid:
		return "invalid"
	}
	return "internal"
}

// Error is every error of a Table.
type Error struct {
	Code Code
	// Old is the stored item that a CodeConflict of Write ran into; Rev 0 when it is absent or not known.
	Old   Item
	Op    string
	Key   Key
	Cause error
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("%s %s: %s", e.Op, e.Key, e.Code)
	}
	return fmt.Sprintf("%s %s: %s: %v", e.Op, e.Key, e.Code, e.Cause)
}

func (e *Error) Unwrap() error { return e.Cause }

// CodeOf is the code of an error, CodeInternal for one that is not a table's, 0 for nil.
func CodeOf(err error) Code {
	if err == nil {
		return 0
	}
	var te *Error
	if errors.As(err, &te) {
		return te.Code
	}
	return CodeInternal
}
