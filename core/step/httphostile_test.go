package step

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostile answers every connection by what answer writes, and returns its URL and how many bytes were sent in all. answer
// ends with the first write that fails.
func hostile(t *testing.T, answer func(w io.Writer) error) (url string, sent func() int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var total int64
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				w := &counted{w: c}
				_ = answer(w) // the client goes away
				mu.Lock()
				total += w.n
				mu.Unlock()
			})
		}
	})
	stop := sync.OnceFunc(func() { l.Close(); open.Wait() })
	t.Cleanup(stop)
	return "http://" + l.Addr().String() + "/x", func() int64 { stop(); mu.Lock(); defer mu.Unlock(); return total }
}

type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// repeat writes a text until nobody reads it any more.
func repeat(w io.Writer, begin, text string) error {
	_, err := io.WriteString(w, begin)
	for err == nil {
		_, err = io.WriteString(w, text)
	}
	return err
}

// TestHTTPHostileServers: whatever a server sends, and for how long, the step ends, and has taken no more of it than its
// bounds and the buffers on the way.
func TestHTTPHostileServers(t *testing.T) {
	const bound, buffers = 64 << 10, 16 << 20
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := z.Write(make([]byte, 32<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1000)
	for name, c := range map[string]struct {
		answer func(w io.Writer) error
		state  State
		says   string
	}{
		"endless body": {func(w io.Writer) error { return repeat(w, "HTTP/1.1 200 OK\r\n\r\n", line) }, FatalError, "more than"},
		"endless chunks": {func(w io.Writer) error {
			return repeat(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3e8\r\n"+line+"\r\n")
		}, FatalError, "more than"},
		"one endless chunk": {func(w io.Writer) error {
			return repeat(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n", line)
		}, FatalError, "more than"},
		"endless chunk line": {func(w io.Writer) error {
			return repeat(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", line)
		}, PlatformError, "too long"},
		"endless trailer": {func(w io.Writer) error {
			return repeat(w, "HTTP/1.1 200 OK\r\nTrailer: T\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: ", line)
		}, PlatformError, "trailer"},
		"endless headers":     {func(w io.Writer) error { return repeat(w, "HTTP/1.1 200 OK\r\n", "X: "+line+"\r\n") }, PlatformError, "header"},
		"one endless header":  {func(w io.Writer) error { return repeat(w, "HTTP/1.1 200 OK\r\nX: ", line) }, PlatformError, "header"},
		"endless status line": {func(w io.Writer) error { return repeat(w, "HTTP/1.1 200 ", line) }, PlatformError, "header"},
		"endless 103":         {func(w io.Writer) error { return repeat(w, "", "HTTP/1.1 103 Early Hints\r\nX: "+line+"\r\n\r\n") }, PlatformError, "exceeded"},
		"negative length":     {func(w io.Writer) error { return repeat(w, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", line) }, PlatformError, "Content-Length"},
		"two lengths": {func(w io.Writer) error {
			return repeat(w, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", line)
		}, PlatformError, "Content-Length"},
	} {
		t.Run(name, func(t *testing.T) {
			at, sent := hostile(t, c.answer)
			h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"127.0.0.1"}, MaxBytes: bound})
			r := poll(t, h, httpCall(mapOf("url", at), defaultState))
			if r.State != c.state || r.Output != nil {
				t.Errorf("result: %+v, want %s", r, c.state)
			}
			if got := strings.Join(r.Timeline[0].Errors, " "); !strings.Contains(got, c.says) {
				t.Errorf("says %q, want %q", got, c.says)
			}
			if n := sent(); n > buffers {
				t.Errorf("%d bytes were sent before the step went away", n)
			}
		})
	}
	t.Run("a bomb", func(t *testing.T) {
		at, _ := hostile(t, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", bomb.Len(), bomb.Bytes())
			return err
		})
		h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"127.0.0.1"}, MaxBytes: bound})
		r, err := readHTTPRequest(mapOf("url", at, "headers", mapOf("Accept-Encoding", "gzip")))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := h.exchange(t.Context(), r); err != nil || len(got.body) > 3*bomb.Len() {
			t.Errorf("%d bytes of body, error %v: what is packed must stay so", len(got.body), err)
		}
	})
	t.Run("a drip", func(t *testing.T) {
		gone := make(chan struct{})
		at, _ := hostile(t, func(w io.Writer) error {
			_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\n\r\nx")
			<-gone
			return err
		})
		defer close(gone)
		h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"127.0.0.1"}, Timeout: 20 * time.Millisecond})
		if r := poll(t, h, httpCall(mapOf("url", at), defaultState)); r.State != PlatformError {
			t.Errorf("result: %+v", r)
		}
	})
}

