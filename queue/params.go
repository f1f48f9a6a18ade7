package queue

import (
	"time"

	"sysrelay/message"
)

// Params are the queue.* parameters of a main queue, ruleset or action, with
// rsyslog's names. The zero value of a field, and an Opt that was not given, mean
// the default of this kind of queue; the texts give the defaults as main queue
// or ruleset / action.
type Params struct {
	Type                Type      `conf:"queue.type,enum=Direct|FixedArray|LinkedList|Disk" doc:"Direct, FixedArray, LinkedList or Disk. Default FixedArray / Direct. FixedArray and LinkedList are the same: memory is taken as it is needed and given back." status:"full"`
	Filename            string    `conf:"queue.filename" doc:"Name of the queue's directory below the spool directory; makes a memory queue disk-assisted." status:"full"`
	SpoolDirectory      string    `conf:"queue.spooldirectory" doc:"Where the queue's directory is. Default is workDirectory." status:"full"`
	Size                int       `conf:"queue.size,type=size" doc:"Messages held at most (a disk-assisted queue: in memory). Default 50000 / 1000, legacy main queue 100000; a Disk queue has no default." status:"full"`
	DequeueBatchSize    int       `conf:"queue.dequeuebatchsize" doc:"Messages handed on at once, at most. Default 1024 / 128, legacy main queue 256." status:"full"`
	MinDequeueBatchSize int       `conf:"queue.mindequeuebatchsize" doc:"Messages to wait for before handing on. Default 0." status:"full"`
	MinDequeueTimeout   Opt[int]  `conf:"queue.mindequeuebatchsize.timeout" doc:"Milliseconds to wait for them at most. Default 1000." status:"full"`
	MaxDiskSpace        int64     `conf:"queue.maxdiskspace,type=size" doc:"Bytes on disk at most. Default 0, unlimited." status:"full"`
	HighWatermark       int       `conf:"queue.highwatermark" doc:"Messages in memory at which a disk-assisted queue goes to disk. Default 90 % of size, legacy main queue 80000." status:"full"`
	LowWatermark        int       `conf:"queue.lowwatermark" doc:"Accepted: a disk-assisted queue goes back to memory when its disk part is empty, so that messages keep their order." status:"none"`
	FullDelayMark       int       `conf:"queue.fulldelaymark" doc:"Messages at which inputs that can wait are stopped. Default 97 % of size; of a disk-assisted queue at most half of highWatermark, so that these inputs do not drive it to disk." status:"full"`
	LightDelayMark      Opt[int]  `conf:"queue.lightdelaymark" doc:"Messages at which inputs that can wait a little are slowed. Default 70 % of size; 0 turns it off." status:"full"`
	DiscardMark         int       `conf:"queue.discardmark" doc:"Messages at which less important ones are discarded. Default 98 % of size." status:"full"`
	DiscardSeverity     Opt[int]  `conf:"queue.discardseverity,type=severity" doc:"Severity from which they are discarded; also, whatever was promised to their senders, to make room on a full disk for more important ones. Default 8: none." status:"full"`
	CheckpointInterval  int       `conf:"queue.checkpointinterval" doc:"Accepted: positions are part of every commit." status:"none"`
	SyncQueueFiles      Opt[bool] `conf:"queue.syncqueuefiles" doc:"on: every commit is synced to stable storage before it is acknowledged. off: what was acknowledged may be lost when the power fails. Default on." status:"full"`
	WorkerThreads       int       `conf:"queue.workerthreads" doc:"Workers; each owns the messages of a share of the origins, so that the messages of one origin keep their order. Default 1, in a legacy main queue, too." status:"full"`
	TimeoutShutdown     Opt[int]  `conf:"queue.timeoutshutdown" doc:"Milliseconds to drain at shutdown; -1 is for ever. Default 1500 / 10." status:"full"`
	TimeoutCompletion   Opt[int]  `conf:"queue.timeoutactioncompletion" doc:"Milliseconds to let a batch under way finish after that. Default 1000." status:"full"`
	TimeoutEnqueue      Opt[int]  `conf:"queue.timeoutenqueue" doc:"Milliseconds a message waits for room in a full queue before it is discarded; 0 discards at once, -1 waits for ever. Default 2000, legacy actions 50; but messages of inputs that can wait, as TCP, are not discarded unless a time is given." status:"full"`
	TimeoutWorker       int       `conf:"queue.timeoutworkerthreadshutdown" doc:"Accepted: idle workers cost nothing." status:"none"`
	WorkerMinimum       int       `conf:"queue.workerthreadminimummessages" doc:"Accepted: workers are always there." status:"none"`
	MaxFileSize         int64     `conf:"queue.maxfilesize,type=size" doc:"Bytes of one generation file of a disk queue. Small values are raised to what the store can use." status:"full"`
	SaveOnShutdown      Opt[bool] `conf:"queue.saveonshutdown" doc:"Save what is in memory to disk at shutdown, if there is a filename. Default on." status:"full"`
	DequeueSlowdown     int       `conf:"queue.dequeueslowdown" doc:"Microseconds to wait after each batch handed on." status:"full"`
	DequeueTimeBegin    int       `conf:"queue.dequeuetimebegin" doc:"Hour (local time) from which messages are handed on." status:"full"`
	DequeueTimeEnd      Opt[int]  `conf:"queue.dequeuetimeend" doc:"Hour until which they are. Default 25: always." status:"full"`
	SamplingInterval    int       `conf:"queue.samplinginterval" doc:"Keep the last of each so many messages; 0 keeps all." status:"full"`
	TakeFlowCtl         bool      `conf:"queue.takeflowctlfrommsg" doc:"Let an action queue hold up the sender as the class of the message's input allows. Messages that come from another queue belong to no class." status:"partial"`
	OnCorruption        string    `conf:"queue.oncorruption" default:"safe" doc:"safe: set damaged files aside, say what was lost, go on. There is no other way here." status:"partial"`
	MemoryLimit         int64     `conf:"queue.memorylimit,type=size" doc:"Bytes of messages held in memory at most (sysrelay's own). Default 256m / 64m." status:"full"`
}

