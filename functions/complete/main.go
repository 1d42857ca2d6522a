// Complete folds results of outside attempts into their runs, those of one run together.
package main

import (
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/functions/internal/wire"
)

func main() {
	wire.Main("complete", func(f *wire.Function) (any, error) { return f.Queue(queue.Complete), nil })
}
