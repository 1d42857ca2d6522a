// Package api is the REST surface: Maestro's calls under /api/v3, its three families of errors, its content types and
// its order of checks. Handlers read the request, call package app, and write what package view or definition encodes.
package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/fault"
)

// Config is what the REST surface is made of. App is required.
type Config struct {
	App *app.App
	Log *slog.Logger
	// Caller finds who calls when the `user` header must not be trusted: it returns the name that the authoriser
	// proved, false when there is none. Nil: the header is taken literally, as Maestro does.
	Caller func(r *http.Request) (string, bool)
}

// API serves the calls. Make one with New.
type API struct {
	app *app.App
	cfg Config
	log *slog.Logger
}

// New makes the handler of all calls.
func New(cfg Config) (http.Handler, error) {
	if cfg.App == nil {
		return nil, errors.New("api: config App is required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{app: cfg.App, cfg: cfg, log: cfg.Log}
	mux := http.NewServeMux()
	byPath := map[string]map[string]route{}
	for _, r := range a.routes() {
		if byPath[r.path] == nil {
			byPath[r.path] = map[string]route{}
		}
		byPath[r.path][r.method] = r
	}
	for path, methods := range byPath {
		mux.Handle(path, a.dispatch(methods))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.problem(w, r, http.StatusNotFound, "Not Found", "No static resource "+strings.TrimPrefix(r.URL.Path, "/")+".")
	})
	return a.edge(mux), nil
}

// content is the request content type that a call insists on.
type content uint8

const (
	anyContent content = iota
	jsonContent
	yamlContent
)

// route is one call. handle returns the answer or an error, which becomes family A.
type route struct {
	method, path string
	content      content
	// needsUser: the caller is recorded, a missing name is a 400.
	needsUser bool
	// produces is a media type that the call answers in besides JSON, "" for none.
	produces string
	handle   func(*call) (answer, error)
}

// answer is a successful response.
type answer struct {
	status int // 0 is 200
	// body is JSON as it is, or raw text where Maestro returns a bare string. Empty: no body.
	body []byte
	// contentType, if not application/json.
	contentType string
}

func ok(body []byte) (answer, error) { return answer{body: body}, nil }

// call is a request on its way through a handler.
type call struct {
	*http.Request
	api  *API
	user string
	body []byte
}

// edge does what holds for every request before it is routed.
func (a *API) edge(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		escaped := r.URL.EscapedPath()
		lower := strings.ToLower(escaped)
		if strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") {
			// Maestro's container refuses these before any handler sees them.
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if clean := cleanPath(escaped); clean != escaped {
			unescaped, err := url.PathUnescape(clean)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = unescaped, clean
		}
		defer func() {
			if p := recover(); p != nil {
				// A handler that dies must not take the server with it; the stack goes to the log, not to the caller.
				a.log.ErrorContext(r.Context(), "handler died", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", stack())
				a.family(w, &fault.Error{Code: fault.InternalError, Message: "internal error"})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// cleanPath strips matrix parameters from the segments of an escaped path and resolves dots and doubled slashes, as
// Maestro's container does; the mux would redirect instead. A slash at the end stays: such a path is not found.
func cleanPath(escaped string) string {
	segments := strings.Split(escaped, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	stripped := "/" + strings.Join(segments, "/")
	clean := path.Clean(stripped)
	if strings.HasSuffix(stripped, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

func (a *API) dispatch(methods map[string]route) http.Handler {
	var allowed []string
	for m := range methods {
		allowed = append(allowed, m)
		if m == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	sort.Strings(allowed)
	allow := strings.Join(allowed, ",")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		rt, found := methods[method]
		if !found {
			w.Header().Set("Allow", allow)
			if r.Method == http.MethodOptions {
				w.Header().Set("Allow", allow+",OPTIONS")
				w.WriteHeader(http.StatusOK)
				return
			}
			a.problem(w, r, http.StatusMethodNotAllowed, "Method Not Allowed", "Method '"+r.Method+"' is not supported.")
			return
		}
		a.serve(w, r, rt)
	})
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, rt route) {
	if accept := r.Header.Values("Accept"); !accepts(accept, "application/json") && (rt.produces == "" || !accepts(accept, rt.produces)) {
		a.problem(w, r, http.StatusNotAcceptable, "Not Acceptable", "Acceptable representations: [application/json].")
		return
	}
	if want, has := rt.content.mediaType(), r.Header.Get("Content-Type"); want != "" {
		got, _, err := mime.ParseMediaType(has)
		if has == "" || err != nil || got != want {
			w.Header().Set("Accept", want)
			shown := "null"
			if has != "" {
				shown = "'" + has + "'"
			}
			a.problem(w, r, http.StatusUnsupportedMediaType, "Unsupported Media Type", "Content-Type "+shown+" is not supported.")
			return
		}
	}
	c := &call{Request: r, api: a}
	if rt.content != anyContent {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				a.family(w, fault.New(fault.BadRequest, "the request body has more than %d bytes", maxBody))
			} else {
				a.family(w, fault.New(fault.BadRequest, "the request body cannot be read"))
			}
			return
		}
		c.body = body
	}
	ans, err := func() (answer, error) {
		if rt.needsUser && rt.content == anyContent {
			if err := c.identify(); err != nil {
				return answer{}, err
			}
		}
		return rt.handle(c)
	}()
	if err != nil {
		a.fail(w, r, err)
		return
	}
	ct := ans.contentType
	if ct == "" {
		ct = "application/json"
	}
	if len(ans.body) > 0 || ans.contentType != "" {
		w.Header().Set("Content-Type", ct)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(ans.body)))
	if ans.status != 0 {
		w.WriteHeader(ans.status)
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(ans.body)
	}
}

// maxBody bounds what is read of a request. Definitions are limited to 256 KB of their JSON form; the same in YAML, or
// with blanks, may be larger.
const maxBody = 8 << 20

func (c content) mediaType() string {
	switch c {
	case jsonContent:
		return "application/json"
	case yamlContent:
		return "application/yaml"
	}
	return ""
}

// accepts tells whether the values of an Accept header allow a media type below application/.
func accepts(accept []string, want string) bool {
	joined := strings.TrimSpace(strings.Join(accept, ","))
	if joined == "" {
		return true
	}
	for _, part := range strings.Split(joined, ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		if q, has := params["q"]; has {
			if f, err := strconv.ParseFloat(q, 64); err == nil && f == 0 {
				continue
			}
		}
		switch media {
		case "*/*", "application/*", want:
			return true
		}
	}
	return false
}

// identify finds the caller. Handlers of calls with a body do it after the body was read and checked: Maestro complains
// of the body first.
func (c *call) identify() error {
	if c.api.cfg.Caller != nil {
		if name, ok := c.api.cfg.Caller(c.Request); ok {
			c.user = name
			return nil
		}
		return fault.New(fault.BadRequest, "the caller is not known: the request has no authorised identity")
	}
	values, has := c.Header["User"]
	if !has {
		return fault.New(fault.BadRequest, "user name is missing: the header `user` is required")
	}
	c.user = values[0]
	return nil
}

// fail writes an error in its family.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var bad *badVariable
	if errors.As(err, &bad) {
		a.problem(w, r, http.StatusBadRequest, "Bad Request", bad.detail)
		return
	}
	f := fault.Of(err)
	if f.Code == fault.InternalError {
		a.log.ErrorContext(r.Context(), "call failed", "method", r.Method, "path", r.URL.Path, "error", err)
		if r.Context().Err() != nil {
			return
		}
	}
	a.family(w, f)
}

// family writes family A: what the application decided.
func (a *API) family(w http.ResponseWriter, f *fault.Error) {
	body := struct {
		Status  fault.Code `json:"status"`
		Message string     `json:"message,omitempty"`
		Errors  []string   `json:"errors,omitempty"`
	}{f.Code, f.Message, f.Errors}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body)
	out := bytes.TrimRight(buf.Bytes(), "\n")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	w.WriteHeader(f.Status())
	_, _ = w.Write(out)
}

// problem writes family B: what the transport decided.
func (a *API) problem(w http.ResponseWriter, r *http.Request, status int, title, detail string) {
	out, _ := json.Marshal(struct {
		Type       string  `json:"type"`
		Title      string  `json:"title"`
		Status     int     `json:"status"`
		Detail     string  `json:"detail"`
		Instance   string  `json:"instance"`
		Properties *string `json:"properties"`
	}{"about:blank", title, status, detail, r.URL.Path, nil})
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(out)
	}
}

// badVariable is a path or query value of the wrong type, or a missing one: family B.
type badVariable struct{ detail string }

func (e *badVariable) Error() string { return e.detail }

func failedConversion(name, value, kind string) error {
	return &badVariable{fmt.Sprintf("Failed to convert '%s' with value: '%s' to %s", name, value, kind)}
}

// pathLong reads a path variable that must be a long.
func (c *call) pathLong(name string) (int64, error) {
	text := c.PathValue(name)
	n, ok := parseLong(text)
	if !ok {
		return 0, failedConversion(name, text, "long")
	}
	return n, nil
}

// parseLong reads a number as query and path values may be written: decimal with sign, or hexadecimal behind 0x or #,
// blanks around it ignored.
func parseLong(text string) (int64, bool) {
	s := strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == '\f' {
			return -1
		}
		return r
	}, text)
	digits, negative := s, false
	if strings.HasPrefix(digits, "-") {
		digits, negative = digits[1:], true
	}
	for _, prefix := range []string{"0x", "0X", "#"} {
		if hex, is := strings.CutPrefix(digits, prefix); is {
			n, err := strconv.ParseInt(hex, 16, 64)
			if err != nil || strings.HasPrefix(hex, "-") || strings.HasPrefix(hex, "+") {
				return 0, false
			}
			if negative {
				n = -n
			}
			return n, true
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// query reads a text parameter: several values are joined with a comma.
func (c *call) query(name string) (string, bool) {
	values, has := c.URL.Query()[name]
	if !has {
		return "", false
	}
	return strings.Join(values, ","), true
}

// queryRequired reads a text parameter that must be there.
func (c *call) queryRequired(name string) (string, error) {
	v, has := c.query(name)
	if !has {
		return "", &badVariable{"Required parameter '" + name + "' is not present."}
	}
	return v, nil
}

// queryBool reads a truth value: true on yes 1 / false off no 0 in any letter case; an empty one is the default.
func (c *call) queryBool(name string, def bool) (bool, error) {
	values, has := c.URL.Query()[name]
	if !has {
		return def, nil
	}
	switch strings.ToLower(strings.TrimSpace(values[0])) {
	case "":
		return def, nil
	case "true", "on", "yes", "1":
		return true, nil
	case "false", "off", "no", "0":
		return false, nil
	}
	return false, failedConversion(name, values[0], "boolean")
}

// queryLong reads a number; absent or empty gives nil.
func (c *call) queryLong(name string) (*int64, error) {
	values, has := c.URL.Query()[name]
	if !has || strings.TrimSpace(values[0]) == "" {
		return nil, nil
	}
	n, ok := parseLong(values[0])
	if !ok {
		return nil, failedConversion(name, values[0], "long")
	}
	return &n, nil
}
