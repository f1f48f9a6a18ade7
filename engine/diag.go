package engine

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/conf"
	"sysrelay/message"
	"sysrelay/queue"
)

// DiagParams are imdiag's parameters, at module() and at input().
type DiagParams struct {
	ListenPortFile  string `conf:"listenportfilename" doc:"File to write the port to, last of all: the daemon is up."`
	ServerRun       string `conf:"serverrun" alias:"port" doc:"Port to listen on; 0 takes any."`
	InjectDelay     string `conf:"injectdelaymode" doc:"Flow control class of injected messages: no, light or full."`
	AbortTimeout    int    `conf:"aborttimeout" doc:"Seconds after which the daemon kills itself."`
	TerminationFile string `conf:"properterminationfile" doc:"File written as the last act of a clean stop."`
	MainShutdown    int    `conf:"mainmsgqueuetimeoutshutdown" default:"-1" doc:"queue.timeoutShutdown of the main queue."`
	MainEnqueue     int    `conf:"mainmsgqueuetimeoutenqueue" default:"-1" doc:"queue.timeoutEnqueue of the main queue."`
	InputShutdown   int    `conf:"inputshutdowntimeout" default:"-1" doc:"inputs.timeout.shutdown."`
	ActionShutdown  int    `conf:"defaultactionqueuetimeoutshutdown" default:"-1" doc:"Default queue.timeoutShutdown of actions."`
	ActionEnqueue   int    `conf:"defaultactionqueuetimeoutenqueue" default:"-1" doc:"Default queue.timeoutEnqueue of actions."`
	MaxSessions     int    `conf:"maxsessions" doc:"Accepted."`
	Streamdriver    string `conf:"serverstreamdriverpermittedpeer" doc:"Accepted."`
}

// diag is imdiag: the control connection of test benches written for rsyslogd.
type diag struct {
	params DiagParams
	engine *Engine
	ledger message.Ledger

	ln net.Listener
	to message.Handler
}

func (d *diag) Name() string            { return "imdiag" }
func (d *diag) Ledger() *message.Ledger { return &d.ledger }

func (d *diag) Addrs() []string {
	if d.ln == nil {
		return nil
	}
	return []string{d.ln.Addr().String()}
}

// Listen binds the port. The port file is written by ready.
func (d *diag) Listen() error {
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", d.params.ServerRun))
	if err != nil {
		return fmt.Errorf("imdiag: %w", err)
	}
	d.ln = ln
	if d.params.AbortTimeout > 0 {
		time.AfterFunc(time.Duration(d.params.AbortTimeout)*time.Second, d.abort)
	}
	return nil
}

// abort ends a daemon that hangs, so that a test bench does not. What its goroutines
// were doing goes to standard error.
func (d *diag) abort() {
	if out := d.engine.opts.Stderr; out != nil {
		fmt.Fprintf(out, "%s: imdiag: abortTimeout of %d seconds is over, the daemon ends itself\n",
			d.engine.opts.Program, d.params.AbortTimeout)
	}
	_ = unix.Kill(os.Getpid(), unix.SIGABRT) // it cannot fail for one's own process
}

// ready tells the test bench that the daemon is up.
func (d *diag) ready() error {
	if d.params.ListenPortFile == "" {
		return nil
	}
	port := strconv.Itoa(d.ln.Addr().(*net.TCPAddr).Port)
	tmp := d.params.ListenPortFile + ".tmp"
	if err := os.WriteFile(tmp, []byte(port), 0o644); err != nil {
		return fmt.Errorf("imdiag: port file: %w", err)
	}
	return os.Rename(tmp, d.params.ListenPortFile)
}

// Run serves control connections until ctx is cancelled.
func (d *diag) Run(ctx context.Context, to message.Handler) error {
	d.to = to
	stop := context.AfterFunc(ctx, func() { d.ln.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := d.ln.Accept()
		if ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("imdiag: %w", err)
		}
		wg.Go(func() { d.serve(ctx, c) })
	}
}

func (d *diag) serve(ctx context.Context, c net.Conn) {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	defer c.Close()
	in := bufio.NewScanner(c)
	in.Buffer(make([]byte, 4096), 1<<20)
	for in.Scan() {
		if _, err := fmt.Fprintf(c, "%s\n", d.answer(ctx, strings.TrimRight(in.Text(), "\r"))); err != nil {
			return
		}
	}
}

func (d *diag) answer(ctx context.Context, request string) string {
	word, args, _ := strings.Cut(strings.TrimSpace(request), " ")
	args = strings.TrimLeft(args, " ")
	switch strings.ToLower(word) {
	case "getmainmsgqueuesize":
		return strconv.Itoa(d.engine.Held())
	case "waitmainqueueempty":
		return d.waitEmpty(ctx)
	case "awaithupcomplete":
		return d.waitHup(ctx)
	case "injectmsg":
		return d.inject(ctx, args)
	case "awaitlookuptablereload":
		return "no pending lookup-table reloads found"
	case "blockstatsreporting":
		d.engine.stats.block()
		return "next stats reporting call will be blocked"
	case "awaitstatsreport":
		d.engine.stats.unblock(ctx, strings.HasPrefix(strings.ToLower(args), "block_again"))
		return "stats reporting was unblocked"
	case "enabledebug":
		return "debug enabled"
	}
	if set := d.engine.setTime(strings.ToLower(word)); set != nil {
		return setAnswer(args, set)
	}
	return fmt.Sprintf("unkown command '%s'", word)
}

