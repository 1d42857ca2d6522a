package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file)
}

func TestDefaults(t *testing.T) {
	c, err := load(t, `{}`)
	if err != nil {
		t.Fatal(err)
	}
	d := Default()
	if c.StackName != d.StackName || c.StackName != "downbeat" || c.Architecture != "arm64" || c.Authorization.Type != "iam" ||
		c.Data != "retain" || c.LogRetentionDays != 30 || c.LogLevel != "WARN" || c.Metrics != "emf" {
		t.Errorf("got %+v", c)
	}
	if c.Functions != (Functions{60, 29, 512}) || c.Queues != (Queues{10, 50, 10}) || c.Throttle != (Throttle{500, 1000}) {
		t.Errorf("limits: %+v", c)
	}
	if c.VisibilitySeconds() != 360 {
		t.Errorf("visibility %d", c.VisibilitySeconds())
	}
	if c.Events.Bus || c.Alarms.Off || len(c.Starts) != 0 {
		t.Errorf("got %+v", c)
	}
}

func TestStartDefaults(t *testing.T) {
	c, err := load(t, `{"starts":[{"name":"a","workflow":"w","pattern":{"source":["x"]},"params":{"p":{"from":"detail.a"}}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	s := c.Starts[0]
	if s.Version != "active" || s.Bus != "default" || s.User != "downbeat" || s.Params["p"].Type != "STRING" {
		t.Errorf("got %+v", s)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown member":         {`{"arch":"arm64"}`, "arch"},
		"trailing text":          {`{} {}`, "after the document"},
		"architecture":           {`{"architecture":"mips"}`, "architecture"},
		"stack name":             {`{"stackName":"1x"}`, "stackName"},
		"data":                   {`{"data":"maybe"}`, "data"},
		"log days not offered":   {`{"logRetentionDays":31}`, "logRetentionDays"},
		"time-out above Lambda":  {`{"functions":{"timeoutSeconds":901}}`, "functions.timeoutSeconds"},
		"api above 29":           {`{"functions":{"apiTimeoutSeconds":30}}`, "functions.apiTimeoutSeconds"},
		"memory":                 {`{"functions":{"memoryMB":64}}`, "functions.memoryMB"},
		"batch above 10":         {`{"queues":{"batchSize":11}}`, "queues.batchSize"},
		"concurrency of one":     {`{"queues":{"maxConcurrency":1}}`, "queues.maxConcurrency"},
		"one receive":            {`{"queues":{"maxReceives":1}}`, "queues.maxReceives"},
		"rate":                   {`{"throttle":{"ratePerSecond":-1}}`, "throttle.ratePerSecond"},
		"topic":                  {`{"events":{"topicArn":"t"}}`, "events.topicArn"},
		"alarm topic":            {`{"alarms":{"topicArn":"t"}}`, "alarms.topicArn"},
		"alarm topic, no alarms": {`{"alarms":{"off":true,"topicArn":"arn:aws:sns:eu-west-1:123456789012:t"}}`, "alarms.topicArn"},
		"authorization":          {`{"authorization":{"type":"basic"}}`, "authorization.type"},
		"jwt without issuer":     {`{"authorization":{"type":"jwt","audiences":["a"]}}`, "authorization.issuer"},
		"jwt without audience":   {`{"authorization":{"type":"jwt","issuer":"https://i"}}`, "authorization.audiences"},
		"issuer without jwt":     {`{"authorization":{"issuer":"https://i"}}`, "authorization"},
		"host with a scheme":     {`{"httpAllow":["a","http://b"]}`, "httpAllow[1]"},
		"start without source":   {`{"starts":[{"name":"a","workflow":"w"}]}`, "exactly one of bucket and pattern"},
		"start with both":        {`{"starts":[{"name":"a","workflow":"w","bucket":"bbb","pattern":{"source":["x"]}}]}`, "exactly one of bucket and pattern"},
		"start without workflow": {`{"starts":[{"name":"a","bucket":"bbb"}]}`, "starts[0].workflow"},
		"start name":             {`{"starts":[{"name":"A","workflow":"w","bucket":"bbb"}]}`, "starts[0].name"},
		"start name twice":       {`{"starts":[{"name":"a","workflow":"w","bucket":"bbb"},{"name":"a","workflow":"v","bucket":"bbb"}]}`, "starts[1].name"},
		"version":                {`{"starts":[{"name":"a","workflow":"w","bucket":"bbb","version":"newest"}]}`, "starts[0].version"},
		"bucket name":            {`{"starts":[{"name":"a","workflow":"w","bucket":"B"}]}`, "starts[0].bucket"},
		"bucket with a bus":      {`{"starts":[{"name":"a","workflow":"w","bucket":"bbb","bus":"mine"}]}`, "starts[0].bus"},
		"empty pattern":          {`{"starts":[{"name":"a","workflow":"w","pattern":{}}]}`, "starts[0].pattern"},
		"prefix of a pattern":    {`{"starts":[{"name":"a","workflow":"w","pattern":{"source":["x"]},"prefix":"p"}]}`, "prefix"},
		"param type":             {`{"starts":[{"name":"a","workflow":"w","bucket":"bbb","params":{"p":{"type":"TEXT","value":1}}}]}`, "starts[0].params.p.type"},
		"param without value":    {`{"starts":[{"name":"a","workflow":"w","bucket":"bbb","params":{"p":{}}}]}`, "starts[0].params.p"},
		"param path":             {`{"starts":[{"name":"a","workflow":"w","bucket":"bbb","params":{"p":{"from":"$.detail"}}}]}`, "starts[0].params.p.from"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q does not name %q", err, c.want)
			}
		})
	}
	if _, err := load(t, `{"architecture":"x","data":"y"}`); err == nil || !strings.Contains(err.Error(), "architecture") || !strings.Contains(err.Error(), "data") {
		t.Errorf("not all at once: %v", err)
	}
	if _, err := Load("no/such/file"); err == nil {
		t.Error("a file that is not there")
	}
}
