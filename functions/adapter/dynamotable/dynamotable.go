// Package dynamotable is the Table port over DynamoDB: one table with the keys pk and sk, and the sparse index "due" on
// duep and due that projects the keys.
package dynamotable

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
)

// Client is what is used of *dynamodb.Client.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

var _ Client = (*dynamodb.Client)(nil)

// Config says which table. Client, Table, Sleep and Rand are required.
type Config struct {
	Client Client
	Table  string
	// Sleep waits between tries to get the rest of a batch, Rand, uniform in [0, 1), spreads the waits: the methods of
	// clock.Clock and clock.IDs.
	Sleep func(ctx context.Context, d time.Duration) error
	Rand  func() float64
}

// Table is the table. Use New.
type Table struct {
	cfg    Config
	waiter awsconf.Waiter
}

var _ table.Table = (*Table)(nil)

// NewClient makes the client for New.
func NewClient(cfg aws.Config) *dynamodb.Client {
	return dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		// The checksum that the service adds guards what TLS guards already. With it the SDK logs a warning for every
		// failed condition: it reads the body of an error behind the checksum's back and then finds it wrong.
		o.DisableValidateResponseChecksum = true
	})
}

// New checks the configuration. It calls nobody.
func New(cfg Config) (*Table, error) {
	for _, f := range []struct {
		name    string
		missing bool
	}{{"Client", cfg.Client == nil}, {"Table", cfg.Table == ""}, {"Sleep", cfg.Sleep == nil}, {"Rand", cfg.Rand == nil}} {
		if f.missing {
			return nil, fmt.Errorf("dynamotable: config %s is required", f.name)
		}
	}
	return &Table{cfg: cfg, waiter: awsconf.Waiter{Sleep: cfg.Sleep, Rand: cfg.Rand}}, nil
}

// read and write are the units in the service's answers.
func read(cs ...types.ConsumedCapacity) (u table.Units) {
	for _, c := range cs {
		u.Read += aws.ToFloat64(c.CapacityUnits)
	}
	return u
}

func written(cs ...types.ConsumedCapacity) (u table.Units) {
	for _, c := range cs {
		u.Write += aws.ToFloat64(c.CapacityUnits)
	}
	return u
}

func deref(c *types.ConsumedCapacity) types.ConsumedCapacity {
	if c == nil {
		return types.ConsumedCapacity{}
	}
	return *c
}

// corrupt is the error about an item that this package did not write.
func corrupt(op string, key table.Key, err error) error {
	return &table.Error{Code: table.CodeInternal, Op: op, Key: key, Cause: err}
}

// Get implements table.Table.
func (t *Table) Get(ctx context.Context, key table.Key) (table.Item, table.Units, error) {
	if err := table.CheckKey(key); err != nil {
		return table.Item{}, table.Units{}, table.Invalid("get", key, err)
	}
	out, err := t.cfg.Client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.cfg.Table, Key: keyOf(key), ConsistentRead: aws.Bool(true),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		return table.Item{}, table.Units{}, translate("get", key, err)
	}
	u := read(deref(out.ConsumedCapacity))
	it, err := unmarshal(out.Item)
	if err != nil {
		return table.Item{}, u, corrupt("get", key, err)
	}
	it.Key = key
	return it, u, nil
}

// BatchGet implements table.Table.
func (t *Table) BatchGet(ctx context.Context, keys []table.Key) ([]table.Item, table.Units, error) {
	at := make(map[table.Key]int, len(keys)) // the first place of each key
	var distinct []table.Key
	for i, k := range keys {
		if err := table.CheckKey(k); err != nil {
			return nil, table.Units{}, table.Invalid("batch get", k, err)
		}
		if _, twice := at[k]; !twice {
			at[k] = i
			distinct = append(distinct, k)
		}
	}
	items := make([]table.Item, len(keys))
	u, err := inChunks(ctx, distinct, table.MaxBatchGet, func(ctx context.Context, chunk []table.Key) (table.Units, error) {
		return t.batchGet(ctx, chunk, func(it table.Item) { items[at[it.Key]] = it })
	})
	if err != nil {
		return nil, u, err
	}
	for i, k := range keys {
		if first := at[k]; first != i {
			items[i] = items[first].Clone()
		}
		items[i].Key = k
	}
	return items, u, nil
}

