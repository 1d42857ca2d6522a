// Trigger starts the runs that events ask for: objects put into buckets, and events on buses.
package main

import (
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/functions/internal/wire"
)

func main() {
	wire.Main("trigger", func(f *wire.Function) (any, error) { return f.Queue(queue.Trigger), nil })
}
