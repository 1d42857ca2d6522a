package events

import "encoding/json"

// Callback is what a job outside posts to the callback URL of its attempt when it is over, or goes on. The URL names the
// attempt and is signed (P19), so the body need not.
type Callback struct {
	V int `json:"v"`
	// State is that of a runtime result: CONTINUE, DONE, USER_ERROR, PLATFORM_ERROR, FATAL_ERROR, STOPPED or TIMED_OUT.
	State     string          `json:"state"`
	Message   string          `json:"message,omitempty"`   // becomes a line of the attempt's timeline
	Artifacts json.RawMessage `json:"artifacts,omitempty"` // object: merged into the attempt's artifacts
	Params    json.RawMessage `json:"params,omitempty"`    // object: output params, evaluated, by name
}

// ParseCallback reads the body of a callback. An absent format number means 1: callers write these by hand. Errors:
// *NewerError, *UnreadableError.
func ParseCallback(data []byte) (Callback, error) {
	const name = "callback"
	var head struct {
		V *json.Number `json:"v"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Callback{}, &UnreadableError{name, err.Error()}
	}
	c := Callback{V: 1}
	var err error
	if head.V == nil {
		if jsonErr := json.Unmarshal(data, &c); jsonErr != nil {
			err = &UnreadableError{name, jsonErr.Error()}
		}
	} else {
		err = parse(name, data, &c)
	}
	switch {
	case err != nil:
		return Callback{}, err
	case c.State == "":
		return Callback{}, missing(name, "state")
	case !object(c.Artifacts):
		return Callback{}, &UnreadableError{name, "artifacts: must be an object"}
	case !object(c.Params):
		return Callback{}, &UnreadableError{name, "params: must be an object"}
	}
	return c, nil
}

// object tells whether a member is absent or an object.
func object(raw json.RawMessage) bool { return len(raw) == 0 || raw[0] == '{' }
