package store

import (
	"context"
	"crypto/sha256"
	_ "embed" // startDict
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/downbeat/downbeat/core/blob"
)

// Forms of a kept body, its first byte.
const (
	formPlain = 'p' // the bytes as they are
	formZstd  = 'z' // compressed
	formBlob  = 'b' // the key in the Blob store, where it lies compressed
	formStart = 's' // compressed with startDict
)

// startDict is what most starts say alike, above all the params that every workflow has: a start of a small workflow
// takes one write unit in place of two. It must never change: a better one is another form.
//
//go:embed dict/start1.json
var startDict []byte

const startDictID = 1

// BlobThreshold is above how many bytes, compressed, a body goes to the Blob store: an item of the table may have
// 400 KB in all.
const BlobThreshold = 300 << 10

// plainBelow is up to how many bytes compression is not worth its header.
const plainBelow = 256

// Bodies keeps bodies: compressed, in the item itself or, when large, under their content hash in the Blob store.
type Bodies struct {
	blobs blob.Store
	*Codec
}

// Codec compresses and decompresses whole bodies. It has no state between two calls and is safe for concurrent use; its
// tables are larger than all that a small process compresses with them.
type Codec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
	// start is enc with startDict.
	start *zstd.Encoder
}

// NewCodec makes a Codec.
func NewCodec() (*Codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10))
	if err != nil {
		return nil, err
	}
	start, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10),
		zstd.WithEncoderDictRaw(startDictID, startDict))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBody), zstd.WithDecoderDictRaw(startDictID, startDict))
	return &Codec{enc, dec, start}, err
}

// maxBody bounds what a corrupt header can ask for when a body is decompressed.
const maxBody = 64 << 20

// NewBodies makes the keeper of bodies.
func NewBodies(blobs blob.Store, c *Codec) *Bodies { return &Bodies{blobs, c} }

// maxStartDict is up to how many bytes a start gains by the dictionary.
const maxStartDict = 64 << 10

// KeepStart is Keep for the body of a start.
func (b *Bodies) KeepStart(ctx context.Context, owner string, data []byte) ([]byte, error) {
	if len(data) > maxStartDict {
		return b.Keep(ctx, owner, data)
	}
	return b.start.EncodeAll(data, append(make([]byte, 0, len(data)/4+64), formStart)), nil
}

// Keep gives the form of data that is stored in an item. Large data is put into the Blob store first, under
// <owner>/<hash>, so that it can be deleted with its owner.
func (b *Bodies) Keep(ctx context.Context, owner string, data []byte) ([]byte, error) {
	if len(data) < plainBelow {
		return append([]byte{formPlain}, data...), nil
	}
	out := b.enc.EncodeAll(data, append(make([]byte, 0, len(data)/2+64), formZstd))
	if len(out) <= BlobThreshold {
		return out, nil
	}
	sum := sha256.Sum256(data)
	key := owner + "/" + hex.EncodeToString(sum[:])
	if err := b.blobs.Put(ctx, key, out[1:]); err != nil {
		return nil, fmt.Errorf("body of %s: %w", owner, err)
	}
	return append([]byte{formBlob}, key...), nil
}

// Pack gives a short body in the form in which it is stored inside of an item: compressed where that helps, never in the
// Blob store. Fetch gives it back.
func (b *Bodies) Pack(data []byte) []byte {
	if len(data) < plainBelow {
		return append([]byte{formPlain}, data...)
	}
	return b.enc.EncodeAll(data, append(make([]byte, 0, len(data)/2+64), formZstd))
}

// Fetch gives back what Keep was given.
func (b *Bodies) Fetch(ctx context.Context, stored []byte) ([]byte, error) {
	if len(stored) == 0 {
		return nil, errors.New("body is empty")
	}
	form, rest := stored[0], stored[1:]
	switch form {
	case formPlain:
		return rest, nil
	case formZstd, formStart:
		return b.dec.DecodeAll(rest, nil)
	case formBlob:
		data, err := b.blobs.Get(ctx, string(rest))
		if err != nil {
			return nil, fmt.Errorf("body %s: %w", rest, err)
		}
		return b.dec.DecodeAll(data, nil)
	}
	return nil, fmt.Errorf("body has the unknown form %q", form)
}
