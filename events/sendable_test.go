package events_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/events"
)

// TestMessagesCanBeSent: what a step's result says is not for us to choose, and its message must not be one that no queue
// takes.
func TestMessagesCanBeSent(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain", "\uFFFE": "\uFFFE", "a\uFFFFb": "a\uFFFFb", `\u0000\u001b`: "\x00\x1b", "\xff\xc3": "\uFFFD", "\u007f🙂": "\u007f🙂",
	} {
		body, err := events.Completion{UUID: "u", Workflow: "w", Instance: 1, Run: 1, Result: fmt.Appendf(nil, `{"text":"%s"}`, text)}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := (queue.Message{Body: body}).Check(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		c, err := events.ParseCompletion(body)
		if err != nil {
			t.Fatal(err)
		}
		var result struct{ Text string }
		if err := json.Unmarshal(c.Result, &result); err != nil || result.Text != want {
			t.Errorf("%q came as %q, error %v", text, result.Text, err)
		}
	}
}
