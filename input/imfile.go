package input

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

// IMFileModule are the parameters of module(load="imfile").
type IMFileModule struct {
	Mode             string `conf:"mode,enum=inotify|polling|fen" default:"inotify" doc:"How changes are noticed; fen is inotify here." status:"full"`
	PollingInterval  int    `conf:"pollinginterval,min=0" default:"10" doc:"Seconds between looks at the files in polling mode; 0 is a tenth of one." status:"full"`
	ReadTimeout      int    `conf:"readtimeout,min=0" doc:"readTimeout of inputs that give none." status:"full"`
	TimeoutGranule   int    `conf:"timeoutgranularity,min=1" default:"1" doc:"Accepted; a readTimeout is over when it is over." status:"full"`
	SortFiles        bool   `conf:"sortfiles" doc:"Accepted; files are always read in the order of their names." status:"full"`
	StateDirectory   string `conf:"statefile.directory" doc:"Directory of the state files; default is the work directory." status:"full"`
	NormalizePath    bool   `conf:"normalizepath" default:"on" doc:"Accepted; paths are always cleaned." status:"full"`
	DeleteOnMove     bool   `conf:"deletestateonfilemove" doc:"deleteStateOnFileMove of inputs that give none." status:"full"`
	MaxWatches       int    `conf:"maxinotifywatches,min=0" doc:"Inotify watches of an input at most; what has none is polled. 0 is no limit but the system's." status:"full"`
	FallbackInterval int    `conf:"inotifyfallbackinterval,min=0" default:"60" doc:"Seconds between looks at all files in inotify mode, for what inotify does not report, such as changes made on other hosts; 0 is never." status:"full"`
}

// IMFileParams are the parameters of input(type="imfile").
type IMFileParams struct {
	File     string `conf:"file,required" doc:"File to read; *, ? and [] match names, in directories, too." status:"full"`
	Tag      string `conf:"tag,required" doc:"Tag of the messages, with its colon." status:"full"`
	Severity int    `conf:"severity,type=severity" default:"notice" doc:"Severity of the messages." status:"full"`
	Facility int    `conf:"facility,type=facility" default:"local0" doc:"Facility of the messages." status:"full"`
	Ruleset  string `conf:"ruleset" doc:"Ruleset the messages go to." status:"full"`

	ReadMode     int              `conf:"readmode,min=0,max=2" doc:"0: each line is a message; 1: paragraphs are; 2: lines that begin with a blank continue the one before." status:"full"`
	StartRegex   string           `conf:"startmsg.regex" doc:"A line that matches begins a message (POSIX extended)." status:"full"`
	EndRegex     string           `conf:"endmsg.regex" doc:"A line that matches ends a message." status:"full"`
	ReadTimeout  conf.Opt[int]    `conf:"readtimeout" doc:"Seconds after which a message of several lines counts as complete; 0 is never." status:"full"`
	EscapeLF     bool             `conf:"escapelf" default:"on" doc:"Escape the line feeds between the lines of a message." status:"full"`
	Replacement  conf.Opt[string] `conf:"escapelf.replacement" doc:"What to write for them; default is #012 with readMode and \\n with a regex." status:"full"`
	Trim         int              `conf:"trimlineoverbytes,min=0" doc:"Cut longer lines, with readMode 0 and 2; 0 is never." status:"full"`
	DiscardRest  bool             `conf:"discardtruncatedmsg" doc:"Of messages longer than maxMessageSize drop the rest, instead of making further messages of it." status:"full"`
	DiscardError bool             `conf:"msgdiscardingerror" default:"on" doc:"Say so when a message is too long." status:"full"`
	NeedParse    bool             `conf:"needparse" doc:"Let the ruleset's parsers read the lines." status:"full"`
	AddCEE       bool             `conf:"addceetag" doc:"Put @cee: before each message." status:"full"`
	AddMetadata  bool             `conf:"addmetadata" default:"on" doc:"Set $!metadata!filename and $!metadata!fileoffset." status:"full"`

	MaxLines    int    `conf:"maxlinesatonce,min=0" doc:"Lines of one file before others get their turn; 0 is a fair share of bytes." status:"full"`
	MaxSubmit   int    `conf:"maxsubmitatonce,min=1" default:"1024" doc:"Messages in a batch." status:"full"`
	Delay       int    `conf:"delay.message,min=0" doc:"Microseconds to wait after each message." status:"full"`
	LinesPerMin int    `conf:"maxlinesperminute,min=0" doc:"Messages in a minute; more are discarded. 0 is no limit." status:"full"`
	BytesPerMin int64  `conf:"maxbytesperminute,min=0" doc:"Bytes of messages in a minute; what would exceed them is discarded. 0 is no limit." status:"full"`
	FreshTail   bool   `conf:"freshstarttail" doc:"Begin at the end of files that are there at the start and have not been read before." status:"full"`
	IgnoreOlder int    `conf:"ignoreolderthan,min=0" doc:"Do not begin to read files that were not modified in this many seconds; 0 is no limit." status:"full"`
	NotFound    bool   `conf:"filenotfounderror" default:"on" doc:"Say so when the file is not there at the start." status:"full"`
	Reopen      bool   `conf:"reopenontruncate" doc:"Accepted; a truncated file is always read from its beginning." status:"full"`
	Ack         string `conf:"ack,enum=received|stored" default:"stored" doc:"When a line counts as read. received: it is in memory; stored: everything durable it was routed to has it on disk, and everything else has delivered it (sysrelay's own)." status:"full"`

	StateFile       string         `conf:"statefile" doc:"Accepted; as in rsyslogd, state files are named after the file's inode." status:"full"`
	PersistInterval int            `conf:"persiststateinterval,min=0" doc:"Write the state after this many messages, and five times a second in any case." status:"full"`
	PersistSubmit   bool           `conf:"persiststateaftersubmission" doc:"Write the state after every batch and wait until it is on disk." status:"full"`
	DeleteOnDelete  bool           `conf:"deletestateonfiledelete" alias:"removestateondelete" default:"on" doc:"Remove the state file when the file is removed." status:"full"`
	DeleteOnMove    conf.Opt[bool] `conf:"deletestateonfilemove" doc:"Remove it when the file is renamed to something that is not read." status:"full"`
}

