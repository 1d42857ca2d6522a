package lane

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/downbeat/downbeat/core/pack"
)

// format is the newest stored format of a lane. Formats 1 and 2 listed every run and every order on its own; 2 added
// Hold.
const format = 3

// Encode gives the stored form. Runs are spans, and orders of neighbours that differ in nothing but their start share
// an entry: a queue costs a few bytes, an order 16 for its start and next to nothing else.
func (l *Lane) Encode() []byte {
	var w pack.Writer
	w.Format(format)
	w.Int(l.Latest)
	w.Bool(l.Deleting)
	w.Int(l.Since)
	w.Int(l.Due)
	w.Int(l.Hold)
	w.Uint(uint64(l.Crowd))
	w.Int(l.FoldAt)
	w.Int(l.Taken)
	w.Uint(uint64(len(l.Recent)))
	prev := l.Taken
	for _, p := range l.Recent {
		w.Int(p.Rev - prev)
		w.Buf = binary.LittleEndian.AppendUint64(w.Buf, p.Hash)
		prev = p.Rev
	}
	l.Queued.encode(&w)
	l.Running.encode(&w)
	groups := 0
	for i := range l.Orders {
		if i == 0 || !l.Orders[i].follows(l.Orders[i-1]) {
			groups++
		}
	}
	w.Uint(uint64(groups))
	prev = 0
	for i := 0; i < len(l.Orders); {
		n := 1
		for i+n < len(l.Orders) && l.Orders[i+n].follows(l.Orders[i+n-1]) {
			n++
		}
		encodeGroup(&w, l.Orders[i:i+n], prev)
		prev = l.Orders[i+n-1].Instance
		i += n
	}
	return w.Buf
}

// Flags of a group of orders. What is not flagged is left out.
const (
	withUUIDs   = 1 << iota // uuids of 16 bytes
	withTexts               // uuids of another form, as texts
	withGiven               // Given
	withKill                // Kill
	withBy                  // By
	withReason              // User and Reason
	withChanged             // Changed
)

// follows tells whether an order can share an entry with the one before it.
func (o Order) follows(prev Order) bool {
	return o.Instance == prev.Instance+1 && o.Run == prev.Run && o.Target == prev.Target && o.By == prev.By && o.Given == prev.Given && o.Changed == prev.Changed &&
		o.Kill == prev.Kill && o.User == prev.User && o.Reason == prev.Reason && uuidForm(o.UUID) == uuidForm(prev.UUID)
}

// uuidForm is the flag for how a uuid is stored.
func uuidForm(uuid string) uint64 {
	if uuid == "" {
		return 0
	}
	if raw, ok := rawUUID(uuid); ok && textUUID(raw) == uuid {
		return withUUIDs
	}
	return withTexts
}

func rawUUID(uuid string) ([]byte, bool) {
	if len(uuid) != 36 {
		return nil, false
	}
	raw, err := hex.DecodeString(uuid[:8] + uuid[9:13] + uuid[14:18] + uuid[19:23] + uuid[24:])
	return raw, err == nil
}

