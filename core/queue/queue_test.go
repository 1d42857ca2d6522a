package queue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/queue"
)

func TestMessageCheck(t *testing.T) {
	body := []byte("x")
	for _, c := range []struct {
		m    queue.Message
		want string // in the error; empty: none
	}{
		{queue.Message{Body: body}, ""},
		{queue.Message{Body: []byte("\t\n\r é🙂\u007f\uFFFD")}, ""},
		{queue.Message{Body: []byte(strings.Repeat("x", queue.MaxBody)), Delay: queue.MaxDelay, Group: strings.Repeat("g", queue.MaxGroup)}, ""},
		{queue.Message{}, "body is empty"},
		{queue.Message{Body: []byte(strings.Repeat("x", queue.MaxBody+1))}, "body has 262145 bytes, more than 262144"},
		{queue.Message{Body: []byte("\xff")}, "UTF-8"},
		{queue.Message{Body: []byte("é\x0b")}, "U+000B"},
		{queue.Message{Body: []byte("a\uFFFE")}, "U+FFFE"},
		{queue.Message{Body: body, Delay: -1}, "delay -1ns"},
		{queue.Message{Body: body, Delay: queue.MaxDelay + 1}, "delay 15m0.000000001s is not in [0, 15m0s]"},
		{queue.Message{Body: body, Group: strings.Repeat("g", queue.MaxGroup+1)}, "group has 129 bytes, more than 128"},
	} {
		err := c.m.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.20q, delay %s: error %v, want %q", c.m.Body, c.m.Delay, err, c.want)
		}
	}
	for _, c := range []struct {
		max        int
		visibility time.Duration
		ok         bool
	}{{1, 0, true}, {10, queue.MaxVisibility, true}, {0, 0, false}, {1, -1, false}, {1, queue.MaxVisibility + 1, false}} {
		if err := queue.CheckReceive(c.max, c.visibility); (err == nil) != c.ok {
			t.Errorf("receive %d hidden for %s: error %v", c.max, c.visibility, err)
		}
	}
}