// fileInput tails the files that one input(type="imfile") names. One goroutine
// does everything, so that a full queue holds up the files of one input only.
type fileInput struct {
	p      IMFileParams
	m      IMFileModule
	deps   Deps
	rules  *lineRules
	limits minuteLimit
	ack    message.Ack
	faults complaints
	ledger message.Ledger

	watch  *watcher // nil in polling mode
	states stateDir
	files  map[fileKey]*tailedFile
	failed map[string]string // paths that cannot be read, and why that was said
	first  bool              // this is the first scan
	buf    []byte
	batch  message.Batch
	counts batchCount
	origin message.Origin
	meta   message.Path
	lastly time.Time // last look at everything

	// Of Run: ctx ends when the input is to stop, work when it has to.
	ctx, work context.Context
	to        message.Handler
}

// NewIMFile makes one input(type="imfile").
func NewIMFile(m IMFileModule, p IMFileParams, d Deps) (Input, error) {
	in := &fileInput{p: p, m: m, deps: d, files: map[fileKey]*tailedFile{}, failed: map[string]string{}, first: true, ack: message.Stored}
	if p.Ack == "received" {
		in.ack = message.Received
	}
	if !in.p.ReadTimeout.Given {
		in.p.ReadTimeout.Value = m.ReadTimeout
	}
	if !in.p.DeleteOnMove.Given {
		in.p.DeleteOnMove.Value = m.DeleteOnMove
	}
	var err error
	if in.p.File, err = filepath.Abs(p.File); err != nil {
		return nil, fmt.Errorf("imfile: %s: %w", p.File, err)
	}
	if err := checkPattern(in.p.File); err != nil {
		return nil, fmt.Errorf("imfile: file %q: %w", p.File, err)
	}
	if in.rules, err = newLineRules(p, d.Env.Sanitize.MaxSize); err != nil {
		return nil, fmt.Errorf("imfile: %s: %w", p.File, err)
	}
	in.faults = complaints{name: in.Name(), log: d.Log, now: d.Env.Now}
	in.limits = minuteLimit{lines: p.LinesPerMin, bytes: p.BytesPerMin}
	in.states = stateDir{path: m.StateDirectory, sync: p.PersistSubmit}
	if in.states.path == "" {
		in.states.path = d.WorkDirectory
	}
	if in.meta, err = d.Env.Path("$!metadata"); err != nil {
		return nil, err
	}
	return in, nil
}

// Listen implements Input. Files are opened once privileges have been given up.
func (in *fileInput) Listen() error {
	if in.states.path == "" {
		in.deps.Log(severityWarning, "imfile: no working or state file directory set, state files are kept in the current working directory; use global(workDirectory=\"/some/path\")")
		in.states.path = "."
	}
	return nil
}

