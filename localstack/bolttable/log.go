package bolttable

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/downbeat/downbeat/core/table"
)

// Log is a list of records in the file of a table, for what must survive beside the items: the messages of a queue
// whose messages are facts (P18). Its writes share the commits of the table.
type Log struct {
	table *Table
	name  []byte
}

// Log opens the log of a name, making it if it is missing.
func (t *Table) Log(ctx context.Context, name string) (*Log, error) {
	l := &Log{table: t, name: []byte("log/" + name)}
	err := t.commits.do(ctx, "open log "+name, table.Key{}, func(tx *txn) error {
		_, err := tx.tx.CreateBucketIfNotExists(l.name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Append stores records durably and returns their ids, which grow and are never used again.
func (l *Log) Append(ctx context.Context, records [][]byte) ([]uint64, error) {
	owned := make([][]byte, len(records))
	for i, r := range records {
		owned[i] = slices.Clone(r)
	}
	ids := make([]uint64, len(records))
	err := l.table.commits.do(ctx, "append to "+string(l.name), table.Key{}, func(tx *txn) error {
		b := tx.tx.Bucket(l.name)
		for i, r := range owned {
			id, err := b.NextSequence()
			if err != nil {
				return err
			}
			if err := b.Put(binary.BigEndian.AppendUint64(nil, id), r); err != nil {
				return err
			}
			ids[i] = id
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// Remove forgets records. It does not wait: the removal goes with the next commit of anybody, and after a crash before
// that the records are there again.
func (l *Log) Remove(ids []uint64) {
	if len(ids) == 0 {
		return
	}
	ids = slices.Clone(ids)
	l.table.commits.soon(func(tx *txn) error {
		b := tx.tx.Bucket(l.name)
		for _, id := range ids {
			if err := b.Delete(binary.BigEndian.AppendUint64(nil, id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Each calls f with every record in the order of their ids. The bytes are valid during the call alone.
func (l *Log) Each(f func(id uint64, record []byte) error) error {
	return l.table.view("read "+string(l.name), table.Key{}, func(tx *bolt.Tx) error {
		return tx.Bucket(l.name).ForEach(func(k, v []byte) error {
			if len(k) != 8 {
				return fmt.Errorf("record key has %d bytes, not 8", len(k))
			}
			return f(binary.BigEndian.Uint64(k), v)
		})
	})
}
