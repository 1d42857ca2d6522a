// Package tabletest is the conformance suite of the Table port. Every implementation runs it, and so does any endpoint
// that the environment names.
package tabletest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/table"
)

// Run runs the suite. open returns a table that may be shared with other tests: the suite uses keys of its own.
func Run(t *testing.T, open func(t *testing.T) table.Table) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"items come back whole", testRoundTrip},
		{"keys and items that cannot be stored are refused", testInvalid},
		{"conditions", testConditions},
		{"a conflict carries the stored item", testConflict},
		{"deletes", testDelete},
		{"tokens tell a writer its own success", testTokens},
		{"tokens beyond the kept ones are forgotten", testKeptTokens},
		{"queries", testQuery},
		{"a query ends its page at a megabyte", testLargePages},
		{"batch get", testBatchGet},
		{"batch put", testBatchPut},
		{"batches beyond the limits of a request in bytes", testLargeBatches},
		{"transactions write all or nothing", testTransact},
		{"transactions know their own success", testTransactTokens},
		{"the due index follows the items", testDue},
		{"the due index is read in pages", testDuePages},
		{"the due index is partitioned", testDuePartitions},
		{"units of writes", testWriteUnits},
		{"units of reads", testReadUnits},
		{"units of transactions", testTransactUnits},
		{"no update is lost", testConcurrency},
		{"one of many creators wins", testCreators},
		{"contended transactions keep their sum", testTransactConcurrency},
		{"slices are not shared", testOwnership},
		{"a caller that gave up", testCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &suite{T: t, tbl: open(t), prefix: fmt.Sprintf("t%016x", rand.Uint64()), ctx: t.Context()}
			c.test(s)
		})
	}
}

type suite struct {
	*testing.T
	tbl    table.Table
	prefix string // of all partition keys
	ctx    context.Context
}

func (s *suite) key(pk, sk string) table.Key { return table.Key{PK: s.prefix + "#" + pk, SK: sk} }

func (s *suite) get(k table.Key) table.Item {
	s.Helper()
	it, _, err := s.tbl.Get(s.ctx, k)
	if err != nil {
		s.Fatalf("get %s: %v", k, err)
	}
	return it
}

func (s *suite) write(w table.Write) table.Units {
	s.Helper()
	u, err := s.tbl.Write(s.ctx, w)
	if err != nil {
		s.Fatalf("write %s: %v", w.Item.Key, err)
	}
	return u
}

func (s *suite) put(it table.Item) table.Units {
	s.Helper()
	return s.write(table.Write{Item: it})
}

func (s *suite) wantItem(k table.Key, want table.Item) {
	s.Helper()
	want.Key = k
	if got := s.get(k); !same(got, want) {
		s.Errorf("item %s\n got %s\nwant %s", k, show(got), show(want))
	}
}

func (s *suite) wantCode(err error, want table.Code) {
	s.Helper()
	if got := table.CodeOf(err); err == nil || got != want {
		s.Errorf("error %v, want code %s", err, want)
	}
}

func same(a, b table.Item) bool {
	return a.Key == b.Key && a.Rev == b.Rev && a.Order == b.Order && a.Due == b.Due && a.Expires == b.Expires &&
		slices.Equal(a.Tokens, b.Tokens) && string(a.Data) == string(b.Data)
}

func show(it table.Item) string {
	data := fmt.Sprintf("%q", it.Data)
	if len(it.Data) > 50 {
		data = fmt.Sprintf("%q… (%d bytes)", it.Data[:50], len(it.Data))
	}
	return fmt.Sprintf("{%s rev %d tokens %x order %d due %d expires %d data %s}",
		it.Key, it.Rev, it.Tokens, it.Order, it.Due, it.Expires, data)
}

func sks(items []table.Item) string {
	var out []string
	for _, it := range items {
		out = append(out, it.SK)
	}
	return strings.Join(out, " ")
}

func testRoundTrip(s *suite) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for name, it := range map[string]table.Item{
		"least":      {Rev: 1},
		"empty data": {Rev: 1, Data: []byte{}},
		"all bytes":  {Rev: 1, Data: every},
		"everything": {
			Rev: 1 << 52, Tokens: []table.Token{1<<64 - 1, 1, 1 << 63, 77}, Order: 1_700_000_000_123, Due: 1_700_000_000_456,
			Expires: 4_000_000_000, Data: []byte("x"),
		},
		"negative order": {Rev: 3, Order: -5},
		"one token":      {Rev: 2, Tokens: []table.Token{9}},
		"largest":        {Rev: 1, Data: make([]byte, 409_000)},
	} {
		it.Key = s.key("round", name)
		s.put(it)
		s.wantItem(it.Key, it)
	}
	odd := s.key("Ωmega/#%\x00 \n", "日本\U0001F600\x01")
	s.put(table.Item{Key: odd, Rev: 1, Data: []byte("odd")})
	s.wantItem(odd, table.Item{Rev: 1, Data: []byte("odd")})
	s.wantItem(s.key("round", "absent"), table.Item{})

	// A put replaces the whole item: nothing of the old one shows through.
	k := s.key("round", "everything")
	s.put(table.Item{Key: k, Rev: 2})
	s.wantItem(k, table.Item{Rev: 2})
}

