package s3blob_test

// Tests on S3, or something like it.

import (
	"context"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/blob/blobtest"
	"github.com/downbeat/downbeat/functions/adapter/awsconf/awstest"
	"github.com/downbeat/downbeat/functions/adapter/s3blob"
	"github.com/downbeat/downbeat/localstack/sysclock"
)

func adapter(t testing.TB, client s3blob.Client, bucket string) *s3blob.Store {
	t.Helper()
	sys := sysclock.New()
	s, err := s3blob.New(s3blob.Config{Client: client, Bucket: bucket, Sleep: sys.Sleep, Rand: sys.Float})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// createBucket makes a bucket, and deletes it after the test, unless the environment names one.
func createBucket(t testing.TB, client *s3.Client) string {
	t.Helper()
	if name := os.Getenv(awstest.Bucket); name != "" {
		return name
	}
	ctx := context.Background()
	name := awstest.Name()
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name}); err != nil {
			t.Errorf("bucket %s is left: %v", name, err)
		}
	})
	return name
}

func TestConformance(t *testing.T) {
	client := s3blob.NewClient(awstest.Config(t, "S3"))
	bucket := createBucket(t, client)
	blobtest.Run(t, func(t *testing.T) blob.Store { return adapter(t, client, bucket) })
}
