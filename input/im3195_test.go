package input

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sysrelay/input/beep"
)

// beepPeer is a device that speaks BEEP.
type beepPeer struct {
	t    *testing.T
	c    net.Conn
	buf  []byte
	sent map[uint32]uint32 // octets by channel
}

func newBEEPPeer(t *testing.T, in Input) *beepPeer {
	p := &beepPeer{t: t, c: dial(t, "tcp", in), sent: map[uint32]uint32{}}
	if f := p.frame(); f.Kind != beep.RPY || !strings.Contains(string(f.Payload), "<profile uri='"+rawProfile+"'") {
		t.Fatalf("greeting %v", f)
	}
	return p
}

// frame reads a frame; SEQ frames are left out.
func (p *beepPeer) frame() beep.Frame {
	p.t.Helper()
	for {
		n, f, err := beep.Next(p.buf, 1<<20)
		if err != nil {
			p.t.Fatal(err)
		}
		if n > 0 {
			f.Payload = append([]byte(nil), f.Payload...)
			if p.buf = p.buf[n:]; f.Kind != beep.SEQ {
				return f
			}
			continue
		}
		b := make([]byte, 4096)
		if n, err = p.c.Read(b); err != nil {
			p.t.Fatalf("waiting for a frame: %v", err)
		}
		p.buf = append(p.buf, b[:n]...)
	}
}

// send sends a frame, with the seqno that is due.
func (p *beepPeer) send(f beep.Frame, payload string) {
	p.t.Helper()
	f.Seqno, f.Payload = p.sent[f.Channel], []byte(payload)
	p.sent[f.Channel] += uint32(len(payload))
	send(p.t, p.c, string(beep.Append(nil, f)))
}

const beepXML = "Content-Type: application/beep+xml\r\n\r\n"

// open greets and starts channel 1.
func (p *beepPeer) open() *beepPeer {
	p.t.Helper()
	p.send(beep.Frame{Kind: beep.RPY}, beepXML+"<greeting/>\r\n")
	if got := p.ask(1, "<start number='1'><profile uri='"+rawProfile+"'/></start>"); !strings.HasPrefix(got, "RPY <profile ") {
		p.t.Fatalf("start: %s", got)
	}
	if f := p.frame(); f.Kind != beep.MSG || f.Channel != 1 || f.Msgno != 0 {
		p.t.Fatalf("on channel 1: %v", f)
	}
	return p
}

// ask sends a message on channel 0 and returns the answer.
func (p *beepPeer) ask(msgno uint32, text string) string {
	p.t.Helper()
	p.send(beep.Frame{Kind: beep.MSG, Msgno: msgno}, beepXML+text)
	f := p.frame()
	if f.Msgno != msgno || f.Channel != 0 {
		p.t.Fatalf("answer %v", f)
	}
	return string(f.Kind) + " " + strings.TrimSpace(strings.TrimPrefix(string(f.Payload), beepXML))
}

