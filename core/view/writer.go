package view

import (
	"encoding/json"
	"fmt"

	"github.com/downbeat/downbeat/core/timeline"
	"github.com/downbeat/downbeat/core/wire"
)

// writer is a wire.Writer that also writes values which can fail to be JSON. The first error is kept; what was written
// is of no use then.
type writer struct {
	*wire.Writer
	err error
}

func newWriter(b []byte) *writer { return &writer{Writer: wire.NewWriter(b)} }

// timeItem is a time in a list, null when it is not set.
func (w *writer) timeItem(v int64) {
	if v == 0 {
		w.NullItem()
		return
	}
	w.LongItem(v)
}

// raw writes a member whose value comes from outside and has to be JSON already.
func (w *writer) raw(k string, v []byte) {
	if len(v) == 0 {
		w.fail(fmt.Errorf("%s: no JSON", k))
	}
	w.Raw(k, v)
}

// event writes an entry of a timeline as a member.
func (w *writer) event(k string, e timeline.Event) {
	w.Key(k)
	w.eventItem(e)
}

// eventIf leaves the zero entry out.
func (w *writer) eventIf(k string, e timeline.Event) {
	if e.Type != "" {
		w.event(k, e)
	}
}

// eventItem writes an entry of a timeline as an element, or as the value after Key.
func (w *writer) eventItem(e timeline.Event) {
	data, err := json.Marshal(e)
	if err != nil {
		w.fail(err)
	}
	w.RawItem(data)
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// done gives what was written, with the error in the words of what was being written.
func (w *writer) done(format string, args ...any) ([]byte, error) {
	if w.err != nil {
		return w.Bytes(), fmt.Errorf(format+": %w", append(args, w.err)...)
	}
	return w.Bytes(), nil
}
