package bolttable

// The bytes of stored items.

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/table"
)

// format is the format number of stored items (P10): the first byte of each.
const format = 1

// What an item has besides its revision and its data.
const (
	hasOrder = 1 << iota
	hasDue
	hasExpires
	tokensShift = 4 // above: how many tokens
)

// itemKey orders items by partition key and then by the bytes of the sort key: the partition key is preceded by its
// length, so that no partition is a prefix of another.
func itemKey(k table.Key) []byte {
	b := make([]byte, 0, 2+len(k.PK)+len(k.SK))
	b = binary.BigEndian.AppendUint16(b, uint16(len(k.PK)))
	b = append(b, k.PK...)
	return append(b, k.SK...)
}

func parseKey(b []byte) (table.Key, error) {
	if len(b) < 2 {
		return table.Key{}, errTruncated
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+n {
		return table.Key{}, errTruncated
	}
	return table.Key{PK: string(b[2 : 2+n]), SK: string(b[2+n:])}, nil
}

// dueKey orders the entries of the due index by partition, due, and item.
func dueKey(due int64, key []byte, part int) []byte {
	b := make([]byte, 0, 9+len(key))
	b = append(b, byte(part))
	b = binary.BigEndian.AppendUint64(b, uint64(due))
	return append(b, key...)
}

func expiresKey(expires int64, key []byte) []byte {
	b := make([]byte, 0, 8+len(key))
	b = binary.BigEndian.AppendUint64(b, uint64(expires))
	return append(b, key...)
}

var errTruncated = errors.New("stored bytes end too early")

func encode(it table.Item) []byte {
	b := make([]byte, 0, 2+4*binary.MaxVarintLen64+8*len(it.Tokens)+len(it.Data))
	flags := byte(len(it.Tokens)) << tokensShift
	if it.Order != 0 {
		flags |= hasOrder
	}
	if it.Due != 0 {
		flags |= hasDue
	}
	if it.Expires != 0 {
		flags |= hasExpires
	}
	b = append(b, format, flags)
	b = binary.AppendUvarint(b, uint64(it.Rev))
	for _, t := range it.Tokens {
		b = binary.BigEndian.AppendUint64(b, uint64(t))
	}
	if it.Order != 0 {
		b = binary.AppendVarint(b, it.Order)
	}
	if it.Due != 0 {
		b = binary.AppendUvarint(b, uint64(it.Due))
	}
	if it.Expires != 0 {
		b = binary.AppendUvarint(b, uint64(it.Expires))
	}
	return append(b, it.Data...)
}

// decode reads a stored item, whose data then shares memory with b. Nil is an absent one.
func decode(key table.Key, b []byte) (table.Item, error) {
	it := table.Item{Key: key}
	if b == nil {
		return it, nil
	}
	if len(b) < 2 {
		return it, errTruncated
	}
	if b[0] != format {
		return it, fmt.Errorf("stored format %d is not %d: written by a newer version?", b[0], format)
	}
	flags := b[1]
	r := reader{b: b[2:]}
	it.Rev = int64(r.uvarint())
	if n := int(flags >> tokensShift); n > 0 {
		it.Tokens = make([]table.Token, n)
		for i := range it.Tokens {
			it.Tokens[i] = table.Token(r.uint64())
		}
	}
	if flags&hasOrder != 0 {
		it.Order = r.varint()
	}
	if flags&hasDue != 0 {
		it.Due = int64(r.uvarint())
	}
	if flags&hasExpires != 0 {
		it.Expires = int64(r.uvarint())
	}
	if len(r.b) > 0 {
		it.Data = r.b
	}
	return it, r.err
}

// reader takes numbers off the front; after an error it gives zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) skip(n int) {
	if n <= 0 || n > len(r.b) {
		r.b, r.err = nil, errTruncated
		return
	}
	r.b = r.b[n:]
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *reader) uint64() uint64 {
	if len(r.b) < 8 {
		r.b, r.err = nil, errTruncated
		return 0
	}
	v := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}
