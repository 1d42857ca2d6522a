package fileblob_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/blob/blobtest"
	"github.com/downbeat/downbeat/localstack/fileblob"
)

func open(t *testing.T, dir string) *fileblob.Files {
	t.Helper()
	f, err := fileblob.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConformance(t *testing.T) {
	t.Run("files", func(t *testing.T) {
		dir := t.TempDir()
		blobtest.Run(t, func(t *testing.T) blob.Store { return open(t, dir) })
		// Nothing is left of what was deleted: neither folders nor parts of files.
		if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if path != dir {
				t.Errorf("%s is left", path)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	})
	t.Run("memory", func(t *testing.T) {
		store := fileblob.Memory()
		blobtest.Run(t, func(t *testing.T) blob.Store { return store })
	})
}

func TestFilesSurviveTheProcess(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir).Put(t.Context(), "w/h", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, dir).Get(t.Context(), "w/h"); err != nil || string(got) != "x" {
		t.Errorf("%q, error %v", got, err)
	}
}

// TestPutThatFails leaves neither the body nor a part of it.
func TestPutThatFails(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	// A file stands where the body's folder must be.
	if err := os.WriteFile(filepath.Join(dir, "w"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), "w/h", []byte("x")); err == nil {
		t.Error("a body was put where there is no folder for it")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%v is left, error %v", left, err)
	}
}
