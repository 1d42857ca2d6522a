package env

import (
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/queue"
)

func TestRead(t *testing.T) {
	full := map[string]string{
		Table: "t", Bucket: "b", Bus: "bus", User: "jwt:email", ClaimTimeout: "30", Metrics: "off", LogLevel: "WARN",
		TopicFormat: "bundle", EventTypes: "WORKFLOW_INSTANCE_STATUS_CHANGE_EVENT,WORKFLOW_DEFINITION_CHANGE_EVENT", HTTPAllow: "a.example,b.example",
		QueueURL(queue.Advance): "https://q/advance",
	}
	s, err := Read(func(n string) string { return full[n] })
	if err != nil {
		t.Fatal(err)
	}
	if s.ClaimTimeout != 30*time.Second || s.Metrics || s.User != "jwt:email" || len(s.Queues) != 1 || s.Queues[queue.Advance] != "https://q/advance" {
		t.Errorf("got %+v", s)
	}
	if len(s.HTTPAllow) != 2 || s.HTTPAllow[1] != "b.example" {
		t.Errorf("hosts %q", s.HTTPAllow)
	}
	if !s.TopicBundle || len(s.EventTypes) != 2 {
		t.Errorf("events: %+v", s)
	}
	if s.Cluster != "test" || s.Environment != "test" {
		t.Errorf("defaults: %+v", s)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		set  map[string]string
		want []string
	}{
		"nothing set":      {nil, []string{Table, Bucket}},
		"user unknown":     {map[string]string{Table: "t", Bucket: "b", User: "me"}, []string{User}},
		"jwt without name": {map[string]string{Table: "t", Bucket: "b", User: "jwt:"}, []string{User}},
		"claim time-out":   {map[string]string{Table: "t", Bucket: "b", ClaimTimeout: "0"}, []string{ClaimTimeout}},
		"topic format":     {map[string]string{Table: "t", Bucket: "b", TopicFormat: "xml"}, []string{TopicFormat}},
		"event type":       {map[string]string{Table: "t", Bucket: "b", EventTypes: "STEP"}, []string{EventTypes}},
		"several at once":  {map[string]string{Table: "t", Metrics: "x", LogLevel: "loud"}, []string{Bucket, Metrics, LogLevel}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(func(n string) string { return c.set[n] })
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not name %s", err, w)
				}
			}
		})
	}
}
