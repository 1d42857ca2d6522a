package edge

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"
	"github.com/downbeat/downbeat/functions/env"
)

// HTTP handles requests of the HTTP API.
type HTTP struct {
	Edge
	user    string // env.User
	adapter *httpadapter.HandlerAdapterV2
}

// NewHTTP makes the handler. user says who the caller is, in the words of env.User.
func NewHTTP(e Edge, user string, handler http.Handler) *HTTP {
	return &HTTP{Edge: e, user: user, adapter: httpadapter.NewV2(answered{handler})}
}

// answered lets a handler that neither writes nor sets a status answer 200, as net/http does: the adapter takes it for
// one that died. The answer to HEAD is such a one.
type answered struct{ http.Handler }

func (a answered) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := &statusWriter{ResponseWriter: w}
	a.Handler.ServeHTTP(s, r)
	if !s.set {
		w.WriteHeader(http.StatusOK)
	}
}

type statusWriter struct {
	http.ResponseWriter
	set bool
}

func (s *statusWriter) WriteHeader(status int) {
	s.set = true
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusWriter) Write(data []byte) (int, error) {
	s.set = true
	return s.ResponseWriter.Write(data)
}

// Handle handles one request.
func (h *HTTP) Handle(ctx context.Context, request lambdaevents.APIGatewayV2HTTPRequest) (lambdaevents.APIGatewayV2HTTPResponse, error) {
	ctx, end := h.begin(ctx)
	defer end()
	ctx = With(ctx, slog.String("api_request_id", request.RequestContext.RequestID))
	identify(h.user, &request)
	request.RawPath = escape(request.RawPath)
	response, err := h.adapter.ProxyWithContext(ctx, request)
	if err != nil {
		h.Log.ErrorContext(ctx, "request cannot be handled", "error", err)
		return lambdaevents.APIGatewayV2HTTPResponse{StatusCode: http.StatusInternalServerError}, nil
	}
	if response.StatusCode >= http.StatusInternalServerError {
		h.Log.ErrorContext(ctx, "answered with an error", "status", response.StatusCode,
			"method", request.RequestContext.HTTP.Method, "path", request.RawPath)
	}
	return response, nil
}

// escape makes of rawPath the path that the caller wrote. An HTTP API decodes every escape but %25 before it hands the path
// to a function, so that it may contain what ends a path, as # and ? do. What was %2F cannot be told from a slash.
func escape(path string) string {
	const plain = "/-_.~!$&'()*+,;=:@" // with letters and digits, what may stand in a path (RFC 3986, 3.3)
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(plain, c) >= 0,
			c == '%' && strings.HasPrefix(path[i:], "%25"):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// identify puts the caller's name where the REST API looks for it, the `user` header. Where the caller was
// authenticated, a header that came with the request is an attempt to be somebody else, and is replaced.
func identify(user string, r *lambdaevents.APIGatewayV2HTTPRequest) {
	if user == env.UserHeader {
		return
	}
	headers := make(map[string]string, len(r.Headers)+1)
	for name, value := range r.Headers {
		if !strings.EqualFold(name, "user") {
			headers[name] = value
		}
	}
	r.Headers = headers
	auth := r.RequestContext.Authorizer
	if auth == nil {
		return
	}
	name := ""
	if claim, ok := strings.CutPrefix(user, env.UserJWTPrefix); ok {
		if auth.JWT != nil {
			name = auth.JWT.Claims[claim]
		}
	} else if auth.IAM != nil {
		name = auth.IAM.UserARN
	}
	if name != "" {
		headers["user"] = name
	}
}
