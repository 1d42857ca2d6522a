package awsconf_test

// The retries of all adapters' clients, against a service of which only the transport is there. Time is that of a bubble.

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
	"github.com/downbeat/downbeat/functions/adapter/dynamotable"
	"github.com/downbeat/downbeat/localstack/sysclock"
)

// service answers requests; it counts them and remembers when they came.
type service struct {
	answer func() (status int, body string, err error)
	came   []time.Time
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	s.came = append(s.came, time.Now())
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	status, body, err := s.answer()
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Request: r, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

const (
	done      = `{"ConsumedCapacity":{"TableName":"t","CapacityUnits":1}}`
	throttled = `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}`
)

func client(t *testing.T, s *service) *dynamodb.Client {
	t.Helper()
	cfg, err := awsconf.Load(t.Context(),
		config.WithRegion("us-east-1"), config.WithBaseEndpoint("http://127.0.0.1:1"),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("none", "none", "")),
		config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil),
	)
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTPClient = &http.Client{Transport: s}
	return dynamotable.NewClient(cfg)
}

func adapter(t *testing.T, s *service) *dynamotable.Table {
	t.Helper()
	sys := sysclock.New()
	tbl, err := dynamotable.New(dynamotable.Config{Client: client(t, s), Table: "t", Sleep: sys.Sleep, Rand: sys.Float})
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

var write = table.Write{Item: table.Item{Key: table.Key{PK: "p", SK: "s"}, Rev: 1, Tokens: []table.Token{1}}, Cond: table.Absent()}

func TestRetries(t *testing.T) {
	for _, c := range []struct {
		name     string
		failures int // before success
		status   int
		body     string
		err      error
		code     table.Code
		tries    int
	}{
		{name: "none is needed", tries: 1},
		{name: "throttled for a while", failures: 3, status: 400, body: throttled, tries: 4},
		{name: "throttled for ever", failures: 1000, status: 400, body: throttled, code: table.CodeThrottled, tries: awsconf.MaxAttempts},
		{name: "an answer is lost", failures: 1, err: io.ErrUnexpectedEOF, tries: 2},
		{name: "no answer at all", failures: 1000, err: io.ErrUnexpectedEOF, code: table.CodeUnknown, tries: awsconf.MaxAttempts},
		{name: "the service fails", failures: 2, status: 500, body: `{"__type":"InternalServerError"}`, tries: 3},
		{name: "the service fails for ever", failures: 1000, status: 503, body: `rubbish`, code: table.CodeUnknown, tries: awsconf.MaxAttempts},
		{name: "refused is not tried again", failures: 1, status: 400, body: `{"__type":"ValidationException"}`, code: table.CodeInvalid, tries: 1},
		{name: "neither is a failed condition", failures: 1, status: 400, body: `{"__type":"ConditionalCheckFailedException"}`, code: table.CodeConflict, tries: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left := c.failures
				s := &service{answer: func() (int, string, error) {
					if left == 0 {
						return http.StatusOK, done, nil
					}
					left--
					return c.status, c.body, c.err
				}}
				_, err := adapter(t, s).Write(t.Context(), write)
				if table.CodeOf(err) != c.code {
					t.Errorf("error %v, want code %s", err, c.code)
				}
				if len(s.came) != c.tries {
					t.Errorf("%d tries, want %d", len(s.came), c.tries)
				}
			})
		})
	}
}

// TestThrottledClientsSlowDown asks the brake that all requests of a client pass, each try and each call: with a context
// that has ended, it answers at once whether a request would have to wait.
func TestThrottledClientsSlowDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		brake, ok := awsconf.NewRetryer().(aws.RetryerV2)
		if !ok {
			t.Fatal("the retryer has no brake")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		passes := func(outcome error) bool {
			release, err := brake.GetAttemptToken(ended)
			if err == nil {
				err = release(outcome)
			}
			return err == nil
		}
		for i := range 100 {
			if !passes(nil) {
				t.Fatalf("request %d has to wait though nothing was throttled", i)
			}
		}
		if !passes(&types.ProvisionedThroughputExceededException{}) || passes(nil) {
			t.Fatal("a request passes right after one was throttled")
		}
		time.Sleep(30 * time.Second) // of the bubble
		n := 0
		for passes(nil) && n < 1000 {
			n++
		}
		if n == 0 || n == 1000 {
			t.Errorf("%d requests pass at once half a minute later: some should, not any number", n)
		}
	})
}

// TestDeadlineEndsRetries wants the caller's deadline kept.
func TestDeadlineEndsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func() (int, string, error) {
			time.Sleep(time.Second)
			return http.StatusBadRequest, throttled, nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := adapter(t, s).Write(ctx, write); err == nil {
			t.Error("no error")
		}
		if len(s.came) >= awsconf.MaxAttempts || time.Since(start) > 3*time.Second {
			t.Errorf("%d tries in %s", len(s.came), time.Since(start))
		}
	})
}
