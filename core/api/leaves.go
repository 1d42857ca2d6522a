package api

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/view"
	"github.com/downbeat/downbeat/core/wire"
)

const leaves = base + "/views/flatten/workflows/{workflowId}/instances/{workflowInstanceId}/runs/{workflowRunId}/steps/{stepId}"

// The flattened views: a step inside loops, at all of their iterations.
func (a *API) leafRoutes() []route {
	return []route{
		{method: http.MethodGet, path: leaves, handle: (*call).listLeaves},
		{method: http.MethodGet, path: leaves + "/iterations/{iterationId}", handle: (*call).readLeaf},
		{method: http.MethodGet, path: leaves + "/summary", handle: (*call).summarizeLeaves},
	}
}

func (c *call) leafQuery() (app.LeafQuery, error) {
	n, err := c.pathLong("workflowInstanceId")
	if err != nil {
		return app.LeafQuery{}, err
	}
	r, err := c.pathLong("workflowRunId")
	return app.LeafQuery{Run: store.RunID{Workflow: c.PathValue("workflowId"), Instance: n, Run: r}, Step: c.PathValue("stepId")}, err
}

func (c *call) listLeaves() (answer, error) {
	q, err := c.leafQuery()
	if err != nil {
		return answer{}, err
	}
	p, err := c.pageSize()
	if err != nil {
		return answer{}, err
	}
	cursor, err := c.queryBase64("cursor")
	if err != nil {
		return answer{}, err
	}
	wanted, err := c.leafFilter()
	if err != nil {
		return answer{}, err
	}
	q.Falling = p.HasLast
	if p.HasLast {
		q.Before = cursor
	} else {
		q.After = cursor
	}
	size := int(p.First + p.Last)
	page := view.LeafPage{Before: cursor != "" && p.HasFirst, After: cursor != "" && p.HasLast}
	err = c.api.app.Leaves(c.Context(), q, func(l *view.Leaf) bool {
		switch {
		case !wanted(l):
			return true
		case len(page.Leaves) < size:
			page.Leaves = append(page.Leaves, l)
			return true
		case q.Falling:
			page.Before = true
		default:
			page.After = true
		}
		return false
	})
	if err != nil {
		return answer{}, err
	}
	if q.Falling {
		slices.Reverse(page.Leaves)
	}
	return ok(view.AppendLeafPage(nil, page, func(rank string) string { return base64.URLEncoding.EncodeToString([]byte(rank)) }))
}

// queryBase64 reads a parameter that is text in URL-safe base64, with or without padding.
func (c *call) queryBase64(name string) (string, error) {
	text, _ := c.query(name)
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return "", fault.New(fault.BadRequest, "%s is not base64: %s", name, err.Error())
	}
	return string(b), nil
}

// leafFilter reads what entries are wanted by their statuses and loop params. A status that there is none of matches
// nothing; loop params that are no JSON object of plain values are ignored, a quirk.
func (c *call) leafFilter() (func(*view.Leaf) bool, error) {
	var statuses []string
	if text, _ := c.query("statuses"); text != "" {
		statuses = strings.Split(text, ",")
	}
	text, err := c.queryBase64("loopParams")
	if err != nil {
		return nil, err
	}
	params := readLoopValues(text)
	return func(l *view.Leaf) bool {
		if len(statuses) > 0 && !slices.Contains(statuses, l.Attempt.Status.String()) {
			return false
		}
		for _, p := range params {
			if !slices.Contains(l.Params, p) {
				return false
			}
		}
		return true
	}, nil
}

func readLoopValues(text string) []view.LoopValue {
	v, err := wire.Parse([]byte(text))
	if err != nil || v.Kind() != wire.KindObject {
		return nil
	}
	var list []view.LoopValue
	for _, m := range wire.Root(v, "").Members() {
		switch m.Node.Value().Kind() {
		case wire.KindObject, wire.KindArray:
			return nil
		}
		list = append(list, view.LoopValue{Name: m.Name, Text: m.Node.Str()})
	}
	return list
}

func (c *call) readLeaf() (answer, error) {
	q, err := c.leafQuery()
	if err != nil {
		return answer{}, err
	}
	text := c.PathValue("iterationId")
	for _, part := range strings.Split(text, "-") {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			n = 0
		}
		q.At = append(q.At, n)
	}
	var found *view.Leaf
	if err := c.api.app.Leaves(c.Context(), q, func(l *view.Leaf) bool { found = l; return false }); err != nil {
		return answer{}, err
	}
	if found == nil {
		return answer{}, fault.New(fault.NotFound, "run %s has no iteration [%s] of step [%s]", q.Run, text, q.Step)
	}
	return ok(view.AppendLeaf(nil, found))
}

func (c *call) summarizeLeaves() (answer, error) {
	q, err := c.leafQuery()
	if err != nil {
		return answer{}, err
	}
	s := view.LeafSummary{Values: 5}
	if s.Representative, err = c.queryBool("representative", true); err != nil {
		return answer{}, err
	}
	if s.Counts, err = c.queryBool("statusCount", false); err != nil {
		return answer{}, err
	}
	values, err := c.queryLong("valueCount")
	if err != nil {
		return answer{}, err
	}
	if values != nil {
		s.Values = int(max(*values, 0))
	}
	if err := c.api.app.Leaves(c.Context(), q, func(l *view.Leaf) bool { s.Add(l); return true }); err != nil {
		return answer{}, err
	}
	return ok(s.AppendJSON(nil))
}