// batchGet gets up to table.MaxBatchGet items, in as many requests as the service takes for it.
func (t *Table) batchGet(ctx context.Context, keys []table.Key, found func(table.Item)) (u table.Units, err error) {
	var names []map[string]types.AttributeValue
	for _, k := range keys {
		names = append(names, keyOf(k))
	}
	err = awsconf.Whole(ctx, t.waiter, names, func(names []map[string]types.AttributeValue) ([]map[string]types.AttributeValue, error) {
		out, err := t.cfg.Client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems:           map[string]types.KeysAndAttributes{t.cfg.Table: {Keys: names, ConsistentRead: aws.Bool(true)}},
			ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			return nil, translate("batch get", keys[0], err)
		}
		u = u.Add(read(out.ConsumedCapacity...))
		for _, a := range out.Responses[t.cfg.Table] {
			it, err := unmarshal(a)
			if err != nil {
				return nil, corrupt("batch get", it.Key, err)
			}
			found(it)
		}
		return out.UnprocessedKeys[t.cfg.Table].Keys, nil
	}, func(err error) error { return batchError("batch get", keys[0], err) })
	return u, err
}

func batchError(op string, key table.Key, err error) error {
	code := table.CodeUnknown
	if errors.Is(err, awsconf.ErrRest) {
		code = table.CodeThrottled
	}
	return &table.Error{Code: code, Op: op, Key: key, Cause: err}
}

// inChunks calls do with parts of all of at most size, several at once. The first error ends the rest.
func inChunks[T any](ctx context.Context, all []T, size int, do func(context.Context, []T) (table.Units, error)) (table.Units, error) {
	var mu sync.Mutex // guards units
	var units table.Units
	err := awsconf.Each(ctx, slices.Collect(slices.Chunk(all, size)), func(ctx context.Context, chunk []T) error {
		u, err := do(ctx, chunk)
		mu.Lock()
		defer mu.Unlock()
		units = units.Add(u)
		return err
	})
	return units, err
}

// keysOnly is everything but the data.
const keysOnly = table.AttrPK + ", " + table.AttrSK + ", " + table.AttrRev + ", " + table.AttrTokens + ", " +
	table.AttrOrder + ", " + table.AttrDue + ", " + table.AttrExpires

