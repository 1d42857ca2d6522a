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

// envTable names a table to run on instead of one that is made. The tests use keys of their own in it, which stay.
const envTable = "DOWNBEAT_TEST_TABLE"

// createTable makes a table as the stack does, and deletes it after the test.
func createTable(t testing.TB, client *dynamodb.Client) string {
	t.Helper()
	if name := os.Getenv(envTable); name != "" {
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

// TestLostAnswers loses the answer to each write after it was applied. The SDK repeats it, the condition fails, and the
// caller is told that its write succeeded, which is true.
func TestLostAnswers(t *testing.T) {
	var lose atomic.Bool
	var lost atomic.Int32
	real := http.DefaultTransport
	cfg := awstest.Config(t, "DYNAMODB")
	cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := real.RoundTrip(r)
		if err == nil && lose.CompareAndSwap(true, false) {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			lost.Add(1)
			return nil, io.ErrUnexpectedEOF
		}
		return resp, err
	})}
	client := dynamotable.NewClient(cfg)
	tbl := adapter(t, client, createTable(t, client))
	ctx := t.Context()
	key := table.Key{PK: awstest.Name(), SK: "s"}
	for rev := int64(0); rev < 5; rev++ {
		lose.Store(true)
		w := table.Write{
			Item: table.Item{Key: key, Rev: rev + 1, Tokens: []table.Token{table.Token(100 + rev)}, Due: 1000 + rev}, Cond: table.RevIs(rev),
		}
		if _, err := tbl.Write(ctx, w); err != nil {
			t.Errorf("revision %d: %v", rev, err)
		}
	}
	if it, _, err := tbl.Get(ctx, key); err != nil || it.Rev != 5 {
		t.Errorf("revision %d, want 5, error %v", it.Rev, err)
	}
	lose.Store(true)
	if _, err := tbl.Transact(ctx, []table.Write{
		{Item: table.Item{Key: key, Rev: 6, Tokens: []table.Token{200}}, Cond: table.RevIs(5)},
		{Item: table.Item{Key: table.Key{PK: key.PK + "#other", SK: "s"}, Rev: 1, Tokens: []table.Token{200}}, Cond: table.Absent()},
	}); err != nil {
		t.Errorf("transaction: %v", err)
	}
	// Without a token nobody can know.
	lose.Store(true)
	_, err := tbl.Write(ctx, table.Write{Item: table.Item{Key: key, Rev: 7}, Cond: table.RevIs(6)})
	if table.CodeOf(err) != table.CodeConflict {
		t.Errorf("without a token: error %v, want code conflict", err)
	}
	var te *table.Error
	if errors.As(err, &te) && te.Old.Rev != 7 {
		t.Errorf("the conflict shows revision %d, want 7", te.Old.Rev)
	}
	if n := lost.Load(); n != 7 {
		t.Errorf("%d answers were lost, want 7", n)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

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
