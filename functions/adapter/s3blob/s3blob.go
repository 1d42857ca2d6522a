// Package s3blob is the Blob port over one bucket of S3.
package s3blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
)

// Client is what is used of *s3.Client.
type Client interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	DeleteObjects(context.Context, *s3.DeleteObjectsInput, ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error)
}

var _ Client = (*s3.Client)(nil)

// Config says which bucket. All are required.
type Config struct {
	Client Client
	Bucket string
	// Sleep waits between tries to get the rest of an answer, Rand, uniform in [0, 1), spreads the waits: the methods of
	// clock.Clock and clock.IDs.
	Sleep func(ctx context.Context, d time.Duration) error
	Rand  func() float64
}

// Store is the bucket. Use New.
type Store struct {
	cfg    Config
	waiter awsconf.Waiter
}

var _ blob.Store = (*Store)(nil)

// NewClient makes the client for New.
func NewClient(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		// At an endpoint of somebody's own the bucket has no host name.
		o.UsePathStyle = o.BaseEndpoint != nil && *o.BaseEndpoint != ""
	})
}

// New checks the configuration. It calls nobody.
func New(cfg Config) (*Store, error) {
	for _, f := range []struct {
		name    string
		missing bool
	}{{"Client", cfg.Client == nil}, {"Bucket", cfg.Bucket == ""}, {"Sleep", cfg.Sleep == nil}, {"Rand", cfg.Rand == nil}} {
		if f.missing {
			return nil, fmt.Errorf("s3blob: config %s is required", f.name)
		}
	}
	return &Store{cfg: cfg, waiter: awsconf.Waiter{Sleep: cfg.Sleep, Rand: cfg.Rand}}, nil
}

// Put implements blob.Store. It has no condition: a key belongs to one content, so that a put that comes twice, or
// beside another, leaves the same object, and the SDK may repeat what it likes.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	const op = "put blob"
	if err := blob.CheckKey(key); err != nil {
		return port.Invalid(op, key, err)
	}
	_, err := s.cfg.Client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.cfg.Bucket, Key: &key, Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(len(data))),
	})
	return translate(op, key, err)
}

// Get implements blob.Store. The SDK's retries end with the head of the answer; an answer that breaks off later is
// asked for again here.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	const op = "get blob"
	if err := blob.CheckKey(key); err != nil {
		return nil, port.Invalid(op, key, err)
	}
	var rest awsconf.Rest
	for {
		out, err := s.cfg.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.cfg.Bucket, Key: &key})
		if err != nil {
			return nil, translate(op, key, err)
		}
		data, broken := read(out)
		if broken == nil {
			return data, nil
		}
		if err := rest.Wait(ctx, s.waiter, false); err != nil {
			return nil, translate(op, key, broken)
		}
	}
}

func read(out *s3.GetObjectOutput) ([]byte, error) {
	data, err := io.ReadAll(out.Body)
	if cerr := out.Body.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	if want := aws.ToInt64(out.ContentLength); out.ContentLength != nil && int64(len(data)) != want {
		return nil, fmt.Errorf("%d bytes of %d: %w", len(data), want, io.ErrUnexpectedEOF)
	}
	return data, nil
}

// DeletePrefix implements blob.Store.
func (s *Store) DeletePrefix(ctx context.Context, prefix string, limit int) (more bool, err error) {
	const op = "delete blobs"
	if err := blob.CheckPrefix(prefix, limit); err != nil {
		return false, port.Invalid(op, prefix, err)
	}
	for limit > 0 {
		n := min(limit, blob.MaxDeleteBatch)
		list, err := s.cfg.Client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
			Bucket: &s.cfg.Bucket, Prefix: &prefix, MaxKeys: aws.Int32(int32(n)),
		})
		if err != nil {
			return false, translate(op, prefix, err)
		}
		more = aws.ToBool(list.IsTruncated)
		if len(list.Contents) == 0 {
			return more, nil
		}
		objects := make([]types.ObjectIdentifier, len(list.Contents))
		for i, o := range list.Contents {
			objects[i] = types.ObjectIdentifier{Key: o.Key}
		}
		if err := s.delete(ctx, op, prefix, objects); err != nil {
			return false, err
		}
		if !more {
			return false, nil
		}
		limit -= len(objects)
	}
	return more, nil
}

func (s *Store) delete(ctx context.Context, op, prefix string, objects []types.ObjectIdentifier) error {
	var last error // of the objects that were left
	return awsconf.Whole(ctx, s.waiter, objects, func(objects []types.ObjectIdentifier) (left []types.ObjectIdentifier, err error) {
		out, err := s.cfg.Client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &s.cfg.Bucket, Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return nil, translate(op, prefix, err)
		}
		last = nil
		for _, e := range out.Errors {
			err := translateEntry(op, prefix, e)
			if awsconf.Final(err) {
				return nil, err
			}
			last = errors.Join(last, err)
			left = append(left, types.ObjectIdentifier{Key: e.Key})
		}
		return left, nil
	}, func(err error) error { return translate(op, prefix, errors.Join(err, last)) })
}
