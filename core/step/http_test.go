package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/timeline"
)

// defaultState is a state_expr of the shape that a step has by default.
const defaultState = `if (status_code >= 200 && status_code < 300) return 'DONE'; if (status_code >= 400 && status_code < 500) return 'FATAL_ERROR'; return 'USER_ERROR';`

// mapOf makes a MAP from names and values.
func mapOf(pairs ...any) sel.Value {
	var entries []sel.Entry
	for i := 0; i < len(pairs); i += 2 {
		v, ok := pairs[i+1].(sel.Value)
		if !ok {
			v = sel.String(pairs[i+1].(string))
		}
		entries = append(entries, sel.Entry{Key: pairs[i].(string), Value: v})
	}
	return sel.Map(entries)
}

func httpCall(http sel.Value, stateExpr string) Call {
	return Call{StepUUID: "uuid-1", Now: 1_700_000_000_000, StepParams: Params{
		"http":          {Result: http},
		"state_expr":    {Text: stateExpr, Result: sel.String(stateExpr)},
		"status_code":   {Result: sel.Long(200)},
		"response_body": {Result: sel.String("")},
		"threshold":     {Result: sel.Long(5)},
	}}
}

func newHTTP(t *testing.T, config HTTPConfig) *HTTP {
	t.Helper()
	h, err := NewHTTP(config)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func poll(t *testing.T, h *HTTP, call Call) Result {
	t.Helper()
	r, err := h.Poll(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again Result
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if twice, err := json.Marshal(again); err != nil || string(twice) != string(data) {
		t.Errorf("travels as %s, error %v, want %s", twice, err, data)
	}
	return r
}

// server answers /status/N, /echo, /bytes/N, /chunked/N, /lie/N (announces N bytes, sends none), /drop, /redirect.
func server(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		what, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		fmt.Sscanf(strings.TrimPrefix(r.URL.Path, "/"+what+"/"), "%d", &n)
		switch what {
		case "status":
			w.WriteHeader(n)
			fmt.Fprintf(w, "status %d", n)
		case "echo":
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s host=%s accept=%q agent=%q auth=%q encoding=%q body=%q", r.Method, r.URL.RequestURI(), r.Host,
				r.Header.Get("Accept"), r.Header.Get("User-Agent"), r.Header.Get("Authorization"), r.Header.Get("Accept-Encoding"), body)
		case "bytes":
			io.WriteString(w, strings.Repeat("x", n))
		case "chunked":
			for ; n > 0; n -= 1024 {
				io.WriteString(w, strings.Repeat("x", min(n, 1024)))
				w.(http.Flusher).Flush()
			}
		case "lie":
			w.Header().Set("Content-Length", fmt.Sprint(n))
		case "broken":
			w.Write([]byte("a\xe2\x82b\xff"))
		case "drop":
			panic(http.ErrAbortHandler)
		case "redirect":
			http.Redirect(w, r, "/status/200", http.StatusFound)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestHTTPExchange(t *testing.T) {
	s := server(t)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"127.0.0.1"}})
	for name, c := range map[string]struct {
		http   sel.Value
		status int
		body   string
	}{
		"plain":    {mapOf("url", s.URL+"/echo?a=b%20c#part"), 200, `GET /echo?a=b%20c host=` + u.Host + ` accept="" agent="downbeat" auth="" encoding="" body=""`},
		"headers":  {mapOf("url", s.URL+"/echo", "headers", mapOf("accept", "text/x", "User-Agent", "mine")), 200, `GET /echo host=` + u.Host + ` accept="text/x" agent="mine" auth="" encoding="" body=""`},
		"body":     {mapOf("url", s.URL+"/echo", "method", "POST", "body", "hello"), 200, `POST /echo host=` + u.Host + ` accept="" agent="downbeat" auth="" encoding="" body="hello"`},
		"any verb": {mapOf("url", s.URL+"/echo", "method", "PURGE", "body", sel.NullOf(sel.TypeString)), 200, `PURGE /echo host=` + u.Host + ` accept="" agent="downbeat" auth="" encoding="" body=""`},
		"userinfo": {mapOf("url", "http://ann:secret@"+u.Host+"/echo"), 200, `GET /echo host=` + u.Host + ` accept="" agent="downbeat" auth="" encoding="" body=""`},
		"404":      {mapOf("url", s.URL+"/status/404"), 404, "status 404"},
		"redirect": {mapOf("url", s.URL+"/redirect"), 302, "<a href=\"/status/200\">Found</a>.\n\n"},
		"no UTF-8": {mapOf("url", s.URL+"/broken"), 200, "a\ufffdb\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := readHTTPRequest(c.http)
			if err != nil {
				t.Fatal(err)
			}
			got, err := h.exchange(t.Context(), r)
			if err != nil || got.status != c.status || got.body != c.body {
				t.Errorf("response %d %q, error %v, want %d %q", got.status, got.body, err, c.status, c.body)
			}
		})
	}
}

