package conformance

import (
	"context"
	"sync"

	"github.com/downbeat/downbeat/localstack"
)

// Local is a server in this process, with nothing on disk, that lets HTTP steps call the stub. It reads everything from its
// table every time: what one call stores must be readable by another process, as the functions on AWS are.
type Local struct {
	server *localstack.Server
	mu     sync.Mutex
	events [][]byte // guarded by mu
}

// StartLocal starts one on a free port of loopback.
func StartLocal(ctx context.Context) (*Local, error) {
	l := &Local{}
	var err error
	l.server, err = localstack.Start(ctx, localstack.Config{
		Addr: "127.0.0.1:0", Memory: true, NoCache: true, HTTPAllow: []string{"127.0.0.1"},
		Subscribe: func(event []byte) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.events = append(l.events, append([]byte(nil), event...))
		},
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// URL is the server's address.
func (l *Local) URL() string { return l.server.URL() }

// Published are the status events so far.
func (l *Local) Published(context.Context) ([][]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([][]byte(nil), l.events...), nil
}

// Close ends the server.
func (l *Local) Close() error { return l.server.Close() }