func newIM3195(t *testing.T, s *sink, given ...string) Input {
	t.Helper()
	var p IM3195Params
	decode(t, &p, append([]string{"port", "0", "address", "127.0.0.1"}, given...)...)
	in, err := NewIM3195(IM3195Module{}, p, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestIM3195Receives(t *testing.T) {
	s := newSink()
	portFile := filepath.Join(t.TempDir(), "port")
	in := newIM3195(t, s, "listenportfilename", portFile)
	stop := start(t, in, s)
	if port, err := os.ReadFile(portFile); err != nil || !strings.HasSuffix(in.Addrs()[0], ":"+string(port)) {
		t.Errorf("port file %q, %v", port, err)
	}
	p := newBEEPPeer(t, in).open()
	ans := func(n uint32, more bool) beep.Frame {
		return beep.Frame{Kind: beep.ANS, Channel: 1, Ansno: n, More: more}
	}
	p.send(ans(0, false), "\r\n<13>one")
	p.send(ans(1, false), "\r\n<13>two\r\n<13>three\r\n")
	p.send(ans(2, true), "Content-Type: applic")
	p.send(ans(2, true), "ation/octet-stream\r\n\r\n<13>fo")
	p.send(ans(2, false), "ur")
	p.send(ans(3, false), "<13>five") // no entity's header at all
	p.send(beep.Frame{Kind: beep.NUL, Channel: 1}, "")
	if got := p.ask(2, "<close number='1' code='200'/>"); got != "RPY <ok />" {
		t.Errorf("close: %s", got)
	}
	if got := p.ask(3, "<close code='200'/>"); got != "RPY <ok />" {
		t.Errorf("close of the session: %s", got)
	}
	if n, err := p.c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the close: %d, %v", n, err)
	}
	s.waitTexts(t, "<13>one", "<13>two", "<13>three", "<13>four", "<13>five")
	stop()
	checkLedger(t, in, 5, 0)
	if s.from(0) != "im3195|127.0.0.1|127.0.0.1" || len(s.lines()) > 0 {
		t.Errorf("origin %s, log %q", s.from(0), s.lines())
	}
}

// A sender that keeps to the window never waits for ever.
func TestIM3195Window(t *testing.T) {
	s := newSink()
	in := newIM3195(t, s)
	start(t, in, s)
	p := newBEEPPeer(t, in).open()
	const messages = 3000
	granted := uint32(beep.FirstWindow)
	text := "\r\n<13>" + strings.Repeat("x", 100)
	for i := range uint32(messages) {
		for granted-p.sent[1] < uint32(len(text)) {
			n, f, err := beep.Next(p.buf, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if p.buf = p.buf[n:]; n == 0 {
				b := make([]byte, 4096)
				if n, err = p.c.Read(b); err != nil {
					t.Fatal(err)
				}
				p.buf = append(p.buf, b[:n]...)
			} else if f.Kind == beep.SEQ && f.Channel == 1 {
				granted = f.Ackno + f.Window
			}
		}
		p.send(beep.Frame{Kind: beep.ANS, Channel: 1, Ansno: i}, text)
	}
	awaitLedger(t, in, messages)
}

func TestIM3195Management(t *testing.T) {
	s := newSink()
	in := newIM3195(t, s)
	start(t, in, s)
	p := newBEEPPeer(t, in).open()
	raw := "<profile uri='" + rawProfile + "'/>"
	for i, c := range []struct{ in, want string }{
		{"<start number='1'>" + raw + "</start>", "ERR <error code='550'>the channel is open already</error>"},
		{"<start number='2'>" + raw + "</start>", "ERR <error code='501'>number of channel: an odd number expected</error>"},
		{"<start number='3x'>" + raw + "</start>", "ERR <error code='501'>number of channel: an odd number expected</error>"},
		{"<start number='3'><profile uri='http://iana.org/beep/TLS'/></start>", "ERR <error code='550'>all requested profiles are unsupported</error>"},
		{"<close number='3' code='200'/>", "ERR <error code='550'>the channel is not open</error>"},
		{"<hello/>", "ERR <error code='500'>start or close expected</error>"},
		{"<start", "ERR <error code='500'>not well-formed</error>"},
	} {
		if got := p.ask(uint32(i+2), c.in); got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
	for n := 3; n < 2*channelsMax+1; n += 2 {
		if got := p.ask(uint32(100+n), fmt.Sprintf("<start number='%d'>%s</start>", n, raw)); !strings.HasPrefix(got, "RPY") {
			t.Fatalf("channel %d: %s", n, got)
		}
		p.frame() // the MSG
	}
	if got := p.ask(200, "<start number='99'>"+raw+"</start>"); got != "ERR <error code='450'>too many channels</error>" {
		t.Errorf("one channel too many: %s", got)
	}
	p.send(beep.Frame{Kind: beep.ANS, Channel: 1, More: true}, "\r\n<13>half")
	if got := p.ask(201, "<close number='1' code='200'/>"); got != "ERR <error code='550'>a message is under way</error>" {
		t.Errorf("close inside a message: %s", got)
	}
	closes(t, p.c)
	s.waitLog(t, "the peer left in the middle of a message")
	s.waitTexts(t, "<13>half") // what came of it is kept
}

// What a peer does wrong ends its connection with one line, and nobody else's.
func TestIM3195Hostile(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"GET / HTTP/1.0\r\n\r\n", "not a BEEP frame"},
		{"\x16\x03\x01", "not a BEEP frame"},
		{"ANS 1 0 . 0 2147483647 0\r\n", "where the window has 32768"},
		{"MSG 0 1 . 81 0\r\nEND\r\n", "with seqno 81 where 0 is due"},
		{"MSG 0 1 . 0 0\r\nEND\r\n", "MSG frame where the greeting is due"},
		{"RPY 0 0 . 0 4\r\n<a/>END\r\n", "where the greeting is due"},
		{"ANS 7 0 . 0 0 0\r\nEND\r\n", "on channel 7, which is not open"},
		{"SEQ 0 100000 5\r\n", "which was not sent"},
		{fmt.Sprintf("RPY 0 0 . 0 4097\r\n%sEND\r\n", strings.Repeat("x", 4097)), "4097 octets on channel 0 where the window has 4096"},
		{"RPY 0 0 . 0 11\r\n<greeting/>END\r\nMSG 0 0 * 11 0\r\nEND\r\nMSG 0 1 . 11 0\r\nEND\r\n", "inside another message"},
	} {
		s := newSink()
		in := newIM3195(t, s)
		stop := start(t, in, s)
		good := newBEEPPeer(t, in).open()
		bad := newBEEPPeer(t, in)
		send(t, bad.c, c.in)
		s.waitLog(t, c.want)
		io.Copy(io.Discard, bad.c) // until it is closed
		good.send(beep.Frame{Kind: beep.ANS, Channel: 1}, "\r\n<13>good")
		s.waitTexts(t, "<13>good")
		stop()
		if n := len(s.lines()); n != 1 {
			t.Errorf("%q: %d lines %q", c.in, n, s.lines())
		}
		checkLedger(t, in, 1, 1)
	}
}

func TestIM3195DisallowedSender(t *testing.T) {
	s := newSink()
	in := newIM3195(t, s, "allowedsender", "192.0.2.1")
	start(t, in, s)
	if n, err := dial(t, "tcp", in).Read(make([]byte, 1)); err == nil {
		t.Errorf("%d octets for a disallowed sender", n)
	}
	s.waitLog(t, "disallowed sender 127.0.0.1")
}