func TestHTTPErrors(t *testing.T) {
	s := server(t)
	closed := httptest.NewServer(nil)
	closed.Close()
	refused := errors.New("no such host")
	lookup := func(_ context.Context, host string) ([]netip.Addr, error) {
		switch host {
		case "inside.example":
			return []netip.Addr{netip.MustParseAddr("10.1.2.3")}, nil
		case "both.example":
			return []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("127.0.0.1")}, nil
		case "empty.example":
			return nil, nil
		}
		return nil, refused
	}
	h := newHTTP(t, HTTPConfig{
		AllowedHosts: []string{"127.0.0.1", "inside.example", "both.example", "empty.example", "unknown.example"},
		Lookup:       lookup, MaxBytes: 5000, Timeout: 10 * time.Second,
	})
	for name, c := range map[string]struct {
		http  sel.Value
		state State
		says  string
	}{
		"no map":                  {sel.String("x"), FatalError, "must be a MAP"},
		"no url":                  {mapOf("method", "GET"), FatalError, "http.url"},
		"url is a number":         {mapOf("url", sel.Long(7)), FatalError, "http.url: is a LONG"},
		"url of words":            {mapOf("url", "http://127.0.0.1/a b"), FatalError, "illegal character"},
		"no scheme":               {mapOf("url", "127.0.0.1/x"), FatalError, "scheme"},
		"another scheme":          {mapOf("url", "file:///etc/passwd"), FatalError, "scheme"},
		"no host":                 {mapOf("url", "http:///x"), FatalError, "not a host"},
		"a zone":                  {mapOf("url", "http://[fe80::1%25eth0]/x"), FatalError, "not a host"},
		"host not allowed":        {mapOf("url", "http://localhost/x"), FatalError, "allow-list"},
		"the same address":        {mapOf("url", "http://127.1/x"), FatalError, "allow-list"},
		"a name below":            {mapOf("url", "http://x.both.example/x"), FatalError, "allow-list"},
		"user info as host":       {mapOf("url", "http://127.0.0.1@evil.example/x"), FatalError, "allow-list"},
		"a private address":       {mapOf("url", "http://inside.example/x"), FatalError, "10.1.2.3 is not allowed"},
		"one of two is private":   {mapOf("url", "http://both.example/x"), FatalError, "127.0.0.1 is not allowed"},
		"unknown name":            {mapOf("url", "http://unknown.example/x"), PlatformError, "no such host"},
		"name without addresses":  {mapOf("url", "http://empty.example/x"), PlatformError, "no address"},
		"nobody listens":          {mapOf("url", closed.URL+"/x"), PlatformError, "refused"},
		"dropped":                 {mapOf("url", s.URL+"/drop"), PlatformError, "EOF"},
		"https to an http server": {mapOf("url", strings.Replace(s.URL, "http:", "https:", 1)+"/status/200"), PlatformError, "HTTPS"},
		"body breaks off":         {mapOf("url", s.URL+"/lie/4000"), PlatformError, "EOF"},
		"announced too large":     {mapOf("url", s.URL+"/lie/5001"), FatalError, "announced"},
		"read too large":          {mapOf("url", s.URL+"/chunked/5001"), FatalError, "more than 5000"},
		"bad method":              {mapOf("url", s.URL+"/x", "method", "GET /"), FatalError, "http.method"},
		"empty method":            {mapOf("url", s.URL+"/x", "method", ""), FatalError, "http.method"},
		"connect":                 {mapOf("url", s.URL+"/x", "method", "CONNECT"), FatalError, "http.method"},
		"host header":             {mapOf("url", s.URL+"/x", "headers", mapOf("Host", "other")), FatalError, "Host cannot be set"},
		"split header":            {mapOf("url", s.URL+"/x", "headers", mapOf("X", "a\r\nY: b")), FatalError, "control characters"},
		"header name":             {mapOf("url", s.URL+"/x", "headers", mapOf("X Y", "a")), FatalError, "not the name of a header"},
		"header is a number":      {mapOf("url", s.URL+"/x", "headers", mapOf("X", sel.Long(1))), FatalError, "must be a text"},
		"headers are a text":      {mapOf("url", s.URL+"/x", "headers", "X: 1"), FatalError, "STRING_MAP"},
		"body is a map":           {mapOf("url", s.URL+"/x", "body", mapOf()), FatalError, "http.body"},
	} {
		t.Run(name, func(t *testing.T) {
			r := poll(t, h, httpCall(c.http, defaultState))
			if r.State != c.state || len(r.Timeline) != 1 || r.Timeline[0].Type != timeline.Details {
				t.Fatalf("result: %+v, want %s", r, c.state)
			}
			if got := strings.Join(r.Timeline[0].Errors, " "); !strings.Contains(got, c.says) {
				t.Errorf("says %q, want %q", got, c.says)
			}
			if len(r.Artifacts) != 0 || r.Output != nil {
				t.Errorf("artifacts %v, output %v", r.Artifacts, r.Output)
			}
		})
	}
}

