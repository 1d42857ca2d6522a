// Package blob is the port to the store of bodies that exceed an item of the table. Contract of S3: a put is durable
// and visible to every later get; overwriting is last-writer-wins.
package blob

import (
	"context"
	"errors"
)

// ErrNotFound is returned by Get for a key that was never put or was deleted.
var ErrNotFound = errors.New("blob not found")

// Store keeps bodies under keys of the form <owner>/<content hash>: what is deleted with its owner shares its prefix.
type Store interface {
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string) ([]byte, error)
	// DeletePrefix removes up to limit bodies whose key starts with prefix and tells whether more are left.
	DeletePrefix(ctx context.Context, prefix string, limit int) (more bool, err error)
}
