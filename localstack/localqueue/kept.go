package localqueue

// The stored form of messages that survive the process.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/downbeat/downbeat/core/queue"
)

// recordFormat is the format number of stored messages (P10): the first byte of each.
const recordFormat = 1

func (m *message) encode() []byte {
	b := []byte{recordFormat}
	b = binary.AppendUvarint(b, uint64(m.at))
	b = binary.AppendUvarint(b, uint64(len(m.group)))
	b = append(b, m.group...)
	return append(b, m.body...)
}

func parseRecord(b []byte) (*message, error) {
	if len(b) == 0 {
		return nil, errors.New("stored message is empty")
	}
	if b[0] != recordFormat {
		return nil, fmt.Errorf("stored format %d is not %d: written by a newer version?", b[0], recordFormat)
	}
	at, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return nil, errors.New("stored message ends too early")
	}
	b = b[1+n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, errors.New("stored message ends too early")
	}
	b = b[n:]
	return &message{at: int64(at), group: string(b[:size]), body: slices.Clone(b[size:])}, nil
}

// keep stores messages durably, all with one sync.
func (l *line) keep(ctx context.Context, msgs []*message) error {
	records := make([][]byte, len(msgs))
	for i, m := range msgs {
		records[i] = m.encode()
	}
	ids, err := l.log.Append(ctx, records)
	if err != nil {
		return err
	}
	for i, m := range msgs {
		m.record = ids[i]
	}
	return nil
}

// load opens the log of a queue and takes up what is in it.
func (q *Queue) load(name queue.Name) error {
	l, ok := q.queues[name]
	if !ok {
		return errors.New("a kept queue is not among the queues")
	}
	log, err := q.cfg.Durable.Log(q.ctx, "queue/"+string(name))
	if err != nil {
		return err
	}
	l.log = log
	now := q.cfg.Clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	return log.Each(func(id uint64, b []byte) error {
		m, err := parseRecord(b)
		if err != nil {
			return fmt.Errorf("message %d: %w", id, err)
		}
		m.record = id
		l.add(m, now)
		return nil
	})
}
