package input

import (
	"context"
	"fmt"
	"net"
	"time"

	"sysrelay/message"
)

// IMMarkModule are the parameters of module(load="immark"), which writes a
// message every so often.
type IMMarkModule struct {
	Interval int    `conf:"interval" default:"1200" doc:"Seconds between marks; 0 is never." status:"full"`
	Text     string `conf:"markmessagetext" default:"-- MARK --" doc:"The message." status:"full"`
	UseFlag  bool   `conf:"use.markflag" default:"on" doc:"Mark messages are skipped by actions that have written recently." status:"full"`
	Syslog   bool   `conf:"use.syslogcall" doc:"Give marks to /dev/log, as syslog(3) does, instead of the rules; nobody listening there, to the rules." status:"full"`
	Ruleset  string `conf:"ruleset" doc:"Ruleset the marks go to; use.syslogCall is off then." status:"full"`
}

// NewIMMark makes the input that loading immark means.
func NewIMMark(m IMMarkModule, d Deps) (Input, error) {
	in := &marks{m: m, deps: d, socket: "/dev/log"}
	if m.Syslog && m.Ruleset != "" { // as rsyslog
		d.Log(severityWarning, "immark: a ruleset is given, so use.syslogCall is off")
		in.m.Syslog = false
	}
	in.faults = complaints{name: in.Name(), log: d.Log, now: d.Env.Now}
	return in, nil
}

type marks struct {
	m      IMMarkModule
	deps   Deps
	socket string // of syslog(3)
	faults complaints
	ledger message.Ledger
}

// Run implements Input.
func (in *marks) Run(ctx context.Context, to message.Handler) error {
	defer in.faults.close()
	if in.m.Interval <= 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(time.Duration(in.m.Interval) * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			in.mark(ctx, to)
		}
	}
}

const syslogInfo = 5<<3 | 6

// mark hands over one mark: facility syslog, severity info, as rsyslog.
func (in *marks) mark(ctx context.Context, to message.Handler) {
	if in.m.Syslog {
		err := in.call()
		if err == nil {
			return
		}
		in.faults.add(fmt.Sprintf("immark: %v; the mark goes through the rules", err))
	}
	host := in.deps.Env.Hostname()
	m := message.Local{Origin: message.NewOrigin("immark", host, "127.0.0.1", ""), Host: host, Tag: in.deps.Program + ":",
		Text: in.m.Text, PRI: syslogInfo, At: in.deps.Env.Now()}.Message()
	if in.m.UseFlag {
		m.Flags |= message.Mark
	}
	var b message.Batch
	b.AddMessage(m)
	handOver(ctx, &b, to, &in.ledger)
}

// call gives a mark to the system's log as syslog(3) does. It is no message of
// this input then: whoever listens there receives it.
func (in *marks) call() error {
	c, err := net.Dial("unixgram", in.socket)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(time.Second))
	_, err = fmt.Fprintf(c, "<%d>%s %s: %s", syslogInfo, in.deps.Env.Now().Format(time.Stamp), in.deps.Program, in.m.Text)
	return err
}

// Listen implements Input.
func (in *marks) Listen() error { return nil }

// Name implements Input.
func (in *marks) Name() string { return "immark" }

// Addrs implements Input.
func (in *marks) Addrs() []string { return nil }

// Ledger implements Input.
func (in *marks) Ledger() *message.Ledger { return &in.ledger }
