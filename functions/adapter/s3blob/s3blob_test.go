package s3blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/port"
)

// bucket has objects; it breaks off answers and refuses to delete some objects, for a while.
type bucket struct {
	Client // nil: other calls are not expected

	objects  map[string][]byte
	breaks   int // so many answers break off
	short    bool
	refuse   map[string]string // code by key
	busy     int               // so many requests delete nothing
	requests []int             // objects in each
}

func (b *bucket) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	data, ok := b.objects[*in.Key]
	if !ok {
		return nil, &types.NoSuchKey{}
	}
	out := &s3.GetObjectOutput{ContentLength: aws.Int64(int64(len(data)))}
	var body io.Reader = bytes.NewReader(data)
	if b.breaks > 0 {
		b.breaks--
		body = io.LimitReader(body, int64(len(data)/2))
		if !b.short {
			body = io.MultiReader(body, iotest.ErrReader(io.ErrUnexpectedEOF))
		}
	}
	out.Body = io.NopCloser(body)
	return out, nil
}

func (b *bucket) ListObjectsV2(_ context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	var keys []string
	for k := range b.objects {
		if strings.HasPrefix(k, *in.Prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	n := min(len(keys), int(*in.MaxKeys))
	out := &s3.ListObjectsV2Output{IsTruncated: aws.Bool(n < len(keys))}
	for _, k := range keys[:n] {
		out.Contents = append(out.Contents, types.Object{Key: &k})
	}
	return out, nil
}

func (b *bucket) DeleteObjects(_ context.Context, in *s3.DeleteObjectsInput, _ ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error) {
	out := &s3.DeleteObjectsOutput{}
	b.requests = append(b.requests, len(in.Delete.Objects))
	busy := b.busy > 0
	b.busy--
	for _, o := range in.Delete.Objects {
		code := b.refuse[*o.Key]
		if busy {
			code = "SlowDown"
		}
		if code != "" {
			out.Errors = append(out.Errors, types.Error{Key: o.Key, Code: &code})
			continue
		}
		delete(b.objects, *o.Key)
	}
	return out, nil
}

func store(t *testing.T, b *bucket) *Store {
	t.Helper()
	s, err := New(Config{
		Client: b, Bucket: "b", Rand: func() float64 { return 1 }, Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnswersThatBreakOff(t *testing.T) {
	body := bytes.Repeat([]byte("body"), 1000)
	for _, c := range []struct {
		name   string
		breaks int
		short  bool
		code   port.Code
	}{
		{"never", 0, false, 0}, {"twice", 2, false, 0}, {"twice, without a word", 2, true, 0},
		{"always", 1000, false, port.CodeUnknown}, {"always, without a word", 1000, true, port.CodeUnknown},
	} {
		got, err := store(t, &bucket{objects: map[string][]byte{"w/h": body}, breaks: c.breaks, short: c.short}).Get(t.Context(), "w/h")
		if port.CodeOf(err) != c.code {
			t.Errorf("%s: error %v, want code %s", c.name, err, c.code)
		}
		if c.code == 0 && !bytes.Equal(got, body) {
			t.Errorf("%s: %d bytes", c.name, len(got))
		}
	}
}

func TestDeletesAskForTheRest(t *testing.T) {
	for _, c := range []struct {
		name   string
		busy   int
		refuse map[string]string
		limit  int
		code   port.Code
		left   int
		more   bool
	}{
		{name: "all", limit: 5000},
		{name: "as many as asked for", limit: 1500, left: 1000, more: true},
		{name: "busy for a while", busy: 3, limit: 5000},
		{name: "busy for ever", busy: 1000, limit: 5000, code: port.CodeThrottled, left: 2500},
		{name: "one fails for ever", refuse: map[string]string{"w/0007": "InternalError"}, limit: 5000, code: port.CodeThrottled, left: 1501},
		{name: "one is refused", refuse: map[string]string{"w/0007": "AccessDenied"}, limit: 5000, code: port.CodeInternal, left: 1501},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bucket{objects: map[string][]byte{"x/h": nil}, busy: c.busy, refuse: c.refuse}
			for i := range 2500 {
				b.objects[fmt.Sprintf("w/%04d", i)] = nil
			}
			more, err := store(t, b).DeletePrefix(t.Context(), "w/", c.limit)
			if port.CodeOf(err) != c.code {
				t.Fatalf("error %v, want code %s", err, c.code)
			}
			if more != c.more || len(b.objects) != c.left+1 {
				t.Errorf("more %v, %d objects are left, want %v, %d", more, len(b.objects)-1, c.more, c.left)
			}
			if n := slices.Max(b.requests); n > blob.MaxDeleteBatch {
				t.Errorf("a request deletes %d objects", n)
			}
		})
	}
}

func TestTranslate(t *testing.T) {
	status := func(code int) error {
		return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: code}}, Err: errors.New("x")}
	}
	for _, c := range []struct {
		err  error
		want port.Code
	}{
		{&smithy.GenericAPIError{Code: "SlowDown"}, port.CodeThrottled},
		{&smithy.GenericAPIError{Code: "EntityTooLarge"}, port.CodeInvalid},
		{&smithy.GenericAPIError{Code: "KeyTooLongError"}, port.CodeInvalid},
		{&smithy.GenericAPIError{Code: "InternalError"}, port.CodeUnknown},
		{&smithy.GenericAPIError{Code: "RequestTimeout"}, port.CodeUnknown},
		{status(503), port.CodeUnknown},
		{io.ErrUnexpectedEOF, port.CodeUnknown},
		{&types.NoSuchBucket{}, port.CodeInternal},
		{&types.AccessDenied{}, port.CodeInternal},
		{status(403), port.CodeInternal},
		{&types.NoSuchKey{}, port.CodeInternal},
	} {
		err := translate("get blob", "w/h", fmt.Errorf("wrapped: %w", c.err))
		if got := port.CodeOf(err); got != c.want {
			t.Errorf("%T %v: %s, want %s", c.err, c.err, got, c.want)
		}
		var absent *types.NoSuchKey
		if errors.Is(err, blob.ErrNotFound) != errors.As(c.err, &absent) {
			t.Errorf("%T %v: not found: %v", c.err, c.err, errors.Is(err, blob.ErrNotFound))
		}
	}
	if !errors.Is(translate("get blob", "w/h", &smithy.GenericAPIError{Code: "NoSuchKey"}), blob.ErrNotFound) {
		t.Error("an answer without the SDK's type is not recognised")
	}
}

func TestConfig(t *testing.T) {
	if _, err := New(Config{Client: &bucket{}, Bucket: "b"}); err == nil {
		t.Error("no Sleep is no error")
	}
}
