// Package queue holds messages between stages: direct (none), in memory, on
// disk, or in memory with the disk as overflow.
//
// A Queue is a message.Handler on one side (Put) and calls one on the other (the
// work given to Open). Invariants:
//
//   - Put copies. When it returns nil the messages are the queue's: in memory for
//     a memory queue, on stable storage for a durable disk queue.
//   - Messages of one origin leave in the order they came in, whatever the number
//     of workers: workers own lanes, and an origin's messages share a lane.
//   - received = delivered + queued + discarded at any time nothing moves.
//   - Memory is bounded by size and by bytes. No timers on the fast path: a lease
//     is whatever has piled up, at most dequeueBatchSize.
//
// The package imports message.
package queue

import (
	"time"

	"sysrelay/message"
)

// Params are the queue.* parameters of a main queue, ruleset or action, with
// rsyslog's names. Zero means "the default of this kind of queue": see
// Defaults.
type Params struct {
	Type                Type   `conf:"queue.type" doc:"Direct, FixedArray, LinkedList or Disk." status:"partial"`
	Filename            string `conf:"queue.filename" doc:"Name of the queue's directory below the spool directory; makes a memory queue disk-assisted."`
	SpoolDirectory      string `conf:"queue.spooldirectory" doc:"Where the queue's directory is; default is workDirectory."`
	Size                int    `conf:"queue.size" doc:"Messages held at most."`
	DequeueBatchSize    int    `conf:"queue.dequeuebatchsize" doc:"Messages handed on at once, at most."`
	MinDequeueBatchSize int    `conf:"queue.mindequeuebatchsize" doc:"Messages to wait for before handing on."`
	MinDequeueTimeout   int    `conf:"queue.mindequeuebatchsize.timeout" default:"1000" doc:"Milliseconds to wait for them at most."`
	MaxDiskSpace        int64  `conf:"queue.maxdiskspace,type=size" doc:"Bytes on disk at most; 0 is unlimited."`
	HighWatermark       int    `conf:"queue.highwatermark" doc:"Messages in memory at which a disk-assisted queue goes to disk."`
	LowWatermark        int    `conf:"queue.lowwatermark" doc:"Messages in memory at which it goes back to memory."`
	FullDelayMark       int    `conf:"queue.fulldelaymark" doc:"Messages at which inputs that can wait are stopped."`
	LightDelayMark      int    `conf:"queue.lightdelaymark" doc:"Messages at which inputs that can wait a little are slowed."`
	DiscardMark         int    `conf:"queue.discardmark" doc:"Messages at which less important ones are discarded."`
	DiscardSeverity     int    `conf:"queue.discardseverity,type=severity" default:"8" doc:"Severity from which they are discarded; 8 discards nothing."`
	CheckpointInterval  int    `conf:"queue.checkpointinterval" doc:"Accepted; positions are part of every commit."`
	SyncQueueFiles      string `conf:"queue.syncqueuefiles" doc:"on: every commit is synced to stable storage before it is acknowledged. Default on for Disk."`
	WorkerThreads       int    `conf:"queue.workerthreads" doc:"Workers; each owns the messages of a share of the origins."`
	TimeoutShutdown     int    `conf:"queue.timeoutshutdown" doc:"Milliseconds to drain at shutdown."`
	TimeoutCompletion   int    `conf:"queue.timeoutactioncompletion" doc:"Milliseconds to let a batch under way finish after that."`
	TimeoutEnqueue      int    `conf:"queue.timeoutenqueue" doc:"Milliseconds a full queue makes a sender wait before it discards; 0 discards at once, -1 waits for ever."`
	TimeoutWorker       int    `conf:"queue.timeoutworkerthreadshutdown" doc:"Accepted; idle workers cost nothing."`
	WorkerMinimum       int    `conf:"queue.workerthreadminimummessages" doc:"Accepted; workers are always there."`
	MaxFileSize         int64  `conf:"queue.maxfilesize,type=size" doc:"Bytes of one generation file of a disk queue."`
	SaveOnShutdown      string `conf:"queue.saveonshutdown" doc:"Save what is in memory to disk at shutdown, if there is a filename."`
	DequeueSlowdown     int    `conf:"queue.dequeueslowdown" doc:"Microseconds to wait after each message handed on."`
	DequeueTimeBegin    int    `conf:"queue.dequeuetimebegin" doc:"Hour from which messages are handed on."`
	DequeueTimeEnd      int    `conf:"queue.dequeuetimeend" default:"25" doc:"Hour until which they are; 25 is always."`
	SamplingInterval    int    `conf:"queue.samplinginterval" doc:"Keep one of so many messages; 0 keeps all."`
	TakeFlowCtl         bool   `conf:"queue.takeflowctlfrommsg" doc:"Use the flow control class of the message's input."`
	OnCorruption        string `conf:"queue.oncorruption" default:"safe" doc:"safe: set damaged files aside and go on."`
	MemoryLimit         int64  `conf:"queue.memorylimit,type=size" doc:"Bytes held in memory at most (sysrelay's own)."`
}

// Type is queue.type.
type Type string

// The queue types. FixedArray and LinkedList are the same thing here: memory
// is taken as it is needed and given back.
const (
	Direct     Type = "Direct"
	FixedArray Type = "FixedArray"
	LinkedList Type = "LinkedList"
	Disk       Type = "Disk"
)

// Kind is what a queue is in front of; it decides the defaults.
type Kind uint8

// Kinds of queue, and the legacy $MainMsgQueue… defaults of the main queue.
const (
	MainLegacy Kind = iota
	Main
	Ruleset
	Action
)

// Options are what Open needs besides the parameters.
type Options struct {
	Name   string // for messages and statistics: "main Q", "action 3 queue"
	Kind   Kind
	Params Params
	Work   message.Handler // where messages go; see Queue.Run
	// OpenStore opens the disk part of a queue that has one.
	OpenStore OpenStore
	Now       func() time.Time
	// Log takes one line for people about what happened to the queue.
	Log func(severity int, text string)
}