// TestHTTPDoesNotFollow: a redirect is a response like others, wherever it points and whatever the method.
func TestHTTPDoesNotFollow(t *testing.T) {
	followed := false
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer inner.Close()
	var to string
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", to)
		w.Header().Set("Refresh", "0; url="+to)
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
	}))
	defer outer.Close()
	h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"127.0.0.1"}})
	for _, to = range []string{inner.URL, "http://169.254.169.254/latest/meta-data/", "//localhost/", "file:///etc/passwd"} {
		for _, status := range []string{"300", "301", "302", "303", "307", "308"} {
			for _, method := range []string{"GET", "POST"} {
				r := poll(t, h, httpCall(mapOf("url", outer.URL+"/"+status, "method", method), `return status_code >= 300 && status_code < 400 ? 'DONE' : 'FATAL_ERROR';`))
				if r.State != Done || followed {
					t.Errorf("%s %s to %s: %+v, followed: %v", method, status, to, r, followed)
				}
			}
		}
	}
}

// TestHTTPSpellingsOfAddresses: an address is what the allow-list spells. Whatever the resolver makes of another spelling,
// as some do of decimal, octal and short ones, is checked like any address of a name.
func TestHTTPSpellingsOfAddresses(t *testing.T) {
	spellings := []string{"2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "127.1", "127.0.0.1.", "metadata", "2852039166", "0xa9fea9fe", "169.254.43518"}
	address := ""
	h := newHTTP(t, HTTPConfig{AllowedHosts: append([]string{"127.0.0.1", "10.0.0.1"}, spellings...), Lookup: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr(address)}, nil
	}})
	for _, address = range []string{"127.0.0.1", "169.254.169.254", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "::ffff:0:0",
		"198.18.0.1", "192.0.0.192", "240.0.0.1", "3fff::1", "5f00::1", "fe80::1%eth0"} {
		for _, host := range spellings {
			if r := poll(t, h, httpCall(mapOf("url", "http://"+host+"/x"), defaultState)); r.State != FatalError || !strings.Contains(r.Timeline[0].Errors[0], "not allowed") {
				t.Errorf("%s at %s: %+v", host, address, r)
			}
		}
	}
	for _, host := range []string{"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:10.0.0.1]", "0xa.0.0.1", "10.0.1", "%31%30.0.0.1", "10.0.0.1%2e", "10。0。0。1"} {
		if r := poll(t, h, httpCall(mapOf("url", "http://"+host+"/x"), defaultState)); r.State != FatalError {
			t.Errorf("%s: %+v", host, r)
		}
	}
}

// TestHTTPLooksUpForEveryRequest: a name that changed its meaning since the last request is checked again.
func TestHTTPLooksUpForEveryRequest(t *testing.T) {
	s := server(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
	address := "127.0.0.1"
	h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"job.example"}, PrivateHosts: []string{"job.example"}, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr(address)}, nil
	}})
	call := httpCall(mapOf("url", "http://job.example:"+port+"/status/200"), defaultState)
	if r := poll(t, h, call); r.State != Done {
		t.Fatalf("%+v", r)
	}
	address = "169.254.169.254"
	if r := poll(t, h, call); r.State != FatalError {
		t.Errorf("after it was bound to the metadata service: %+v", r)
	}
}
