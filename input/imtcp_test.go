package input

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sysrelay/conf"
	"sysrelay/message"
)

// decode sets the parameters as a configuration that gives only these does.
func decode(t *testing.T, into any, given ...string) {
	t.Helper()
	o := &conf.Object{Kind: "input"}
	for i := 0; i < len(given); i += 2 {
		o.Params = append(o.Params, &conf.Param{Name: given[i], Values: []string{given[i+1]}})
	}
	if err := new(conf.Config).Decode(o, into); err != nil {
		t.Fatal(err)
	}
}

func imtcpDefaults(t *testing.T) (m IMTCPModule, p IMTCPParams) {
	t.Helper()
	decode(t, &m)
	decode(t, &p, "port", "0")
	return m, p
}

func newIMTCP(t *testing.T, s *sink, set func(m *IMTCPModule, p *IMTCPParams)) Input {
	t.Helper()
	m, p := imtcpDefaults(t)
	if set != nil {
		set(&m, &p)
	}
	in, err := NewIMTCP(m, p, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestIMTCPReceives(t *testing.T) {
	s := newSink()
	portFile := filepath.Join(t.TempDir(), "port")
	in := newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) { p.PortFile = portFile })
	stop := start(t, in, s)
	c := dial(t, "tcp", in)
	port, err := os.ReadFile(portFile)
	if err != nil || !strings.HasSuffix(in.Addrs()[0], ":"+string(port)) {
		t.Errorf("port file %q, %v; listening on %v", port, err, in.Addrs())
	}
	send(t, c, "<13>one\n7 <13>two")
	s.waitTexts(t, "<13>one", "<13>two")
	send(t, c, "<13>thr")
	send(t, c, "ee\n<13>last")
	closes(t, c)
	s.waitTexts(t, "<13>one", "<13>two", "<13>three", "<13>last")
	stop()
	checkLedger(t, in, 4, 0)
	if s.from(0) != "imtcp|127.0.0.1|127.0.0.1" {
		t.Errorf("origin %s", s.from(0))
	}
}

func TestIMTCPMaxSessions(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) { p.MaxSessions = conf.Opt[int]{Value: 1, Given: true} })
	start(t, in, s)
	first := dial(t, "tcp", in)
	send(t, first, "a\n")
	s.waitTexts(t, "a")
	second := dial(t, "tcp", in)
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("the second connection was not closed")
	}
	s.waitLog(t, "too many tcp sessions - dropping incoming request")
	send(t, first, "b\n")
	s.waitTexts(t, "a", "b")
	closes(t, first)
	waitUntil(t, "the place to be free", func() bool { return in.(*streamInput).sessions.Load() == 0 })
	send(t, dial(t, "tcp", in), "c\n")
	s.waitTexts(t, "a", "b", "c")
}

// What one read returns is handed over in batches of bounded size.
func TestIMTCPBatchesAreBounded(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, nil)
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	largest := 0
	go func() {
		defer close(done)
		in.Run(ctx, func(ctx context.Context, v message.View) error {
			largest = max(largest, v.Len())
			return nil
		})
	}()
	c := dial(t, "tcp", in)
	const n = 1_000_000
	send(t, c, strings.Repeat("x\n", n))
	awaitLedger(t, in, n)
	cancel()
	<-done
	if largest > batchMessages || largest < batchMessages/2 {
		t.Errorf("batches of up to %d messages", largest)
	}
	checkLedger(t, in, n, 0)
}

func TestDefaultTZ(t *testing.T) {
	for text, want := range map[string]message.Flags{
		"":       message.ParseHostname,
		"+02:00": message.ParseHostname | message.DefaultTZ(120),
		"-03:30": message.ParseHostname | message.DefaultTZ(-210),
		"+00:00": message.ParseHostname | message.DefaultTZ(0),
	} {
		s := newSink()
		in := newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) { p.DefaultTZ = text })
		stop := start(t, in, s)
		send(t, dial(t, "tcp", in), "a\n")
		s.waitTexts(t, "a")
		udp := newIMUDP(t, s, func(_ *IMUDPModule, p *IMUDPParams) { p.DefaultTZ = text })
		stopUDP := start(t, udp, s)
		send(t, dial(t, "udp", udp), "b")
		s.waitTexts(t, "a", "b")
		stop()
		stopUDP()
		if s.flags[0] != want || s.flags[1] != want {
			t.Errorf("%q: flags %x, want %x", text, s.flags, want)
		}
	}
}
