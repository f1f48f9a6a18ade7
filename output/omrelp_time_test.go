package output

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/input/relp"
	"sysrelay/message"
)

// onPipes makes o talk to s over pipes, so that time can be virtual. No two
// connections may exist at a time.
func onPipes(t *testing.T, o *omrelp, s *relpServer) {
	var last net.Conn
	o.dial = func(context.Context) (net.Conn, error) {
		if last != nil && !errors.Is(last.SetDeadline(time.Time{}), io.ErrClosedPipe) {
			t.Error("a second connection while the first is there")
		}
		ours, theirs := net.Pipe()
		last = ours
		s.mu.Lock()
		s.conns++
		n := s.conns
		s.mu.Unlock()
		go func() { defer theirs.Close(); s.serve(n, theirs) }()
		return ours, nil
	}
}

// pipeParams are omrelp's defaults.
var pipeParams = OMRELPParams{Target: "peer", Port: "514", Template: "text", Timeout: 90, ConnTimeout: 10}

// newPiped makes an output that talks to s, and an action around it that tries
// for ever.
func newPiped(t *testing.T, s *relpServer) (*omrelp, *Action, *logBook) {
	o, _ := newOMRELP(t, pipeParams)
	onPipes(t, o, s)
	a, book := newAction(t, o, func(p *ActionOptions) { p.Params.ResumeRetryCount = tries(-1) })
	return o, a, book
}

func silence(int, []relp.Frame) ([]byte, bool) { return nil, false }

// TestRELPSilence: a server that answers nothing is given up after timeout, one
// that does not even answer "open" after conn.timeout.
func TestRELPSilence(t *testing.T) {
	for _, c := range []struct {
		name   string
		server *relpServer
		after  time.Duration
		want   string
	}{
		{"no answer to messages", &relpServer{syslog: silence}, 90*time.Second + settleTime,
			"cannot send to peer:514: no answer for 1m30s; 2 messages have no answer"},
		{"no answer to open", &relpServer{open: func(uint32) []byte { return nil }}, 10 * time.Second,
			"cannot open a RELP session with peer:514: no answer in 10s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, _, _ := newPiped(t, c.server)
				began := time.Now()
				n, err := o.Write(t.Context(), batch("a", "b"))
				if n != 0 || err == nil || err.Error() != c.want {
					t.Errorf("Write = %d, %v; want %s", n, err, c.want)
				}
				if took := time.Since(began); took != c.after {
					t.Errorf("given up after %v, want %v", took, c.after)
				}
				if o.session != nil {
					t.Error("the session is kept")
				}
				if err := o.dialer.err; (err != nil) != (c.server.open != nil) {
					t.Errorf("remembered as not answering: %v", err)
				}
			})
		})
	}
}

// TestRELPSlow: a server may take its time, if only it answers one message
// within the time-out.
func TestRELPSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &relpServer{syslog: func(n int, m []relp.Frame) ([]byte, bool) {
			time.Sleep(80 * time.Second)
			return acceptAll(n, m)
		}}
		o, _, _ := newPiped(t, s)
		o.window = 1
		if n, err := o.Write(t.Context(), batch("a", "b", "c")); n != 3 || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
		o.Close()
	})
}

// TestRELPInterrupted: a caller out of time gets back what is unanswered, but
// answers that are about to come are waited for: what they are about need not
// arrive twice.
func TestRELPInterrupted(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers time.Duration // after so long
		n       int
		after   time.Duration
	}{
		{"soon", time.Minute + settleTime/2, 2, time.Minute + settleTime/2},
		{"late", time.Hour, 0, time.Minute + settleTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, _, _ := newPiped(t, &relpServer{syslog: func(n int, m []relp.Frame) ([]byte, bool) {
					time.Sleep(c.answers)
					return acceptAll(n, m)
				}})
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				n, err := o.Write(ctx, batch("a", "b"))
				if n != c.n || errors.Is(err, context.DeadlineExceeded) != (n < 2) {
					t.Errorf("Write = %d, %v; want %d", n, err, c.n)
				}
				if took := time.Since(began); took != c.after {
					t.Errorf("returned after %v, want %v", took, c.after)
				}
				time.Sleep(c.answers) // the server's goroutine ends
			})
		})
	}
}