func testInvalid(s *suite) {
	good := s.key("invalid", "x")
	item := func(change func(*table.Item)) table.Item {
		it := table.Item{Key: good, Rev: 1}
		change(&it)
		return it
	}
	for name, it := range map[string]table.Item{
		"empty pk":      item(func(it *table.Item) { it.PK = "" }),
		"empty sk":      item(func(it *table.Item) { it.SK = "" }),
		"long pk":       item(func(it *table.Item) { it.PK = strings.Repeat("p", table.MaxPKBytes+1) }),
		"long sk":       item(func(it *table.Item) { it.SK = strings.Repeat("s", table.MaxSKBytes+1) }),
		"no text":       item(func(it *table.Item) { it.SK = "\xff" }),
		"last rune":     item(func(it *table.Item) { it.SK = "a\U0010FFFF" }),
		"no revision":   item(func(it *table.Item) { it.Rev = 0 }),
		"many tokens":   item(func(it *table.Item) { it.Tokens = make([]table.Token, table.KeptTokens+1) }),
		"negative due":  item(func(it *table.Item) { it.Due = -1 }),
		"negative time": item(func(it *table.Item) { it.Expires = -1 }),
		"too large":     item(func(it *table.Item) { it.Data = make([]byte, table.MaxItemBytes) }),
	} {
		_, err := s.tbl.Write(s.ctx, table.Write{Item: it})
		if table.CodeOf(err) != table.CodeInvalid {
			s.Errorf("write, %s: error %v, want code invalid", name, err)
		}
		_, err = s.tbl.BatchPut(s.ctx, []table.Item{{Key: s.key("invalid", "other"), Rev: 1}, it})
		if table.CodeOf(err) != table.CodeInvalid {
			s.Errorf("batch put, %s: error %v, want code invalid", name, err)
		}
		_, err = s.tbl.Transact(s.ctx, []table.Write{{Item: it}})
		if table.CodeOf(err) != table.CodeInvalid {
			s.Errorf("transact, %s: error %v, want code invalid", name, err)
		}
	}
	// The limit itself is legal, and one byte more is not.
	largest := table.Item{Key: good, Rev: 1, Data: []byte{0}}
	largest.Data = make([]byte, 1+table.MaxItemBytes-table.ItemSize(largest))
	s.put(largest)
	largest.Data = append(largest.Data, 0)
	_, err := s.tbl.Write(s.ctx, table.Write{Item: largest})
	s.wantCode(err, table.CodeInvalid)

	_, _, err = s.tbl.Get(s.ctx, table.Key{PK: "x"})
	s.wantCode(err, table.CodeInvalid)
	_, _, err = s.tbl.BatchGet(s.ctx, []table.Key{{SK: "x"}})
	s.wantCode(err, table.CodeInvalid)
	_, _, err = s.tbl.Query(s.ctx, table.Query{})
	s.wantCode(err, table.CodeInvalid)
	_, _, err = s.tbl.Query(s.ctx, table.Query{PK: "x", Limit: -1})
	s.wantCode(err, table.CodeInvalid)
	_, _, err = s.tbl.QueryDue(s.ctx, table.DueQuery{Partition: table.DuePartitions})
	s.wantCode(err, table.CodeInvalid)
	_, err = s.tbl.Write(s.ctx, table.Write{Op: table.OpCheck, Item: table.Item{Key: good}, Cond: table.Exists()})
	s.wantCode(err, table.CodeInvalid)

	w := func(sk string) table.Write { return table.Write{Item: table.Item{Key: s.key("invalid", sk), Rev: 1}} }
	_, err = s.tbl.Transact(s.ctx, nil)
	s.wantCode(err, table.CodeInvalid)
	_, err = s.tbl.Transact(s.ctx, []table.Write{w("twice"), w("twice")})
	s.wantCode(err, table.CodeInvalid)
	var many []table.Write
	for i := range table.MaxTransactItem + 1 {
		many = append(many, w(fmt.Sprint(i)))
	}
	_, err = s.tbl.Transact(s.ctx, many)
	s.wantCode(err, table.CodeInvalid)
	s.wantItem(s.key("invalid", "twice"), table.Item{})
}

func testConditions(s *suite) {
	absent := table.Item{}
	at5 := table.Item{Rev: 5, Order: 10}
	plain := table.Item{Rev: 1}
	for i, c := range []struct {
		name  string
		have  table.Item
		cond  table.Cond
		holds bool
	}{
		{"none, absent", absent, table.None(), true},
		{"none, there", at5, table.None(), true},
		{"absent, absent", absent, table.Absent(), true},
		{"absent, there", at5, table.Absent(), false},
		{"exists, absent", absent, table.Exists(), false},
		{"exists, there", at5, table.Exists(), true},
		{"revision, absent", absent, table.RevIs(5), false},
		{"revision, equal", at5, table.RevIs(5), true},
		{"revision, older", at5, table.RevIs(4), false},
		{"revision, newer", at5, table.RevIs(6), false},
		{"revision 0 is absence", absent, table.RevIs(0), true},
		{"revision 0, there", at5, table.RevIs(0), false},
		{"order, absent", absent, table.OrderBelow(1), true},
		{"order, below", at5, table.OrderBelow(11), true},
		{"order, equal", at5, table.OrderBelow(10), false},
		{"order, above", at5, table.OrderBelow(9), false},
		{"order unused is 0, below", plain, table.OrderBelow(1), true},
		{"order unused is 0, equal", plain, table.OrderBelow(0), false},
		{"order unused is 0, negative", plain, table.OrderBelow(-1), false},
	} {
		for _, op := range []table.OpKind{table.OpPut, table.OpDelete, table.OpCheck} {
			k := s.key("cond", fmt.Sprintf("%d-%d", i, op))
			have := c.have
			have.Key = k
			if have.Exists() {
				s.put(have)
			}
			next := table.Item{Key: k, Rev: 6, Order: 99, Data: []byte("new")}
			w := table.Write{Op: op, Item: next, Cond: c.cond}
			var err error
			if op == table.OpCheck {
				if c.cond.Kind == table.CondNone {
					continue
				}
				_, err = s.tbl.Transact(s.ctx, []table.Write{w})
			} else {
				_, err = s.tbl.Write(s.ctx, w)
			}
			want := have
			if c.holds {
				if err != nil {
					s.Errorf("%s, op %d: %v", c.name, op, err)
				}
				switch op {
				case table.OpPut:
					want = next
				case table.OpDelete:
					want = table.Item{}
				}
			} else if table.CodeOf(err) != table.CodeConflict {
				s.Errorf("%s, op %d: error %v, want code conflict", c.name, op, err)
			}
			s.wantItem(k, want)
			if c.cond.Holds(have) != c.holds {
				s.Errorf("%s: Holds says %v", c.name, !c.holds)
			}
		}
	}
}

func testConflict(s *suite) {
	k := s.key("conflict", "x")
	have := table.Item{Key: k, Rev: 7, Tokens: []table.Token{70}, Order: 3, Due: 1_700_000_015_000, Data: []byte("there")}
	s.put(have)
	for _, tokens := range [][]table.Token{nil, {71, 70}} {
		_, err := s.tbl.Write(s.ctx, table.Write{Item: table.Item{Key: k, Rev: 7, Tokens: tokens}, Cond: table.RevIs(6)})
		s.wantCode(err, table.CodeConflict)
		te, ok := err.(*table.Error)
		if !ok {
			s.Fatalf("error is a %T", err)
		}
		if te.Key != k {
			s.Errorf("error names %s, want %s", te.Key, k)
		}
		if !same(te.Old, have) {
			s.Errorf("tokens %v: old item %s, want %s", tokens, show(te.Old), show(have))
		}
	}
	gone := s.key("conflict", "gone")
	_, err := s.tbl.Write(s.ctx, table.Write{Item: table.Item{Key: gone, Rev: 2, Tokens: []table.Token{5}}, Cond: table.RevIs(1)})
	s.wantCode(err, table.CodeConflict)
	if te, ok := err.(*table.Error); ok && te.Old.Exists() {
		s.Errorf("old item %s, want none", show(te.Old))
	}
}

