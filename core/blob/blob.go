// Package blob is the port to the store of bodies that exceed an item of the table. Contract of S3: a put is durable
// and visible to every later get; overwriting is last-writer-wins.
package blob

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrNotFound is returned by Get for a key that was never put or was deleted.
var ErrNotFound = errors.New("blob not found")

// Limits of S3 ("Creating object key names" and DeleteObjects in the Amazon S3 user guide).
const (
	MaxKeyBytes    = 1024
	MaxDeleteBatch = 1000
)

// CheckKey returns why a key cannot be one: it has at most MaxKeyBytes bytes of valid UTF-8 without control characters,
// slashes neither at its ends nor side by side, and no part between slashes is "." or "..", which somebody on the way to
// a service may take for a folder.
func CheckKey(key string) error {
	switch {
	case key == "" || strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") || strings.Contains(key, "//"):
		return fmt.Errorf("blob key %q must have the form <owner>/<hash>", key)
	case len(key) > MaxKeyBytes:
		return fmt.Errorf("blob key has %d bytes, more than %d", len(key), MaxKeyBytes)
	case !utf8.ValidString(key):
		return fmt.Errorf("blob key %q is not valid UTF-8", key)
	case strings.ContainsFunc(key, unicode.IsControl):
		return fmt.Errorf("blob key %q contains a control character", key)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "." || part == ".." {
			return fmt.Errorf("blob key %q has a part %q", key, part)
		}
	}
	return nil
}

// CheckPrefix returns why DeletePrefix cannot be asked for: an empty prefix would delete everybody's bodies.
func CheckPrefix(prefix string, limit int) error {
	if prefix == "" {
		return errors.New("prefix is empty")
	}
	if limit < 1 {
		return fmt.Errorf("limit %d is below 1", limit)
	}
	return nil
}

// Store keeps bodies under keys of the form <owner>/<content hash>: what is deleted with its owner shares its prefix, and
// a put may be repeated. All methods are safe for concurrent use; passed slices are not kept, returned ones belong to the
// caller. Errors are *port.Error; what CheckKey and CheckPrefix refuse is port.CodeInvalid.
type Store interface {
	Put(ctx context.Context, key string, data []byte) error
	// Get of an absent key returns an error that is ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// DeletePrefix removes up to limit bodies whose key starts with prefix and tells whether more are left. After an
	// error any of them may be gone.
	DeletePrefix(ctx context.Context, prefix string, limit int) (more bool, err error)
}
