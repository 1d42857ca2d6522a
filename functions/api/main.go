// Api answers the REST calls that come through the HTTP API.
package main

import "github.com/downbeat/downbeat/functions/internal/wire"

func main() {
	wire.Main("api", (*wire.Function).API)
}