func testDelete(s *suite) {
	k := s.key("delete", "x")
	s.put(table.Item{Key: k, Rev: 1, Data: []byte("x")})
	s.write(table.Write{Op: table.OpDelete, Item: table.Item{Key: k}, Cond: table.RevIs(1)})
	s.wantItem(k, table.Item{})
	// Deleting what is absent succeeds when the condition allows it.
	s.write(table.Write{Op: table.OpDelete, Item: table.Item{Key: k}})
	s.write(table.Write{Op: table.OpDelete, Item: table.Item{Key: k}, Cond: table.Absent()})
	_, err := s.tbl.Write(s.ctx, table.Write{Op: table.OpDelete, Item: table.Item{Key: k}, Cond: table.Exists()})
	s.wantCode(err, table.CodeConflict)
	// The key can be used again.
	s.write(table.Write{Item: table.Item{Key: k, Rev: 1}, Cond: table.Absent()})
	s.wantItem(k, table.Item{Rev: 1})
}

func testTokens(s *suite) {
	// The answer to a write was lost and the writer repeats it: the condition fails, and it is success all the same.
	k := s.key("tokens", "create")
	create := table.Write{Item: table.Item{Key: k, Rev: 1, Tokens: []table.Token{11}, Data: []byte("a")}, Cond: table.Absent()}
	s.write(create)
	s.write(create)
	update := table.Write{Item: table.Item{Key: k, Rev: 2, Tokens: []table.Token{12, 11}, Data: []byte("b")}, Cond: table.RevIs(1)}
	s.write(update)
	s.write(update)
	// The first write was overtaken and is success still, without taking effect again.
	s.write(create)
	s.wantItem(k, update.Item)
	// A write with another token lost.
	other := update
	other.Item.Tokens = []table.Token{13, 11}
	_, err := s.tbl.Write(s.ctx, other)
	s.wantCode(err, table.CodeConflict)
	// Only the first token is the write's own: one that it inherited proves nothing.
	inherited := update
	inherited.Item.Tokens = []table.Token{14, 12}
	_, err = s.tbl.Write(s.ctx, inherited)
	s.wantCode(err, table.CodeConflict)
	// No token, no proof.
	bare := create
	bare.Item.Tokens = nil
	_, err = s.tbl.Write(s.ctx, bare)
	s.wantCode(err, table.CodeConflict)
	// Zero is no token.
	zero := s.key("tokens", "zero")
	s.put(table.Item{Key: zero, Rev: 1, Tokens: []table.Token{0}})
	_, err = s.tbl.Write(s.ctx, table.Write{Item: table.Item{Key: zero, Rev: 1, Tokens: []table.Token{0}}, Cond: table.Absent()})
	s.wantCode(err, table.CodeConflict)

	lease := s.key("tokens", "order")
	claim := table.Write{Item: table.Item{Key: lease, Rev: 1, Order: 50, Tokens: []table.Token{21}}, Cond: table.OrderBelow(50)}
	s.write(claim)
	s.write(claim)
	claim.Item.Tokens = []table.Token{22}
	_, err = s.tbl.Write(s.ctx, claim)
	s.wantCode(err, table.CodeConflict)
}

func testKeptTokens(s *suite) {
	k := s.key("tokens", "kept")
	var kept []table.Token
	var writes []table.Write
	for i := range table.KeptTokens + 1 {
		kept = append([]table.Token{table.Token(100 + i)}, kept...)
		kept = kept[:min(len(kept), table.KeptTokens)]
		w := table.Write{Item: table.Item{Key: k, Rev: int64(i + 1), Tokens: slices.Clone(kept)}, Cond: table.RevIs(int64(i))}
		s.write(w)
		writes = append(writes, w)
	}
	for i, w := range writes {
		_, err := s.tbl.Write(s.ctx, w)
		if i == 0 {
			s.wantCode(err, table.CodeConflict)
		} else if err != nil {
			s.Errorf("write %d repeated: %v", i, err)
		}
	}
	s.wantItem(k, writes[len(writes)-1].Item)
}

