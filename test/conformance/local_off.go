//go:build !local

package conformance

import (
	"context"
	"errors"
)

// Local is a server in this process. This build has none: it is in local.go, behind the build tag `local`.
type Local struct{}

// StartLocal fails with ErrNoLocal.
func StartLocal(context.Context) (*Local, error) { return nil, ErrNoLocal }

// URL is the server's address.
func (*Local) URL() string { return "" }

// Published are the status events so far.
func (*Local) Published(context.Context) ([][]byte, error) { return nil, ErrNoLocal }

// Close ends the server.
func (*Local) Close() error { return nil }

// ErrNoLocal says that the program was built without a server to play against.
var ErrNoLocal = errors.New("no server: give an address (--base, DOWNBEAT_BASE), or build with -tags local")
