package input

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

// IMJournalModule are the parameters of module(load="imjournal"), which follows
// the systemd journal.
type IMJournalModule struct {
	StateFile       string           `conf:"statefile" doc:"File for the place that has been read to; without a path in the work directory. Without it each start begins anew." status:"full"`
	FileMode        uint32           `conf:"filecreatemode,type=mode" default:"0644" doc:"Mode of the state file." status:"full"`
	PersistInterval int              `conf:"persiststateinterval,min=1" default:"10" doc:"Write it after this many messages, and once a second in any case." status:"full"`
	FSync           bool             `conf:"fsync" doc:"Wait until it is on disk." status:"full"`
	IgnorePrevious  bool             `conf:"ignorepreviousmessages" doc:"Without a state file begin at the end of the journal." status:"full"`
	IgnoreNonValid  bool             `conf:"ignorenonvalidstatefile" default:"on" doc:"With a state file that holds no place begin as without one; off: do not read the journal." status:"full"`
	RateInterval    int              `conf:"ratelimit.interval" default:"600" doc:"Seconds of a rate limit's interval; 0 is no limit." status:"full"`
	RateBurst       int              `conf:"ratelimit.burst" default:"20000" doc:"Messages let through in an interval." status:"full"`
	RateName        string           `conf:"ratelimit.name" doc:"Name of a ratelimit() object, instead of the above." status:"full"`
	Severity        int              `conf:"defaultseverity,type=severity" default:"notice" doc:"Severity of entries without PRIORITY." status:"full"`
	Facility        int              `conf:"defaultfacility,type=facility" default:"user" doc:"Facility of entries without SYSLOG_FACILITY." status:"full"`
	Tag             string           `conf:"defaulttag" default:"journal" doc:"Tag of entries that have neither SYSLOG_IDENTIFIER nor _COMM." status:"full"`
	UsePIDSystem    bool             `conf:"usepidfromsystem" doc:"As usePid=system." status:"full"`
	UsePID          string           `conf:"usepid,enum=syslog|system|both" default:"both" doc:"Whence the process number: SYSLOG_PID, _PID, or the first of them that is there." status:"full"`
	Workaround      bool             `conf:"workaroundjournalbug" default:"on" doc:"Accepted; nothing is worked around." status:"full"`
	Remote          bool             `conf:"remote" doc:"Read the journals of other hosts that are here, too." status:"full"`
	Namespace       string           `conf:"namespace" doc:"Journal namespace; * is all." status:"full"`
	Ack             conf.Opt[string] `conf:"ack,enum=received|stored" default:"stored" doc:"When an entry counts as read; as imfile's (sysrelay's own)." status:"full"`
}

// IMJournalParams are the parameters of input(type="imjournal"), a further reader
// of the journal.
type IMJournalParams struct {
	Ruleset string `conf:"ruleset" doc:"Ruleset the messages go to." status:"full"`
	Main    bool   `conf:"main" doc:"Take the place of the reader that the module is." status:"full"`
}

// journalInput follows the journal through journalctl(1): its library is not to be
// had without C.
type journalInput struct {
	m      IMJournalModule
	name   string
	deps   Deps
	state  string // path of the state file; "" is none
	limit  *limiter
	ack    message.Ack
	ledger message.Ledger
	tree   message.Path

	cursor  string // behind what the handler has taken
	saved   string
	savedAt time.Time
	since   int // messages taken since

	batch message.Batch
	last  string // cursor of the last entry in the batch
	told  string // why journalctl failed, as last said

	read, failed, restarts atomic.Uint64
}

// NewJournal makes the input that loading imjournal means.
func NewJournal(m IMJournalModule, d Deps) (Input, error) { return newJournal(m, "", d) }

// NewIMJournal makes one input(type="imjournal").
func NewIMJournal(m IMJournalModule, p IMJournalParams, d Deps) (Input, error) {
	if p.Main {
		return newJournal(m, "", d)
	}
	return newJournal(m, p.Ruleset, d)
}

// newJournal makes a reader; those besides the main one have a suffix.
func newJournal(m IMJournalModule, suffix string, d Deps) (*journalInput, error) {
	in := &journalInput{m: m, name: "imjournal", deps: d, ack: message.Stored}
	if suffix != "" {
		in.name += "(" + suffix + ")"
	}
	if m.Ack.Value == "received" {
		in.ack = message.Received
	}
	if m.UsePIDSystem {
		in.m.UsePID = "system"
	}
	if in.state = m.StateFile; in.state != "" {
		if suffix != "" {
			in.state += "-" + suffix
		}
		if !filepath.IsAbs(in.state) {
			in.state = filepath.Join(d.WorkDirectory, in.state)
		}
	}
	rate := RateParams{RateInterval: m.RateInterval, RateBurst: m.RateBurst, RateName: m.RateName}
	if m.RateName != "" {
		rate.RateInterval = 0 // its default does not count
	}
	var err error
	if in.limit, err = rate.limiter("imjournal", d, &in.ledger); err != nil {
		return nil, fmt.Errorf("imjournal: %w", err)
	}
	in.tree, err = d.Env.Path("$!")
	return in, err
}