func testQuery(s *suite) {
	for _, sk := range []string{"a", "a#1", "a#2", "a#3", "a#10", "b", "b#1", "c\U0001F600", "Z", "~", "é"} {
		s.put(table.Item{Key: s.key("q", sk), Rev: 1, Tokens: []table.Token{1}, Data: []byte("data of " + sk)})
	}
	// Neighbours in the table that no query of the partition may see.
	s.put(table.Item{Key: s.key("p", "a#2"), Rev: 1})
	s.put(table.Item{Key: s.key("q#", "a#2"), Rev: 1})
	s.put(table.Item{Key: s.key("r", "a#2"), Rev: 1})
	pk := s.key("q", "").PK
	all := "Z a a#1 a#10 a#2 a#3 b b#1 c\U0001F600 ~ é"
	for _, c := range []struct {
		q    table.Query
		want string
		more bool
	}{
		{q: table.Query{}, want: all},
		{q: table.Query{Reverse: true}, want: "é ~ c\U0001F600 b#1 b a#3 a#2 a#10 a#1 a Z"},
		{q: table.Query{Prefix: "a#"}, want: "a#1 a#10 a#2 a#3"},
		{q: table.Query{Prefix: "a#", Reverse: true}, want: "a#3 a#2 a#10 a#1"},
		{q: table.Query{Prefix: "a#1"}, want: "a#1 a#10"},
		{q: table.Query{Prefix: "nothing"}, want: ""},
		{q: table.Query{Prefix: "nothing", Reverse: true}, want: ""},
		{q: table.Query{Prefix: "c"}, want: "c\U0001F600"},
		{q: table.Query{From: "a#10"}, want: "a#10 a#2 a#3 b b#1 c\U0001F600 ~ é"},
		{q: table.Query{From: "a#10", Reverse: true}, want: "é ~ c\U0001F600 b#1 b a#3 a#2 a#10"},
		{q: table.Query{To: "a#2"}, want: "Z a a#1 a#10 a#2"},
		{q: table.Query{To: "a#2", Reverse: true}, want: "a#2 a#10 a#1 a Z"},
		{q: table.Query{From: "a#10", To: "a#3"}, want: "a#10 a#2 a#3"},
		{q: table.Query{From: "a#11", To: "a#2x"}, want: "a#2"},
		{q: table.Query{From: "a#2", To: "a#2"}, want: "a#2"},
		{q: table.Query{From: "b", To: "a"}, want: ""},
		{q: table.Query{From: "b", To: "a", Reverse: true}, want: ""},
		{q: table.Query{Prefix: "a#", From: "a#2"}, want: "a#2 a#3"},
		{q: table.Query{Prefix: "a#", From: "a#2", Reverse: true}, want: "a#3 a#2"},
		{q: table.Query{Prefix: "a#", To: "a#2"}, want: "a#1 a#10 a#2"},
		{q: table.Query{Prefix: "a#", From: "Z", To: "b"}, want: "a#1 a#10 a#2 a#3"},
		{q: table.Query{Prefix: "a#", From: "b"}, want: ""},
		{q: table.Query{Prefix: "a#", To: "Z"}, want: ""},
		{q: table.Query{Limit: 3}, want: "Z a a#1", more: true},
		{q: table.Query{Limit: 3, Reverse: true}, want: "é ~ c\U0001F600", more: true},
		{q: table.Query{Limit: 20}, want: all},
		{q: table.Query{Prefix: "a#", Limit: 1, Reverse: true}, want: "a#3", more: true},
		{q: table.Query{After: "a#2"}, want: "a#3 b b#1 c\U0001F600 ~ é"},
		{q: table.Query{After: "a#2", Reverse: true}, want: "a#10 a#1 a Z"},
		{q: table.Query{After: "a#2", Limit: 2}, want: "a#3 b", more: true},
		{q: table.Query{Prefix: "a#", After: "a#10"}, want: "a#2 a#3"},
		{q: table.Query{Prefix: "a#", After: "a#10", Reverse: true}, want: "a#1"},
		{q: table.Query{Prefix: "a#", After: "a#3"}, want: ""},
		{q: table.Query{From: "a#1", To: "a#3", After: "a#10"}, want: "a#2 a#3"},
		// The place to go on from needs no item: the last one read may have been deleted since.
		{q: table.Query{After: "a#15"}, want: "a#2 a#3 b b#1 c\U0001F600 ~ é"},
		{q: table.Query{After: "a#15", Reverse: true}, want: "a#10 a#1 a Z"},
		// Nor does it have to lie within the range.
		{q: table.Query{Prefix: "a#", After: "Z"}, want: "a#1 a#10 a#2 a#3"},
		{q: table.Query{Prefix: "a#", After: "z"}, want: ""},
		{q: table.Query{Prefix: "a#", After: "z", Reverse: true}, want: "a#3 a#2 a#10 a#1"},
		{q: table.Query{Prefix: "a#", After: "Z", Reverse: true}, want: ""},
	} {
		c.q.PK = pk
		page, _, err := s.tbl.Query(s.ctx, c.q)
		if err != nil {
			s.Errorf("%+v: %v", c.q, err)
			continue
		}
		if got := sks(page.Items); got != c.want {
			s.Errorf("%+v\n got %s\nwant %s", c.q, got, c.want)
		}
		if c.more && !page.More {
			s.Errorf("%+v: no more, want more", c.q)
		}
		if c.q.Limit == 0 && page.More {
			s.Errorf("%+v: more, want none", c.q)
		}
		for _, it := range page.Items {
			if want := (table.Item{Key: s.key("q", it.SK), Rev: 1, Tokens: []table.Token{1}, Data: []byte("data of " + it.SK)}); !same(it, want) {
				s.Errorf("%+v: item %s, want %s", c.q, show(it), show(want))
			}
		}
	}

	page, _, err := s.tbl.Query(s.ctx, table.Query{PK: pk, Prefix: "b", KeysOnly: true})
	if err != nil {
		s.Fatal(err)
	}
	if sks(page.Items) != "b b#1" || page.Items[0].Rev != 1 || page.Items[0].Data != nil {
		s.Errorf("keys only: %s", show(page.Items[0]))
	}

	for _, reverse := range []bool{false, true} {
		var got []table.Item
		q := table.Query{PK: pk, Limit: 2, Reverse: reverse}
		for {
			page, _, err := s.tbl.Query(s.ctx, q)
			if err != nil {
				s.Fatal(err)
			}
			got = append(got, page.Items...)
			if !page.More {
				break
			}
			if len(page.Items) == 0 {
				s.Fatal("a page is empty and tells that there is more")
			}
			q.After = page.Items[len(page.Items)-1].SK
		}
		if reverse {
			slices.Reverse(got)
		}
		if sks(got) != all {
			s.Errorf("by pages, reverse %v: %s, want %s", reverse, sks(got), all)
		}
	}
	page, _, err = s.tbl.Query(s.ctx, table.Query{PK: s.prefix + "#nobody"})
	if err != nil || len(page.Items) != 0 || page.More {
		s.Errorf("empty partition: %v %v", page, err)
	}
}

func testLargePages(s *suite) {
	const n, size = 8, 300_000
	for i := range n {
		s.put(table.Item{Key: s.key("large", fmt.Sprint(i)), Rev: 1, Data: make([]byte, size)})
	}
	var got []table.Item
	q := table.Query{PK: s.key("large", "").PK}
	for calls := 1; ; calls++ {
		page, _, err := s.tbl.Query(s.ctx, q)
		if err != nil {
			s.Fatal(err)
		}
		if len(page.Items)*size > 2*table.MaxPageBytes {
			s.Errorf("a page has %d items of %d bytes", len(page.Items), size)
		}
		got = append(got, page.Items...)
		if !page.More {
			if calls < 2 {
				s.Errorf("%d calls", calls)
			}
			break
		}
		q.After = page.Items[len(page.Items)-1].SK
	}
	if sks(got) != "0 1 2 3 4 5 6 7" {
		s.Errorf("got %s", sks(got))
	}
}

func testBatchGet(s *suite) {
	const n = 130
	var keys []table.Key
	var items []table.Item
	for i := range n {
		k := s.key(fmt.Sprintf("bg%d", i), "x")
		keys = append(keys, k)
		if i%3 != 0 {
			items = append(items, table.Item{Key: k, Rev: int64(i), Data: []byte(fmt.Sprint(i))})
		}
	}
	if _, err := s.tbl.BatchPut(s.ctx, items); err != nil {
		s.Fatal(err)
	}
	slices.Reverse(keys)
	keys = append(keys, keys[1]) // twice
	got, _, err := s.tbl.BatchGet(s.ctx, keys)
	if err != nil {
		s.Fatal(err)
	}
	if len(got) != len(keys) {
		s.Fatalf("%d items for %d keys", len(got), len(keys))
	}
	for j, k := range keys {
		i := n - 1 - j
		if j == n {
			i = n - 2
		}
		want := table.Item{Key: k}
		if i%3 != 0 {
			want.Rev, want.Data = int64(i), []byte(fmt.Sprint(i))
		}
		if !same(got[j], want) {
			s.Errorf("%d: %s, want %s", j, show(got[j]), show(want))
		}
	}
	got, u, err := s.tbl.BatchGet(s.ctx, nil)
	if err != nil || len(got) != 0 || u != (table.Units{}) {
		s.Errorf("no keys: %v %v %v", got, u, err)
	}
}

