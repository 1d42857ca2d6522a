package step

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/timeline"
)

// HTTPType is the text of the step type Http, under which its output data is kept.
const HTTPType = "Http"

// HTTPArtifact is the key of the artifact of an HTTP step.
const HTTPArtifact = "maestro_http"

// HTTPConfig configures the runtime of HTTP steps.
type HTTPConfig struct {
	// AllowedHosts are the hosts that may be called, without port: a URL's host must equal one of them, in any letter
	// case. Empty blocks everything. An entry that is an IP address allows that address, whatever it is. An entry that is
	// a name allows the public addresses of the name only: see PrivateHosts.
	AllowedHosts []string
	// PrivateHosts are those names among AllowedHosts that may stand for an address inside the network too: loopback,
	// private (RFC 1918, RFC 4193) and shared (RFC 6598) addresses. `localhost` and names below `.localhost` need no entry:
	// for them loopback addresses, and only these, are right. Link-local addresses, and with them the metadata services
	// of clouds, are never right for a name.
	PrivateHosts []string

	ConnectTimeout time.Duration // from the lookup of the name until the connection stands [30 s]
	Timeout        time.Duration // of the whole exchange [30 s]
	MaxBytes       int64         // of the response's body, as announced and as read [1 MiB]

	// Lookup gives the addresses of a host name. nil asks the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// TLS holds the roots that are trusted besides other settings of TLS. nil is the system's.
	TLS *tls.Config
	// Limits bound the evaluation of state_expr. Zero fields are the production values.
	Limits sel.Limits
}

// HTTP is the runtime of the step type Http. It makes one request in each Poll; Start only answers DONE. The request is
// repeated when a result was lost before it was saved.
//
// What can be reached is decided twice: by the host in the URL, which must be allowed, and by the address to which the
// connection goes, which must be right for the host (HTTPConfig). The name is looked up once, all its addresses must
// pass, and the connection is made to one of these very addresses, so that a name cannot change its meaning in between.
// Redirects are not followed, and no proxy of the environment is used.
//
// The states: I/O errors, unknown names and expired times are PLATFORM_ERROR; whatever else is wrong with the request,
// the size of the response or state_expr is FATAL_ERROR; else state_expr decides.
type HTTP struct {
	config HTTPConfig
	rules  addressRules
}

// Lasts implements Lasting: a Poll is the whole exchange.
func (*HTTP) Lasts() bool { return true }

// stateTimeout bounds the evaluation of state_expr. It is far below Maestro's 120 s, for a function that runs into its
// own timeout here would repeat the request.
const stateTimeout = 15 * time.Second

// continueMillis is when an HTTP step is asked again whose state_expr gave CONTINUE.
const continueMillis = 3000

// NewHTTP makes the runtime. It fails for an entry of the configuration that cannot be meant.
func NewHTTP(config HTTPConfig) (*HTTP, error) {
	for _, d := range []struct {
		name  string
		value *time.Duration
	}{{"ConnectTimeout", &config.ConnectTimeout}, {"Timeout", &config.Timeout}} {
		if *d.value < 0 {
			return nil, fmt.Errorf("http step config: %s: must not be negative", d.name)
		}
		if *d.value == 0 {
			*d.value = 30 * time.Second
		}
	}
	if config.MaxBytes < 0 {
		return nil, errors.New("http step config: MaxBytes: must not be negative")
	}
	if config.MaxBytes == 0 {
		config.MaxBytes = 1 << 20
	}
	if config.Lookup == nil {
		config.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	var err error
	if config.AllowedHosts, err = hosts("AllowedHosts", config.AllowedHosts); err != nil {
		return nil, err
	}
	if config.PrivateHosts, err = hosts("PrivateHosts", config.PrivateHosts); err != nil {
		return nil, err
	}
	for _, h := range config.PrivateHosts {
		if !slices.Contains(config.AllowedHosts, h) {
			return nil, fmt.Errorf("http step config: PrivateHosts: %q is not among AllowedHosts", h)
		}
	}
	return &HTTP{config: config, rules: newAddressRules()}, nil
}

func hosts(field string, list []string) ([]string, error) {
	out := make([]string, len(list))
	for i, text := range list {
		h, err := Host(text)
		if err != nil {
			return nil, fmt.Errorf("http step config: %s: %q %w", field, text, err)
		}
		out[i] = h
	}
	return out, nil
}

// Host reads an entry of a list of hosts: a name or an IP address, the latter in brackets or not, in lower case without
// them. The error is the rule that the text breaks.
func Host(text string) (string, error) {
	h := strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "["), "]"))
	if h == "" || strings.ContainsAny(h, "/*@ ") {
		return "", errors.New("is not a host: it must be a name or an IP address, without scheme, path or wildcard")
	}
	if _, err := netip.ParseAddr(h); err != nil && strings.Contains(h, ":") {
		return "", errors.New("must not hold a port: a host is allowed with all its ports")
	}
	return h, nil
}

