// Package blob is the port to the store of bodies that exceed an item of the table. Contract of S3: a put is durable
// and visible to every later get; overwriting is last-writer-wins.
package blob

import (
	"context"
	"errors"
	"fmt"
)

// ErrNotFound is returned by Get for a key that was never put or was deleted.
var ErrNotFound = errors.New("blob not found")

// Limits of S3 ("Creating object key names" and DeleteObjects in the Amazon S3 user guide).
const (
	MaxKeyBytes    = 1024
	MaxDeleteBatch = 1000
)

// CheckPrefix returns why DeletePrefix cannot be asked for: an empty prefix would delete everybody's bodies.
func CheckPrefix(prefix string, limit int) error {
	if prefix == "" {
		return errors.New("delete blobs: prefix is empty")
	}
	if limit < 1 {
		return fmt.Errorf("delete blobs %s: limit %d is below 1", prefix, limit)
	}
	return nil
}

// Store keeps bodies under keys of the form <owner>/<content hash>: what is deleted with its owner shares its prefix. A
// key has no empty part between slashes. All methods are safe for concurrent use; passed slices are not kept, returned
// ones belong to the caller. Get of an absent key returns an error that is ErrNotFound.
type Store interface {
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string) ([]byte, error)
	// DeletePrefix removes up to limit bodies whose key starts with prefix and tells whether more are left.
	DeletePrefix(ctx context.Context, prefix string, limit int) (more bool, err error)
}