func testBatchPut(s *suite) {
	const n = 60
	var items []table.Item
	for i := range n {
		items = append(items, table.Item{Key: s.key("bp", fmt.Sprintf("%03d", i)), Rev: 1, Data: []byte(fmt.Sprint(i))})
	}
	again := items[7]
	again.Data = []byte("later")
	items = append(items, again)
	u, err := s.tbl.BatchPut(s.ctx, items)
	if err != nil {
		s.Fatal(err)
	}
	if u.Write != n {
		s.Errorf("%g write units, want %d", u.Write, n)
	}
	page, _, err := s.tbl.Query(s.ctx, table.Query{PK: s.key("bp", "").PK})
	if err != nil {
		s.Fatal(err)
	}
	if len(page.Items) != n {
		s.Fatalf("%d items, want %d", len(page.Items), n)
	}
	for i, it := range page.Items {
		want := items[i]
		if i == 7 {
			want = again
		}
		if !same(it, want) {
			s.Errorf("%s, want %s", show(it), show(want))
		}
	}
	if u, err := s.tbl.BatchPut(s.ctx, nil); err != nil || u != (table.Units{}) {
		s.Errorf("no items: %v %v", u, err)
	}
}

func testLargeBatches(s *suite) {
	// 60 items of 350 KB exceed the 16 MB that one request may carry either way.
	const n, size = 60, 350_000
	var items []table.Item
	var keys []table.Key
	for i := range n {
		k := s.key(fmt.Sprintf("lb%d", i), "x")
		data := make([]byte, size)
		data[0], data[size-1] = byte(i), byte(i)
		items = append(items, table.Item{Key: k, Rev: 1, Data: data})
		keys = append(keys, k)
	}
	if _, err := s.tbl.BatchPut(s.ctx, items); err != nil {
		s.Fatal(err)
	}
	got, _, err := s.tbl.BatchGet(s.ctx, keys)
	if err != nil {
		s.Fatal(err)
	}
	for i, it := range got {
		if !same(it, items[i]) {
			s.Errorf("%d: %s, want %s", i, show(it), show(items[i]))
		}
	}
}

func testTransact(s *suite) {
	k := func(sk string) table.Key { return s.key("tx"+sk, sk) }
	s.put(table.Item{Key: k("a"), Rev: 1, Data: []byte("a1")})
	s.put(table.Item{Key: k("b"), Rev: 4, Order: 9, Data: []byte("b4")})
	s.put(table.Item{Key: k("gone"), Rev: 2})
	all := []table.Write{
		{Item: table.Item{Key: k("a"), Rev: 2, Data: []byte("a2")}, Cond: table.RevIs(1)},
		{Op: table.OpCheck, Item: table.Item{Key: k("b")}, Cond: table.RevIs(4)},
		{Op: table.OpDelete, Item: table.Item{Key: k("gone")}, Cond: table.RevIs(2)},
		{Item: table.Item{Key: k("new"), Rev: 1, Data: []byte("n")}, Cond: table.Absent()},
	}
	// Each condition fails in turn, and nothing happens.
	for i := range all {
		broken := slices.Clone(all)
		broken[i].Cond = table.RevIs(99)
		_, err := s.tbl.Transact(s.ctx, broken)
		s.wantCode(err, table.CodeConflict)
		if te, ok := err.(*table.Error); ok && te.Key != all[i].Item.Key {
			s.Errorf("the error names %s, want %s", te.Key, all[i].Item.Key)
		}
		s.wantItem(k("a"), table.Item{Rev: 1, Data: []byte("a1")})
		s.wantItem(k("b"), table.Item{Rev: 4, Order: 9, Data: []byte("b4")})
		s.wantItem(k("gone"), table.Item{Rev: 2})
		s.wantItem(k("new"), table.Item{})
	}
	if _, err := s.tbl.Transact(s.ctx, all); err != nil {
		s.Fatal(err)
	}
	s.wantItem(k("a"), table.Item{Rev: 2, Data: []byte("a2")})
	s.wantItem(k("b"), table.Item{Rev: 4, Order: 9, Data: []byte("b4")})
	s.wantItem(k("gone"), table.Item{})
	s.wantItem(k("new"), table.Item{Rev: 1, Data: []byte("n")})

	var many []table.Write
	for i := range table.MaxTransactItem {
		many = append(many, table.Write{Item: table.Item{Key: s.key("txmany", fmt.Sprintf("%03d", i)), Rev: 1}, Cond: table.Absent()})
	}
	if _, err := s.tbl.Transact(s.ctx, many); err != nil {
		s.Fatal(err)
	}
	page, _, err := s.tbl.Query(s.ctx, table.Query{PK: s.key("txmany", "").PK})
	if err != nil || len(page.Items) != len(many) {
		s.Errorf("%d items, want %d, error %v", len(page.Items), len(many), err)
	}
}

func testTransactTokens(s *suite) {
	k := func(sk string) table.Key { return s.key("tt", sk) }
	s.put(table.Item{Key: k("guard"), Rev: 3})
	tx := []table.Write{
		{Item: table.Item{Key: k("a"), Rev: 1, Tokens: []table.Token{5}, Data: []byte("a")}, Cond: table.Absent()},
		{Item: table.Item{Key: k("b"), Rev: 1, Tokens: []table.Token{5}, Data: []byte("b")}, Cond: table.Absent()},
		{Op: table.OpCheck, Item: table.Item{Key: k("guard")}, Cond: table.RevIs(3)},
	}
	for range 2 {
		if _, err := s.tbl.Transact(s.ctx, tx); err != nil {
			s.Fatal(err)
		}
	}
	// Others went on with one of the items: the other one still proves it.
	s.put(table.Item{Key: k("b"), Rev: 9, Data: []byte("others")})
	s.put(table.Item{Key: k("guard"), Rev: 4})
	if _, err := s.tbl.Transact(s.ctx, tx); err != nil {
		s.Error(err)
	}
	s.wantItem(k("b"), table.Item{Rev: 9, Data: []byte("others")})
	foreign := slices.Clone(tx)
	foreign[0].Item.Tokens, foreign[1].Item.Tokens = []table.Token{6}, []table.Token{6}
	_, err := s.tbl.Transact(s.ctx, foreign)
	s.wantCode(err, table.CodeConflict)
}