// Start has nothing to start.
func (h *HTTP) Start(context.Context, Call) (Result, error) { return Result{State: Done}, nil }

// Stop has nothing to stop: a request lives no longer than its Poll.
func (h *HTTP) Stop(context.Context, Call) (Result, error) { return Result{State: Stopped}, nil }

// Poll makes the request and lets state_expr judge the response. Its only error is the end of ctx.
func (h *HTTP) Poll(ctx context.Context, call Call) (Result, error) {
	r, err := readHTTPRequest(call.StepParams["http"].Result)
	if err != nil {
		return failure(FatalError, call.Now, "HTTP request cannot be made", err), nil
	}
	response, err := h.exchange(ctx, r)
	if err != nil {
		if ctx.Err() != nil {
			return Result{}, fmt.Errorf("http request: %w", ctx.Err())
		}
		state := FatalError
		if errors.As(err, new(ioError)) {
			state = PlatformError
		}
		return failure(state, call.Now, "HTTP request failed: "+r.method+" "+r.url.Redacted(), err), nil
	}
	output := &Output{JobType: HTTPType, JobID: call.StepUUID, Params: Artifacts{
		LongParam("status_code", int64(response.status), call.Now),
		StringParam("response_body", response.body, call.Now),
	}}
	got := fmt.Sprintf("HTTP response has status %d and %d characters", response.status, units(response.body))
	if err := output.Check(); err != nil {
		return failure(FatalError, call.Now, got, err), nil
	}
	state, err := h.judge(ctx, call, response)
	if err != nil {
		if ctx.Err() != nil {
			return Result{}, fmt.Errorf("http step: state_expr: %w", ctx.Err())
		}
		failed := failure(FatalError, call.Now, got+", but state_expr gives no state", err)
		failed.Output = output
		return failed, nil
	}
	result := Result{
		State:     state,
		Artifacts: Artifacts{r.artifact(state, response)},
		Timeline: []timeline.Event{
			timeline.Line(call.Now, "HTTP request: %s %s", r.method, r.url.Redacted()),
			timeline.LineAt(call.Now, timeline.Info, got),
			timeline.Line(call.Now, "HTTP step state: %s", state),
		},
		Output: output,
	}
	if state == Continue {
		result.NextPollMillis = continueMillis
	}
	return result, nil
}

func failure(state State, now int64, message string, err error) Result {
	return Result{State: state, Timeline: []timeline.Event{timeline.Failure(now, message, err.Error())}}
}

