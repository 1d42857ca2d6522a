package conformance

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
)

// Stub is the HTTP server on loopback that HTTP steps of scenarios call; its address is `${stub}` in a scenario. The
// server under test must have 127.0.0.1 in its HTTP allow-list. It answers:
//
//	/status/N       with status N
//	/echo           with the request as JSON
//	/json/TEXT      with the text
//	/flaky/KEY/K    with 500 to the first K calls of that key, then 200
//	/slow/MS        after so many milliseconds
//	/size/BYTES     with so many bytes
//	/redirect/N     with 302 to /status/N
//	anything else   with 200
type Stub struct {
	server   *http.Server
	listener net.Listener
	mu       sync.Mutex
	calls    map[string]int // guarded by mu
}

// StartStub starts a stub on an address; "127.0.0.1:0" takes any free port.
func StartStub(addr string) (*Stub, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Stub{listener: l, calls: map[string]int{}}
	s.server = &http.Server{Handler: s}
	go s.server.Serve(l)
	return s, nil
}

// URL is the stub's address, without a slash at its end.
func (s *Stub) URL() string { return "http://" + s.listener.Addr().String() }

// Close ends the stub and every call that it is answering.
func (s *Stub) Close() error { return s.server.Close() }

func (s *Stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	status, out := http.StatusOK, "ok"
	switch parts[0] {
	case "status":
		status, out = arg(parts, 1, 200), "status "+strings.Join(parts[1:], "/")
	case "echo":
		out = echo(r, string(body))
	case "json":
		out = strings.Join(parts[1:], "/")
	case "flaky":
		s.mu.Lock()
		s.calls[parts[min(1, len(parts)-1)]]++
		seen := s.calls[parts[min(1, len(parts)-1)]]
		s.mu.Unlock()
		if seen <= arg(parts, 2, 0) {
			status, out = http.StatusInternalServerError, fmt.Sprintf("failure %d", seen)
		}
	case "slow":
		select {
		case <-time.After(time.Duration(arg(parts, 1, 0)) * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	case "size":
		out = strings.Repeat("x", arg(parts, 1, 0))
	case "redirect":
		status = http.StatusFound
		w.Header().Set("Location", fmt.Sprintf("/status/%d", arg(parts, 1, 200)))
	}
	if status < 200 || status > 999 { // not a final answer that net/http can give
		status, out = http.StatusBadRequest, "no such status"
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	w.WriteHeader(status)
	io.WriteString(w, out)
}

// arg is the number in the i-th part of a path, or def when there is none.
func arg(parts []string, i, def int) int {
	if i < len(parts) {
		if n, err := strconv.Atoi(parts[i]); err == nil && n >= 0 {
			return n
		}
	}
	return def
}

// echo is the request as JSON, with the `x-…` headers and the content type. The spelling matters, since it becomes
// part of a recorded artifact: blanks after colons and commas, keys sorted, everything beyond ASCII escaped.
func echo(r *http.Request, body string) string {
	var names []string
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-") || name == "content-type" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	headers := make([]string, len(names))
	for i, name := range names {
		headers[i] = asciiJSON(name) + ": " + asciiJSON(r.Header.Get(name))
	}
	return fmt.Sprintf(`{"body": %s, "headers": {%s}, "method": %s, "path": %s}`,
		asciiJSON(body), strings.Join(headers, ", "), asciiJSON(r.Method), asciiJSON(r.RequestURI))
}

func asciiJSON(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < ' ' || r > '~' && r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		case r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
