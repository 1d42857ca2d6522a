package view

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// request reads first, last and cursor of a query.
func request(t *testing.T, q url.Values) PageRequest {
	t.Helper()
	var p PageRequest
	number := func(name string) (int64, bool) {
		text := q.Get(name)
		if text == "" {
			return 0, false
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n, true
	}
	p.First, p.HasFirst = number("first")
	p.Last, p.HasLast = number("last")
	p.Cursor, p.HasCursor = number("cursor")
	return p
}

func page(exist, window Span, descending bool) []byte {
	var list []Element
	for id := window.Low; id <= window.High; id++ {
		e := Element{ID: id, JSON: []byte(fmt.Sprint(id))}
		if descending {
			list = append([]Element{e}, list...)
		} else {
			list = append(list, e)
		}
	}
	return AppendPage(nil, exist, list)
}

// TestRecordedPages holds every page of instances, runs and versions that was recorded against the arithmetic.
func TestRecordedPages(t *testing.T) {
	files, err := filepath.Glob("../../test/conformance/scenarios/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	compared := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var scenario struct {
			Steps []struct {
				Call   string
				Until  map[string]any
				Expect struct {
					Body struct {
						Info     json.RawMessage   `json:"page_info"`
						Total    int64             `json:"total_count"`
						Elements []json.RawMessage `json:"elements"`
					}
				}
			}
		}
		if json.Unmarshal(data, &scenario) != nil {
			continue // a body elsewhere that is no object
		}
		for i, step := range scenario.Steps {
			path, query, _ := strings.Cut(strings.TrimPrefix(step.Call, "GET "), "?")
			versions := strings.HasSuffix(path, "/versions/pagination")
			if step.Expect.Body.Info == nil || step.Until != nil || !(versions || strings.HasSuffix(path, "/instances") || strings.HasSuffix(path, "/runs")) {
				continue
			}
			q, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			p := request(t, q)
			if err := p.Check(); err != nil {
				t.Errorf("%s: %d: %v", file, i+1, err)
				continue
			}
			exist := Span{1, step.Expect.Body.Total}
			window := p.Window(exist)
			if versions {
				window = p.VersionWindow(exist.High)
			}
			var got struct {
				Info     any   `json:"page_info"`
				Total    int64 `json:"total_count"`
				Elements []any `json:"elements"`
			}
			if err := json.Unmarshal(page(exist, window, versions), &got); err != nil {
				t.Fatal(err)
			}
			var info any
			if err := json.Unmarshal(step.Expect.Body.Info, &info); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Info, info) || got.Total != step.Expect.Body.Total || len(got.Elements) != len(step.Expect.Body.Elements) {
				t.Errorf("%s: %d: %s\n got %v, %d of %d\nwant %v, %d of %d", file, i+1, step.Call, got.Info, len(got.Elements), got.Total,
					info, len(step.Expect.Body.Elements), step.Expect.Body.Total)
			}
			compared++
		}
	}
	if compared < 30 {
		t.Errorf("only %d recorded pages were found", compared)
	}
}

func TestWindow(t *testing.T) { // api.md 5
	for _, tt := range []struct {
		query     string
		low, high int64 // of 1 to 50; high 0: empty
	}{
		{"first=10", 41, 50},
		{"first=10&cursor=41", 31, 40},
		{"last=10", 1, 10},
		{"last=10&cursor=40", 41, 50},
		{"first=200", 1, 50},
		{"first=10&cursor=5", 1, 4},
		{"first=10&cursor=1", 1, 0},
		{"first=10&cursor=-9223372036854775808", 1, 0},
		{"first=10&cursor=9223372036854775807", 1, 0},
		{"last=10&cursor=50", 50, 50}, // the quirk: not 51 to 50
		{"last=10&cursor=49", 50, 50},
		{"last=10&cursor=9223372036854775807", 50, 50},
		{"last=10&cursor=-9223372036854775808", 1, 0},
	} {
		q, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		w := request(t, q).Window(Span{1, 50})
		if tt.high == 0 && !w.Empty() || tt.high != 0 && w != (Span{tt.low, tt.high}) {
			t.Errorf("%s: %v", tt.query, w)
		}
	}
}

func TestWindowWalks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Int64Range(1, 5).Draw(t, "low")
		exist := Span{low, low + rapid.Int64Range(0, 60).Draw(t, "more")}
		n := rapid.Int64Range(1, 20).Draw(t, "n")
		seen := int64(0)
		p := PageRequest{First: n, HasFirst: true}
		for at := exist.High; ; {
			w := p.Window(exist)
			if w.Empty() || w.High != at || w.High-w.Low >= n {
				t.Fatalf("%+v of %v: %v, expected from %d down", p, exist, w, at)
			}
			seen += w.High - w.Low + 1
			if w.Low == exist.Low {
				break
			}
			at, p.Cursor, p.HasCursor = w.Low-1, w.Low, true
		}
		if seen != exist.High-exist.Low+1 {
			t.Fatalf("saw %d of %v", seen, exist)
		}
	})
}

func TestPageCutShort(t *testing.T) { // P36: an answer that would be too large ends early and says that there is more
	got := string(AppendPage(nil, Span{1, 9}, []Element{{9, []byte("9")}, {8, []byte("8")}}))
	want := `{"page_info":{"start_cursor":"9","end_cursor":"8","has_previous_page":false,"has_next_page":true,"start_index":1},"total_count":9,"elements":[9,8]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPageOfNothing(t *testing.T) {
	want := `{"page_info":{"start_cursor":null,"end_cursor":null,"has_previous_page":false,"has_next_page":false,"start_index":null},"total_count":0,"elements":[]}`
	p := PageRequest{First: 3, HasFirst: true}
	if w := p.Window(Span{1, 0}); !w.Empty() {
		t.Errorf("window of nothing: %v", w)
	}
	if got := string(AppendPage(nil, Span{1, 0}, nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPageRequestCheck(t *testing.T) {
	for _, tt := range []struct {
		p  PageRequest
		ok bool
	}{
		{PageRequest{}, false},
		{PageRequest{First: 1, HasFirst: true, Last: 1, HasLast: true}, false},
		{PageRequest{HasFirst: true}, false},
		{PageRequest{First: 201, HasFirst: true}, false},
		{PageRequest{Last: -1, HasLast: true}, false},
		{PageRequest{Last: 200, HasLast: true}, true},
		{PageRequest{First: 1, HasFirst: true, HasCursor: true}, true},
	} {
		if err := tt.p.Check(); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.p, err)
		}
	}
}