// Listen implements Input.
func (in *journalInput) Listen() error {
	if in.state == "" {
		return nil
	}
	text, err := os.ReadFile(in.state)
	switch cursor := strings.TrimSpace(string(text)); {
	case errors.Is(err, os.ErrNotExist):
		in.deps.Log(severityInfo, fmt.Sprintf("imjournal: No statefile exists, %s will be created (ignore if this is first run)", in.state))
	case err == nil && isCursor(cursor):
		in.cursor, in.saved = cursor, cursor
	case in.m.IgnoreNonValid:
		in.deps.Log(severityWarning, fmt.Sprintf("imjournal: ignoring invalid state file %s", in.state))
	case err != nil:
		return fmt.Errorf("imjournal: state file: %w", err)
	default:
		return fmt.Errorf("imjournal: state file %s holds no place in a journal", in.state)
	}
	return nil
}

// isCursor tells whether a text looks like a place in a journal: "s=…;i=…;…".
func isCursor(s string) bool {
	return strings.HasPrefix(s, "s=") && strings.Contains(s, ";i=") && len(s) < 1024 && !strings.ContainsAny(s, " \n\x00")
}

const (
	firstRestart = time.Second
	lastRestart  = time.Minute
)

// Run implements Input.
func (in *journalInput) Run(ctx context.Context, to message.Handler) error {
	defer in.limit.close()
	defer in.save()
	work, cancel := in.deps.graceful(message.WithAck(ctx, in.ack))
	defer cancel()
	in.batch.Flow = message.LightDelay
	for wait := firstRestart; ctx.Err() == nil; wait = min(2*wait, lastRestart) {
		before := in.read.Load()
		err := in.follow(ctx, work, to)
		if ctx.Err() != nil {
			return nil
		}
		in.failed.Add(1)
		if in.read.Load() > before {
			wait, in.told = firstRestart, ""
		}
		if why := err.Error(); why != in.told {
			in.told = why
			in.deps.Log(severityError, fmt.Sprintf("imjournal: %s; tried again in %v, and then less and less often until every minute", why, wait))
		}
		if !pause(ctx, wait) {
			return nil
		}
		in.restarts.Add(1)
	}
	return nil
}

// args are journalctl's.
func (in *journalInput) args() []string {
	args := []string{"--output=export", "--follow", "--quiet"}
	switch {
	case in.cursor != "":
		args = append(args, "--after-cursor="+in.cursor, "--no-tail")
	case in.m.IgnorePrevious:
		args = append(args, "--lines=0")
	default:
		args = append(args, "--no-tail")
	}
	// Without --merge, --follow shows nothing of earlier boots.
	args = append(args, "--merge")
	if in.m.Namespace != "" {
		args = append(args, "--namespace="+in.m.Namespace)
	}
	if id := machineID(); id != "" && !in.m.Remote {
		args = append(args, "_MACHINE_ID="+id)
	}
	return args
}

