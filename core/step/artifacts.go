package step

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Artifacts are the artifacts of an attempt, JSON objects by key, in the order in which their keys came. The zero
// value is empty.
type Artifacts []Artifact

// Artifact is one artifact. JSON is an object; its `type` member is absent for the type DEFAULT.
type Artifact struct {
	Key  string
	JSON json.RawMessage
}

// Get gives the artifact with that key.
func (a Artifacts) Get(key string) (json.RawMessage, bool) {
	for _, e := range a {
		if e.Key == key {
			return e.JSON, true
		}
	}
	return nil, false
}

// Merged gives a with newer merged into it: where both hold a DEFAULT artifact under the key, the newer members are put
// into the older object, else the newer artifact takes the place. Neither argument is changed.
func (a Artifacts) Merged(newer Artifacts) Artifacts {
	if len(newer) == 0 {
		return a
	}
	out := append(make(Artifacts, 0, len(a)+len(newer)), a...)
next:
	for _, n := range newer {
		for i := range out {
			if out[i].Key == n.Key {
				out[i].JSON = mergeArtifact(out[i].JSON, n.JSON)
				continue next
			}
		}
		out = append(out, n)
	}
	return out
}

func mergeArtifact(older, newer json.RawMessage) json.RawMessage {
	o, err := readObject(older)
	if err != nil || !o.isDefault() {
		return newer
	}
	n, err := readObject(newer)
	if err != nil || !n.isDefault() {
		return newer
	}
	return o.Merged(n).object()
}

// isDefault reports, of the members of an artifact, that its type is DEFAULT.
func (a Artifacts) isDefault() bool {
	raw, ok := a.Get("type")
	if !ok {
		return true
	}
	var name string
	return json.Unmarshal(raw, &name) == nil && strings.EqualFold(name, "DEFAULT")
}

// MarshalJSON writes an object with the keys in order.
func (a Artifacts) MarshalJSON() ([]byte, error) {
	for _, e := range a {
		if !json.Valid(e.JSON) {
			return nil, fmt.Errorf("artifact %s: invalid JSON", e.Key)
		}
	}
	return a.object(), nil
}

func (a Artifacts) object() json.RawMessage {
	out := []byte{'{'}
	for i, e := range a {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendText(out, e.Key), ':')
		out = append(out, e.JSON...)
	}
	return append(out, '}')
}

// UnmarshalJSON reads an object, keeping the order of its keys; of equal keys the later value is kept.
func (a *Artifacts) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	o, err := readObject(data)
	if err != nil {
		return err
	}
	*a = o
	return nil
}

// readObject gives the members of an object in order.
func readObject(data []byte) (Artifacts, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("artifacts: not an object")
	}
	var out Artifacts
next:
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("artifacts: %w", err)
		}
		key, _ := t.(string)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, fmt.Errorf("artifact %s: %w", key, err)
		}
		for i := range out {
			if out[i].Key == key {
				out[i].JSON = raw
				continue next
			}
		}
		out = append(out, Artifact{Key: key, JSON: raw})
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("artifacts: %w", err)
	}
	return out, nil
}

// appendText appends a JSON string without the escapes that only HTML needs.
func appendText(out []byte, s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return append(out, `""`...) // no string fails to encode
	}
	return append(out, bytes.TrimSuffix(b.Bytes(), []byte{'\n'})...)
}
