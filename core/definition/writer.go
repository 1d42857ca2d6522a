package definition

import (
	"github.com/downbeat/downbeat/core/wire"
)

// writer adds the members that are this package's own to those of wire.
type writer struct{ *wire.Writer }

// newWriter begins an object.
func newWriter(out []byte) writer {
	w := writer{wire.NewWriter(out)}
	w.Open()
	return w
}

func (w writer) parsable(name string, p *ParsableLong) {
	switch {
	case p == nil:
	case p.IsText:
		w.Str(name, p.Text)
	default:
		w.Long(name, p.Number)
	}
}

// set writes a list of texts unless it is nil; an empty one is kept.
func (w writer) set(name string, texts []string) {
	if texts != nil {
		w.Strs(name, texts)
	}
}

func (w writer) members(fields []wire.Field) {
	for _, f := range fields {
		w.Value(f.Name, f.Value)
	}
}
