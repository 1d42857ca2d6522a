// Package pack is the compact binary form of what is stored: varints, length-prefixed bytes, in a fixed order behind a
// format number. A reader never panics: after the first defect it returns zero values and keeps the error.
package pack

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrNewer is the error of data whose format is newer than this code knows: during a rolling deployment the message
// about it must come again later, it is not defective (P10).
var ErrNewer = errors.New("stored format is newer than this version reads")

// Writer appends values to Buf.
type Writer struct{ Buf []byte }

// Format begins a record with its format number, at least 1.
func (w *Writer) Format(n byte) { w.Buf = append(w.Buf, n) }

// Uint appends a non-negative number.
func (w *Writer) Uint(n uint64) { w.Buf = binary.AppendUvarint(w.Buf, n) }

// Int appends a signed number.
func (w *Writer) Int(n int64) { w.Buf = binary.AppendVarint(w.Buf, n) }

// Bool appends a truth value.
func (w *Writer) Bool(b bool) {
	if b {
		w.Buf = append(w.Buf, 1)
	} else {
		w.Buf = append(w.Buf, 0)
	}
}

// Str appends a string with its length.
func (w *Writer) Str(s string) {
	w.Uint(uint64(len(s)))
	w.Buf = append(w.Buf, s...)
}

// Bytes appends bytes with their length.
func (w *Writer) Bytes(b []byte) {
	w.Uint(uint64(len(b)))
	w.Buf = append(w.Buf, b...)
}

// Reader reads what a Writer wrote.
type Reader struct {
	buf []byte
	err error
}

// NewReader reads data whose format number must be between 1 and newest, and returns the number with the reader.
func NewReader(data []byte, newest byte) (*Reader, byte, error) {
	if len(data) == 0 {
		return nil, 0, errors.New("stored record is empty")
	}
	if data[0] == 0 {
		return nil, 0, errors.New("stored record has no format number")
	}
	if data[0] > newest {
		return nil, 0, fmt.Errorf("%w: format %d, known up to %d", ErrNewer, data[0], newest)
	}
	return &Reader{buf: data[1:]}, data[0], nil
}

// Err is the first defect met, or nil.
func (r *Reader) Err() error { return r.err }

// Len is how many bytes are left.
func (r *Reader) Len() int { return len(r.buf) }

func (r *Reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("stored record is cut short or corrupt at a %s", what)
	}
	r.buf = nil
}

// Uint reads a non-negative number.
func (r *Reader) Uint() uint64 {
	n, k := binary.Uvarint(r.buf)
	if k <= 0 {
		r.fail("number")
		return 0
	}
	r.buf = r.buf[k:]
	return n
}

// Int reads a signed number.
func (r *Reader) Int() int64 {
	n, k := binary.Varint(r.buf)
	if k <= 0 {
		r.fail("number")
		return 0
	}
	r.buf = r.buf[k:]
	return n
}

// Count reads a number of elements, each of which takes at least one byte: a corrupt one cannot ask for more memory
// than the record has bytes.
func (r *Reader) Count() int {
	n := r.Uint()
	if n > uint64(len(r.buf)) {
		r.fail("count")
		return 0
	}
	return int(n)
}

// Bool reads a truth value.
func (r *Reader) Bool() bool {
	if len(r.buf) == 0 {
		r.fail("truth value")
		return false
	}
	b := r.buf[0]
	r.buf = r.buf[1:]
	return b != 0
}

// Bytes reads bytes; they alias the record.
func (r *Reader) Bytes() []byte {
	n := r.Uint()
	if n > uint64(len(r.buf)) {
		r.fail("text")
		return nil
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

// Raw reads n bytes that have no length before them; nil when there are fewer. They alias the record.
func (r *Reader) Raw(n int) []byte {
	if n > len(r.buf) {
		r.fail("text")
		return nil
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

// Str reads a string.
func (r *Reader) Str() string { return string(r.Bytes()) }

// Newer is the error of a record of a format that this code does not know yet.
func Newer(what string, format, known int) error {
	return fmt.Errorf("%s: %w: format %d, known up to %d", what, ErrNewer, format, known)
}
