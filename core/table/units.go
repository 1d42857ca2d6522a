package table

// What requests cost, computed as DynamoDB does ("Read and write operations" and "Item sizes and formats" in the
// Amazon DynamoDB developer guide), so that local runs can be priced. All implementations use these functions; a test
// against DynamoDB Local compares them with the consumed capacity that the service reports.

import "math"

// The names of the attributes an item is stored under. They are short because they are paid for with every item.
const (
	AttrPK      = "pk"
	AttrSK      = "sk"
	AttrRev     = "r"
	AttrTokens  = "t"    // binary: 8 bytes each, big endian, newest first
	AttrOrder   = "o"    // left out when 0
	AttrDue     = "due"  // left out when 0, together with AttrDuePart: the index is sparse
	AttrDuePart = "duep" // DuePartition of the partition key
	AttrExpires = "x"    // left out when 0
	AttrData    = "d"    // left out when empty
	// DueIndex is the name of the sparse index on AttrDuePart and AttrDue that projects the keys alone.
	DueIndex = "due"
)

const (
	writeUnitBytes = 1 << 10
	readUnitBytes  = 4 << 10
	// MaxPageBytes is after how many bytes of items a query ends its page.
	MaxPageBytes = 1 << 20
)

// ItemSize is the size of the stored item in bytes, 0 for an absent one: names and values of all its attributes.
func ItemSize(it Item) int {
	if !it.Exists() {
		return 0
	}
	n := len(AttrPK) + len(it.PK) + len(AttrSK) + len(it.SK) + len(AttrRev) + numberSize(it.Rev)
	if len(it.Tokens) > 0 {
		n += len(AttrTokens) + 8*len(it.Tokens)
	}
	if it.Order != 0 {
		n += len(AttrOrder) + numberSize(it.Order)
	}
	if it.Due != 0 {
		n += len(AttrDue) + numberSize(it.Due) + len(AttrDuePart) + numberSize(int64(DuePartition(it.PK)))
	}
	if it.Expires != 0 {
		n += len(AttrExpires) + numberSize(it.Expires)
	}
	if len(it.Data) > 0 {
		n += len(AttrData) + len(it.Data)
	}
	return n
}

// DueEntrySize is the size of an entry of the due index in bytes.
func DueEntrySize(e DueEntry) int {
	return len(AttrPK) + len(e.PK) + len(AttrSK) + len(e.SK) + len(AttrDue) + numberSize(e.Due) +
		len(AttrDuePart) + numberSize(int64(DuePartition(e.PK)))
}

// numberSize is the size of a stored number: a byte, and one for every two decimal digits between the first and the
// last that is not zero; one more for the sign of a negative one. 0 takes one byte.
func numberSize(n int64) int {
	if n == 0 {
		return 1
	}
	size := 1
	u := uint64(n)
	if n < 0 {
		u, size = -u, 2
	}
	// Digits are stored in pairs aligned at the decimal point, so that 100 takes one pair and 1,230 two.
	for u%100 == 0 {
		u /= 100
	}
	for u > 0 {
		u /= 100
		size++
	}
	return size
}

func started(bytes, unit int) float64 {
	return math.Max(1, math.Ceil(float64(bytes)/float64(unit)))
}

// WriteUnits is the cost of one write outside a transaction that was applied: the larger of the item before and after,
// and what the due index takes.
func WriteUnits(op OpKind, old, new Item) Units {
	return Units{Write: baseWrite(op, old, new) + indexWrite(op, old, new)}
}

// FailedWriteUnits is the cost of one write whose condition did not hold.
func FailedWriteUnits(op OpKind, old, new Item) Units {
	return Units{Write: baseWrite(op, old, new)}
}

// TransactUnits is the cost of one applied write of a transaction: twice that of the same write outside one, to prepare
// and to commit. DynamoDB Local counts the index twice as well, and so do we; it counts checks only in a transaction
// that has nothing else, which we take for an oversight.
func TransactUnits(op OpKind, old, new Item) Units {
	return Units{Write: 2 * (baseWrite(op, old, new) + indexWrite(op, old, new))}
}

// FailedTransactUnits is the cost of one write of a transaction that was cancelled.
func FailedTransactUnits(op OpKind, old, new Item) Units {
	return Units{Write: 2 * baseWrite(op, old, new)}
}

func baseWrite(op OpKind, old, new Item) float64 {
	size := ItemSize(old)
	if op == OpPut {
		size = max(size, ItemSize(new))
	}
	return started(size, writeUnitBytes)
}

// indexWrite is what the due index takes: one write to add an entry, one to remove it, both to move it, and none when
// the indexed attributes stay as they are.
func indexWrite(op OpKind, old, new Item) float64 {
	if op == OpCheck {
		return 0
	}
	before, after := old.Due, new.Due
	if op == OpDelete {
		after = 0
	}
	if before == after {
		return 0
	}
	n := 0.0
	if before != 0 {
		n += started(DueEntrySize(DueEntry{Key: old.Key, Due: before}), writeUnitBytes)
	}
	if after != 0 {
		n += started(DueEntrySize(DueEntry{Key: new.Key, Due: after}), writeUnitBytes)
	}
	return n
}

// GetUnits is the cost of reading one item strongly, alone or in a batch; an absent one costs as much as the smallest.
// (DynamoDB Local counts nothing for an absent one in a batch, nor for a query that finds nothing; the service does.)
func GetUnits(it Item) Units {
	return Units{Read: started(ItemSize(it), readUnitBytes)}
}

// QueryUnits is the cost of a strong query that read items of so many bytes in all.
func QueryUnits(bytes int) Units {
	return Units{Read: started(bytes, readUnitBytes)}
}

// DueUnits is the cost of a query of the due index that read entries of so many bytes in all.
func DueUnits(bytes int) Units {
	return Units{Read: started(bytes, readUnitBytes) / 2}
}