// due collects the suite's own entries of a partition due in [from, to), by pages of limit.
func (s *suite) due(partition int, from, to int64, limit int) []table.DueEntry {
	s.Helper()
	var own []table.DueEntry
	q := table.DueQuery{Partition: partition, From: from, To: to, Limit: limit}
	for {
		got, _, err := s.tbl.QueryDue(s.ctx, q)
		if err != nil {
			s.Fatal(err)
		}
		if limit > 0 && len(got) > limit {
			s.Fatalf("%d entries, limit %d", len(got), limit)
		}
		for _, e := range got {
			if strings.HasPrefix(e.PK, s.prefix) {
				own = append(own, e)
			}
		}
		if limit == 0 || len(got) < limit {
			return own
		}
		last := got[len(got)-1]
		q.After = &last
	}
}

func showDue(es []table.DueEntry) string {
	var out []string
	for _, e := range es {
		out = append(out, fmt.Sprintf("%s@%d", e.SK, e.Due))
	}
	return strings.Join(out, " ")
}

// wantDue waits until the index, which is read eventually, tells what is wanted.
func (s *suite) wantDue(partition int, from, to int64, want string) {
	s.Helper()
	var got string
	for try := range 100 {
		if try > 0 {
			pause(s.ctx, 50*time.Millisecond)
		}
		if got = showDue(s.due(partition, from, to, 0)); got == want {
			return
		}
	}
	s.Errorf("due in [%d, %d): %q, want %q", from, to, got, want)
}

// pause lets a service catch up between two polls; an implementation that is never late is never waited for.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// base is a time of the suite's own within the index, which other tests may share.
func base() int64 { return 1_600_000_000_000 + rand.Int64N(1<<38)*16 }

func testDue(s *suite) {
	b := base()
	k := func(sk string) table.Key { return s.key("due", sk) }
	part := table.DuePartition(k("").PK)
	item := func(sk string, rev, due int64) table.Item {
		return table.Item{Key: k(sk), Rev: rev, Due: due, Data: []byte("d")}
	}
	s.put(item("b", 1, b+2))
	s.put(item("a", 1, b+1))
	s.put(item("c", 1, b+3))
	s.put(item("never", 1, 0))
	s.wantDue(part, b, b+10, fmt.Sprintf("a@%d b@%d c@%d", b+1, b+2, b+3))
	// From is in the range, To is not.
	s.wantDue(part, b+1, b+3, fmt.Sprintf("a@%d b@%d", b+1, b+2))
	s.wantDue(part, b+1, b+1, "")
	// Moved, unchanged, cleared, deleted.
	s.put(item("a", 2, b+5))
	s.put(item("b", 2, b+2))
	s.put(item("c", 2, 0))
	s.wantDue(part, b, b+10, fmt.Sprintf("b@%d a@%d", b+2, b+5))
	s.write(table.Write{Op: table.OpDelete, Item: table.Item{Key: k("b")}})
	s.wantDue(part, b, b+10, fmt.Sprintf("a@%d", b+5))
	// A failed write changes nothing.
	_, err := s.tbl.Write(s.ctx, table.Write{Item: item("a", 9, b+7), Cond: table.RevIs(8)})
	s.wantCode(err, table.CodeConflict)
	s.wantDue(part, b, b+10, fmt.Sprintf("a@%d", b+5))
	// Transactions and batches are indexed too.
	if _, err := s.tbl.Transact(s.ctx, []table.Write{
		{Item: item("a", 3, b+6), Cond: table.RevIs(2)},
		{Item: item("t", 1, b+8), Cond: table.Absent()},
	}); err != nil {
		s.Fatal(err)
	}
	if _, err := s.tbl.BatchPut(s.ctx, []table.Item{item("x", 1, b+4), item("y", 1, b+9)}); err != nil {
		s.Fatal(err)
	}
	s.wantDue(part, b, b+10, fmt.Sprintf("x@%d a@%d t@%d y@%d", b+4, b+6, b+8, b+9))
	if _, err := s.tbl.Transact(s.ctx, []table.Write{{Op: table.OpDelete, Item: table.Item{Key: k("t")}, Cond: table.RevIs(1)}}); err != nil {
		s.Fatal(err)
	}
	s.wantDue(part, b, b+10, fmt.Sprintf("x@%d a@%d y@%d", b+4, b+6, b+9))
}

func testDuePages(s *suite) {
	b := base()
	part := table.DuePartition(s.key("pages", "").PK)
	const n = 23
	var items []table.Item
	for i := range n {
		// Several share a due: the page must go on within it.
		items = append(items, table.Item{Key: s.key("pages", fmt.Sprintf("%02d", i)), Rev: 1, Due: b + int64(i/4)})
	}
	if _, err := s.tbl.BatchPut(s.ctx, items); err != nil {
		s.Fatal(err)
	}
	for try := 0; len(s.due(part, b, b+10, 0)) < n && try < 100; try++ {
		pause(s.ctx, 50*time.Millisecond)
	}
	for _, limit := range []int{0, 1, 5, n, n + 1} {
		got := s.due(part, b, b+10, limit)
		seen := map[string]bool{}
		last := int64(0)
		for _, e := range got {
			if e.Due < last {
				s.Errorf("limit %d: out of order: %s", limit, showDue(got))
				break
			}
			last = e.Due
			seen[e.SK] = true
		}
		if len(got) != n || len(seen) != n {
			s.Errorf("limit %d: %d entries, %d of them different, want %d", limit, len(got), len(seen), n)
		}
	}
}

func testDuePartitions(s *suite) {
	b := base()
	count := map[int]int{}
	for i := range 3 * table.DuePartitions {
		k := s.key(fmt.Sprintf("part%d", i), "x")
		count[table.DuePartition(k.PK)]++
		s.put(table.Item{Key: k, Rev: 1, Due: b})
	}
	for p := range table.DuePartitions {
		got := s.due(p, b, b+1, 0)
		for try := 0; len(got) != count[p] && try < 100; try++ {
			pause(s.ctx, 50*time.Millisecond)
			got = s.due(p, b, b+1, 0)
		}
		if len(got) != count[p] {
			s.Errorf("partition %d has %d entries, want %d", p, len(got), count[p])
		}
		for _, e := range got {
			if table.DuePartition(e.PK) != p {
				s.Errorf("%s is in partition %d", e.Key, p)
			}
		}
	}
}

