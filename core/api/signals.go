package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/signal"
)

func (a *API) signalRoutes() []route {
	return []route{
		{method: http.MethodPost, path: base + "/signals", content: jsonContent, handle: (*call).announce},
		{method: http.MethodGet, path: base + "/signals/{signalName}/instances/{seq}", handle: (*call).readSignal},
	}
}

func (c *call) announce() (answer, error) {
	in, err := signal.Read(c.body, c.api.app.Now())
	if err != nil {
		return answer{}, err
	}
	stored, err := c.api.app.AnnounceSignal(c.Context(), *in)
	if err != nil {
		return answer{}, err
	}
	return ok(stored.AppendJSON(nil))
}

// readSignal reads an instance. What is not there is an empty answer. Read as the newest one, its number is -1, and a
// negative number reads the newest and is echoed: quirks of Maestro's.
func (c *call) readSignal() (answer, error) {
	name, text := c.PathValue("signalName"), c.PathValue("seq")
	seq := int64(-1)
	if !strings.EqualFold(text, "latest") {
		var err error
		if seq, err = strconv.ParseInt(text, 10, 64); err != nil {
			return answer{}, fault.New(fault.BadRequest, "For input string: %q (seq)", text)
		}
	}
	number := seq
	if seq < 0 {
		var err error
		if number, err = c.api.app.LatestSignal(c.Context(), name); err != nil {
			return answer{}, err
		}
	}
	i, err := c.api.app.SignalInstance(c.Context(), name, number)
	if err != nil {
		return answer{}, err
	}
	if i == nil {
		return ok(nil)
	}
	shown := *i
	if seq < 0 {
		shown.Seq = seq
	}
	return ok(shown.AppendJSON(nil))
}
