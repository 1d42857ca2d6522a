// Package events holds every payload that crosses a boundary: the messages on our own queues, the status events that
// are published in Maestro's format, and what AWS services and callers send us. It holds types, their reading and
// their writing, and nothing else: no decision, no I/O. A real sample of each lies in testdata and is read and written
// back by the tests.
//
// Our own messages carry a format number `v` (P10). Reading one has four outcomes, and each has a stated fate:
//
//   - it is read;
//   - *NewerError: written by newer code during a rolling deployment; the message is left to come again ("later");
//   - *UnknownError: well-formed, but of a kind that nothing here handles; it is acknowledged and counted;
//   - *UnreadableError: no message of ours at all; it is acknowledged, counted and logged, since it would stay unreadable.
package events
