package events

import "encoding/json"

// BusSource and BundleType are the source and the detail type under which published events stand on the bus.
const (
	BusSource  = "downbeat"
	BundleType = "Status Events"
)

// Bundle is many published events in one entry of the bus or one message of a topic, since those are billed by 64 KB.
// A consumer that asks for Maestro's own format gets each event in a message of its own instead.
type Bundle struct {
	V      int               `json:"v"`
	Events []json.RawMessage `json:"events"` // each as EncodePublished gives it
}

// bundleFrame is how long a bundle is without its events.
const bundleFrame = len(`{"v":1,"events":[]}`)

// Bundles packs events, in their order, into as few documents of at most limit bytes as that order allows. An event that
// is too long for a document of its own gets one all the same: whether it can be sent is for the sender to see.
func Bundles(list [][]byte, limit int) [][]byte {
	var out [][]byte
	for from := 0; from < len(list); {
		to, size := from+1, bundleFrame+len(list[from])
		for to < len(list) && size+1+len(list[to]) <= limit {
			size += 1 + len(list[to])
			to++
		}
		doc := append(make([]byte, 0, size), `{"v":1,"events":[`...)
		for i, e := range list[from:to] {
			if i > 0 {
				doc = append(doc, ',')
			}
			doc = append(doc, e...)
		}
		out = append(out, append(doc, "]}"...))
		from = to
	}
	return out
}

// ParseBundle reads a bundle. Errors: *NewerError, *UnreadableError.
func ParseBundle(data []byte) (Bundle, error) {
	var b Bundle
	if err := parse("bundle", data, &b); err != nil {
		return Bundle{}, err
	}
	return b, nil
}
