package bolttable_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/table/tabletest"
	"github.com/downbeat/downbeat/localstack/bolttable"
)

func open(t testing.TB) *bolttable.Table {
	t.Helper()
	tbl, err := bolttable.Open(filepath.Join(t.TempDir(), "table.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tbl.Close(); err != nil {
			t.Error(err)
		}
	})
	return tbl
}

func TestConformance(t *testing.T) {
	tabletest.Run(t, func(t *testing.T) table.Table { return open(t) })
}

func TestReopen(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "table.db")
	tbl, err := bolttable.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	it := table.Item{
		Key: table.Key{PK: "p", SK: "s"}, Rev: 3, Tokens: []table.Token{3, 2, 1}, Order: -7, Due: 1000, Expires: 2000, Data: []byte("data"),
	}
	if _, err := tbl.Write(ctx, table.Write{Item: it}); err != nil {
		t.Fatal(err)
	}
	if err := tbl.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tbl.Write(ctx, table.Write{Item: it}); !errors.Is(err, bolttable.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	if _, _, err := tbl.Get(ctx, it.Key); !errors.Is(err, bolttable.ErrClosed) {
		t.Errorf("get after close: %v", err)
	}
	tbl, err = bolttable.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer tbl.Close()
	got, _, err := tbl.Get(ctx, it.Key)
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", it) {
		t.Errorf("got %+v, want %+v, error %v", got, it, err)
	}
}

func TestFileInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.db")
	tbl, err := bolttable.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer tbl.Close()
	_, err = bolttable.Open(path)
	if !errors.Is(err, bolttable.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names the file and says that it is in use", err)
	}
}

func TestWriteAll(t *testing.T) {
	ctx := context.Background()
	tbl := open(t)
	k := table.Key{PK: "p", SK: "s"}
	results, err := tbl.WriteAll(ctx, []table.Write{
		{Item: table.Item{Key: k, Rev: 1}, Cond: table.Absent()},
		{Item: table.Item{Key: k, Rev: 1}, Cond: table.Absent()},
		{Item: table.Item{Key: k}},
		{Item: table.Item{Key: k, Rev: 2}, Cond: table.RevIs(1)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []table.Code
	for _, r := range results {
		got = append(got, table.CodeOf(r.Err))
	}
	if want := []table.Code{0, table.CodeConflict, table.CodeInvalid, 0}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("codes %v, want %v", got, want)
	}
	if it, _, err := tbl.Get(ctx, k); err != nil || it.Rev != 2 {
		t.Errorf("revision %d, want 2, error %v", it.Rev, err)
	}
}

func TestPurge(t *testing.T) {
	ctx := context.Background()
	tbl := open(t)
	for i := range 5 {
		it := table.Item{Key: table.Key{PK: "p", SK: fmt.Sprint(i)}, Rev: 1, Expires: int64(100 * i), Due: 7}
		if _, err := tbl.Write(ctx, table.Write{Item: it}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{1, 1, 0} { // 0 never expires, 300 and 400 are still to come
		if n, err := tbl.Purge(ctx, 300, 1); err != nil || n != want {
			t.Errorf("purged %d, want %d, error %v", n, want, err)
		}
	}
	page, _, err := tbl.Query(ctx, table.Query{PK: "p"})
	if err != nil || len(page.Items) != 3 {
		t.Errorf("%d items are left, want 3, error %v", len(page.Items), err)
	}
	es, _, err := tbl.QueryDue(ctx, table.DueQuery{Partition: table.DuePartition("p"), To: 10})
	if err != nil || len(es) != 3 {
		t.Errorf("the due index has %d entries, want 3, error %v", len(es), err)
	}
}

func TestLog(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "table.db")
	var first, second []uint64
	for round, want := range []string{"", "b c", "c d"} {
		tbl, err := bolttable.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		l, err := tbl.Log(ctx, "x")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := l.Each(func(_ uint64, rec []byte) error { got = append(got, string(rec)); return nil }); err != nil {
			t.Fatal(err)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("round %d: %q, want %q", round, got, want)
		}
		switch round {
		case 0:
			if first, err = l.Append(ctx, [][]byte{[]byte("a"), []byte("b"), []byte("c")}); err != nil {
				t.Fatal(err)
			}
			l.Remove(first[:1])
		case 1:
			l.Remove(first[1:2])
			if second, err = l.Append(ctx, [][]byte{[]byte("d")}); err != nil {
				t.Fatal(err)
			}
			if second[0] <= first[2] {
				t.Errorf("id %d after %d", second[0], first[2])
			}
		}
		if err := tbl.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// benchmarkUpdate measures conditional updates, each acknowledged after a sync.
func benchmarkUpdate(b *testing.B, writers int) {
	ctx := context.Background()
	tbl := open(b)
	data := make([]byte, 700)
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := w; i < b.N; i += writers {
				k := table.Key{PK: fmt.Sprintf("run#%d", w), SK: "head"}
				rev := int64(i / writers)
				if _, err := tbl.Write(ctx, table.Write{
					Item: table.Item{Key: k, Rev: rev + 1, Tokens: []table.Token{1, 2, 3, 4}, Due: 1_700_000_000_000 + rev, Data: data},
					Cond: table.RevIs(rev),
				}); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}

func BenchmarkUpdate1(b *testing.B)  { benchmarkUpdate(b, 1) }
func BenchmarkUpdate8(b *testing.B)  { benchmarkUpdate(b, 8) }
func BenchmarkUpdate64(b *testing.B) { benchmarkUpdate(b, 64) }

func BenchmarkGet(b *testing.B) {
	ctx := context.Background()
	tbl := open(b)
	const n = 1000
	var items []table.Item
	for i := range n {
		items = append(items, table.Item{Key: table.Key{PK: fmt.Sprintf("run#%d", i), SK: "head"}, Rev: 1, Data: make([]byte, 500)})
	}
	if _, err := tbl.BatchPut(ctx, items); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if it, _, err := tbl.Get(ctx, items[i*7919%n].Key); err != nil || !it.Exists() {
			b.Fatal(err)
		}
	}
}
