// Execute does the outside part of attempts: it starts, polls and stops what their steps ask for, and
// hands the results to the runs.
package main

import (
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/functions/internal/wire"
)

func main() {
	wire.Main("execute", func(f *wire.Function) (any, error) { return f.Queue(queue.Execute), nil })
}