// Query implements table.Table.
func (t *Table) Query(ctx context.Context, q table.Query) (table.Page, table.Units, error) {
	key := table.Key{PK: q.PK, SK: q.Prefix}
	if err := table.CheckQuery(q); err != nil {
		return table.Page{}, table.Units{}, table.Invalid("query", key, err)
	}
	r, ok := q.Range()
	if !ok {
		return table.Page{}, table.Units{}, nil
	}
	expr, values := "pk = :pk", attributes{":pk": text(q.PK)}
	switch {
	case r.From != "" && r.To != "":
		expr += " AND sk BETWEEN :from AND :to"
	case r.From != "":
		expr += " AND sk >= :from"
	case r.To != "":
		expr += " AND sk <= :to"
	}
	if r.From != "" {
		values[":from"] = text(r.From)
	}
	if r.To != "" {
		values[":to"] = text(r.To)
	}
	in := &dynamodb.QueryInput{
		TableName: &t.cfg.Table, KeyConditionExpression: &expr, ExpressionAttributeValues: values,
		ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(!q.Reverse),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
	if q.Limit > 0 {
		in.Limit = aws.Int32(int32(min(q.Limit, 1<<30)))
	}
	if r.After != "" {
		in.ExclusiveStartKey = keyOf(table.Key{PK: q.PK, SK: r.After})
	}
	if q.KeysOnly {
		in.ProjectionExpression = aws.String(keysOnly)
	}
	var page table.Page
	var u table.Units
	for {
		out, err := t.cfg.Client.Query(ctx, in)
		if err != nil {
			return table.Page{}, u, translate("query", key, err)
		}
		u = u.Add(read(deref(out.ConsumedCapacity)))
		for _, a := range out.Items {
			it, err := unmarshal(a)
			if err != nil {
				return table.Page{}, u, corrupt("query", it.Key, err)
			}
			page.Items = append(page.Items, it)
		}
		page.More = len(out.LastEvaluatedKey) > 0
		if len(page.Items) > 0 || !page.More {
			return page, u, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// Write implements table.Table. It asks for no values but those of the item that fails a condition, which cost nothing.
func (t *Table) Write(ctx context.Context, w table.Write) (table.Units, error) {
	if err := table.CheckWrite(w); err != nil {
		return table.Units{}, table.Invalid("write", w.Item.Key, err)
	}
	cond := express(w.Cond)
	onFailure := types.ReturnValuesOnConditionCheckFailureNone
	if cond.expr != nil {
		onFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	}
	var consumed *types.ConsumedCapacity
	var err error
	if w.Op == table.OpPut {
		var out *dynamodb.PutItemOutput
		out, err = t.cfg.Client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &t.cfg.Table, Item: marshal(w.Item),
			ConditionExpression: cond.expr, ExpressionAttributeValues: cond.values,
			ReturnValuesOnConditionCheckFailure: onFailure, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if out != nil {
			consumed = out.ConsumedCapacity
		}
	} else {
		var out *dynamodb.DeleteItemOutput
		out, err = t.cfg.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &t.cfg.Table, Key: keyOf(w.Item.Key),
			ConditionExpression: cond.expr, ExpressionAttributeValues: cond.values,
			ReturnValuesOnConditionCheckFailure: onFailure, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if out != nil {
			consumed = out.ConsumedCapacity
		}
	}
	if err == nil {
		return written(deref(consumed)), nil
	}
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) {
		return table.Units{}, translate("write", w.Item.Key, err)
	}
	old, readErr := unmarshal(failed.Item)
	if readErr != nil {
		return table.Units{}, corrupt("write", w.Item.Key, readErr)
	}
	old.Key = w.Item.Key
	// The answer does not tell what the failure cost.
	u := table.FailedWriteUnits(w.Op, old, w.Item)
	if table.Own(old, w) {
		return u, nil
	}
	return u, &table.Error{Code: table.CodeConflict, Op: "write", Key: w.Item.Key, Old: old, Cause: err}
}

// BatchPut implements table.Table. A request of table.MaxBatchWrite items of the largest size stays below the 16 MB
// that the service takes, so that items are split by their number alone.
func (t *Table) BatchPut(ctx context.Context, items []table.Item) (table.Units, error) {
	for _, it := range items {
		if err := table.CheckItem(it); err != nil {
			return table.Units{}, table.Invalid("batch put", it.Key, err)
		}
	}
	return inChunks(ctx, table.LastOfEach(items), table.MaxBatchWrite, t.batchPut)
}

func (t *Table) batchPut(ctx context.Context, items []table.Item) (u table.Units, err error) {
	var requests []types.WriteRequest
	for _, it := range items {
		requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: marshal(it)}})
	}
	err = awsconf.Whole(ctx, t.waiter, requests, func(requests []types.WriteRequest) ([]types.WriteRequest, error) {
		out, err := t.cfg.Client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems:           map[string][]types.WriteRequest{t.cfg.Table: requests},
			ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			return nil, translate("batch put", items[0].Key, err)
		}
		u = u.Add(written(out.ConsumedCapacity...))
		return out.UnprocessedItems[t.cfg.Table], nil
	}, func(err error) error { return batchError("batch put", items[0].Key, err) })
	return u, err
}

