package queue

import (
	"context"
	"errors"
	"time"

	"sysrelay/message"
)

// Store keeps messages in order on stable storage. Package queue/disk has the
// one that is used; tests have one in memory. A Store has one reader at most;
// everything else may be called from any goroutine.
//
// Messages are in one of three states: appended; read, but not acknowledged;
// acknowledged, that is forgotten. What was read and not acknowledged when the
// store is closed, or dies, is read again after it is opened.
//
// An error of Append, Accept or Prepend means that none of the messages is
// stored or will ever be read: the store itself finds out what became of a
// commit that failed. Damage is the store's own affair: it sets damaged parts
// aside, says so through StoreConfig.Log, counts what is gone through
// StoreConfig.Lost, and goes on.
type Store interface {
	// Append stores n messages and returns when they are on stable storage (with
	// StoreConfig.Sync off: when they are written). It may be called by many at
	// once and commits them together. Messages are read in the order in which
	// Append or Accept took them; calls that follow one another keep their order.
	//
	// While there is no room (StoreConfig.MaxDiskSpace, or the disk is full) it
	// waits. If ctx ends before there is, nothing is stored and the error is
	// ErrNoRoom; a ctx that has ended already means: store them now or not at all.
	// Once the messages are part of a commit under way ctx has no say. A commit
	// that fails for want of space is tried again; between attempts ctx counts.
	Append(ctx context.Context, frames []byte, n int) error

	// Accept is Append for senders that cannot be held up: it returns as soon as
	// the store has copied the messages, which become part of the next commit. It
	// waits, as Append does, when there is no room or when as much waits to be
	// committed as one commit may hold.
	Accept(ctx context.Context, frames []byte, n int) error

	// Prepend stores messages that are older than everything in the store, all
	// or none of them: a disk-assisted queue saves its memory at shutdown. It is
	// called once, after the last Read and Ack, when nothing is read that is not
	// acknowledged. It may use a reserve beyond MaxDiskSpace.
	Prepend(ctx context.Context, runs []Run) error

	// Read returns the oldest messages not read yet, as many as are stored
	// together and at most max. It waits until there are some. If ctx ends before,
	// or has ended, and there are none, the error is ctx's; ErrStoreClosed after Close.
	Read(ctx context.Context, max int) (Run, error)

	// Ack acknowledges the n oldest messages that are read and not acknowledged.
	// The store makes that durable with its next commit, or by itself before long.
	// The bytes of a Run belong to the store again once all of it is acknowledged.
	Ack(n int)

	// Evict forgets messages that are not read yet and for which discard is true,
	// oldest first, until at least want bytes of disk space are freed or there
	// are none left. It returns how many it forgot; the caller counts them. The
	// store may look at no more than is practical.
	Evict(ctx context.Context, want int64, discard func(frame []byte) bool) (int, error)

	// Len says what the store holds.
	Len() StoreLen

	// Close commits what was accepted and acknowledged, ends Read and releases
	// the files.
	Close() error
}

// Run is a run of messages as frames, one after the other.
type Run struct {
	Frames []byte
	N      int
}

// StoreLen is what a Store holds.
type StoreLen struct {
	Messages  int   // committed or accepted, and not acknowledged
	Bytes     int64 // of their frames
	DiskBytes int64 // of the files
}

// Errors of a Store.
var (
	// ErrNoRoom: the store stayed full until the context ended; nothing was stored.
	ErrNoRoom = errors.New("no room in the disk queue")
	// ErrStoreClosed: the store is closed.
	ErrStoreClosed = errors.New("the disk queue is closed")
)

// StoreConfig says how to open a Store.
type StoreConfig struct {
	Name         string // of the queue, for messages
	Dir          string // the queue's directory; made if it is not there
	MaxDiskSpace int64  // bytes; 0 is unlimited
	MaxFileSize  int64  // bytes of one generation file; 0 is the store's default
	MemoryLimit  int64  // bytes of messages the store may keep in memory for its reader
	Sync         bool   // off: a commit is written, but not synced to stable storage
	Now          func() time.Time
	// Log takes one line for people about what happened to the store.
	Log func(severity int, text string)
	// Lost is told about messages that Len counted and that will never be read.
	Lost func(r message.Reason, n int)
}

// OpenStore opens a Store. The engine gives one to Open, because this package
// imports no database.
type OpenStore func(StoreConfig) (Store, error)
