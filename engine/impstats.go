package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"sysrelay/message"
)

// StatsParams are impstats' parameters.
type StatsParams struct {
	Interval  int    `conf:"interval,min=1" default:"300" doc:"Seconds between reports."`
	Facility  int    `conf:"facility,type=facility" default:"5" doc:"Facility of the messages."`
	Severity  int    `conf:"severity,type=severity" default:"6" doc:"Severity of the messages."`
	Bracket   bool   `conf:"bracketing" doc:"A message BEGIN before each report and one END behind it."`
	Syslog    bool   `conf:"log.syslog" default:"on" doc:"Make messages of the reports."`
	Reset     bool   `conf:"resetcounters" doc:"Report what has been since the last report. What says how much there is now is not reset."`
	File      string `conf:"log.file" doc:"File to write the reports to, too."`
	Overwrite bool   `conf:"log.file.overwrite" doc:"The file holds the last report only; it is replaced as a whole."`
	Format    string `conf:"format,enum=legacy|json|json-elasticsearch|cee|prometheus" default:"legacy" doc:"How counters are printed. prometheus: text format 0.0.4, a line a message."`

	PushURL      string   `conf:"push.url" doc:"Prometheus remote write is not there; let Prometheus read log.file with format=prometheus." status:"none"`
	PushLabels   []string `conf:"push.labels" doc:"See push.url." status:"none"`
	PushTimeout  int      `conf:"push.timeout.ms" default:"5000" doc:"See push.url." status:"none"`
	PushInstance bool     `conf:"push.label.instance" default:"on" doc:"See push.url." status:"none"`
	PushOrigin   bool     `conf:"push.label.origin" doc:"See push.url." status:"none"`
	PushName     bool     `conf:"push.label.name" doc:"See push.url." status:"none"`
	PushJob      string   `conf:"push.label.job" default:"rsyslog" doc:"See push.url." status:"none"`
	PushCA       string   `conf:"push.tls.cafile" doc:"See push.url." status:"none"`
	PushCert     string   `conf:"push.tls.certfile" doc:"See push.url." status:"none"`
	PushKey      string   `conf:"push.tls.keyfile" doc:"See push.url." status:"none"`
	PushInsecure bool     `conf:"push.tls.insecureskipverify" doc:"See push.url." status:"none"`
	PushBytes    int      `conf:"push.batch.maxbytes" doc:"See push.url." status:"none"`
	PushSeries   int      `conf:"push.batch.maxseries" doc:"See push.url." status:"none"`
}

// impstats reports the counters every so often. A nil impstats is not loaded.
type impstats struct {
	p      StatsParams
	engine *Engine
	ledger message.Ledger
	before map[string]int64 // what counters were at the last report, with resetCounters
	failed string           // why the file could not be written, as last said

	mu      sync.Mutex
	blocked bool          // reports wait
	permits int           // but for so many
	changed chan struct{} // closed and replaced when these change
	reports chan struct{} // closed and replaced at the end of each report
}

// makeStats makes impstats if the configuration loads it.
func (b *builder) makeStats() {
	module, ok := b.modules["impstats"]
	if !ok {
		return
	}
	s := &impstats{engine: b.Engine, before: map[string]int64{}, reports: make(chan struct{}), changed: make(chan struct{})}
	if err := b.decodeModule(module, &s.p); err != nil {
		b.failed(err)
		return
	}
	if p := module.Param("ruleset"); p != nil && !s.p.Syslog {
		b.errorf(p.Pos, "leave one of them out", "impstats: ruleset needs log.syslog")
		return
	}
	b.stats = s
	b.addInput(s, nil, module)
}

// Name implements input.Input.
func (s *impstats) Name() string { return "impstats" }

// Addrs implements input.Input.
func (s *impstats) Addrs() []string { return nil }

// Ledger implements input.Input.
func (s *impstats) Ledger() *message.Ledger { return &s.ledger }

// Counters implements message.Counted: impstats does not report itself.
func (s *impstats) Counters() []message.Counters { return nil }

// Listen implements input.Input.
func (s *impstats) Listen() error { return nil }

