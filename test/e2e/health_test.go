package e2e

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/localstack"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// mute is a table that can be told to answer no more.
type mute struct {
	table.Table
	silent atomic.Bool
}

func (m *mute) Get(ctx context.Context, key table.Key) (table.Item, table.Units, error) {
	if m.silent.Load() {
		return table.Item{}, table.Units{}, context.DeadlineExceeded
	}
	return m.Table.Get(ctx, key)
}

// TestHealth: what watches a server of Maestro's finds it up while its table answers (api.md 20).
func TestHealth(t *testing.T) {
	tbl := &mute{Table: memtable.New()}
	server, err := localstack.Start(t.Context(), localstack.Config{Addr: "127.0.0.1:0", Table: tbl})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	const vendor = "application/vnd.spring-boot.actuator.v3+json"
	for _, tt := range []struct {
		accept, media string
		silent        bool
		status        int
		body          string
	}{
		{"", vendor, false, 200, `{"status":"UP"}`},
		{"*/*", vendor, false, 200, `{"status":"UP"}`},
		{vendor, vendor, false, 200, `{"status":"UP"}`},
		{"application/json", "application/json", false, 200, `{"status":"UP"}`},
		{"text/html", "application/problem+json", false, 406, ""},
		{"", vendor, true, 503, `{"status":"DOWN"}`},
		{"application/json", "application/json", true, 503, `{"status":"DOWN"}`},
		{"", vendor, false, 200, `{"status":"UP"}`},
	} {
		tbl.silent.Store(tt.silent)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+"/actuator/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.accept != "" {
			req.Header.Set("Accept", tt.accept)
		}
		a, err := send(req)
		if err != nil {
			t.Fatal(err)
		}
		if a.status != tt.status || a.contentType != tt.media || tt.body != "" && string(a.body) != tt.body {
			t.Errorf("accept %q, silent %v: %d, %s: %s", tt.accept, tt.silent, a.status, a.contentType, a.body)
		}
	}
}
