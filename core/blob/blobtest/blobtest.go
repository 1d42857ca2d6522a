// Package blobtest is the conformance suite of the Blob port. Every implementation runs it, and so does any endpoint that
// the environment names.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/port"
)

// Run runs the suite. open returns a store that may be shared with other tests: the suite uses keys of its own.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"bodies come back whole", testRoundTrip},
		{"keys of all kinds", testKeys},
		{"keys that cannot be one are refused", testInvalid},
		{"what was never put is not found", testAbsent},
		{"a put may be repeated", testRepeat},
		{"the last put stays", testOverwrite},
		{"bodies are deleted by prefix", testDelete},
		{"a prefix is no folder", testPrefix},
		{"no more are deleted than asked for", testLimit},
		{"more than one request can delete", testMany},
		{"readers see whole bodies", testConcurrency},
		{"slices are not shared", testOwnership},
		{"a caller that gave up", testCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &suite{T: t, store: open(t), ctx: t.Context(), prefix: fmt.Sprintf("test-%016x", rand.Uint64())}
			t.Cleanup(func() {
				for more := true; more; {
					var err error
					if more, err = s.store.DeletePrefix(context.WithoutCancel(s.ctx), s.prefix, blob.MaxDeleteBatch); err != nil {
						t.Errorf("blobs under %s are left: %v", s.prefix, err)
						return
					}
				}
			})
			c.test(s)
		})
	}
}

type suite struct {
	*testing.T
	store  blob.Store
	ctx    context.Context
	prefix string // of all keys
}

func (s *suite) key(rest string) string { return s.prefix + "/" + rest }

func (s *suite) put(key string, data []byte) {
	s.Helper()
	if err := s.store.Put(s.ctx, key, data); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) want(key string, want []byte) {
	s.Helper()
	got, err := s.store.Get(s.ctx, key)
	if err != nil {
		s.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		s.Fatalf("%s has %d bytes %.20q, want %d bytes %.20q", key, len(got), got, len(want), want)
	}
}

func (s *suite) wantAbsent(key string) {
	s.Helper()
	if data, err := s.store.Get(s.ctx, key); !errors.Is(err, blob.ErrNotFound) {
		s.Fatalf("%s has %d bytes, error %v, want it not found", key, len(data), err)
	}
}

func (s *suite) wantCode(err error, want port.Code) {
	s.Helper()
	var pe *port.Error
	if !errors.As(err, &pe) {
		s.Fatalf("error %v is not the port's, want code %s", err, want)
	}
	if pe.Code != want {
		s.Fatalf("error %v has code %s, want %s", err, pe.Code, want)
	}
}

func random(n int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}

func testRoundTrip(s *suite) {
	for i, data := range [][]byte{
		{}, {0}, []byte("text\r\n"), []byte("\x28\xb5\x2f\xfd"), random(300 << 10), random(1<<20 + 1), random(8 << 20), nil,
	} {
		key := s.key(fmt.Sprintf("w/%d/hash", i))
		s.put(key, data)
		s.want(key, data)
	}
}

func testKeys(s *suite) {
	keys := []string{
		"wf/1/0123456789abcdef", "job.1/run#1/h", "with space/h", "grüße/你好/🙂", "a+b/h", "a%2Fb/h", "a%/h", "q?x=1&y#z/h", ".hidden/h", "..x/h",
		"UPPER/h", "upper/h", "a\\b/h", "=/h", "a=/h", "a/h+", "~/h", "deep/er/and/deep/er/h", "a", "a/b", "a/b/c", "colon:semi;*'\"<>|/h",
	}
	keys = append(keys, strings.Repeat("k", blob.MaxKeyBytes-len(s.prefix)-1), strings.Repeat("é/", 100)+"h")
	for _, k := range keys {
		s.put(s.key(k), []byte(k))
	}
	for _, k := range keys {
		s.want(s.key(k), []byte(k))
	}
	if more, err := s.store.DeletePrefix(s.ctx, s.prefix, len(keys)); more || err != nil {
		s.Fatalf("more %v, error %v", more, err)
	}
	for _, k := range keys {
		s.wantAbsent(s.key(k))
	}
}

func testInvalid(s *suite) {
	for _, k := range []string{
		"", "/a", "a/", "a//b", "/", strings.Repeat("k", blob.MaxKeyBytes+1), "a\xff/h", "a\x00b", "a\nb", "./a", "a/..", "a/../b",
	} {
		s.wantCode(s.store.Put(s.ctx, k, []byte("x")), port.CodeInvalid)
		_, err := s.store.Get(s.ctx, k)
		s.wantCode(err, port.CodeInvalid)
	}
	_, err := s.store.DeletePrefix(s.ctx, "", 10)
	s.wantCode(err, port.CodeInvalid)
	_, err = s.store.DeletePrefix(s.ctx, s.prefix, 0)
	s.wantCode(err, port.CodeInvalid)
}

func testAbsent(s *suite) {
	s.wantAbsent(s.key("never"))
	s.put(s.key("a/b/c"), []byte("x"))
	s.wantAbsent(s.key("a"))
	s.wantAbsent(s.key("a/b"))
	s.wantAbsent(s.key("a/b/c/d"))
	if more, err := s.store.DeletePrefix(s.ctx, s.key("nobody"), 10); more || err != nil {
		s.Errorf("delete of nothing: more %v, error %v", more, err)
	}
}

