package table

// What makes a request one that can never succeed. All implementations ask these functions, so that what is refused on
// one machine is what the service refuses.

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of keys set by DynamoDB, in bytes.
const (
	MaxPKBytes = 2048
	MaxSKBytes = 1024
)

// MaxTransactBytes is the limit of a transaction's items together, set by DynamoDB.
const MaxTransactBytes = 4 << 20

// lastRune ends the range of a prefix; no key contains it.
const lastRune = "\U0010FFFF"

// CheckKey returns why a key cannot be one: both halves must be valid UTF-8 without U+10FFFF, not empty, and of at most
// MaxPKBytes and MaxSKBytes.
func CheckKey(k Key) error {
	if err := checkHalf("pk", k.PK, MaxPKBytes); err != nil {
		return err
	}
	return checkHalf("sk", k.SK, MaxSKBytes)
}

func checkHalf(name, s string, limit int) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is empty", name)
	case len(s) > limit:
		return fmt.Errorf("%s has %d bytes, more than %d", name, len(s), limit)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s is not valid UTF-8", name)
	case strings.Contains(s, lastRune):
		return fmt.Errorf("%s contains U+10FFFF", name)
	}
	return nil
}

// CheckItem returns why an item cannot be stored.
func CheckItem(it Item) error {
	if err := CheckKey(it.Key); err != nil {
		return err
	}
	switch {
	case it.Rev < 1:
		return fmt.Errorf("revision %d is below 1", it.Rev)
	case len(it.Tokens) > KeptTokens:
		return fmt.Errorf("%d tokens are more than %d", len(it.Tokens), KeptTokens)
	case it.Due < 0:
		return fmt.Errorf("due %d is negative", it.Due)
	case it.Expires < 0:
		return fmt.Errorf("expires %d is negative", it.Expires)
	}
	if size := ItemSize(it); size > MaxItemBytes {
		return fmt.Errorf("item has %d bytes, more than %d", size, MaxItemBytes)
	}
	return nil
}

// CheckWrite returns why a write can never succeed outside a transaction.
func CheckWrite(w Write) error {
	switch w.Op {
	case OpPut:
		return CheckItem(w.Item)
	case OpDelete:
		return CheckKey(w.Item.Key)
	case OpCheck:
		return fmt.Errorf("a check alone is not a write")
	}
	return fmt.Errorf("operation %d is unknown", w.Op)
}

// CheckTransact returns why a transaction can never succeed: each write must be legal, no two may name the same item,
// and there are at least one and at most MaxTransactItem of
// them with at most MaxTransactBytes.
func CheckTransact(writes []Write) error {
	if len(writes) == 0 {
		return fmt.Errorf("a transaction has no writes")
	}
	if len(writes) > MaxTransactItem {
		return fmt.Errorf("a transaction has %d writes, more than %d", len(writes), MaxTransactItem)
	}
	seen := make(map[Key]bool, len(writes))
	size := 0
	for i, w := range writes {
		var err error
		if w.Op == OpCheck {
			if err = CheckKey(w.Item.Key); err == nil && w.Cond.Kind == CondNone {
				err = fmt.Errorf("a check has no condition")
			}
		} else {
			err = CheckWrite(w)
		}
		if err != nil {
			return fmt.Errorf("write %d: %w", i, err)
		}
		if seen[w.Item.Key] {
			return fmt.Errorf("write %d: %s is named twice", i, w.Item.Key)
		}
		seen[w.Item.Key] = true
		if w.Op == OpPut {
			size += ItemSize(w.Item)
		}
	}
	if size > MaxTransactBytes {
		return fmt.Errorf("the items of a transaction have %d bytes, more than %d", size, MaxTransactBytes)
	}
	return nil
}

// Range is the sort keys that a query reads: those in [From, To], both ends included. Empty ends are unbounded.
type Range struct {
	From, To string
	// After is Query.After where it lies within the range; empty when the query starts at an end of it.
	After string
}

// Range combines Prefix, From, To and After. The answer is false when no sort key can satisfy them: such a query is
// not sent and costs nothing.
func (q Query) Range() (Range, bool) {
	r := Range{From: q.From, To: q.To, After: q.After}
	if q.Prefix != "" {
		r.From = max(r.From, q.Prefix)
		if end := q.Prefix + lastRune; r.To == "" || r.To > end {
			r.To = end
		}
	}
	if r.To != "" && r.From > r.To {
		return Range{}, false
	}
	if r.After == "" {
		return r, true
	}
	below, above := r.After < r.From, r.To != "" && r.After > r.To
	if q.Reverse && below || !q.Reverse && above {
		return Range{}, false
	}
	if below || above {
		r.After = ""
	}
	return r, true
}

// CheckQuery returns why a query can never succeed.
func CheckQuery(q Query) error {
	if err := checkHalf("pk", q.PK, MaxPKBytes); err != nil {
		return err
	}
	for _, s := range []struct{ name, value string }{{"prefix", q.Prefix}, {"from", q.From}, {"to", q.To}, {"after", q.After}} {
		if s.value != "" {
			if err := checkHalf(s.name, s.value, MaxSKBytes); err != nil {
				return err
			}
		}
	}
	if limit := MaxSKBytes - len(lastRune); len(q.Prefix) > limit {
		return fmt.Errorf("prefix has %d bytes, more than %d", len(q.Prefix), limit)
	}
	if q.Limit < 0 {
		return fmt.Errorf("limit %d is negative", q.Limit)
	}
	return nil
}

// CheckDueQuery returns why a query of the due index can never succeed.
func CheckDueQuery(q DueQuery) error {
	if q.Partition < 0 || q.Partition >= DuePartitions {
		return fmt.Errorf("due partition %d is not in [0, %d)", q.Partition, DuePartitions)
	}
	if q.Limit < 0 {
		return fmt.Errorf("limit %d is negative", q.Limit)
	}
	if q.After != nil {
		if err := CheckKey(q.After.Key); err != nil {
			return fmt.Errorf("after: %w", err)
		}
	}
	return nil
}

// Invalid is the error of a request that can never succeed.
func Invalid(op string, key Key, cause error) error {
	return &Error{Code: CodeInvalid, Op: op, Key: key, Cause: cause}
}

// Clone is a copy that shares no memory with the item.
func (it Item) Clone() Item {
	if it.Tokens != nil {
		it.Tokens = append([]Token(nil), it.Tokens...)
	}
	if it.Data != nil {
		it.Data = append([]byte(nil), it.Data...)
	}
	return it
}