func textUUID(raw []byte) string {
	s := hex.EncodeToString(raw)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func encodeGroup(w *pack.Writer, group []Order, prev int64) {
	o := group[0]
	form := uuidForm(o.UUID)
	flags := form
	for flag, set := range map[uint64]bool{withGiven: o.Given, withChanged: o.Changed, withKill: o.Kill, withBy: o.By != 0, withReason: o.User != "" || o.Reason != ""} {
		if set {
			flags |= flag
		}
	}
	w.Int(o.Instance - prev)
	w.Uint(uint64(len(group) - 1))
	w.Int(o.Run)
	w.Uint(uint64(o.Target))
	w.Uint(flags)
	if flags&withBy != 0 {
		w.Int(o.By)
	}
	if flags&withReason != 0 {
		w.Str(o.User)
		w.Str(o.Reason)
	}
	for _, o := range group {
		switch form {
		case withUUIDs:
			raw, _ := rawUUID(o.UUID)
			w.Buf = append(w.Buf, raw...)
		case withTexts:
			w.Str(o.UUID)
		}
	}
}

// Decode reads a stored lane; no data is the lane of a workflow that never ran. A format newer than this code gives
// pack.ErrNewer.
func Decode(data []byte) (*Lane, error) {
	l := &Lane{}
	if len(data) == 0 {
		return l, nil
	}
	r, n, err := pack.NewReader(data, format)
	if err != nil {
		return nil, err
	}
	if n <= 2 {
		return decodeLists(r, n)
	}
	l.Latest = r.Int()
	l.Deleting = r.Bool()
	l.Since = r.Int()
	l.Due = r.Int()
	l.Hold = r.Int()
	l.Crowd = int(r.Uint())
	l.FoldAt = r.Int()
	l.Taken = r.Int()
	prev := l.Taken
	for n := r.Count(); n > 0; n-- {
		prev += r.Int()
		if raw := r.Raw(8); raw != nil {
			l.Recent = append(l.Recent, Pointer{Rev: prev, Hash: binary.LittleEndian.Uint64(raw)})
		}
	}
	if l.Queued, err = decodeSet(r, l.Latest); err != nil {
		return nil, err
	}
	if l.Running, err = decodeSet(r, l.Latest); err != nil {
		return nil, err
	}
	prev = 0
	for n := r.Count(); n > 0 && r.Err() == nil; n-- {
		if prev, err = l.decodeGroup(r, prev); err != nil {
			return nil, err
		}
	}
	return l, r.Err()
}

// decodeGroup reads a group of orders after one that ended with instance prev, and returns its own last one.
func (l *Lane) decodeGroup(r *pack.Reader, prev int64) (int64, error) {
	o := Order{Entry: Entry{Instance: prev + r.Int()}}
	count := r.Uint() + 1
	if r.Err() == nil && (o.Instance < 1 || count > uint64(l.Latest) || o.Instance+int64(count)-1 > l.Latest) {
		return 0, fmt.Errorf("lane: %d orders from instance %d exceed the latest instance %d", count, o.Instance, l.Latest)
	}
	o.Run, o.Target = r.Int(), Target(r.Uint())
	flags := r.Uint()
	o.Given, o.Changed, o.Kill = flags&withGiven != 0, flags&withChanged != 0, flags&withKill != 0
	if flags&withBy != 0 {
		o.By = r.Int()
	}
	if flags&withReason != 0 {
		o.User, o.Reason = r.Str(), r.Str()
	}
	for ; count > 0 && r.Err() == nil; count-- {
		switch {
		case flags&withUUIDs != 0:
			if raw := r.Raw(16); raw != nil {
				o.UUID = textUUID(raw)
			}
		case flags&withTexts != 0:
			o.UUID = r.Str()
		}
		l.Orders = append(l.Orders, o)
		prev = o.Instance
		o.Instance++
	}
	return prev, nil
}

// decodeLists reads formats 1 and 2.
func decodeLists(r *pack.Reader, stored byte) (*Lane, error) {
	l := &Lane{Latest: r.Int(), Deleting: r.Bool(), Since: r.Int(), Due: r.Int()}
	for _, set := range []*Set{&l.Queued, &l.Running} {
		var prev int64
		for n := r.Count(); n > 0; n-- {
			prev += r.Int()
			set.Add(Entry{Instance: prev, Run: r.Int()})
		}
	}
	for n := r.Count(); n > 0; n-- {
		l.Orders = append(l.Orders, Order{
			Entry:  Entry{Instance: r.Int(), Run: r.Int()},
			Target: Target(r.Uint()), UUID: r.Str(), By: r.Int(), Kill: r.Bool(), User: r.Str(), Reason: r.Str(),
			// They did not know whose the id was: the number is kept, which is right for both.
			Given: true,
		})
	}
	if stored >= 2 {
		l.Hold = r.Int()
	}
	return l, r.Err()
}