func TestHTTPEmptyAllowListBlocksEverything(t *testing.T) {
	s := server(t)
	r := poll(t, newHTTP(t, HTTPConfig{}), httpCall(mapOf("url", s.URL+"/status/200"), defaultState))
	if r.State != FatalError {
		t.Errorf("state %s", r.State)
	}
}

func TestHTTPBodyOfExactlyTheBound(t *testing.T) {
	s := server(t)
	h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"127.0.0.1"}, MaxBytes: 5000})
	for _, path := range []string{"/bytes/5000", "/chunked/5000"} {
		r, err := readHTTPRequest(mapOf("url", s.URL+path))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := h.exchange(t.Context(), r); err != nil || len(got.body) != 5000 {
			t.Errorf("%s: %d bytes, error %v", path, len(got.body), err)
		}
	}
}

func TestHTTPConnectsToTheAddressThatWasChecked(t *testing.T) {
	s := server(t)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	lookups := 0
	h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"Job.Example"}, PrivateHosts: []string{"JOB.example"}, Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
		lookups++
		if host != "job.example" || lookups > 1 {
			t.Errorf("lookup %d of %s", lookups, host)
		}
		return []netip.Addr{netip.MustParseAddr("::ffff:127.0.0.1")}, nil
	}})
	r, err := readHTTPRequest(mapOf("url", "http://JOB.example:"+u.Port()+"/echo"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.exchange(t.Context(), r)
	if err != nil || !strings.Contains(got.body, "host=JOB.example:"+u.Port()) {
		t.Errorf("response %q, error %v", got.body, err)
	}
}

func TestHTTPTriesTheNextAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(t.Context(), []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")}, port, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := dial(t.Context(), []netip.Addr{netip.MustParseAddr("127.0.0.1")}, port, time.Now().Add(-time.Second)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the time: %v", err)
	}
}

func TestHTTPEndOfTheCallersContext(t *testing.T) {
	s := server(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"127.0.0.1"}})
	if r, err := h.Poll(ctx, httpCall(mapOf("url", s.URL+"/status/200"), defaultState)); !errors.Is(err, context.Canceled) {
		t.Errorf("result %+v, error %v: want an error, so that the call is repeated", r, err)
	}
}

func TestHTTPOwnTimeout(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer s.Close()
	defer close(release)
	h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"127.0.0.1"}, Timeout: 20 * time.Millisecond})
	if r := poll(t, h, httpCall(mapOf("url", s.URL), defaultState)); r.State != PlatformError {
		t.Errorf("result: %+v", r)
	}
}

