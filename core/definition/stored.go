package definition

import "github.com/downbeat/downbeat/core/wire"

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
