package app

import (
	"fmt"

	"github.com/downbeat/downbeat/core/table"
)

// CorruptError is the error of an item that cannot be decoded.
type CorruptError struct {
	Key   table.Key
	Cause error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("item %s cannot be read: %v", e.Key, e.Cause)
}

func (e *CorruptError) Unwrap() error { return e.Cause }
