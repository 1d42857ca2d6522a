package lane

import "github.com/downbeat/downbeat/core/pack"

// format is the newest stored format of a lane. 2 added Hold.
const format = 2

// Encode gives the stored form. Entries are delta coded: a queue of consecutive instances costs two bytes a run.
func (l *Lane) Encode() []byte {
	var w pack.Writer
	w.Format(format)
	w.Int(l.Latest)
	w.Bool(l.Deleting)
	w.Int(l.Since)
	w.Int(l.Due)
	encodeEntries(&w, l.Queued)
	encodeEntries(&w, l.Running)
	w.Uint(uint64(len(l.Orders)))
	for _, o := range l.Orders {
		w.Int(o.Instance)
		w.Int(o.Run)
		w.Uint(uint64(o.Target))
		w.Str(o.UUID)
		w.Int(o.By)
		w.Bool(o.Kill)
		w.Str(o.User)
		w.Str(o.Reason)
	}
	w.Int(l.Hold)
	return w.Buf
}

// Decode reads a stored lane; no data is the lane of a workflow that never ran. A format newer than this code gives
// pack.ErrNewer.
func Decode(data []byte) (*Lane, error) {
	l := &Lane{}
	if len(data) == 0 {
		return l, nil
	}
	r, stored, err := pack.NewReader(data, format)
	if err != nil {
		return nil, err
	}
	l.Latest = r.Int()
	l.Deleting = r.Bool()
	l.Since = r.Int()
	l.Due = r.Int()
	l.Queued = decodeEntries(r)
	l.Running = decodeEntries(r)
	for n := r.Count(); n > 0; n-- {
		l.Orders = append(l.Orders, Order{
			Entry:  Entry{Instance: r.Int(), Run: r.Int()},
			Target: Target(r.Uint()), UUID: r.Str(), By: r.Int(), Kill: r.Bool(), User: r.Str(), Reason: r.Str(),
		})
	}
	if stored >= 2 {
		l.Hold = r.Int()
	}
	return l, r.Err()
}

func encodeEntries(w *pack.Writer, list []Entry) {
	w.Uint(uint64(len(list)))
	var prev int64
	for _, e := range list {
		w.Int(e.Instance - prev)
		w.Int(e.Run)
		prev = e.Instance
	}
}

func decodeEntries(r *pack.Reader) []Entry {
	var list []Entry
	var prev int64
	for n := r.Count(); n > 0; n-- {
		prev += r.Int()
		list = append(list, Entry{Instance: prev, Run: r.Int()})
	}
	return list
}