func testWriteUnits(s *suite) {
	k := s.key("units", "x")
	item := func(rev, due int64, size int) table.Item {
		return table.Item{Key: k, Rev: rev, Due: due, Data: make([]byte, size)}
	}
	const due = 1_700_000_000_000
	for _, c := range []struct {
		name string
		w    table.Write
		want float64
		fail bool
	}{
		{name: "create", w: table.Write{Item: item(1, 0, 100)}, want: 1},
		{name: "grow to 3 KB", w: table.Write{Item: item(2, 0, 3000)}, want: 3},
		{name: "shrink: the larger counts", w: table.Write{Item: item(3, 0, 10)}, want: 3},
		{name: "replace", w: table.Write{Item: item(4, 0, 10)}, want: 1},
		{name: "add due", w: table.Write{Item: item(5, due, 10)}, want: 2},
		{name: "keep due", w: table.Write{Item: item(6, due, 10)}, want: 1},
		{name: "change due", w: table.Write{Item: item(7, due+15_000, 10)}, want: 3},
		{name: "change due, large", w: table.Write{Item: item(8, due, 2000)}, want: 4},
		{name: "failed condition, both sizes count", w: table.Write{Item: item(9, due+1, 10), Cond: table.RevIs(1)}, want: 2, fail: true},
		{name: "failed condition, larger new item", w: table.Write{Item: item(9, due+1, 5000), Cond: table.Absent()}, want: 5, fail: true},
		{name: "remove due", w: table.Write{Item: item(9, 0, 10)}, want: 3},
		{name: "delete", w: table.Write{Op: table.OpDelete, Item: table.Item{Key: k}}, want: 1},
		{name: "delete absent", w: table.Write{Op: table.OpDelete, Item: table.Item{Key: k}}, want: 1},
		{name: "create with due", w: table.Write{Item: item(1, due, 2500)}, want: 4},
		{name: "failed delete", w: table.Write{Op: table.OpDelete, Item: table.Item{Key: k}, Cond: table.RevIs(9)}, want: 3, fail: true},
		{name: "delete with due", w: table.Write{Op: table.OpDelete, Item: table.Item{Key: k}}, want: 4},
		{name: "failed condition, absent", w: table.Write{Item: item(2, 0, 10), Cond: table.RevIs(1)}, want: 1, fail: true},
	} {
		u, err := s.tbl.Write(s.ctx, c.w)
		if c.fail {
			s.wantCode(err, table.CodeConflict)
		} else if err != nil {
			s.Fatalf("%s: %v", c.name, err)
		}
		if want := (table.Units{Write: c.want}); u != want {
			s.Errorf("%s: %+v, want %+v", c.name, u, want)
		}
	}
	u, err := s.tbl.BatchPut(s.ctx, []table.Item{
		{Key: s.key("units", "a"), Rev: 1, Data: make([]byte, 1500)},
		{Key: s.key("units", "b"), Rev: 1, Due: due},
		{Key: s.key("units", "c"), Rev: 1},
	})
	if want := (table.Units{Write: 5}); err != nil || u != want {
		s.Errorf("batch put: %+v, want %+v, error %v", u, want, err)
	}
}

func testReadUnits(s *suite) {
	pk := s.key("runits", "").PK
	b := base()
	for i, size := range []int{100, 3000, 5000, 9000} {
		s.put(table.Item{Key: table.Key{PK: pk, SK: fmt.Sprint(i)}, Rev: 1, Data: make([]byte, size), Due: b})
	}
	for i, want := range []float64{1, 1, 2, 3, 1} { // the last one is absent
		_, u, err := s.tbl.Get(s.ctx, table.Key{PK: pk, SK: fmt.Sprint(i)})
		if err != nil || u != (table.Units{Read: want}) {
			s.Errorf("get %d: %+v, want %g, error %v", i, u, want, err)
		}
	}
	_, u, err := s.tbl.BatchGet(s.ctx, []table.Key{{PK: pk, SK: "0"}, {PK: pk, SK: "1"}, {PK: pk, SK: "3"}, {PK: pk, SK: "2"}})
	if want := (table.Units{Read: 7}); err != nil || u != want {
		s.Errorf("batch get: %+v, want %+v, error %v", u, want, err)
	}
	for _, c := range []struct {
		q    table.Query
		want float64
	}{
		{table.Query{}, 5}, // 17 KB together
		{table.Query{Limit: 2}, 1},
		{table.Query{From: "1", To: "2"}, 2},
		{table.Query{From: "1", To: "2", KeysOnly: true}, 2},
	} {
		c.q.PK = pk
		_, u, err := s.tbl.Query(s.ctx, c.q)
		if want := (table.Units{Read: c.want}); err != nil || u != want {
			s.Errorf("query %+v: %+v, want %+v, error %v", c.q, u, want, err)
		}
	}
	_, u, err = s.tbl.QueryDue(s.ctx, table.DueQuery{Partition: table.DuePartition(pk), From: b, To: b + 1})
	if want := (table.Units{Read: 0.5}); err != nil || u != want {
		s.Errorf("query due: %+v, want %+v, error %v", u, want, err)
	}
}

func testTransactUnits(s *suite) {
	k := func(sk string) table.Key { return s.key("tunits", sk) }
	// No two writes cost the same: DynamoDB Local counts equal amounts of a transaction once.
	tx := func(rev int64) []table.Write {
		return []table.Write{
			{Item: table.Item{Key: k("a"), Rev: rev, Data: make([]byte, 3500)}, Cond: table.RevIs(rev - 1)}, // 4 KB, twice
			{Item: table.Item{Key: k("b"), Rev: rev, Due: 1_700_000_000_000 + rev}, Cond: table.RevIs(rev - 1)},
		}
	}
	u, err := s.tbl.Transact(s.ctx, tx(1)) // due is added
	if want := (table.Units{Write: 2 * (4 + 1 + 1)}); err != nil || u != want {
		s.Errorf("revision 1: %+v, want %+v, error %v", u, want, err)
	}
	u, err = s.tbl.Transact(s.ctx, tx(2)) // due is changed
	if want := (table.Units{Write: 2 * (4 + 1 + 2)}); err != nil || u != want {
		s.Errorf("revision 2: %+v, want %+v, error %v", u, want, err)
	}
	u, err = s.tbl.Transact(s.ctx, tx(2)) // conditions fail
	s.wantCode(err, table.CodeConflict)
	if want := (table.Units{Write: 2 * (4 + 1)}); u != want {
		s.Errorf("failed: %+v, want %+v", u, want)
	}
	u, err = s.tbl.Transact(s.ctx, []table.Write{{Op: table.OpCheck, Item: table.Item{Key: k("a")}, Cond: table.RevIs(2)}})
	if err != nil || u.Add(table.Units{Write: u.Read}).Write < 2 {
		s.Errorf("check: %+v, want 2 at least, error %v", u, err)
	}
}