// waitEmpty returns when nothing was held in four looks 100 ms apart: a message
// between two queues is in neither for a moment.
func (d *diag) waitEmpty(ctx context.Context) string {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for looks := 0; looks < 4; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "mainqueue empty"
		}
		if looks++; d.engine.Held() > 0 {
			looks = 0
		}
	}
	return "mainqueue empty"
}

func (d *diag) waitHup(ctx context.Context) string {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ; n++ {
		if !d.engine.hupPending() || ctx.Err() != nil {
			return fmt.Sprintf("...completed [%d tries]", n)
		}
		<-tick.C
	}
}

func (d *diag) inject(ctx context.Context, args string) string {
	if text, ok := strings.CutPrefix(args, "literal "); ok {
		if err := d.submit(ctx, []string{text}); err != nil {
			return "ERROR: " + err.Error()
		}
		return "1 messages injected"
	}
	var from, count, delay int
	n, _ := fmt.Sscan(args, &from, &count, &delay)
	if n < 2 {
		return "ERROR: injectmsg FROM COUNT [DELAY_MS]"
	}
	texts := make([]string, 0, 128)
	for i := from; i < from+count && ctx.Err() == nil; i++ {
		texts = append(texts, fmt.Sprintf("<167>Mar  1 01:00:00 192.0.2.8 tag msgnum:%8.8d:", i))
		if len(texts) < cap(texts) && delay == 0 && i+1 < from+count {
			continue
		}
		if err := d.submit(ctx, texts); err != nil {
			return "ERROR: " + err.Error()
		}
		texts = texts[:0]
		if delay > 0 {
			pause(ctx, time.Duration(delay)*time.Millisecond)
		}
	}
	return fmt.Sprintf("%d messages injected", count)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (d *diag) submit(ctx context.Context, texts []string) error {
	env := d.engine.env
	origin := message.NewOrigin("imdiag", "127.0.0.1", "127.0.0.1", "")
	b := message.Batch{Flow: d.flow()}
	for _, t := range texts {
		b.Receive(&env.Sanitize, []byte(t), origin, env.Now().UnixNano(), message.ParseHostname)
	}
	d.ledger.Receive(len(texts))
	if err := d.to(ctx, b.All()); err != nil {
		lost := message.Rest(b.All(), err).Len()
		d.ledger.Discard(message.Unacceptable, lost)
		d.ledger.Deliver(len(texts) - lost)
		return err
	}
	d.ledger.Deliver(len(texts))
	return nil
}

func (d *diag) flow() message.Flow {
	switch d.params.InjectDelay {
	case "full":
		return message.FullDelay
	case "light":
		return message.LightDelay
	}
	return message.NoDelay
}

// terminated writes the termination file: the very last act of a clean stop.
func (d *diag) terminated(signal, held int) error {
	file := d.params.TerminationFile
	if file == "" {
		return nil
	}
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("termination file %s: %w", file, err)
	}
	f := os.NewFile(uintptr(fd), filepath.Base(file))
	fmt.Fprintf(f, "status=ok\nreason=normal\npid=%d\nsignal=%d\nversion=%s\nphase=main-return\nqueue.overall.size=%d\n",
		os.Getpid(), signal, d.engine.opts.Version, held)
	return f.Close()
}

// makeDiag makes imdiag if the configuration loads it. Its parameters stand at
// module() and at input(); some are defaults for queues that are made later.
func (b *builder) makeDiag() {
	module, ok := b.modules["imdiag"]
	if !ok {
		return
	}
	d := &diag{engine: b.Engine}
	if !b.decodeOver(module, b.diagInput(), &d.params) {
		return
	}
	b.diag = d
	if d.params.InputShutdown >= 0 {
		b.inputsMS.Store(int64(d.params.InputShutdown))
	}
	for _, t := range []struct {
		of *conf.Opt[int]
		ms int
	}{{&b.globals.ActionShutdown, d.params.ActionShutdown}, {&b.globals.ActionEnqueue, d.params.ActionEnqueue}} {
		if t.ms >= 0 {
			*t.of = conf.Opt[int]{Value: t.ms, Given: true}
		}
	}
}

// bindDiag makes imdiag an input of the main queue.
func (b *builder) bindDiag() {
	if b.diag == nil {
		return
	}
	main := &b.order[0].options.Params
	setIfGiven(&main.TimeoutShutdown, b.diag.params.MainShutdown)
	setIfGiven(&main.TimeoutEnqueue, b.diag.params.MainEnqueue)
	b.bind(b.diag, b.order[0])
}

func (b *builder) diagInput() *conf.Object {
	for _, o := range b.objects("input") {
		if conf.ModuleName(o.Value("type")) == "imdiag" {
			return o
		}
	}
	return &conf.Object{Kind: "input"}
}

func setIfGiven(to *queue.Opt[int], ms int) {
	if ms >= 0 {
		to.Value, to.Given = ms, true
	}
}