// judge evaluates the text of state_expr as an expression over the step's params, of which two are those just received.
func (h *HTTP) judge(ctx context.Context, call Call, response httpResponse) (State, error) {
	expr := call.StepParams["state_expr"].Text
	if expr == "" {
		return 0, errors.New("state_expr: must be a literal text")
	}
	inputs := make(map[string]sel.Value, len(call.StepParams)+2)
	for name, p := range call.StepParams {
		inputs[name] = p.Result
	}
	inputs["status_code"] = sel.Long(int64(response.status))
	inputs["response_body"] = sel.String(response.body)
	names, err := sel.ParameterNames(expr, h.config.Limits)
	if err != nil {
		return 0, fmt.Errorf("state_expr: %w", err)
	}
	for _, name := range names {
		if _, ok := inputs[name]; !ok && name != "params" {
			return 0, fmt.Errorf("state_expr: the step has no param %s", name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	v, err := sel.EvalParameter(ctx, expr, sel.Env{Inputs: inputs, NowMillis: call.Now, Limits: h.config.Limits})
	if err != nil {
		return 0, fmt.Errorf("state_expr: %w", err)
	}
	if v.Type() != sel.TypeString || v.IsNull() {
		return 0, fmt.Errorf("state_expr: gives a %s, must give the name of a state", v.Type())
	}
	state, ok := ParseState(strings.ToUpper(v.AsString()))
	if !ok {
		return 0, fmt.Errorf("state_expr: %q is no state", v.AsString())
	}
	return state, nil
}

// httpRequest is the param `http`, checked.
type httpRequest struct {
	raw     string // the URL as it was given
	url     *url.URL
	host    string // lower case, without brackets
	method  string
	headers [][2]string
	body    *string
}

// readHTTPRequest reads and checks the evaluated param `http`.
func readHTTPRequest(v sel.Value) (httpRequest, error) {
	r := httpRequest{method: http.MethodGet}
	if v.Type() != sel.TypeMap || v.IsNull() {
		return r, errors.New("param http: must be a MAP")
	}
	for _, e := range []struct {
		name string
		to   func(string)
	}{
		{"url", func(s string) { r.raw = s }},
		{"method", func(s string) { r.method = s }},
		{"body", func(s string) { r.body = &s }},
	} {
		m, ok := v.Get(e.name)
		if !ok || m.IsNull() {
			continue
		}
		if m.Type() != sel.TypeString {
			return r, fmt.Errorf("param http.%s: is a %s, must be a STRING", e.name, m.Type())
		}
		e.to(m.AsString())
	}
	if headers, ok := v.Get("headers"); ok && !headers.IsNull() {
		if headers.Type() != sel.TypeMap {
			return r, fmt.Errorf("param http.headers: is a %s, must be a STRING_MAP", headers.Type())
		}
		for _, e := range headers.Entries() {
			if e.NullKey || e.Value.Type() != sel.TypeString || e.Value.IsNull() {
				return r, fmt.Errorf("param http.headers: %s: must be a text", e.Key)
			}
			if err := checkHeader(e.Key, e.Value.AsString()); err != nil {
				return r, err
			}
			r.headers = append(r.headers, [2]string{e.Key, e.Value.AsString()})
		}
	}
	if !isToken(r.method) || r.method == http.MethodConnect {
		return r, fmt.Errorf("param http.method: %q cannot be used", r.method)
	}
	return r, r.readURL()
}

func (r *httpRequest) readURL() error {
	if r.raw == "" {
		return errors.New("param http.url: must not be empty")
	}
	// What a URI cannot hold; such characters must be escaped by whoever makes the URL.
	if i := strings.IndexFunc(r.raw, func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune("\"<>\\^`{|}", c) }); i >= 0 {
		return fmt.Errorf("param http.url: illegal character %q", r.raw[i])
	}
	u, err := url.Parse(r.raw)
	if err != nil {
		return fmt.Errorf("param http.url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("param http.url: scheme %q: must be http or https", u.Scheme)
	}
	r.host = strings.ToLower(u.Hostname())
	if r.host == "" || strings.Contains(r.host, "%") || strings.IndexFunc(r.host, func(c rune) bool { return c > 0x7e }) >= 0 {
		return fmt.Errorf("param http.url: %q is not a host", u.Hostname())
	}
	u.User = nil // Maestro's client ignores it; Go's would send it
	r.url = u
	return nil
}

// restrictedHeaders cannot be set by a step: they belong to the exchange itself.
var restrictedHeaders = []string{"connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"}

func checkHeader(name, value string) error {
	if !isToken(name) {
		return fmt.Errorf("param http.headers: %q is not the name of a header", name)
	}
	if slices.Contains(restrictedHeaders, strings.ToLower(name)) {
		return fmt.Errorf("param http.headers: %s cannot be set", name)
	}
	if strings.IndexFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) >= 0 {
		return fmt.Errorf("param http.headers: %s: must not hold control characters", name)
	}
	return nil
}

// isToken tells whether s is a token of HTTP, as methods and names of headers must be.
func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(c rune) bool {
		return !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune("!#$%&'*+-.^_`|~", c))
	}) < 0
}

func (r *httpRequest) artifact(state State, response httpResponse) Artifact {
	out := appendText([]byte(`{"request":{"url":`), r.raw)
	out = appendText(append(out, `,"method":`...), r.method)
	if len(r.headers) > 0 {
		headers := Artifacts{}
		for _, h := range r.headers {
			headers = append(headers, Artifact{Key: h[0], JSON: appendText(nil, h[1])})
		}
		out = append(append(out, `,"headers":`...), headers.object()...)
	}
	if r.body != nil {
		out = appendText(append(out, `,"body":`...), *r.body)
	}
	status := "SUCCESS"
	if state.Failed() {
		status = "FAILED"
	}
	out = append(out, `},"status":"`+status+`","status_code":`+strconv.Itoa(response.status)+`,"body":`...)
	out = appendText(out, response.body)
	return Artifact{Key: HTTPArtifact, JSON: append(out, `,"type":"HTTP"}`...)}
}