func TestHTTPAddresses(t *testing.T) {
	answers := map[string][]string{}
	h := newHTTP(t, HTTPConfig{
		AllowedHosts: []string{"localhost", "a.localhost", "public", "private", "10.0.0.1"}, PrivateHosts: []string{"private"},
		Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			var out []netip.Addr
			for _, a := range answers[host] {
				out = append(out, netip.MustParseAddr(a))
			}
			return out, nil
		},
	})
	for address, c := range map[string]struct{ public, private, local bool }{
		"93.184.215.14":          {true, true, false},
		"2606:2800:21f::1":       {true, true, false},
		"64:ff9b::5db8:d70e":     {true, true, false}, // 93.184.215.14
		"64:ff9b::a01:203":       {false, false, false},
		"127.0.0.1":              {false, true, true},
		"127.9.9.9":              {false, true, true},
		"::1":                    {false, true, true},
		"::ffff:127.0.0.1":       {false, true, true},
		"10.1.2.3":               {false, true, false},
		"::ffff:10.1.2.3":        {false, true, false},
		"172.16.0.1":             {false, true, false},
		"172.32.0.1":             {true, true, false},
		"192.168.0.1":            {false, true, false},
		"100.64.0.1":             {false, true, false},
		"fd12::1":                {false, true, false},
		"169.254.169.254":        {false, false, false},
		"::ffff:169.254.169.254": {false, false, false},
		"fd00:ec2::254":          {false, false, false},
		"100.100.100.200":        {false, false, false},
		"fe80::1":                {false, false, false},
		"0.0.0.0":                {false, false, false},
		"::":                     {false, false, false},
		"224.0.0.1":              {false, false, false},
		"255.255.255.255":        {false, false, false},
		"ff02::1":                {false, false, false},
		"2002:7f00:1::":          {false, false, false},
		"2001:0:1::":             {false, false, false},
		"fec0::1":                {false, false, false},
	} {
		for host, want := range map[string]bool{"public": c.public, "private": c.private, "localhost": c.local, "a.localhost": c.local} {
			answers[host] = []string{address}
			_, err := h.addresses(t.Context(), host)
			if (err == nil) != want {
				t.Errorf("%s for %s: error %v, want it allowed: %v", address, host, err, want)
			}
			if err != nil && errors.As(err, new(ioError)) {
				t.Errorf("%s for %s: %v is taken for an I/O error", address, host, err)
			}
		}
	}
	if got, err := h.addresses(t.Context(), "10.0.0.1"); err != nil || len(got) != 1 {
		t.Errorf("an address that is allowed itself: %v, error %v", got, err)
	}
}

func TestNewHTTPRefuses(t *testing.T) {
	for says, c := range map[string]HTTPConfig{
		"ConnectTimeout":      {ConnectTimeout: -1},
		"Timeout: must":       {Timeout: -1},
		"MaxBytes":            {MaxBytes: -1},
		"not a host":          {AllowedHosts: []string{"*.example"}},
		`"http://h/"`:         {AllowedHosts: []string{"http://h/"}},
		"port":                {AllowedHosts: []string{"h:80"}},
		`AllowedHosts: ""`:    {AllowedHosts: []string{""}},
		"is not among":        {AllowedHosts: []string{"a"}, PrivateHosts: []string{"b"}},
		"PrivateHosts: \"/\"": {PrivateHosts: []string{"/"}},
	} {
		if _, err := NewHTTP(c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want %q", err, says)
		}
	}
	if _, err := NewHTTP(HTTPConfig{AllowedHosts: []string{"[::1]", "fe80::1", "A.b"}}); err != nil {
		t.Errorf("good hosts: %v", err)
	}
}

func TestDecodeUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"plain ä€😀":            "plain ä€😀",
		"\xef\xbb\xbfx":        "\ufeffx",
		"\xff":                 "\ufffd",
		"\xe2\x82":             "\ufffd",
		"\xe2\x82z":            "\ufffdz",
		"\xe2z":                "\ufffdz",
		"\xf0\x9f\x98":         "\ufffd",
		"\xf0\x9f\x98\xe2":     "\ufffd\ufffd",
		"\xed\xa0\x80":         "\ufffd\ufffd\ufffd", // a surrogate
		"\xc0\xaf":             "\ufffd\ufffd",       // overlong
		"\xf4\x90\x80\x80":     "\ufffd\ufffd\ufffd\ufffd",
		"\x80\xbf":             "\ufffd\ufffd",
		"\xef\xbf\xbd\xe0\x80": "\ufffd\ufffd\ufffd",
	} {
		if got := decodeUTF8([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
