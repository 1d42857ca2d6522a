package dynamotable

// Items as DynamoDB's attributes.

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/downbeat/downbeat/core/table"
)

type attributes = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func keyOf(k table.Key) attributes {
	return attributes{table.AttrPK: text(k.PK), table.AttrSK: text(k.SK)}
}

func marshal(it table.Item) attributes {
	a := keyOf(it.Key)
	a[table.AttrRev] = number(it.Rev)
	if len(it.Tokens) > 0 {
		b := make([]byte, 0, 8*len(it.Tokens))
		for _, t := range it.Tokens {
			b = binary.BigEndian.AppendUint64(b, uint64(t))
		}
		a[table.AttrTokens] = &types.AttributeValueMemberB{Value: b}
	}
	if it.Order != 0 {
		a[table.AttrOrder] = number(it.Order)
	}
	if it.Due != 0 {
		a[table.AttrDue] = number(it.Due)
		a[table.AttrDuePart] = number(int64(table.DuePartition(it.PK)))
	}
	if it.Expires != 0 {
		a[table.AttrExpires] = number(it.Expires)
	}
	if len(it.Data) > 0 {
		a[table.AttrData] = &types.AttributeValueMemberB{Value: it.Data}
	}
	return a
}

// unmarshal reads an item; without attributes it is absent. An attribute of another type than this package writes is
// an error that names it.
func unmarshal(a attributes) (table.Item, error) {
	var it table.Item
	if len(a) == 0 {
		return it, nil
	}
	r := reader{a: a}
	it.PK, it.SK = r.text(table.AttrPK), r.text(table.AttrSK)
	it.Rev = r.number(table.AttrRev)
	it.Order = r.number(table.AttrOrder)
	it.Due = r.number(table.AttrDue)
	it.Expires = r.number(table.AttrExpires)
	it.Data = r.bytes(table.AttrData)
	if b := r.bytes(table.AttrTokens); len(b) > 0 {
		if len(b)%8 != 0 {
			r.fail(table.AttrTokens, "a multiple of 8 bytes")
		}
		for ; len(b) >= 8; b = b[8:] {
			it.Tokens = append(it.Tokens, table.Token(binary.BigEndian.Uint64(b)))
		}
	}
	return it, r.err
}

// reader reads attributes; absent ones give zero values. The first error stays.
type reader struct {
	a   attributes
	err error
}

func (r *reader) fail(name, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("attribute %s is not %s", name, want)
	}
}

func (r *reader) text(name string) string {
	switch v := r.a[name].(type) {
	case nil:
	case *types.AttributeValueMemberS:
		return v.Value
	default:
		r.fail(name, "a string")
	}
	return ""
}

func (r *reader) number(name string) int64 {
	switch v := r.a[name].(type) {
	case nil:
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil {
			r.fail(name, "a whole number")
		}
		return n
	default:
		r.fail(name, "a number")
	}
	return 0
}

func (r *reader) bytes(name string) []byte {
	switch v := r.a[name].(type) {
	case nil:
	case *types.AttributeValueMemberB:
		return v.Value
	default:
		r.fail(name, "binary")
	}
	return nil
}

// condition is an expression with its values; the zero value requires nothing.
type condition struct {
	expr   *string
	values attributes
}

// express turns a condition into DynamoDB's language. It is the one place that knows it.
func express(c table.Cond) condition {
	var expr string
	values := attributes{}
	switch c.Kind {
	case table.CondAbsent:
		expr = "attribute_not_exists(pk)"
	case table.CondExists:
		expr = "attribute_exists(pk)"
	case table.CondRev:
		if c.N == 0 { // what is absent has revision 0
			expr = "attribute_not_exists(pk)"
			break
		}
		expr = "r = :n"
		values[":n"] = number(c.N)
	case table.CondOrderBelow:
		// An order of 0 is not stored.
		if expr = "attribute_not_exists(pk) OR o < :n"; c.N > 0 {
			expr = "attribute_not_exists(o) OR o < :n"
		}
		values[":n"] = number(c.N)
	default:
		return condition{}
	}
	if len(values) == 0 {
		values = nil
	}
	return condition{expr: &expr, values: values}
}