// TestRELPInterruptedWriting: the peer reads nothing.
func TestRELPInterruptedWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := newOMRELP(t, pipeParams)
		ours, theirs := net.Pipe()
		o.dial = func(context.Context) (net.Conn, error) { return ours, nil }
		go answerOpen(t, theirs)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if n, err := o.Write(ctx, batch("a")); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Write = %d, %v", n, err)
		}
	})
}

// answerOpen reads "open" and answers it.
func answerOpen(t *testing.T, c net.Conn) {
	in := newRelpReader(c)
	f, err := in.frame()
	must(t, err)
	_, err = c.Write(relp.AppendResponse(nil, f.Txnr, 200, "OK", []byte("commands=syslog")))
	must(t, err)
}

// refusing answers 500 to the messages that are bad.
func refusing(bad func(conn int, text string) bool) func(int, []relp.Frame) ([]byte, bool) {
	return func(conn int, m []relp.Frame) (b []byte, _ bool) {
		for _, f := range m {
			if bad(conn, string(f.Data)) {
				b = relp.AppendResponse(b, f.Txnr, 500, "no", nil)
			} else {
				b = relp.AppendOK(b, f.Txnr)
			}
		}
		return b, false
	}
}

// TestRELPRefused: who is to blame when messages are refused, the message or the
// server, and what comes of it.
func TestRELPRefused(t *testing.T) {
	isBad := func(_ int, text string) bool { return strings.HasPrefix(text, "bad") }
	for _, c := range []struct {
		name   string
		window int
		texts  string
		bad    func(conn int, text string) bool
		want   string        // what arrives
		aside  uint64        // messages set aside
		after  time.Duration // it takes
	}{
		{"others are taken", 128, "good bad1 fine", isBad, "good bad1 fine bad1 bad1", 1, 30 * time.Second},
		{"others are taken each time", 2, "bad1 g h i j", isBad, "bad1 g bad1 h bad1 i j", 1, 0},
		{"two of them", 128, "bad1 bad2 fine", isBad, "bad1 bad2 fine bad1 bad2 bad1 bad2 bad2 bad2 bad2", 2, 90 * time.Second},
		{"at times", 128, "good bad1", func(conn int, text string) bool { return conn < 3 && isBad(conn, text) }, "good bad1 bad1 bad1", 0, 30 * time.Second},
		{"nothing is taken", 128, "a b", func(conn int, _ string) bool { return conn < 8 },
			strings.Repeat("a b ", 7) + "a b", 0, 7 * 30 * time.Second},
		{"the only one", 128, "bad1", isBad, strings.Repeat("bad1 ", 9) + "bad1", 1, 9 * 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &relpServer{syslog: refusing(c.bad)}
				o, a, _ := newPiped(t, s)
				o.window = c.window
				began := time.Now()
				all := strings.Fields(c.texts)
				must(t, handle(a, all...))
				if got := strings.Join(s.messages(), " "); got != c.want {
					t.Errorf("arrived %s, want %s", got, c.want)
				}
				if took := time.Since(began); took != c.after {
					t.Errorf("it took %v, want %v", took, c.after)
				}
				n := uint64(len(all))
				wantAccounts(t, a, n, n-c.aside, map[message.Reason]uint64{message.Unacceptable: c.aside})
				must(t, a.Close())
			})
		})
	}
}

// TestRELPRefusalsInARow: a message that is taken in the end leaves nothing
// behind for the next one that looks the same.
func TestRELPRefusalsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		s := &relpServer{syslog: refusing(func(_ int, text string) bool {
			if text == "bad" {
				asked++
			}
			return text == "bad" && asked%3 > 0
		})}
		_, a, _ := newPiped(t, s)
		for range 3 {
			must(t, handle(a, "good", "bad"))
		}
		wantAccounts(t, a, 6, 6, nil)
		must(t, a.Close())
	})
}
