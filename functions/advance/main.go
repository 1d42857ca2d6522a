// Advance decides and commits: it looks at the runs, lanes, permits and deletions that pokes name.
package main

import (
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/functions/internal/wire"
)

func main() {
	wire.Main("advance", func(f *wire.Function) (any, error) { return f.Queue(queue.Advance), nil })
}
