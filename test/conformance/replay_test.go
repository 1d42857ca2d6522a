package conformance

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// replay is a server that answers the calls of one scenario with what was recorded, in order.
func replay(s *Scenario) (*Scenario, http.Handler) {
	played := *s
	played.Steps = nil
	for _, step := range s.Steps {
		if step.Pause > 0 {
			continue
		}
		if step.Until != nil { // without the values that only the player knows
			until := map[string]json.RawMessage{}
			for pointer, v := range step.Until {
				if !bytes.Contains(v, []byte("${")) && !strings.Contains(pointer, "${") {
					until[pointer] = v
				}
			}
			step.Until = until
		}
		played.Steps = append(played.Steps, step)
	}
	next := 0
	return &played, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		step := played.Steps[next]
		next++
		status, doc := 200, any(map[string]any{})
		kind := "application/json"
		if e := step.Expect; e != nil {
			status = e.Status
			if e.Body != nil {
				doc, _ = decode(e.Body)
			}
			if e.Error != nil {
				doc, kind = map[string]any{"status": e.Error.Status}, e.Error.Type
			}
		}
		for pointer, raw := range step.Until {
			v, _ := decode(raw)
			if list, ok := v.([]any); ok {
				v = list[0]
			}
			if v != missing {
				doc = put(doc, strings.Split(pointer, "/")[1:], v)
			}
		}
		for _, pointer := range step.Save {
			if at(doc, pointer) == missing {
				doc = put(doc, strings.Split(pointer, "/")[1:], "6f1c1b0e-9a55-4d8b-8f14-3d2f6f0b9b01")
			}
		}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		if m, ok := doc.(map[string]any); ok && m["<not-json>"] != nil {
			io.WriteString(w, m["<not-json>"].(string))
		} else if doc != nil {
			w.Write(compact(doc))
		}
	})
}

// put sets the value at the parts of a pointer, making what leads there.
func put(doc any, parts []string, v any) any {
	if len(parts) == 0 {
		return v
	}
	if i, err := strconv.Atoi(parts[0]); err == nil {
		list, _ := doc.([]any)
		for len(list) <= max(i, 0) {
			list = append(list, nil)
		}
		if i < 0 {
			i += len(list)
		}
		list[i] = put(list[i], parts[1:], v)
		return list
	}
	m, ok := doc.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	m[parts[0]] = put(m[parts[0]], parts[1:], v)
	return m
}

// TestReplay holds the player against itself: what was recorded must pass, all through, and must not pass once it is
// changed.
func TestReplay(t *testing.T) {
	scenarios, _ := all(t)
	bodies, errors := 0, 0
	for _, s := range scenarios {
		played, handler := replay(s)
		server := httptest.NewServer(handler)
		o := Options{Base: server.URL, Stub: "http://127.0.0.1:18099", MaxWait: time.Nanosecond, Poll: time.Millisecond, Client: NewClient(10*time.Second, 1)}
		r := played.Play(t.Context(), o)
		o.Client.CloseIdleConnections()
		server.Close()
		if len(r.Differences) > 0 {
			t.Errorf("%s: %q", s.Name, r.Differences)
		}
		for i, step := range played.Steps {
			if step.Expect == nil || step.Check != "" || step.Until != nil {
				continue
			}
			a := answer{status: step.Expect.Status}
			switch {
			case step.Expect.Body != nil:
				a.body, _ = decode(step.Expect.Body)
				m, ok := a.body.(map[string]any)
				if !ok {
					continue
				}
				m["one key too many"] = json.Number("1")
				bodies++
			case step.Expect.Error != nil && step.Expect.Status != 500:
				a.contentType = "text/html"
				errors++
			default:
				continue
			}
			p := &player{scenario: played, names: map[string]any{}, uuids: newSameUUIDs()}
			if err := p.check(i+1, step, a); err != nil || len(p.differences) != 1 {
				t.Errorf("%s: step %d: changed answer gave %q, %v", s.Name, i+1, p.differences, err)
			}
		}
	}
	if bodies < 1000 || errors < 500 {
		t.Errorf("only %d bodies and %d errors were compared", bodies, errors)
	}
}
