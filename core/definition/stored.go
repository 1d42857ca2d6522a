package definition

import (
	"crypto/md5"
	"fmt"
	"strings"

	"github.com/downbeat/downbeat/core/wire"
)

// ReadAlerting reads stored alerting, as AppendJSON wrote it.
func ReadAlerting(stored []byte) (*Alerting, error) {
	v, err := wire.Parse(stored)
	if err != nil {
		return nil, err
	}
	n := wire.Root(v, "alerting")
	a := readAlerting(n)
	return a, n.Err()
}

// TimeTriggersDisabled tells whether the time triggers of the workflow start nothing.
func (p *Properties) TimeTriggersDisabled() bool { return p.timeDisabled() }

// SignalTriggersDisabled tells whether the signal triggers of the workflow start nothing.
func (p *Properties) SignalTriggersDisabled() bool { return p.signalDisabled() }

// TriggerUUIDs are the ids by which the triggers of a workflow are known to their subscriptions and to the runs that
// they start: one for all time triggers together, or one for each signal trigger. They are name-based: equal definitions
// have equal ids, and any change makes another. Maestro's text of a signal trigger is Java's; ours is its JSON.
func TriggerUUIDs(w *Workflow, timeTriggers bool) []string {
	if !timeTriggers {
		var ids []string
		for i := range w.SignalTriggers {
			ids = append(ids, textUUID(w.SignalTriggers[i].AppendJSON(nil)))
		}
		return ids
	}
	if len(w.TimeTriggers) == 0 {
		return nil
	}
	texts := make([]string, len(w.TimeTriggers))
	for i := range w.TimeTriggers {
		texts[i] = w.TimeTriggers[i].Declared()
	}
	return []string{textUUID([]byte("[" + strings.Join(texts, ", ") + "]"))}
}

// textUUID is the version 3 UUID of a text without name space, as Java makes it.
func textUUID(text []byte) string {
	sum := md5.Sum(text)
	sum[6] = sum[6]&0x0f | 0x30
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:])
}
