package memtable_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/table/tabletest"
	"github.com/downbeat/downbeat/localstack/memtable"
)

func TestConformance(t *testing.T) {
	tabletest.Run(t, func(*testing.T) table.Table { return memtable.New() })
}

func TestDueIndexLags(t *testing.T) {
	ctx := context.Background()
	now := int64(1000)
	lags := []int64{100, 0}
	tbl := memtable.NewWith(memtable.Config{
		Now: func() int64 { return now },
		Lag: func(table.Key) int64 {
			l := lags[0]
			lags = append(lags[1:], l)
			return l
		},
	})
	k := table.Key{PK: "p", SK: "s"}
	due := func() string {
		t.Helper()
		es, _, err := tbl.QueryDue(ctx, table.DueQuery{Partition: table.DuePartition("p"), To: 1 << 60})
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, e := range es {
			out += fmt.Sprintf("%s@%d", e.Key, e.Due)
		}
		return out
	}
	put := func(rev, due int64) {
		t.Helper()
		if _, err := tbl.Write(ctx, table.Write{Item: table.Item{Key: k, Rev: rev, Due: due}}); err != nil {
			t.Fatal(err)
		}
	}
	put(1, 5) // shows at 1100
	put(2, 6) // would show at once, but not before the change that was made first
	if got := due(); got != "" {
		t.Errorf("at once: %s", got)
	}
	now = 1099
	if got := due(); got != "" {
		t.Errorf("before its time: %s", got)
	}
	now = 1100
	if got := due(); got != "p/s@6" {
		t.Errorf("at its time: %s", got)
	}
}

func TestPurge(t *testing.T) {
	ctx := context.Background()
	tbl := memtable.New()
	for i := range 5 {
		it := table.Item{Key: table.Key{PK: "p", SK: fmt.Sprint(i)}, Rev: 1, Expires: int64(100 * i), Due: 7}
		if _, err := tbl.Write(ctx, table.Write{Item: it}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{2, 0} { // 0 never expires, 300 and 400 are still to come
		if n, err := tbl.Purge(ctx, 300, 10); err != nil || n != want {
			t.Errorf("purged %d, want %d, error %v", n, want, err)
		}
	}
	if n := tbl.Len(); n != 3 {
		t.Errorf("%d items are left, want 3", n)
	}
	es, _, err := tbl.QueryDue(ctx, table.DueQuery{Partition: table.DuePartition("p"), To: 10})
	if err != nil || len(es) != 3 {
		t.Errorf("the due index has %d entries, want 3, error %v", len(es), err)
	}
}

func BenchmarkUpdate(b *testing.B) {
	ctx := context.Background()
	tbl := memtable.New()
	const n = 100_000
	keys := make([]table.Key, n)
	for i := range keys {
		keys[i] = table.Key{PK: fmt.Sprintf("run#%d", i), SK: "head"}
		if _, err := tbl.Write(ctx, table.Write{Item: table.Item{Key: keys[i], Rev: 1}}); err != nil {
			b.Fatal(err)
		}
	}
	data := make([]byte, 500)
	revs := make([]int64, n)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		j := i * 7919 % n
		revs[j]++
		w := table.Write{Item: table.Item{Key: keys[j], Rev: revs[j] + 1, Tokens: []table.Token{1}, Data: data}, Cond: table.RevIs(revs[j])}
		if _, err := tbl.Write(ctx, w); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	ctx := context.Background()
	tbl := memtable.New()
	data := make([]byte, 500)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		w := table.Write{Item: table.Item{Key: table.Key{PK: fmt.Sprintf("run#%d", i*7919), SK: "head"}, Rev: 1, Data: data, Due: int64(i)}, Cond: table.Absent()}
		if _, err := tbl.Write(ctx, w); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	ctx := context.Background()
	tbl := memtable.New()
	const n = 100_000
	keys := make([]table.Key, n)
	for i := range keys {
		keys[i] = table.Key{PK: fmt.Sprintf("run#%d", i), SK: "head"}
		if _, err := tbl.Write(ctx, table.Write{Item: table.Item{Key: keys[i], Rev: 1, Data: make([]byte, 500)}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if it, _, err := tbl.Get(ctx, keys[i*7919%n]); err != nil || !it.Exists() {
			b.Fatal(err)
		}
	}
}

func BenchmarkQuery(b *testing.B) {
	ctx := context.Background()
	tbl := memtable.New()
	for i := range 100 {
		if _, err := tbl.Write(ctx, table.Write{Item: table.Item{Key: table.Key{PK: "p", SK: fmt.Sprintf("%03d", i)}, Rev: 1, Data: make([]byte, 100)}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if page, _, err := tbl.Query(ctx, table.Query{PK: "p", Limit: 10}); err != nil || len(page.Items) != 10 {
			b.Fatal(err)
		}
	}
}
