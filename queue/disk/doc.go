// Package disk is the durable store of package queue: the messages of one queue
// in a directory of bbolt files.
//
// # Guarantees
//
// When Append returns nil the messages are on stable storage, and they will be
// read, in the order in which Append was called, even if the process is killed or
// the power fails, until they are acknowledged and the acknowledgement has been
// committed. When Append returns an error none of the messages will be read by
// this process; only if it dies before the next commit, and the disk had not said
// what became of the last one, may they be read after all. Messages are read
// again if the process dies between their delivery and the commit of their
// acknowledgement: those read and not acknowledged, and those acknowledged in the
// last 20 ms and one commit. With StoreConfig.Sync off all this holds when the
// process is killed, but not when the power fails.
//
// Start-up does not fail because of what is in the directory. What is damaged is
// salvaged and set aside; what is lost is counted by sequence number and reported.
//
// # What is assumed of disks
//
// A write that was synced stays; fsync reports an error if it could not be done.
// Writes that were not synced may be lost, or done in part (in units of a
// sector), in any order. A file that is renamed is there under its new name once
// its directory is synced. Anything may be damaged afterwards: every message is
// covered by a CRC-32C, and every sequence number is accounted for.
//
// # Format
//
// A queue is a directory, of mode 0700, with
//
//	lock                              flock'ed by the process that has the queue
//	gen-NUMBER-ID.db                  generations, mode 0600; NUMBER is their order
//	gen-NUMBER-ID.db.tmp              one being made; removed at start-up
//	gen-NUMBER-ID.db.bad-TIME         set aside because of damage, never touched again
//
// A generation is a bbolt database with 4 KiB pages: bucket "queue" with the key
// "state" (see state), and bucket "chunks" with a bucket for every commit, whose
// key is the commit sequence (big-endian) and which holds one value, key "c": a
// header (see header) and a chunk, that is frames of package message, one after
// the other. One bucket per commit, because bbolt then neither moves old chunks
// when it adds one nor when it deletes one.
//
// Every message has a sequence number, in the order in which they are read, and
// every commit has one. The state says up to where messages are acknowledged. A
// generation holds the messages from its first one to the first one of a
// generation made after it; what it holds beyond is a commit that failed and was
// written again.
//
// # How it works
//
// One goroutine commits. It takes all that waits, makes one bbolt transaction of
// it, with the acknowledgements so far, and while that is synced the next group
// gathers: there is no timer. The transaction also deletes the chunks that are
// acknowledged, so that a queue that keeps up writes the same few pages again and
// again. The newest chunks stay in memory until the reader takes them.
//
// A file is written by the process that made it, and only for as long as nothing
// is wrong with it: a new one is begun at start-up, when it has its size, when it
// has many free pages, and after any error that is not about room. After such an
// error nobody knows what became of the commit, and an fsync that succeeds later
// on proves nothing. The group is written to the new file, and the old one is
// read only up to where that begins. A drained file is removed, which gives its
// disk space back.
//
// Files are read without bbolt (see pages.go), and without a memory map, because
// a damaged file makes bbolt end the process, in ways that cannot be caught. If
// anything about a file is not as it should be, all of it is searched for records:
// they say what they are and have checksums. Such a file is read from what was
// found, and renamed when it is drained.
//
// A file is allocated ahead of use, with a reserve that only acknowledgements may
// use: they work on a full disk. While there is no room for messages, Append and
// Accept wait.
package disk