// machineID is what this host's entries have as _MACHINE_ID (machine-id(5)); "" if
// the system does not say.
func machineID() string {
	text, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// follow runs journalctl until it ends, which it should not.
func (in *journalInput) follow(ctx, work context.Context, to message.Handler) error {
	run, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(run, "journalctl", in.args()...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's signals are not its
	stderr := &tailWriter{}
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("cannot read the journal: there is no program journalctl in the path; it is part of systemd")
	}
	if err != nil {
		return fmt.Errorf("cannot start journalctl: %w", err)
	}
	rerr := in.readAll(ctx, work, bufio.NewReaderSize(out, readSize), to)
	stop()
	werr := cmd.Wait()
	text := stderr.String()
	if in.cursor != "" && strings.Contains(text, "cursor") && in.m.IgnoreNonValid {
		in.deps.Log(severityWarning, fmt.Sprintf("imjournal: couldn't seek to cursor `%s': %s; reading from the beginning of the journal", in.cursor, text))
		in.cursor = ""
	}
	if text != "" {
		return fmt.Errorf("journalctl ended: %s", text)
	}
	return fmt.Errorf("journalctl ended: %w", errors.Join(rerr, werr))
}

// tailWriter keeps the end of what is written to it.
type tailWriter struct{ b []byte }

func (w *tailWriter) Write(p []byte) (int, error) {
	if w.b = append(w.b, p...); len(w.b) > 512 {
		w.b = w.b[len(w.b)-512:]
	}
	return len(p), nil
}

func (w *tailWriter) String() string { return string(bytes.TrimSpace(w.b)) }

// readAll reads entries until there are no more.
func (in *journalInput) readAll(ctx, work context.Context, r *bufio.Reader, to message.Handler) error {
	entries := exportReader{r: r, limit: max(in.deps.Env.Sanitize.MaxSize, 64<<10)}
	origin := message.NewOrigin("imjournal", in.deps.Env.Hostname(), "127.0.0.1", "")
	for {
		e, err := entries.next()
		if err != nil {
			in.hand(ctx, work, to)
			return err
		}
		in.read.Add(1)
		in.last = e.cursor
		if in.limit.allow(in.deps.Env.Now().UnixNano(), origin) {
			in.batch.AddMessage(in.message(e, origin))
		}
		if r.Buffered() == 0 || in.batch.Len() >= batchMessages || in.batch.Size() >= batchBytes {
			if !in.hand(ctx, work, to) {
				return ctx.Err()
			}
		}
	}
}

// hand gives the batch to the handler until it has taken it, and moves the cursor
// then.
func (in *journalInput) hand(ctx, work context.Context, to message.Handler) bool {
	n, v := in.batch.Len(), in.batch.All()
	for wait := firstPause; n > 0; wait = min(2*wait, lastPause) {
		err := to(work, v)
		if err == nil {
			break
		}
		v = message.Rest(v, err)
		if !pause(ctx, wait) {
			in.batch.Reset()
			return false
		}
	}
	in.ledger.Receive(n)
	in.ledger.Deliver(n)
	in.batch.Reset()
	if in.last != "" {
		in.cursor = in.last
	}
	in.since += n
	if in.since >= in.m.PersistInterval || in.deps.Env.Now().Sub(in.savedAt) >= time.Second {
		in.save()
	}
	return true
}

// save writes the cursor. The file is rsyslog's.
func (in *journalInput) save() {
	if in.state == "" || in.cursor == in.saved {
		return
	}
	in.since, in.savedAt = 0, in.deps.Env.Now()
	if err := replaceFile(in.state, []byte(in.cursor), os.FileMode(in.m.FileMode), in.m.FSync); err != nil {
		in.deps.Log(severityError, fmt.Sprintf("imjournal: failed to save cursor to %s: %v; entries are read again after the next start", in.state, err))
		return
	}
	in.saved = in.cursor
}

// message makes a message of an entry.
func (in *journalInput) message(e *journalEntry, origin message.Origin) *message.Message {
	env := in.deps.Env
	text, _ := env.Sanitize.Append(nil, []byte(e.value("MESSAGE")))
	at := env.Now()
	if e.realtime > 0 {
		at = time.UnixMicro(e.realtime)
	}
	m := message.Local{Origin: origin, Host: env.Hostname(), Tag: in.tag(e), Text: string(text), Bare: true,
		PRI: number(e.value("SYSLOG_FACILITY"), 23, in.m.Facility)<<3 | number(e.value("PRIORITY"), 7, in.m.Severity), At: at}.Message()
	all := message.NewObject()
	for _, f := range e.fields {
		all.SetMember(f.name, message.StringValue(f.value), true)
	}
	m.AddVar(in.tree, all)
	return m
}

// number is a number from 0 to largest, or what stands in for it.
func number(text string, largest, missing int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > largest {
		return missing
	}
	return n
}

func (in *journalInput) tag(e *journalEntry) string {
	tag := e.value("SYSLOG_IDENTIFIER")
	if tag == "" {
		tag = e.value("_COMM")
	}
	if tag == "" {
		tag = in.m.Tag
	}
	pid := ""
	if in.m.UsePID != "system" {
		pid = e.value("SYSLOG_PID")
	}
	if pid == "" && in.m.UsePID != "syslog" {
		pid = e.value("_PID")
	}
	if pid != "" {
		tag += "[" + pid + "]"
	}
	return tag + ":"
}

// Name implements Input.
func (in *journalInput) Name() string { return in.name }

// Addrs implements Input.
func (in *journalInput) Addrs() []string { return nil }

// Ledger implements Input.
func (in *journalInput) Ledger() *message.Ledger { return &in.ledger }

// Counters implements message.Counted.
func (in *journalInput) Counters() []message.Counters {
	a := in.ledger.Read()
	return []message.Counters{{Name: in.name, Origin: "imjournal", Values: []message.Counter{
		message.Count("submitted", a.Delivered), message.Count("read", in.read.Load()), message.Count("discarded", a.Discarded[message.RateLimited]),
		message.Count("failed", in.failed.Load()), message.Count("recovery_attempts", in.restarts.Load())}}}
}