// Transact implements table.Table. The SDK gives each call a client request token, so that its own repetitions after a
// lost answer are recognised by the service; those of the caller are recognised by the write tokens.
func (t *Table) Transact(ctx context.Context, writes []table.Write) (table.Units, error) {
	if err := table.CheckTransact(writes); err != nil {
		return table.Units{}, table.Invalid("transact", table.Key{}, err)
	}
	const allOld = types.ReturnValuesOnConditionCheckFailureAllOld
	in := &dynamodb.TransactWriteItemsInput{ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal}
	for _, w := range writes {
		cond := express(w.Cond)
		var item types.TransactWriteItem
		switch w.Op {
		case table.OpPut:
			item.Put = &types.Put{
				TableName: &t.cfg.Table, Item: marshal(w.Item), ConditionExpression: cond.expr,
				ExpressionAttributeValues: cond.values, ReturnValuesOnConditionCheckFailure: allOld,
			}
		case table.OpDelete:
			item.Delete = &types.Delete{
				TableName: &t.cfg.Table, Key: keyOf(w.Item.Key), ConditionExpression: cond.expr,
				ExpressionAttributeValues: cond.values, ReturnValuesOnConditionCheckFailure: allOld,
			}
		case table.OpCheck:
			item.ConditionCheck = &types.ConditionCheck{
				TableName: &t.cfg.Table, Key: keyOf(w.Item.Key), ConditionExpression: cond.expr,
				ExpressionAttributeValues: cond.values, ReturnValuesOnConditionCheckFailure: allOld,
			}
		}
		in.TransactItems = append(in.TransactItems, item)
	}
	out, err := t.cfg.Client.TransactWriteItems(ctx, in)
	if err == nil {
		return written(out.ConsumedCapacity...), nil
	}
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return table.Units{}, translate("transact", writes[0].Item.Key, err)
	}
	return judge(writes, cancelled, err)
}

// judge reads why a transaction was cancelled. The reasons are in the order of the writes.
func judge(writes []table.Write, cancelled *types.TransactionCanceledException, err error) (u table.Units, _ error) {
	failure := &table.Error{Code: codeOfReasons(cancelled.CancellationReasons), Op: "transact", Key: writes[0].Item.Key, Cause: err}
	named := false
	for i, w := range writes {
		var reason types.CancellationReason
		if i < len(cancelled.CancellationReasons) {
			reason = cancelled.CancellationReasons[i]
		}
		old, readErr := unmarshal(reason.Item)
		if readErr != nil {
			return table.Units{}, corrupt("transact", w.Item.Key, readErr)
		}
		old.Key = w.Item.Key
		// The item whose condition held is not told: its size before may be larger than what is counted here.
		u = u.Add(table.FailedTransactUnits(w.Op, old, w.Item))
		code := codeOfName(aws.ToString(reason.Code))
		if code == table.CodeConflict && table.Own(old, w) {
			return u, nil // all were written or none
		}
		if code == failure.Code && !named {
			named = true
			failure.Key = w.Item.Key
			if code == table.CodeConflict {
				failure.Old = old
			}
		}
	}
	return u, failure
}

// QueryDue implements table.Table.
func (t *Table) QueryDue(ctx context.Context, q table.DueQuery) ([]table.DueEntry, table.Units, error) {
	key := table.Key{PK: table.DueIndex, SK: fmt.Sprint(q.Partition)}
	if err := table.CheckDueQuery(q); err != nil {
		return nil, table.Units{}, table.Invalid("query due", key, err)
	}
	if q.To <= q.From || q.After != nil && q.After.Due >= q.To {
		return nil, table.Units{}, nil
	}
	in := &dynamodb.QueryInput{
		TableName: &t.cfg.Table, IndexName: aws.String(table.DueIndex),
		KeyConditionExpression: aws.String("duep = :p AND due BETWEEN :from AND :to"),
		ExpressionAttributeValues: attributes{
			":p": number(int64(q.Partition)), ":from": number(q.From), ":to": number(q.To - 1),
		},
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
	if q.After != nil && q.After.Due >= q.From {
		in.ExclusiveStartKey = keyOf(q.After.Key)
		in.ExclusiveStartKey[table.AttrDue] = number(q.After.Due)
		in.ExclusiveStartKey[table.AttrDuePart] = number(int64(q.Partition))
	}
	var entries []table.DueEntry
	var u table.Units
	for {
		if q.Limit > 0 {
			in.Limit = aws.Int32(int32(min(q.Limit-len(entries), 1<<30)))
		}
		out, err := t.cfg.Client.Query(ctx, in)
		if err != nil {
			return nil, u, translate("query due", key, err)
		}
		u = u.Add(read(deref(out.ConsumedCapacity)))
		for _, a := range out.Items {
			it, err := unmarshal(a)
			if err != nil {
				return nil, u, corrupt("query due", it.Key, err)
			}
			entries = append(entries, table.DueEntry{Key: it.Key, Due: it.Due})
		}
		if len(out.LastEvaluatedKey) == 0 || len(entries) == q.Limit {
			return entries, u, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}
