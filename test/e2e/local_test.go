package e2e

import (
	"context"
	"testing"

	"github.com/downbeat/downbeat/localstack"
)

// startLocal starts a server in this process, in memory, and gives its address. The test's end stops it.
func startLocal(ctx context.Context, t *testing.T) string {
	t.Helper()
	server, err := localstack.Start(ctx, localstack.Config{Addr: "127.0.0.1:0", Memory: true, HTTPAllow: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL()
}