// Opt is a parameter that knows whether it was given.
type Opt[T any] struct {
	Value T
	Given bool
}

// Target makes conf.Decode take an Opt for its own, which this package does not
// import.
func (o *Opt[T]) Target() (value any, given *bool) { return &o.Value, &o.Given }

// Given is an Opt that has the value v.
func Given[T any](v T) Opt[T] { return Opt[T]{Value: v, Given: true} }

// Or returns the value, or d if none was given.
func (o Opt[T]) Or(d T) T {
	if o.Given {
		return o.Value
	}
	return d
}

// Type is queue.type. Configurations write it in any case.
type Type string

// The queue types.
const (
	Direct     Type = "Direct"
	FixedArray Type = "FixedArray"
	LinkedList Type = "LinkedList"
	Disk       Type = "Disk"
)

// Kind is what a queue is in front of; it decides the defaults.
type Kind uint8

// Kinds of queue. MainLegacy is a main queue configured by $MainMsgQueue…
// directives or not at all, Main one configured by main_queue(); ActionLegacy is
// that of an action in the old style, configured by $ActionQueue… directives.
const (
	MainLegacy Kind = iota
	Main
	Ruleset
	Action
	ActionLegacy
)

func (k Kind) action() bool { return k == Action || k == ActionLegacy }

// Options are what Open needs besides the parameters.
type Options struct {
	Name   string // for messages and statistics: "main Q", "action 3 queue"
	Kind   Kind
	Params Params
	// Work is where messages go. It is called by the queue's workers and, for
	// direct queues and under message.Stored, by whoever calls Put: by many at once.
	Work message.Handler
	// OpenStore opens the disk part of a queue that has one.
	OpenStore OpenStore
	Now       func() time.Time // the clock; its location decides dequeueTimeBegin and End
	// Log takes one line for people about what happened to the queue. It must not
	// wait for this queue.
	Log func(severity int, text string)
}
