package dynamotable_test

// Tests on DynamoDB, or something like it.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/table/tabletest"
	"github.com/downbeat/downbeat/functions/adapter/awsconf/awstest"
	"github.com/downbeat/downbeat/functions/adapter/dynamotable"
	"github.com/downbeat/downbeat/localstack/sysclock"
)

func adapter(t testing.TB, client dynamotable.Client, name string) *dynamotable.Table {
	t.Helper()
	sys := sysclock.New()
	tbl, err := dynamotable.New(dynamotable.Config{Client: client, Table: name, Sleep: sys.Sleep, Rand: sys.Float})
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

// createTable makes a table as the stack does, and deletes it after the test, unless the environment names one.
func createTable(t testing.TB, client *dynamodb.Client) string {
	t.Helper()
	if name := os.Getenv(awstest.Table); name != "" {
		return name
	}
	name := awstest.Name()
	attribute := func(name string, kind types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: kind}
	}
	schema := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: aws.String(hash), KeyType: types.KeyTypeHash}, {AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
		}
	}
	ctx := context.Background()
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			attribute(table.AttrPK, types.ScalarAttributeTypeS), attribute(table.AttrSK, types.ScalarAttributeTypeS),
			attribute(table.AttrDuePart, types.ScalarAttributeTypeN), attribute(table.AttrDue, types.ScalarAttributeTypeN),
		},
		KeySchema: schema(table.AttrPK, table.AttrSK),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String(table.DueIndex), KeySchema: schema(table.AttrDuePart, table.AttrDue),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Errorf("table %s is left: %v", name, err)
		}
	})
	if err := dynamodb.NewTableExistsWaiter(client).Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, 5*time.Minute); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestConformance(t *testing.T) {
	client := dynamotable.NewClient(awstest.Config(t, "DYNAMODB"))
	name := createTable(t, client)
	tabletest.Run(t, func(t *testing.T) table.Table { return adapter(t, client, name) })
}

// TestUnitsAgree compares what the service says that writes cost with what local implementations compute, where it
// matters: at the edges of a unit, with numbers of all lengths.
func TestUnitsAgree(t *testing.T) {
	ctx := t.Context()
	client := dynamotable.NewClient(awstest.Config(t, "DYNAMODB"))
	tbl := adapter(t, client, createTable(t, client))
	prefix := awstest.Name()
	rng := rand.New(rand.NewPCG(1, 2))
	numbers := []int64{0, 1, 9, 10, 12, 99, 100, 101, 1000, 1001, 12345, 123450, 1_700_000_000_000, 1_700_000_015_000, 1_699_999_999_999, 1 << 53}
	pick := func() int64 { return numbers[rng.IntN(len(numbers))] }
	for i := range 300 {
		it := table.Item{
			Key: table.Key{PK: fmt.Sprintf("%s#é%d", prefix, i), SK: "head"}, Rev: 1 + pick(),
			Order: pick() * int64(1-2*rng.IntN(2)), Due: pick(), Expires: pick(), Data: []byte{0},
		}
		for range rng.IntN(table.KeptTokens + 1) {
			it.Tokens = append(it.Tokens, table.Token(rng.Uint64()))
		}
		// The item fills one, two or three units to the byte, or is one byte larger.
		size := 1024*(1+rng.IntN(3)) + rng.IntN(2)
		it.Data = make([]byte, 1+size-table.ItemSize(it))
		if got := table.ItemSize(it); got != size {
			t.Fatalf("size %d, want %d", got, size)
		}
		got, err := tbl.Write(ctx, table.Write{Item: it})
		if err != nil {
			t.Fatal(err)
		}
		if want := table.WriteUnits(table.OpPut, table.Item{Key: it.Key}, it); got != want {
			t.Errorf("%d bytes, revision %d, order %d, due %d, expires %d, %d tokens: the service says %+v, we %+v",
				size, it.Rev, it.Order, it.Due, it.Expires, len(it.Tokens), got, want)
		}
		_, got, err = tbl.Get(ctx, it.Key)
		if err != nil {
			t.Fatal(err)
		}
		if want := table.GetUnits(it); got != want {
			t.Errorf("get of %d bytes: the service says %+v, we %+v", size, got, want)
		}
	}
}