func testRepeat(s *suite) {
	data := random(5000)
	for range 3 {
		s.put(s.key("w/h"), data)
	}
	s.want(s.key("w/h"), data)
}

func testOverwrite(s *suite) {
	for _, text := range []string{"one", "", "three, and longer"} {
		s.put(s.key("w/h"), []byte(text))
		s.want(s.key("w/h"), []byte(text))
	}
}

func testDelete(s *suite) {
	mine, others := []string{"w/1/a", "w/1/b", "w/1/start/c"}, []string{"w/2/a", "w/10/a", "v/1/a"}
	for _, k := range slices.Concat(mine, others) {
		s.put(s.key(k), []byte(k))
	}
	for range 2 { // the second finds nothing
		if more, err := s.store.DeletePrefix(s.ctx, s.key("w/1/"), 100); more || err != nil {
			s.Fatalf("more %v, error %v", more, err)
		}
	}
	for _, k := range mine {
		s.wantAbsent(s.key(k))
	}
	for _, k := range others {
		s.want(s.key(k), []byte(k))
	}
	s.put(s.key(mine[0]), []byte("again"))
	s.want(s.key(mine[0]), []byte("again"))
}

func testPrefix(s *suite) {
	for _, k := range []string{"wa", "wb/1", "x/wc", "w"} {
		s.put(s.key(k), []byte(k))
	}
	if more, err := s.store.DeletePrefix(s.ctx, s.key("w"), 100); more || err != nil {
		s.Fatalf("more %v, error %v", more, err)
	}
	s.wantAbsent(s.key("w"))
	s.wantAbsent(s.key("wa"))
	s.wantAbsent(s.key("wb/1"))
	s.want(s.key("x/wc"), []byte("x/wc"))
}

func (s *suite) count(keys []string) (n int) {
	s.Helper()
	for _, k := range keys {
		switch _, err := s.store.Get(s.ctx, k); {
		case err == nil:
			n++
		case !errors.Is(err, blob.ErrNotFound):
			s.Fatal(err)
		}
	}
	return n
}

func testLimit(s *suite) {
	var keys []string
	for i := range 10 {
		keys = append(keys, s.key(fmt.Sprintf("w/%d/h", i)))
		s.put(keys[i], []byte("x"))
	}
	for _, c := range []struct {
		limit, left int
		more        bool
	}{{4, 6, true}, {4, 2, true}, {2, 0, false}} {
		more, err := s.store.DeletePrefix(s.ctx, s.key("w/"), c.limit)
		if err != nil || more != c.more {
			s.Fatalf("more %v, error %v, want more %v", more, err, c.more)
		}
		if n := s.count(keys); n != c.left {
			s.Fatalf("%d bodies are left, want %d", n, c.left)
		}
	}
}

// parallel is how many puts of a large set are under way at once.
const parallel = 16

func testMany(s *suite) {
	const n = blob.MaxDeleteBatch + 5
	var wg sync.WaitGroup
	free := make(chan struct{}, parallel)
	for i := range n {
		free <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-free }()
			if err := s.store.Put(s.ctx, s.key(fmt.Sprintf("w/%04d", i)), []byte("x")); err != nil {
				s.Error(err)
			}
		}()
	}
	wg.Wait()
	if more, err := s.store.DeletePrefix(s.ctx, s.key("w/"), n-1); !more || err != nil {
		s.Fatalf("more %v, error %v, want more", more, err)
	}
	if more, err := s.store.DeletePrefix(s.ctx, s.key("w/"), 2*n); more || err != nil {
		s.Fatalf("more %v, error %v", more, err)
	}
	s.wantAbsent(s.key("w/0000"))
	s.wantAbsent(s.key(fmt.Sprintf("w/%04d", n-1)))
}

func testConcurrency(s *suite) {
	const writers, rounds = 4, 20
	key := s.key("w/h")
	body := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 64<<10+i) }
	s.put(key, body(0))
	var wg sync.WaitGroup
	for i := range writers {
		wg.Add(2)
		go func() {
			defer wg.Done()
			for range rounds {
				if err := s.store.Put(s.ctx, key, body(i)); err != nil {
					s.Error(err)
					return
				}
			}
		}()
		go func() {
			defer wg.Done()
			for range rounds {
				got, err := s.store.Get(s.ctx, key)
				if err != nil {
					s.Error(err)
					return
				}
				if i := int(got[0] - 'a'); i < 0 || i >= writers || !bytes.Equal(got, body(i)) {
					s.Errorf("a reader saw %d bytes that nobody wrote", len(got))
					return
				}
			}
		}()
	}
	wg.Wait()
}

func testOwnership(s *suite) {
	data := []byte("unchanged")
	s.put(s.key("w/h"), data)
	clear(data)
	got, err := s.store.Get(s.ctx, s.key("w/h"))
	if err != nil {
		s.Fatal(err)
	}
	clear(got)
	s.want(s.key("w/h"), []byte("unchanged"))
}

func testCancelled(s *suite) {
	s.put(s.key("w/h"), []byte("x"))
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	s.wantCode(s.store.Put(ctx, s.key("w/i"), []byte("x")), port.CodeUnknown)
	_, err := s.store.Get(ctx, s.key("w/h"))
	s.wantCode(err, port.CodeUnknown)
	_, err = s.store.DeletePrefix(ctx, s.prefix, 10)
	s.wantCode(err, port.CodeUnknown)
}