// Run implements Input.
func (in *fileInput) Run(ctx context.Context, to message.Handler) error {
	defer in.faults.close()
	work, cancel := in.deps.graceful(message.WithAck(ctx, in.ack))
	defer cancel()
	in.ctx, in.work, in.to = ctx, work, to
	in.batch.Flow = message.FullDelay
	in.buf = make([]byte, readSize)
	in.origin = in.newOrigin()
	if in.m.Mode != "polling" {
		in.startWatching()
	}
	defer in.watch.close()
	defer in.closeAll()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-in.watch.woken():
		case <-timer.C:
		}
		again := in.look()
		timer.Reset(in.nextLook(again))
	}
}

// newOrigin: as rsyslog, messages of files come from no host; those that parsers
// read have this one's name, because a parser finds none in them.
func (in *fileInput) newOrigin() message.Origin {
	if in.p.NeedParse {
		return message.NewOrigin("imfile", in.deps.Env.Hostname(), "", "")
	}
	return message.NewOrigin("imfile", "", "", "")
}

func (in *fileInput) startWatching() {
	w, err := newWatcher(in.m.MaxWatches)
	if err != nil {
		in.deps.Log(severityWarning, fmt.Sprintf("imfile: %s: no inotify: %v; the files are looked at every second", in.p.File, err))
		in.m.Mode, in.m.PollingInterval = "polling", 1
		return
	}
	in.watch = w
}

// look does what there is to do now, and tells whether there is more to read.
func (in *fileInput) look() (again bool) {
	now := in.deps.Env.Now()
	dirty, rescan := in.watch.take()
	if in.due(now) <= 0 {
		rescan = true
		for _, f := range in.files {
			f.ready = true
		}
	}
	for _, f := range in.files {
		if f.unwatched || dirty[f.wd] || dirty[allFiles] {
			f.ready = true
		}
	}
	if rescan {
		in.scan()
		in.lastly = now
	}
	for _, f := range in.order() {
		if in.ctx.Err() != nil {
			return false
		}
		again = in.serve(f) || again
	}
	return again
}

// due is how long it is until all files are looked at whatever inotify reports.
func (in *fileInput) due(now time.Time) time.Duration {
	every := time.Duration(in.m.FallbackInterval) * time.Second
	if in.watch == nil {
		every = max(time.Duration(in.m.PollingInterval)*time.Second, 100*time.Millisecond)
	}
	if in.lastly.IsZero() {
		return 0
	}
	if every == 0 {
		return time.Hour
	}
	return in.lastly.Add(every).Sub(now)
}

// nextLook is how long nothing has to be done if nothing happens.
func (in *fileInput) nextLook(again bool) time.Duration {
	if again {
		return 0
	}
	now := in.deps.Env.Now()
	wait := in.due(now)
	for _, f := range in.files {
		if at, ok := in.appointment(f); ok {
			wait = min(wait, at.Sub(now))
		}
		if f.unwatched {
			wait = min(wait, time.Second)
		}
	}
	return max(wait, time.Millisecond)
}

// Name implements Input.
func (in *fileInput) Name() string { return "imfile(" + in.p.File + ")" }

// Addrs implements Input.
func (in *fileInput) Addrs() []string { return nil }

// Ledger implements Input.
func (in *fileInput) Ledger() *message.Ledger { return &in.ledger }

// minuteLimit is maxLinesPerMinute and maxBytesPerMinute.
type minuteLimit struct {
	lines int
	bytes int64

	begin    time.Time
	gotLines int
	gotBytes int64
	told     bool
}

// allow decides about a message of n bytes; tell is true when the first of an
// interval is not let through.
func (l *minuteLimit) allow(now time.Time, n int) (ok, tell bool) {
	if l.lines == 0 && l.bytes == 0 {
		return true, false
	}
	if d := now.Sub(l.begin); d >= time.Minute || d < 0 {
		l.begin, l.gotLines, l.gotBytes, l.told = now, 0, 0, false
	}
	if l.lines > 0 && l.gotLines >= l.lines || l.bytes > 0 && l.gotBytes+int64(n) > l.bytes {
		tell, l.told = !l.told, true
		return false, tell
	}
	l.gotLines++
	l.gotBytes += int64(n)
	return true, false
}

// hasWildcard tells whether a path is a pattern.
func hasWildcard(path string) bool { return strings.ContainsAny(path, "*?[") }