// loser is a transport that loses the answer to a request after the service gave it.
type loser struct {
	lose atomic.Bool
	lost atomic.Int32
}

func (l *loser) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && l.lose.CompareAndSwap(true, false) {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		l.lost.Add(1)
		return nil, io.ErrUnexpectedEOF
	}
	return resp, err
}

// TestLostAnswers loses the answer to each kind of conditional write after it was applied. The SDK repeats it, the
// condition fails now, and the caller is told that its write succeeded, which is true (P5).
func TestLostAnswers(t *testing.T) {
	l := &loser{}
	cfg := awstest.Config(t, "DYNAMODB")
	cfg.HTTPClient = &http.Client{Transport: l}
	client := dynamotable.NewClient(cfg)
	tbl := adapter(t, client, createTable(t, client))
	ctx := t.Context()
	pk := awstest.Name()
	item := func(sk string, rev int64, tokens ...table.Token) table.Item {
		return table.Item{Key: table.Key{PK: pk, SK: sk}, Rev: rev, Order: rev, Tokens: tokens}
	}
	put := func(it table.Item, c table.Cond) table.Write { return table.Write{Item: it, Cond: c} }
	for _, c := range []struct {
		name   string
		stored int64 // revision before; 0 is absent
		writes func(sk string) []table.Write
		single bool // a Write, not a Transact
		rev    int64
		code   table.Code
	}{
		{name: "create", single: true, rev: 1, writes: func(sk string) []table.Write {
			return []table.Write{put(item(sk, 1, 11), table.Absent())}
		}},
		{name: "create by revision 0", single: true, rev: 1, writes: func(sk string) []table.Write {
			return []table.Write{put(item(sk, 1, 11), table.RevIs(0))}
		}},
		{name: "update", stored: 4, single: true, rev: 5, writes: func(sk string) []table.Write {
			return []table.Write{put(item(sk, 5, 11, 10, 9, 8), table.RevIs(4))}
		}},
		{name: "raise the order", stored: 4, single: true, rev: 5, writes: func(sk string) []table.Write {
			return []table.Write{put(item(sk, 5, 11), table.OrderBelow(5))}
		}},
		{name: "put where there is something", stored: 4, single: true, rev: 5, writes: func(sk string) []table.Write {
			return []table.Write{put(item(sk, 5, 11), table.Exists())}
		}},
		{name: "put without condition", stored: 4, single: true, rev: 5, writes: func(sk string) []table.Write {
			return []table.Write{put(item(sk, 5, 11), table.None())}
		}},
		{name: "update without a token: nobody can know", stored: 4, single: true, rev: 5, code: table.CodeConflict, writes: func(sk string) []table.Write {
			return []table.Write{put(item(sk, 5), table.RevIs(4))}
		}},
		{name: "delete that needs the item: it is absent, and says so", stored: 4, single: true, code: table.CodeConflict, writes: func(sk string) []table.Write {
			return []table.Write{{Op: table.OpDelete, Item: item(sk, 0), Cond: table.RevIs(4)}}
		}},
		{name: "delete without condition", stored: 4, single: true, writes: func(sk string) []table.Write {
			return []table.Write{{Op: table.OpDelete, Item: item(sk, 0)}}
		}},
		{name: "transaction", stored: 4, rev: 5, writes: func(sk string) []table.Write {
			return []table.Write{
				put(item(sk, 5, 11), table.RevIs(4)), put(item(sk+" new", 1, 11), table.Absent()),
				put(item(sk+" order", 1, 11), table.OrderBelow(1)), {Op: table.OpCheck, Item: item(sk+" none", 0), Cond: table.Absent()},
			}
		}},
		{name: "transaction that deletes", stored: 4, writes: func(sk string) []table.Write {
			return []table.Write{{Op: table.OpDelete, Item: item(sk, 0), Cond: table.RevIs(4)}, put(item(sk+" new", 1, 11), table.Absent())}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.stored > 0 {
				if _, err := tbl.Write(ctx, put(item(c.name, c.stored, 1, 2, 3), table.None())); err != nil {
					t.Fatal(err)
				}
			}
			before := l.lost.Load()
			l.lose.Store(true)
			var err error
			if writes := c.writes(c.name); c.single {
				_, err = tbl.Write(ctx, writes[0])
			} else {
				_, err = tbl.Transact(ctx, writes)
			}
			if table.CodeOf(err) != c.code {
				t.Errorf("error %v, want code %s", err, c.code)
			}
			if n := l.lost.Load() - before; n != 1 {
				t.Errorf("%d answers were lost, want 1", n)
			}
			var te *table.Error
			if errors.As(err, &te) && te.Old.Rev != c.rev {
				t.Errorf("the conflict shows revision %d, want %d", te.Old.Rev, c.rev)
			}
			if it, _, err := tbl.Get(ctx, table.Key{PK: pk, SK: c.name}); err != nil || it.Rev != c.rev {
				t.Errorf("revision %d, error %v, want %d", it.Rev, err, c.rev)
			}
		})
	}
}

