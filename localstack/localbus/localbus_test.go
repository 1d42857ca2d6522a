package localbus_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/downbeat/downbeat/core/bus/bustest"
	"github.com/downbeat/downbeat/localstack/localbus"
)

func open(t *testing.T, cfg localbus.Config) *localbus.Bus {
	t.Helper()
	b, err := localbus.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestConformance(t *testing.T) {
	t.Run("subscriber", func(t *testing.T) {
		bustest.Run(t, func(t *testing.T) bustest.Backend {
			events := make(chan []byte, 1000)
			b := open(t, localbus.Config{Subscribe: func(e []byte) { events <- e }})
			return bustest.Backend{Publisher: b, Next: func(ctx context.Context) ([][]byte, error) {
				select {
				case e := <-events:
					return [][]byte{e}, nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}}
		})
	})
	t.Run("log", func(t *testing.T) {
		bustest.Run(t, func(t *testing.T) bustest.Backend {
			path := filepath.Join(t.TempDir(), "events")
			b := open(t, localbus.Config{File: path})
			return bustest.Backend{Publisher: b, Next: func(ctx context.Context) ([][]byte, error) {
				data, err := os.ReadFile(path)
				if err != nil {
					return nil, err
				}
				// What is published is in the file when Publish returns: nothing is worth waiting for.
				if len(data) == 0 {
					return nil, context.DeadlineExceeded
				}
				return bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")), os.Truncate(path, 0)
			}}
		})
	})
}

// TestLogIsAppendedTo keeps what an earlier process wrote.
func TestLogIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	for _, e := range []string{`{"a":1}`, "{ \"b\":\n 2 }"} {
		b, err := localbus.New(localbus.Config{File: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Publish(t.Context(), [][]byte{[]byte(e)}); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "{\"a\":1}\n{\"b\":2}\n" {
		t.Errorf("%q, error %v", got, err)
	}
}

func TestSubscribersGetWhatComesAfter(t *testing.T) {
	b := open(t, localbus.Config{})
	var got []string
	publish := func(e string) {
		if err := b.Publish(t.Context(), [][]byte{[]byte(e)}); err != nil {
			t.Fatal(err)
		}
	}
	publish(`{"n":1}`)
	b.Subscribe(func(e []byte) { got = append(got, string(e)) })
	publish(`{"n":2}`)
	if len(got) != 1 || got[0] != `{"n":2}` {
		t.Errorf("got %q", got)
	}
}
