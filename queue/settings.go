package queue

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"
)

// settings are Params with every default and rule applied.
type settings struct {
	typ      Type
	dir      string // of the disk part; "" if there is none
	batch    int
	minBatch int
	minWait  time.Duration
	workers  int
	slowdown time.Duration
	window   window
	sampling int
	discard  int // severity from which messages are discarded
	takeFlow bool
	sync     bool
	save     bool
	enqueue  time.Duration // negative: for ever
	// enqueueGiven: somebody wants messages discarded after that time.
	enqueueGiven bool
	shutdown     time.Duration // negative: for ever
	complete     time.Duration // negative: for ever
	maxDisk      int64
	maxFile      int64
	memory       int64
	size         mark // room there is
	high         mark // where a disk-assisted queue goes to disk
	light        mark
	full         mark
	discardAt    int
}

// mark is a level of messages and bytes; either reaches it.
type mark struct {
	messages int
	bytes    int64
}

// reached says whether that many messages or bytes are at the mark.
func (m mark) reached(messages int, bytes int64) bool {
	return messages >= m.messages || bytes >= m.bytes
}

// kindDefaults are rsyslog's defaults that depend on the kind of queue.
type kindDefaults struct {
	typ      Type
	size     int
	batch    int
	high     int
	enqueue  int
	shutdown int
	memory   int64
}

func (k Kind) defaults() kindDefaults {
	switch k {
	case MainLegacy:
		return kindDefaults{typ: FixedArray, size: 100_000, batch: 256, high: 80_000, enqueue: 2000, shutdown: 1500, memory: 256 << 20}
	case Action:
		return kindDefaults{typ: Direct, size: 1000, batch: 128, enqueue: 2000, shutdown: 10, memory: 64 << 20}
	case ActionLegacy:
		// as rsyslog, but it hands on 16 messages at once, discards from the 980th on
		// however large the queue is, and does not drain at shutdown.
		return kindDefaults{typ: Direct, size: 1000, batch: 128, enqueue: 50, shutdown: 10, memory: 64 << 20}
	}
	return kindDefaults{typ: FixedArray, size: 50_000, batch: 1024, enqueue: 2000, shutdown: 1500, memory: 256 << 20}
}

// smallestSize is the queue.size below which as rsyslog the user is warned.
const smallestSize = 100

// Check returns what Open would refuse, so that a configuration can be checked
// without opening anything, and what the user should know.
func (p *Params) Check(k Kind) (notices []string, err error) {
	_, notices, err = p.resolve(k)
	return notices, err
}

// resolve applies the defaults of kind k and rsyslog's rules about which values
// go together. The notices are what the user should know.
func (p *Params) resolve(k Kind) (s settings, notices []string, err error) {
	d := k.defaults()
	if s.typ, err = p.queueType(d.typ); err != nil {
		return s, nil, err
	}
	if s.typ == Direct {
		return s, nil, nil
	}
	if s.typ == Disk && p.Filename == "" {
		// as rsyslog: error on queue '%s', disk mode selected, but no queue file name given.
		notices = append(notices, "queue.type is Disk, but there is no queue.filename: messages are kept in memory only")
		s.typ = LinkedList
	}
	if p.Filename != "" {
		if strings.ContainsRune(p.Filename, filepath.Separator) || p.Filename == "." || p.Filename == ".." {
			return s, nil, fmt.Errorf("queue.filename %q: it is a name, not a path; the directory is queue.spoolDirectory", p.Filename)
		}
		s.dir = filepath.Join(p.SpoolDirectory, p.Filename)
	}
	s.sync, s.save = p.SyncQueueFiles.Or(true), p.SaveOnShutdown.Or(true)
	s.limits(p, d)
	s.pace(p, d)
	if w := s.window; w.from < 0 || w.from > 23 || w.to < 0 || w.to > 25 {
		return s, nil, fmt.Errorf("queue.dequeueTimeBegin %d, queue.dequeueTimeEnd %d: hours are 0 to 23, and 25 as the end is always", w.from, w.to)
	}
	return s, append(notices, s.check(p)...), nil
}

func (p *Params) queueType(d Type) (Type, error) {
	if p.Type == "" {
		return d, nil
	}
	for _, t := range []Type{Direct, FixedArray, LinkedList, Disk} {
		if strings.EqualFold(string(p.Type), string(t)) {
			return t, nil
		}
	}
	return "", fmt.Errorf("queue.type %q: it is one of Direct, FixedArray, LinkedList, Disk", p.Type)
}