// Run implements input.Input.
func (s *impstats) Run(ctx context.Context, to message.Handler) error {
	tick := time.NewTicker(time.Duration(s.p.Interval) * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s.wait(ctx)
		if ctx.Err() == nil {
			s.report(ctx, to)
		}
		s.reported()
	}
}

// block makes the next report wait: imdiag.
func (s *impstats) block() {
	if s != nil {
		s.gate(true, 0)
	}
}

// unblock lets a report through and waits until it has been made; with again the
// next one waits, too.
func (s *impstats) unblock(ctx context.Context, again bool) {
	if s == nil {
		return
	}
	done := s.gate(again, 1)
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (s *impstats) gate(blocked bool, permits int) (report <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked, s.permits = blocked, permits
	close(s.changed)
	s.changed = make(chan struct{})
	return s.reports
}

// wait returns when a report may be made.
func (s *impstats) wait(ctx context.Context) {
	for {
		s.mu.Lock()
		if !s.blocked || s.permits > 0 {
			s.permits = max(s.permits-1, 0)
			s.mu.Unlock()
			return
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (s *impstats) reported() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.reports)
	s.reports = make(chan struct{})
}

// report makes one report.
func (s *impstats) report(ctx context.Context, to message.Handler) {
	lines := s.lines(s.counters())
	now := s.engine.env.Now()
	if s.p.File != "" {
		s.write(lines, now)
	}
	if !s.p.Syslog {
		return
	}
	host := s.engine.env.Hostname()
	l := message.Local{Origin: message.NewOrigin("impstats", host, "127.0.0.1", ""), Host: host,
		Tag: "rsyslogd-pstats:", PRI: s.p.Facility<<3 | s.p.Severity, At: now}
	var b message.Batch
	for _, line := range lines {
		l.Text = line
		b.AddMessage(l.Message())
	}
	s.ledger.Receive(b.Len())
	lost := message.Rest(b.All(), to(ctx, b.All())).Len()
	s.ledger.Deliver(b.Len() - lost)
	s.ledger.Discard(message.QueueFull, lost)
}

// counters are the engine's, since the last report if they are to be reset.
func (s *impstats) counters() []message.Counters {
	all := s.engine.Counters(s.p.Reset)
	if !s.p.Reset {
		return all
	}
	for _, c := range all {
		for i := range c.Values {
			v := &c.Values[i]
			if v.Level {
				continue
			}
			key := c.Origin + "\x00" + c.Name + "\x00" + v.Name
			total := v.Value
			v.Value -= s.before[key]
			s.before[key] = total
		}
	}
	return all
}

func (s *impstats) lines(all []message.Counters) (lines []string) {
	if s.p.Format == "prometheus" {
		text := strings.TrimSuffix(string(appendPrometheus(nil, all)), "\n")
		return strings.Split(text, "\n")
	}
	if s.p.Bracket {
		lines = append(lines, "BEGIN")
	}
	format := statsFormats(s.p.Format)
	for _, c := range all {
		lines = append(lines, string(format(nil, c)))
	}
	if s.p.Bracket {
		lines = append(lines, "END")
	}
	return lines
}

// write writes a report to the file. as rsyslog: with the time in C's format
// before each line; but not where the line is Prometheus' business.
func (s *impstats) write(lines []string, now time.Time) {
	var text []byte
	for _, line := range lines {
		if s.p.Format != "prometheus" {
			text = now.AppendFormat(text, time.ANSIC)
			text = append(text, ": "...)
		}
		text = append(append(text, line...), '\n')
	}
	why := ""
	if err := s.put(text); err != nil {
		why = err.Error()
	}
	if why != s.failed && why != "" {
		s.engine.log.Log(3, fmt.Sprintf("impstats: cannot write %s: %s; this report is lost there, the next is tried", s.p.File, why))
	}
	s.failed = why
}

func (s *impstats) put(text []byte) error {
	path, flags := s.p.File, os.O_APPEND
	if s.p.Overwrite {
		path, flags = path+".tmp", os.O_TRUNC
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flags, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Close())
	if err == nil && s.p.Overwrite {
		err = os.Rename(path, s.p.File)
	}
	return err
}
