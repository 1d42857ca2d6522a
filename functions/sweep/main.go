// Sweep runs once a minute and sends pokes for what is due, or overdue because a message was lost.
package main

import "github.com/downbeat/downbeat/functions/internal/wire"

func main() {
	wire.Main("sweep", func(f *wire.Function) (any, error) { return f.Sweep(), nil })
}