// TestLostAnswersOfTheCallersOwn has the SDK try once: the caller gets no answer, repeats the call with the same token,
// and is told of its success. Transactions have another client token then, so that only the write token can tell.
func TestLostAnswersOfTheCallersOwn(t *testing.T) {
	l := &loser{}
	cfg := awstest.Config(t, "DYNAMODB")
	cfg.HTTPClient = &http.Client{Transport: l}
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	client := dynamotable.NewClient(cfg)
	tbl := adapter(t, client, createTable(t, client))
	ctx := t.Context()
	pk := awstest.Name()
	write := table.Write{Item: table.Item{Key: table.Key{PK: pk, SK: "a"}, Rev: 1, Tokens: []table.Token{21}}, Cond: table.Absent()}
	transaction := []table.Write{
		{Item: table.Item{Key: table.Key{PK: pk, SK: "a"}, Rev: 2, Tokens: []table.Token{22, 21}}, Cond: table.RevIs(1)},
		{Item: table.Item{Key: table.Key{PK: pk, SK: "b"}, Rev: 1, Tokens: []table.Token{22}}, Cond: table.Absent()},
	}
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"write", func() error { _, err := tbl.Write(ctx, write); return err }},
		{"transaction", func() error { _, err := tbl.Transact(ctx, transaction); return err }},
	} {
		l.lose.Store(true)
		if err := c.do(); table.CodeOf(err) != table.CodeUnknown {
			t.Errorf("%s whose answer is lost: error %v, want code unknown", c.name, err)
		}
		if err := c.do(); err != nil {
			t.Errorf("%s that is repeated: %v", c.name, err)
		}
	}
}

// BenchmarkUpdate measures conditional updates of one item by one writer.
func BenchmarkUpdate(b *testing.B) {
	client := dynamotable.NewClient(awstest.Config(b, "DYNAMODB"))
	tbl := adapter(b, client, createTable(b, client))
	ctx := context.Background()
	data := bytes.Repeat([]byte("x"), 700)
	key := table.Key{PK: awstest.Name(), SK: "s"}
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		w := table.Write{Item: table.Item{Key: key, Rev: int64(i + 1), Tokens: []table.Token{1}, Data: data}, Cond: table.RevIs(int64(i))}
		if _, err := tbl.Write(ctx, w); err != nil {
			b.Fatal(err)
		}
	}
}