// limits sets the size and the marks. as rsyslog: a mark that makes no sense for
// the size is replaced by its default, and shares of the size are counted in
// whole hundreds.
func (s *settings) limits(p *Params, d kindDefaults) {
	s.memory = orDefault(p.MemoryLimit, d.memory)
	size := orDefault(p.Size, d.size)
	if s.typ == Disk && p.Size <= 0 {
		size = math.MaxInt // rsyslog's default of 1000 loses messages while the disk is empty
	}
	share := func(percent, least int) int {
		if n := size / 100 * percent; n > 0 {
			return n
		}
		return least
	}
	almost := max(size-1, 1) // in queues too small for shares
	high := p.HighWatermark
	if high == 0 {
		high = d.high
	}
	if high < 2 || high > size {
		high = share(90, size)
	}
	full := p.FullDelayMark
	if full <= 0 || full > size {
		full = share(97, almost)
	}
	if s.assisted() {
		full = min(full, high-high/100*50)
	}
	light := p.LightDelayMark.Or(-1)
	switch {
	case light == 0:
		light = size
	case light < 0 || light > size:
		light = share(70, almost)
	}
	s.discardAt = p.DiscardMark
	if s.discardAt < 1 || s.discardAt > size {
		s.discardAt = share(98, size)
	}
	s.discard = p.DiscardSeverity.Or(8)
	s.size = mark{size, s.memory}
	s.high = mark{high, s.memory / 100 * 90}
	s.light = mark{light, s.memory / 100 * 70}
	if light == size {
		s.light = s.size
	}
	s.full = mark{full, s.memory / 100 * 97}
}

// pace sets how fast messages are handed on, and how long things may take.
func (s *settings) pace(p *Params, d kindDefaults) {
	s.batch = min(orDefault(p.DequeueBatchSize, d.batch), s.size.messages)
	// as rsyslog: the least batch is no larger than the largest.
	s.minBatch = min(max(p.MinDequeueBatchSize, 0), s.batch)
	s.minWait = time.Duration(p.MinDequeueTimeout.Or(1000)) * time.Millisecond
	// rsyslog starts a second worker in a legacy main queue, which reorders what
	// one connection sent. Here a second worker reorders nothing, but it gets only
	// what other origins sent: with one busy sender it costs and brings nothing.
	s.workers = max(p.WorkerThreads, 1)
	s.slowdown = time.Duration(max(p.DequeueSlowdown, 0)) * time.Microsecond
	s.window = window{from: p.DequeueTimeBegin, to: p.DequeueTimeEnd.Or(25)}
	s.sampling = p.SamplingInterval
	s.takeFlow = p.TakeFlowCtl
	s.enqueue = time.Duration(p.TimeoutEnqueue.Or(d.enqueue)) * time.Millisecond
	s.enqueueGiven = p.TimeoutEnqueue.Given
	s.shutdown = time.Duration(p.TimeoutShutdown.Or(d.shutdown)) * time.Millisecond
	s.complete = time.Duration(p.TimeoutCompletion.Or(1000)) * time.Millisecond
	if s.maxDisk = p.MaxDiskSpace; s.maxDisk > 0 {
		s.maxDisk = max(s.maxDisk, leastDisk)
	}
	s.maxFile = p.MaxFileSize
}

// leastDisk is the smallest maxDiskSpace a queue works with: a file, one that is
// being drained, and the reserve for acknowledgements.
const leastDisk = 8 << 20

// check returns what is unusual about s.
func (s *settings) check(p *Params) (notices []string) {
	note := func(format string, a ...any) { notices = append(notices, fmt.Sprintf(format, a...)) }
	size := s.size.messages
	if size < smallestSize {
		note("queue.size is only %d: bursts will fill the queue", size)
	}
	if p.DiscardMark > size {
		note("queue.discardMark %d is above queue.size %d and is ignored", p.DiscardMark, size)
	}
	if s.assisted() && p.FullDelayMark > 0 && p.FullDelayMark < s.high.messages {
		note("queue.fullDelayMark %d is below queue.highWatermark %d: inputs that can wait never use the disk",
			p.FullDelayMark, s.high.messages)
	}
	if s.dir != "" && p.MaxDiskSpace > 0 && p.MaxDiskSpace < s.maxDisk {
		// as rsyslog, which raises it to queue.maxFileSize.
		note("queue.maxDiskSpace %d is less than a queue works with: it is taken as %d", p.MaxDiskSpace, s.maxDisk)
	}
	if s.dir != "" && !s.sync {
		note("queue.syncQueueFiles is off: messages acknowledged as stored may be lost when the power fails")
	}
	if s.window.to != 25 && s.window.from == s.window.to {
		note("queue.dequeueTimeBegin and queue.dequeueTimeEnd are both %d: messages are handed on all day", s.window.to)
	}
	return notices
}

// assisted says whether the queue is in memory with the disk as overflow.
func (s *settings) assisted() bool { return s.dir != "" && s.typ != Disk }

func orDefault[T int | int64](v, d T) T {
	if v > 0 {
		return v
	}
	return d
}
