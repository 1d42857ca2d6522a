package definition

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/param"
)

// largest is a definition of 300 steps that fills the limit of a request.
func largest() []byte {
	var b bytes.Buffer
	b.WriteString(`{"properties":{"owner":"a"},"workflow":{"id":"w","steps":[`)
	for i := range 300 {
		if i > 0 {
			b.WriteByte(',')
		}
		next := ""
		if i < 299 {
			next = fmt.Sprintf(`"s%d":"rows > %d"`, i+1, i)
		}
		fmt.Fprintf(&b, `{"step":{"id":"s%d","type":"Kubernetes","timeout":"2 hours","retry_policy":{"error_retry_limit":3,"backoff":{"type":"FIXED_BACKOFF"}},"tags":["a","b"],"params":{"kubernetes":{"value":{"image":{"value":"example/image:%d","type":"STRING"},"args":{"value":["--a","%s","$x"],"type":"STRING_ARRAY"},"env":{"value":{"A":"b","C":"d"},"type":"STRING_MAP"}},"type":"MAP"},"rows":{"value":%d,"type":"LONG"}},"transition":{"successors":{%s}}}}`,
			i, i, strings.Repeat("x", 400), i, next)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

// BenchmarkPush is what a push of the largest definition costs besides the store: reading, validation, dry run, and the
// texts to store and to answer.
func BenchmarkPush(b *testing.B) {
	body := largest()
	defaults, err := param.StandardDefaults()
	if err != nil {
		b.Fatal(err)
	}
	in := DryRunInput{Caller: NamedUser("ana"), Defaults: defaults, Now: now, Random: func() uint64 { return 4 }}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := ReadCreate(body)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Validate(now); err != nil {
			b.Fatal(err)
		}
		if err := DryRun(context.Background(), r.Workflow, in); err != nil {
			b.Fatal(err)
		}
		c, err := ApplyPush(nil, r, PushInput{Caller: in.Caller, Now: now, InternalID: 10000})
		if err != nil {
			b.Fatal(err)
		}
		if len(c.Version.AppendJSON(nil)) == 0 || len(AppendCreated(nil, c)) == 0 {
			b.Fatal("nothing to store")
		}
	}
}

// BenchmarkShorthand turns a YAML document of 300 jobs into the JSON of a push.
func BenchmarkShorthand(b *testing.B) {
	var doc strings.Builder
	doc.WriteString("workflow:\n  id: largest\n  owner: ana\n  region: eu\n  dag: sequential\n  jobs:\n")
	for i := range MaxSteps {
		fmt.Fprintf(&doc, "    - job: {id: s%d, type: noop, \"rows<long>\": %d, '!twice<long>': rows * 2, path: 's3://${region}/%s'}\n", i, i, strings.Repeat("x", 600))
	}
	text := []byte(doc.String())
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ConvertYAML(text, nil); err != nil {
			b.Fatal(err)
		}
	}
}