type httpResponse struct {
	status int
	body   string
}

// ioError marks what the network did, as against what the request asked for.
type ioError struct{ err error }

func (e ioError) Error() string { return e.err.Error() }
func (e ioError) Unwrap() error { return e.err }

// exchange sends the request and reads the response.
func (h *HTTP) exchange(ctx context.Context, r httpRequest) (httpResponse, error) {
	if !slices.Contains(h.config.AllowedHosts, r.host) {
		return httpResponse{}, fmt.Errorf("host [%s] is not in the allow-list", r.host)
	}
	ctx, cancel := context.WithTimeout(ctx, h.config.Timeout)
	defer cancel()
	connectBy := time.Now().Add(h.config.ConnectTimeout)
	addresses, err := h.addresses(ctx, r.host)
	if err != nil {
		return httpResponse{}, err
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return dial(ctx, addresses, port, connectBy)
		},
		TLSClientConfig:        h.config.TLS.Clone(),
		DisableKeepAlives:      true, // the next request of this host may be for other addresses
		DisableCompression:     true, // a body is counted as it is sent
		MaxResponseHeaderBytes: 64 << 10,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var body io.Reader = http.NoBody
	if r.body != nil && *r.body != "" {
		body = strings.NewReader(*r.body)
	}
	request, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), body)
	if err != nil {
		return httpResponse{}, err
	}
	request.Header.Set("User-Agent", "downbeat")
	for _, e := range r.headers {
		request.Header.Set(e[0], e[1])
	}
	response, err := client.Do(request)
	if err != nil {
		return httpResponse{}, ioError{err}
	}
	defer response.Body.Close()
	if response.ContentLength > h.config.MaxBytes {
		return httpResponse{}, fmt.Errorf("response: %d bytes announced: must not be more than %d", response.ContentLength, h.config.MaxBytes)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, h.config.MaxBytes+1))
	if err != nil {
		return httpResponse{}, ioError{fmt.Errorf("response: %w", err)}
	}
	if int64(len(data)) > h.config.MaxBytes {
		return httpResponse{}, fmt.Errorf("response: must not have more than %d bytes", h.config.MaxBytes)
	}
	return httpResponse{response.StatusCode, decodeUTF8(data)}, nil
}

// dial connects to the first of the addresses that answers; each has an equal share of the time that is left.
func dial(ctx context.Context, addresses []netip.Addr, port string, by time.Time) (net.Conn, error) {
	var failed error
	for i, a := range addresses {
		share := time.Until(by) / time.Duration(len(addresses)-i)
		if share <= 0 {
			return nil, errors.Join(failed, context.DeadlineExceeded)
		}
		dialer := net.Dialer{Timeout: share}
		c, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), port))
		if err == nil {
			return c, nil
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

// decodeUTF8 reads text as UTF-8; each longest beginning of a character that breaks off becomes one U+FFFD, as Java has it.
func decodeUTF8(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	var out strings.Builder
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n <= 1 {
			n = brokenLength(data)
		}
		out.WriteRune(r)
		data = data[n:]
	}
	return out.String()
}

// brokenLength is how many bytes at the beginning of data, which is no character, could have begun one.
func brokenLength(data []byte) int {
	lead, low, high := data[0], byte(0x80), byte(0xBF)
	need := 0
	switch {
	case lead >= 0xC2 && lead <= 0xDF:
		need = 1
	case lead >= 0xE0 && lead <= 0xEF:
		need = 2
	case lead >= 0xF0 && lead <= 0xF4:
		need = 3
	}
	switch lead {
	case 0xE0:
		low = 0xA0
	case 0xED:
		high = 0x9F
	case 0xF0:
		low = 0x90
	case 0xF4:
		high = 0x8F
	}
	n := 1
	for n <= need && n < len(data) && data[n] >= low && data[n] <= high {
		n, low, high = n+1, 0x80, 0xBF
	}
	return n
}
