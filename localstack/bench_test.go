package localstack_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/localstack"
)

// largest is a definition of 300 steps that nearly fills the 256 KB of a push.
func largest() []byte {
	var b bytes.Buffer
	b.WriteString(`{"properties":{"owner":"ana"},"workflow":{"id":"largest","params":{"region":{"value":"eu","type":"STRING"},"limit":{"value":90,"type":"LONG"}},"steps":[`)
	for i := range 300 {
		if i > 0 {
			b.WriteByte(',')
		}
		next := ""
		if i+1 < 300 {
			next = fmt.Sprintf(`"successors":{"s%d":"rows > limit || region == 'eu'"}`, i+1)
		}
		fmt.Fprintf(&b, `{"step":{"id":"s%d","type":"NoOp","transition":{%s},"tags":["etl"],"params":{"rows":{"expression":"limit * %d + 1","type":"LONG"},`+
			`"path":{"value":"s3://bucket/${region}/$RUN_DATE/%d","type":"STRING","mode":"MUTABLE_ON_START"},`+
			`"conf":{"value":{"ratio":{"value":0.25,"type":"DOUBLE"},"days":{"value":[1,2,3],"type":"LONG_ARRAY"},"note":{"value":"%s","type":"STRING"}},"type":"MAP"}}}}`,
			i, next, i, i, strings.Repeat("x", 425))
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

// BenchmarkPushLargest pushes over HTTP: what a person waits for.
func BenchmarkPushLargest(b *testing.B) {
	body := largest()
	for _, durable := range []bool{false, true} {
		name := "memory"
		if durable {
			name = "durable"
		}
		b.Run(name, func(b *testing.B) {
			server, err := localstack.Start(context.Background(), localstack.Config{Addr: "127.0.0.1:0", Memory: !durable, Data: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r, err := http.NewRequest(http.MethodPost, server.URL()+"/api/v3/workflows", bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				r.Header = http.Header{"User": {"ana"}, "Content-Type": {"application/json"}}
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					b.Fatal(err)
				}
				text, err := io.ReadAll(answer.Body)
				if err != nil || answer.StatusCode != http.StatusOK {
					b.Fatalf("%d %.300s %v", answer.StatusCode, text, err)
				}
				_ = answer.Body.Close()
			}
			if err := server.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
