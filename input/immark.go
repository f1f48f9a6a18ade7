package input

import (
	"context"
	"time"

	"sysrelay/message"
)

// IMMarkModule are the parameters of module(load="immark"), which writes a
// message every so often.
type IMMarkModule struct {
	Interval int    `conf:"interval" default:"1200" doc:"Seconds between marks; 0 is never." status:"full"`
	Text     string `conf:"markmessagetext" default:"-- MARK --" doc:"The message." status:"full"`
	UseFlag  bool   `conf:"use.markflag" default:"on" doc:"Mark messages are skipped by actions that have written recently." status:"full"`
	Syslog   bool   `conf:"use.syslogcall" doc:"Accepted; marks go through the rules in any case." status:"full"`
}

// NewIMMark makes the input that loading immark means.
func NewIMMark(m IMMarkModule, d Deps) (Input, error) { return &marks{m: m, deps: d}, nil }

type marks struct {
	m      IMMarkModule
	deps   Deps
	ledger message.Ledger
}

// Run implements Input.
func (in *marks) Run(ctx context.Context, to message.Handler) error {
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

// mark hands over one mark: facility syslog, severity info, as rsyslog.
func (in *marks) mark(ctx context.Context, to message.Handler) {
	const syslogInfo = 5<<3 | 6
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

// Listen implements Input.
func (in *marks) Listen() error { return nil }

// Name implements Input.
func (in *marks) Name() string { return "immark" }

// Addrs implements Input.
func (in *marks) Addrs() []string { return nil }

// Ledger implements Input.
func (in *marks) Ledger() *message.Ledger { return &in.ledger }
