package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// samples gives the JSON of every file of a kind, by its name.
func samples(t *testing.T, kind string, atLeast int) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/" + kind + "/*.json")
	if err != nil || len(files) < atLeast {
		t.Fatalf("%s: %d samples, %v", kind, len(files), err)
	}
	out := map[string][]byte{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(file), ".json")] = bytes.TrimSpace(data)
	}
	return out
}

// same compares JSON documents by value.
func same(t *testing.T, name string, got any, want []byte) {
	t.Helper()
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var g, w any
	if err := errors.Join(json.Unmarshal(data, &g), json.Unmarshal(want, &w)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("%s:\n got %s\nwant %s", name, data, want)
	}
}

func TestBusSamples(t *testing.T) {
	one, two := int64(1), int64(2)
	boom, broke, stop := "Boom", "it broke", int64(1551225151881)
	const uuid = "0d9a7c52-3f1e-4f3a-a2b8-5b1f0f6f7a10"
	looks := map[string]func(Detail) any{
		"s3-object-created": func(d Detail) any {
			o := d.(S3Object)
			return []any{o.Bucket.Name, o.Object.Key, o.Object.Size, o.Reason}
		},
		"s3-object-deleted": func(d Detail) any { o := d.(S3Object); return []any{o.Object.Key, o.DeletionType} },
		"ecs-task": func(d Detail) any {
			o := d.(ECSTask)
			return []any{o.StartedBy, o.LastStatus, o.StopCode, o.Version, o.Containers[0].ExitCode, o.Containers[1].ExitCode}
		},
		"batch-job": func(d Detail) any {
			o := d.(BatchJob)
			return []any{o.JobName, o.Status, o.Container.ExitCode, o.Tags["step_uuid"]}
		},
		"glue-job": func(d Detail) any { o := d.(GlueJob); return []any{o.JobRunID, o.State} },
		"states-execution": func(d Detail) any {
			o := d.(StatesExecution)
			return []any{o.Name, o.Status, o.Output, o.Error, o.Cause, o.StopDate}
		},
		"emr-serverless-job": func(d Detail) any { o := d.(EMRServerlessJob); return []any{o.JobRunName, o.State, o.PreviousState} },
		"athena-query": func(d Detail) any {
			o := d.(AthenaQuery)
			return []any{o.QueryExecutionID, o.CurrentState, o.AthenaError.Category, o.AthenaError.Message}
		},
	}
	wants := map[string]any{
		"s3-object-created":  []any{"incoming", "in/day 1.csv", int64(5), "PutObject"},
		"s3-object-deleted":  []any{"in/day 1.csv", "Delete Marker Created"},
		"ecs-task":           []any{uuid, "STOPPED", "EssentialContainerExited", int64(5), &one, (*int64)(nil)},
		"batch-job":          []any{"downbeat-" + uuid, "FAILED", &two, uuid},
		"glue-job":           []any{"jr_abcdef0123456789", "SUCCEEDED"},
		"states-execution":   []any{uuid, "FAILED", (*string)(nil), &boom, &broke, &stop},
		"emr-serverless-job": []any{uuid, "SUCCESS", "RUNNING"},
		"athena-query":       []any{"01234567-0123-0123-0123-012345678901", "FAILED", int64(2), "COLUMN_NOT_FOUND"},
	}
	list := samples(t, "bus", len(looks))
	if len(list) != len(looks) {
		t.Errorf("%d samples, %d are looked at", len(list), len(looks))
	}
	for name, data := range list {
		e, ok, err := ParseBusEvent(data)
		if err != nil || !ok {
			t.Errorf("%s: %v, %v", name, ok, err)
			continue
		}
		same(t, name, e, data)
		d, err := e.ReadDetail()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := looks[name](d); !reflect.DeepEqual(got, wants[name]) {
			t.Errorf("%s: %v, want %v", name, got, wants[name])
		}
		if s3, ok := d.(S3Object); ok {
			same(t, name, s3, e.Detail)
		}
	}
}

func TestBusRefusals(t *testing.T) {
	for _, other := range []string{`{"v":1,"uuid":"u"}`, `[]`, `{`, `{"source":"aws.s3"}`} {
		if _, ok, err := ParseBusEvent([]byte(other)); ok || err != nil {
			t.Errorf("%s: taken for an event of the bus (%v)", other, err)
		}
	}
	for _, bad := range []string{`{"source":"aws.s3","detail-type":"x"}`, `{"source":"aws.s3","detail-type":7,"id":"i","detail":{}}`} {
		if _, ok, err := ParseBusEvent([]byte(bad)); !ok || FateOf(err) != FateDrop {
			t.Errorf("%s: %v, %v", bad, ok, err)
		}
	}
	e := BusEvent{Source: "aws.ec2", DetailType: "EC2 Instance State-change Notification", Detail: json.RawMessage(`{}`)}
	var unknown *UnknownError
	if _, err := e.ReadDetail(); !errors.As(err, &unknown) || unknown.Kind != "aws.ec2/EC2 Instance State-change Notification" {
		t.Errorf("another source: %v", err)
	}
	e = BusEvent{Source: "aws.glue", DetailType: "Glue Job State Change", Detail: json.RawMessage(`{"state":5}`)}
	if _, err := e.ReadDetail(); FateOf(err) != FateDrop {
		t.Errorf("a broken detail: %v", err)
	}
}

func TestLambdaDestinationSamples(t *testing.T) {
	for name, data := range samples(t, "lambda", 2) {
		d, ok, err := ParseLambdaDestination(data)
		if err != nil || !ok {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
		same(t, name, d, data)
	}
	if _, ok, err := ParseLambdaDestination([]byte(`{"v":1}`)); ok || err != nil {
		t.Errorf("another message: %v, %v", ok, err)
	}
	if _, ok, err := ParseLambdaDestination([]byte(`{"requestContext":{},"requestPayload":1}`)); !ok || FateOf(err) != FateDrop {
		t.Errorf("no condition: %v, %v", ok, err)
	}
}

func TestCallbacks(t *testing.T) {
	for name, data := range samples(t, "callback", 2) {
		c, err := ParseCallback(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		same(t, name, c, data)
	}
	if c, err := ParseCallback([]byte(`{"state":"DONE"}`)); err != nil || c.V != 1 {
		t.Errorf("without a format number: %+v, %v", c, err)
	}
	for text, want := range map[string]Fate{
		`{"v":2,"state":[]}`:                FateLater,
		`{"v":0,"state":"DONE"}`:            FateDrop,
		`{}`:                                FateDrop,
		`{"state":"DONE","artifacts":[]}`:   FateDrop,
		`{"state":"DONE","params":"x"}`:     FateDrop,
		`{"state":5}`:                       FateDrop,
		`state=DONE`:                        FateDrop,
		`{"v":1,"state":"DONE","other":{}}`: FateDone,
	} {
		if _, err := ParseCallback([]byte(text)); FateOf(err) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestBundles(t *testing.T) {
	for name, data := range samples(t, "bundle", 1) {
		b, err := ParseBundle(data)
		if err != nil || len(b.Events) != 2 {
			t.Fatalf("%s: %d events, %v", name, len(b.Events), err)
		}
		for _, e := range b.Events {
			if _, err := ParsePublished(e); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := Bundles([][]byte{b.Events[0], b.Events[1]}, len(data)); len(got) != 1 || !bytes.Equal(got[0], data) {
			t.Errorf("%s: written again as %q", name, got)
		}
		if got := Bundles([][]byte{b.Events[0], b.Events[1]}, len(data)-1); len(got) != 2 {
			t.Errorf("%s: one byte less makes %d bundles", name, len(got))
		}
	}
	if got := Bundles(nil, 100); got != nil {
		t.Errorf("nothing makes %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(20, 200).Draw(t, "limit")
		var list [][]byte
		for i := range rapid.IntRange(0, 30).Draw(t, "events") {
			list = append(list, []byte(fmt.Sprintf(`{"n":%d,"pad":%q}`, i, strings.Repeat("x", rapid.IntRange(0, 80).Draw(t, "pad")))))
		}
		n := 0
		for _, doc := range Bundles(list, limit) {
			b, err := ParseBundle(doc)
			if err != nil || len(b.Events) == 0 {
				t.Fatalf("%s: %v", doc, err)
			}
			if len(doc) > limit && len(b.Events) > 1 {
				t.Fatalf("%d bytes, limit %d: %s", len(doc), limit, doc)
			}
			for _, e := range b.Events {
				if !bytes.Equal(e, list[n]) {
					t.Fatalf("event %d is %s", n, e)
				}
				n++
			}
		}
		if n != len(list) {
			t.Fatalf("%d of %d events", n, len(list))
		}
	})
}
