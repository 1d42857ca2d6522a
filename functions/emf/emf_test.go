package emf

import (
	"bytes"
	"testing"
	"time"
)

func TestFlush(t *testing.T) {
	var out bytes.Buffer
	c := New(&out, "downbeat", "advance", func() time.Time { return time.UnixMilli(1700000000000) })
	c.Count("Decisions", 2)
	c.Count("WriteUnits", 1.5)
	c.Count("Decisions", 1)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	const want = `{"Decisions":3,"Function":"advance","Stack":"downbeat","WriteUnits":1.5,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["Stack"]],` +
		`"Metrics":[{"Name":"Decisions","Unit":"Count"}],"Namespace":"Downbeat"}],"Timestamp":1700000000000}}` + "\n"
	if out.String() != want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
	out.Reset()
	if err := c.Flush(); err != nil || out.Len() > 0 {
		t.Errorf("an empty flush wrote %q, %v", out.String(), err)
	}
	c.Count("ReadUnits", 1)
	if err := c.Flush(); err != nil || out.String() != `{"Function":"advance","ReadUnits":1,"Stack":"downbeat"}`+"\n" {
		t.Errorf("without a metric: %q, %v", out.String(), err)
	}
}

func TestOff(t *testing.T) {
	c := New(nil, "downbeat", "advance", time.Now)
	c.Count("Decisions", 2)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
}
