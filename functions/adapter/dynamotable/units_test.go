package dynamotable_test

// What the service says that calls cost, beside what the local tables compute for the same calls.

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/functions/adapter/awsconf/awstest"
	"github.com/downbeat/downbeat/functions/adapter/dynamotable"
	"github.com/downbeat/downbeat/localstack/bolttable"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// trio is the same table three times: each call goes to all, and they must agree on what it did and cost.
type trio struct {
	t      *testing.T
	names  []string
	tables []table.Table
	sum    table.Units    // of all calls
	calls  map[string]int // by what was called
}

// answer is what is compared of a call.
type answer struct {
	units table.Units
	code  table.Code
	items int
}

func (tr *trio) call(what string, do func(table.Table) (answer, error)) answer {
	tr.t.Helper()
	var first answer
	for i, tbl := range tr.tables {
		got, err := do(tbl)
		got.code = table.CodeOf(err)
		if i == 0 {
			first = got
		} else if got != first {
			tr.t.Errorf("%s: %s says %+v, %s says %+v", what, tr.names[0], first, tr.names[i], got)
		}
	}
	tr.sum = tr.sum.Add(first.units)
	tr.calls[what]++
	return first
}

func (tr *trio) write(what string, w table.Write) answer {
	tr.t.Helper()
	return tr.call(what, func(tbl table.Table) (answer, error) {
		u, err := tbl.Write(tr.t.Context(), w)
		return answer{units: u}, err
	})
}

// TestUnitsOfTheSameCalls makes the same calls, chosen at random, on the service and on both local tables. (A failed
// condition of a single write is the exception: the service does not tell what it cost, and the adapter computes it as
// the local tables do.)
//
// Calls on which DynamoDB Local is known to differ from the service are left out: it counts nothing for what is absent
// from a batch and for queries that find nothing, equal amounts of a transaction once, and checks in a transaction only
// where there is nothing else.
func TestUnitsOfTheSameCalls(t *testing.T) {
	client := dynamotable.NewClient(awstest.Config(t, "DYNAMODB"))
	durable, err := bolttable.Open(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := durable.Close(); err != nil {
			t.Error(err)
		}
	})
	tr := &trio{
		t: t, names: []string{"the service", "memtable", "bolttable"},
		tables: []table.Table{adapter(t, client, createTable(t, client)), memtable.New(), durable},
		calls:  map[string]int{},
	}
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(3, 4))
	pk := awstest.Name()
	have := map[table.Key]table.Item{}
	keys := []table.Key{}
	for i := range 6 {
		keys = append(keys, table.Key{PK: pk, SK: fmt.Sprintf("item %d", i)})
	}
	dues := []int64{0, 0, 1_700_000_000_000, 1_700_000_015_000, 1_700_000_030_001}
	sizes := []int{0, 10, 700, 1000, 1024, 2100, 4000, 4096, 9000}
	next := func(k table.Key) table.Item {
		it := table.Item{Key: k, Rev: have[k].Rev + 1, Due: dues[rng.IntN(len(dues))], Data: make([]byte, sizes[rng.IntN(len(sizes))])}
		if rng.IntN(2) == 0 {
			it.Tokens = []table.Token{table.Token(rng.Uint64() | 1)}
		}
		if rng.IntN(3) == 0 {
			it.Order = rng.Int64N(1 << 40)
		}
		return it
	}
	present := func() (list []table.Key) {
		for _, k := range keys {
			if have[k].Exists() {
				list = append(list, k)
			}
		}
		return list
	}
	for range 400 {
		k := keys[rng.IntN(len(keys))]
		switch rng.IntN(12) {
		case 0, 1, 2:
			it := next(k)
			if tr.write("put", table.Write{Item: it, Cond: table.RevIs(it.Rev - 1)}).code == 0 {
				have[k] = it
			}
		case 3:
			it := next(k)
			tr.write("put that fails", table.Write{Item: it, Cond: table.RevIs(it.Rev + 7)})
		case 4:
			if tr.write("delete", table.Write{Op: table.OpDelete, Item: table.Item{Key: k}}).code == 0 {
				delete(have, k)
			}
		case 5:
			tr.write("delete that fails", table.Write{Op: table.OpDelete, Item: table.Item{Key: k}, Cond: table.RevIs(have[k].Rev + 7)})
		case 6:
			tr.call("get", func(tbl table.Table) (answer, error) {
				it, u, err := tbl.Get(ctx, k)
				return answer{units: u, items: int(it.Rev)}, err
			})
		case 7:
			if list := present(); len(list) > 0 {
				tr.call("batch get", func(tbl table.Table) (answer, error) {
					items, u, err := tbl.BatchGet(ctx, list)
					return answer{units: u, items: len(items)}, err
				})
			}
		case 8:
			if list := present(); len(list) > 0 {
				q := table.Query{PK: pk, From: list[0].SK, Limit: rng.IntN(4), Reverse: rng.IntN(2) == 0, KeysOnly: rng.IntN(2) == 0}
				tr.call("query", func(tbl table.Table) (answer, error) {
					page, u, err := tbl.Query(ctx, q)
					return answer{units: u, items: len(page.Items)}, err
				})
			}
		case 9:
			from := dues[2]
			for _, k := range keys {
				if have[k].Due >= from {
					tr.call("query due", func(tbl table.Table) (answer, error) {
						entries, u, err := tbl.QueryDue(ctx, table.DueQuery{Partition: table.DuePartition(pk), From: have[k].Due, To: have[k].Due + 1})
						return answer{units: u, items: len(entries)}, err
					})
					break
				}
			}
		case 10:
			var items []table.Item
			for _, k := range keys[rng.IntN(3):5] {
				items = append(items, next(k))
			}
			if tr.call("batch put", func(tbl table.Table) (answer, error) {
				u, err := tbl.BatchPut(ctx, items)
				return answer{units: u}, err
			}).code == 0 {
				for _, it := range items {
					have[it.Key] = it
				}
			}
		case 11:
			a, b := next(keys[0]), next(keys[1])
			ua, ub := table.TransactUnits(table.OpPut, have[a.Key], a), table.TransactUnits(table.OpPut, have[b.Key], b)
			if ua == ub {
				continue
			}
			if tr.call("transact", func(tbl table.Table) (answer, error) {
				u, err := tbl.Transact(ctx, []table.Write{{Item: a, Cond: table.RevIs(a.Rev - 1)}, {Item: b, Cond: table.RevIs(b.Rev - 1)}})
				return answer{units: u}, err
			}).code == 0 {
				have[a.Key], have[b.Key] = a, b
			}
		}
	}
	for _, what := range []string{
		"put", "put that fails", "delete", "delete that fails", "get", "batch get", "query", "query due", "batch put", "transact",
	} {
		if n := tr.calls[what]; n < 5 {
			t.Errorf("%s was called %d times: too few to tell anything", what, n)
		}
	}
	t.Logf("calls: %v; %g read and %g write units", tr.calls, tr.sum.Read, tr.sum.Write)
}
