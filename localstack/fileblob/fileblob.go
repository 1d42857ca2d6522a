// Package fileblob is the Blob port over files, or in memory.
package fileblob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/port"
)

// Files keeps each body in a file below one folder. A body is written beside its place, synced and renamed, so that a
// reader never sees half of one and an acknowledged one survives a crash.
type Files struct {
	dir string
	mu  sync.Mutex // held while a folder is made or removed, so that none is removed under a writer
}

var (
	_ blob.Store = (*Files)(nil)
	_ blob.Store = (*Mem)(nil)
)

// Open makes the folder if it is missing.
func Open(dir string) (*Files, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("blob folder: %w", err)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("blob folder: %w", err)
	}
	return &Files{dir: abs}, nil
}

// maxName is the longest file name that common file systems take, less the room for the mark of a part.
const maxName = 200

// escape turns a key into a path of its own: '/' separates folders, everything but plain characters becomes %XX, and a
// part that is longer than a file name may be is cut into folders that end in '+'. Bodies end in '=', so that a body
// and a folder never meet.
func escape(key string) string {
	const hexDigits = "0123456789ABCDEF"
	var out strings.Builder
	n := 0
	for i := 0; i < len(key); i++ {
		c := key[i]
		if c == '/' {
			out.WriteByte(filepath.Separator)
			n = 0
			continue
		}
		if n >= maxName {
			out.WriteByte('+')
			out.WriteByte(filepath.Separator)
			n = 0
		}
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '#', c == '.' && n > 0:
			out.WriteByte(c)
			n++
		default: // upper case too: some file systems do not tell it from lower case
			out.WriteByte('%')
			out.WriteByte(hexDigits[c>>4])
			out.WriteByte(hexDigits[c&15])
			n += 3
		}
	}
	return out.String() + "="
}

// unescape is the inverse of escape.
func unescape(path string) (string, bool) {
	path, ok := strings.CutSuffix(path, "=")
	if !ok {
		return "", false
	}
	path = strings.ReplaceAll(path, "+"+string(filepath.Separator), "")
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; c {
		case filepath.Separator:
			out.WriteByte('/')
		case '%':
			if i+2 >= len(path) {
				return "", false
			}
			hi, lo := strings.IndexByte("0123456789ABCDEF", path[i+1]), strings.IndexByte("0123456789ABCDEF", path[i+2])
			if hi < 0 || lo < 0 {
				return "", false
			}
			out.WriteByte(byte(hi<<4 | lo))
			i += 2
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), true
}

// Put implements blob.Store.
func (f *Files) Put(ctx context.Context, key string, data []byte) error {
	if err := blob.CheckKey(key); err != nil {
		return port.Invalid("put blob", key, err)
	}
	if err := ctx.Err(); err != nil {
		return port.Local("put blob", key, err)
	}
	path := filepath.Join(f.dir, escape(key))
	if err := f.put(path, data); err != nil {
		return port.Local("put blob", key, err)
	}
	return nil
}

func (f *Files) put(path string, data []byte) (err error) {
	// The file is made in the root folder, which is never removed, and moved while no folder is being removed.
	tmp, err := os.CreateTemp(f.dir, "new*~")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(data); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	made, err := f.makeFolder(filepath.Dir(path))
	if err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncFolders(append(made, filepath.Dir(path)))
}

// makeFolder makes a folder and its missing parents and returns the folders that got a new entry.
func (f *Files) makeFolder(dir string) (changed []string, err error) {
	for d := dir; d != f.dir; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil {
			break
		}
		changed = append(changed, filepath.Dir(d))
	}
	return changed, os.MkdirAll(dir, 0o755)
}

// syncFolders makes new names durable: a synced file whose name is lost in a crash is lost too.
func syncFolders(dirs []string) error {
	for _, d := range dirs {
		h, err := os.Open(d)
		if err != nil {
			return err
		}
		err = h.Sync()
		if cerr := h.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Get implements blob.Store.
func (f *Files) Get(ctx context.Context, key string) ([]byte, error) {
	if err := blob.CheckKey(key); err != nil {
		return nil, port.Invalid("get blob", key, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, port.Local("get blob", key, err)
	}
	data, err := os.ReadFile(filepath.Join(f.dir, escape(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, port.Local("get blob", key, blob.ErrNotFound)
	}
	if err != nil {
		return nil, port.Local("get blob", key, err)
	}
	return data, nil
}

// DeletePrefix implements blob.Store.
func (f *Files) DeletePrefix(ctx context.Context, prefix string, limit int) (more bool, err error) {
	if err := blob.CheckPrefix(prefix, limit); err != nil {
		return false, port.Invalid("delete blobs", prefix, err)
	}
	// Only the deepest folder that the prefix names for certain is searched.
	root := f.dir
	if i := strings.LastIndexByte(prefix, '/'); i > 0 {
		root = filepath.Join(f.dir, strings.TrimSuffix(escape(prefix[:i]), "="))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	deleted := 0
	stop := errors.New("limit reached")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(f.dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return nil
		}
		key, ok := unescape(rel)
		if !ok || !strings.HasPrefix(key, prefix) {
			return nil
		}
		if deleted == limit {
			more = true
			return stop
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		deleted++
		// Folders that became empty go too; the first one that is not refuses.
		for d := filepath.Dir(path); d != f.dir && os.Remove(d) == nil; d = filepath.Dir(d) {
		}
		return nil
	})
	if err != nil && !errors.Is(err, stop) {
		return false, port.Local("delete blobs", prefix, err)
	}
	return more, nil
}

// Mem keeps bodies in memory.
type Mem struct {
	mu     sync.RWMutex
	bodies map[string][]byte // guarded by mu; bodies are never written to
}

// Memory makes an empty store in memory.
func Memory() *Mem { return &Mem{bodies: map[string][]byte{}} }

// Put implements blob.Store.
func (m *Mem) Put(ctx context.Context, key string, data []byte) error {
	if err := blob.CheckKey(key); err != nil {
		return port.Invalid("put blob", key, err)
	}
	if err := ctx.Err(); err != nil {
		return port.Local("put blob", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bodies[key] = append([]byte{}, data...)
	return nil
}

// Get implements blob.Store.
func (m *Mem) Get(ctx context.Context, key string) ([]byte, error) {
	if err := blob.CheckKey(key); err != nil {
		return nil, port.Invalid("get blob", key, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, port.Local("get blob", key, err)
	}
	m.mu.RLock()
	data, ok := m.bodies[key]
	m.mu.RUnlock()
	if !ok {
		return nil, port.Local("get blob", key, blob.ErrNotFound)
	}
	return append([]byte{}, data...), nil
}

// DeletePrefix implements blob.Store.
func (m *Mem) DeletePrefix(ctx context.Context, prefix string, limit int) (bool, error) {
	if err := blob.CheckPrefix(prefix, limit); err != nil {
		return false, port.Invalid("delete blobs", prefix, err)
	}
	if err := ctx.Err(); err != nil {
		return false, port.Local("delete blobs", prefix, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for k := range m.bodies {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	more := len(keys) > limit
	for _, k := range keys[:min(limit, len(keys))] {
		delete(m.bodies, k)
	}
	return more, nil
}
