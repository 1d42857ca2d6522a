package table

// What writes do to stored items, for implementations that hold the items themselves.

import "errors"

// ErrConditionFailed is the cause of a CodeConflict that an implementation finds itself.
var ErrConditionFailed = errors.New("condition does not hold")

// Outcome is what one write does to the item it names.
type Outcome struct {
	// Item is the item afterwards, Rev 0 when it is absent. It shares memory with the write or with the stored item.
	Item Item
	// Changed tells whether anything has to be stored.
	Changed bool
	Units   Units
}

// Own tells whether the stored item shows that the write has happened already (P5).
func Own(old Item, w Write) bool {
	return w.Op == OpPut && len(w.Item.Tokens) > 0 && old.HasToken(w.Item.Tokens[0])
}

// Apply is one legal write (CheckWrite) outside a transaction over the stored item. The error is CodeConflict with a
// copy of the stored item; Units are what even that costs.
func Apply(old Item, w Write) (Outcome, error) {
	if !w.Cond.Holds(old) {
		u := FailedWriteUnits(w.Op, old, w.Item)
		if Own(old, w) {
			return Outcome{Item: old, Units: u}, nil
		}
		return Outcome{Item: old, Units: u}, &Error{
			Code: CodeConflict, Op: "write", Key: w.Item.Key, Old: old.Clone(), Cause: ErrConditionFailed,
		}
	}
	out := Outcome{Changed: true, Units: WriteUnits(w.Op, old, w.Item)}
	if w.Op == OpPut {
		out.Item = w.Item
	} else {
		out.Changed = old.Exists()
	}
	return out, nil
}

// TransactOutcome judges a transaction by the items it names: old[i] is the stored item of writes[i], absent with Rev 0.
// Done tells that it has happened already: one item that shows its own token is enough, for all were written or none (P5). The error is CodeConflict and names the first item
// whose condition failed; Units are what even that costs.
func TransactOutcome(writes []Write, old []Item) (done bool, u Units, err error) {
	failed := -1
	shown := false
	for i, w := range writes {
		if w.Cond.Holds(old[i]) {
			continue
		}
		if failed < 0 {
			failed = i
		}
		shown = shown || Own(old[i], w)
	}
	if failed < 0 {
		for i, w := range writes {
			u = u.Add(TransactUnits(w.Op, old[i], w.Item))
		}
		return false, u, nil
	}
	for i, w := range writes {
		u = u.Add(FailedTransactUnits(w.Op, old[i], w.Item))
	}
	if shown {
		return true, u, nil
	}
	return false, u, &Error{
		Code: CodeConflict, Op: "transact", Key: writes[failed].Item.Key, Old: old[failed].Clone(), Cause: ErrConditionFailed,
	}
}

// LastOfEach leaves of items with the same key the last one, in the order of first appearance.
func LastOfEach(items []Item) []Item {
	at := make(map[Key]int, len(items))
	for i, it := range items {
		if _, twice := at[it.Key]; twice {
			last := make([]Item, 0, len(items)-1)
			clear(at)
			for _, it := range items {
				if j, ok := at[it.Key]; ok {
					last[j] = it
					continue
				}
				at[it.Key] = len(last)
				last = append(last, it)
			}
			return last
		}
		at[it.Key] = i
	}
	return items
}