func testConcurrency(s *suite) {
	const writers, each = 8, 25
	k := s.key("race", "x")
	s.put(table.Item{Key: k, Rev: 1, Order: 1})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < each; {
				it, _, err := s.tbl.Get(s.ctx, k)
				if err != nil {
					s.Error(err)
					return
				}
				token := table.Token(w*each + i + 1)
				next := table.Item{Key: k, Rev: it.Rev + 1, Order: it.Order + 1, Tokens: append([]table.Token{token}, it.Tokens...)}
				next.Tokens = next.Tokens[:min(len(next.Tokens), table.KeptTokens)]
				_, err = s.tbl.Write(s.ctx, table.Write{Item: next, Cond: table.RevIs(it.Rev)})
				switch table.CodeOf(err) {
				case 0:
					i++
				case table.CodeConflict:
				default:
					s.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	if it := s.get(k); it.Rev != 1+writers*each || it.Order != 1+writers*each {
		s.Errorf("revision %d, count %d, want %d", it.Rev, it.Order, 1+writers*each)
	}
}

func testCreators(s *suite) {
	const rounds, creators = 10, 8
	for round := range rounds {
		k := s.key("create", fmt.Sprint(round))
		won := make([]bool, creators)
		var wg sync.WaitGroup
		for i := range creators {
			wg.Add(1)
			go func() {
				defer wg.Done()
				_, err := s.tbl.Write(s.ctx, table.Write{
					Item: table.Item{Key: k, Rev: 1, Order: int64(i + 1), Tokens: []table.Token{table.Token(i + 1)}}, Cond: table.Absent(),
				})
				won[i] = err == nil
				if err != nil && table.CodeOf(err) != table.CodeConflict {
					s.Error(err)
				}
			}()
		}
		wg.Wait()
		winners := 0
		for i, w := range won {
			if w {
				winners++
				if it := s.get(k); it.Order != int64(i+1) {
					s.Errorf("creator %d was told that it won, the item is of %d", i+1, it.Order)
				}
			}
		}
		if winners != 1 {
			s.Errorf("%d creators won", winners)
		}
	}
}

// testTransactConcurrency moves amounts between accounts; whatever happens, nothing is made and nothing vanishes.
func testTransactConcurrency(s *suite) {
	const accounts, movers, each = 3, 4, 10
	k := func(i int) table.Key { return s.key(fmt.Sprintf("account%d", i), "x") }
	for i := range accounts {
		s.put(table.Item{Key: k(i), Rev: 1, Order: 1000})
	}
	var wg sync.WaitGroup
	for m := range movers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < each; {
				from, to := (m+i)%accounts, (m+i+1)%accounts
				its, _, err := s.tbl.BatchGet(s.ctx, []table.Key{k(from), k(to)})
				if err != nil {
					s.Error(err)
					return
				}
				a, b := its[0], its[1]
				_, err = s.tbl.Transact(s.ctx, []table.Write{
					{Item: table.Item{Key: k(from), Rev: a.Rev + 1, Order: a.Order - 1}, Cond: table.RevIs(a.Rev)},
					{Item: table.Item{Key: k(to), Rev: b.Rev + 1, Order: b.Order + 1}, Cond: table.RevIs(b.Rev)},
				})
				switch table.CodeOf(err) {
				case 0:
					i++
				case table.CodeConflict, table.CodeContended:
				default:
					s.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	sum, moves := int64(0), int64(0)
	for i := range accounts {
		it := s.get(k(i))
		sum += it.Order
		moves += it.Rev - 1
	}
	if sum != accounts*1000 || moves != 2*movers*each {
		s.Errorf("sum %d, want %d; %d changes, want %d", sum, accounts*1000, moves, 2*movers*each)
	}
}

func testOwnership(s *suite) {
	k := s.key("own", "x")
	data := []byte("mine")
	tokens := []table.Token{1, 2}
	s.put(table.Item{Key: k, Rev: 1, Data: data, Tokens: tokens})
	data[0], tokens[0] = 'X', 99
	want := table.Item{Rev: 1, Data: []byte("mine"), Tokens: []table.Token{1, 2}}
	s.wantItem(k, want)
	spoil := func(its ...table.Item) {
		for _, it := range its {
			it.Data[0] = 'Y'
			it.Tokens[0] = 98
		}
	}
	spoil(s.get(k))
	its, _, err := s.tbl.BatchGet(s.ctx, []table.Key{k, k})
	if err != nil {
		s.Fatal(err)
	}
	spoil(its...)
	page, _, err := s.tbl.Query(s.ctx, table.Query{PK: k.PK})
	if err != nil {
		s.Fatal(err)
	}
	spoil(page.Items...)
	_, err = s.tbl.Write(s.ctx, table.Write{Item: table.Item{Key: k, Rev: 1}, Cond: table.Absent()})
	s.wantCode(err, table.CodeConflict)
	if te, ok := err.(*table.Error); ok {
		spoil(te.Old)
	}
	s.wantItem(k, want)

	batch := []table.Item{{Key: s.key("own", "b"), Rev: 1, Data: []byte("mine")}}
	if _, err := s.tbl.BatchPut(s.ctx, batch); err != nil {
		s.Fatal(err)
	}
	tx := []table.Write{{Item: table.Item{Key: s.key("own", "t"), Rev: 1, Data: []byte("mine")}}}
	if _, err := s.tbl.Transact(s.ctx, tx); err != nil {
		s.Fatal(err)
	}
	batch[0].Data[0], tx[0].Item.Data[0] = 'X', 'X'
	s.wantItem(s.key("own", "b"), table.Item{Rev: 1, Data: []byte("mine")})
	s.wantItem(s.key("own", "t"), table.Item{Rev: 1, Data: []byte("mine")})
}

func testCancelled(s *suite) {
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	k := s.key("cancel", "x")
	_, err := s.tbl.Write(ctx, table.Write{Item: table.Item{Key: k, Rev: 1}})
	s.wantCode(err, table.CodeUnknown)
	_, _, err = s.tbl.Get(ctx, k)
	if err == nil {
		s.Error("get of a caller that gave up succeeded")
	}
}
