// Package queue holds messages between stages: direct (none), in memory, on
// disk, or in memory with the disk as overflow.
//
// A Queue is a message.Handler on one side (Put) and calls one on the other (the
// work given to Open). Invariants:
//
//   - Put copies. When it returns nil the messages are the queue's, or discarded
//     and counted as the parameters say. Under message.Stored they are on stable
//     storage, or the work has taken them.
//   - Messages of one origin leave in the order they came in, whatever the number
//     of workers: workers own lanes, and an origin's messages share a lane.
//   - What the work does not take is handed to it again, before what came later,
//     until it takes it or the queue is stopped.
//   - received = delivered + queued + discarded at any time nothing moves.
//     Messages are queued until the work has taken them.
//   - Memory is bounded by size and by bytes. No timers on the fast path: a lease
//     is whatever has piled up, at most dequeueBatchSize.
//   - In a disk-assisted queue memory is always older than disk.
//
// Messages are kept as frames, the form they have in a message.Batch, one after
// the other in chunks of memory which the queue uses again and again. A worker
// is lent the bytes where they lie and works on them without the lock. Two
// goroutines touch a message, the sender's and the worker's.
//
// A queue's disk part is a Store; package queue/disk has the one that is used.
// What is read from it is handed on under message.Stored, because it may have
// been acknowledged as stored: it is acknowledged to the store only when the
// next durable place has it. A memory queue behind a disk queue is therefore
// passed by, and a slow action behind both holds up the disk queue, unless the
// action's queue has a queue.filename. What a disk-assisted queue handed on from
// memory may be in that memory queue; it is waited for, so that order is kept.
//
// The package imports message.
package queue
