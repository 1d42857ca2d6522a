package api

import "testing"

func TestCleanPath(t *testing.T) { // api.md 1
	for in, want := range map[string]string{
		"/api/v3/workflows/w":          "/api/v3/workflows/w",
		"/api/v3/workflows/w;a=b/c;d":  "/api/v3/workflows/w/c",
		"/api/v3/workflows/x/../w/./a": "/api/v3/workflows/w/a",
		"/api//v3/workflows":           "/api/v3/workflows",
		"/api/v3/workflows/":           "/api/v3/workflows/",
		"/api/v3/workflows/a%20b%3B":   "/api/v3/workflows/a%20b%3B",
		"/../..":                       "/",
		"/":                            "/",
		"":                             "/",
	} {
		if got := cleanPath(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
