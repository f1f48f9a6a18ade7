package output

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"sysrelay/conf"
	"sysrelay/input/relp"
)

func relpParams(addr net.Addr) OMRELPParams {
	host, port, _ := net.SplitHostPort(addr.String())
	return OMRELPParams{Target: host, Port: port, Template: "text", Timeout: 20, ConnTimeout: 10}
}

func newOMRELP(t testing.TB, p OMRELPParams) (*omrelp, *logBook) {
	t.Helper()
	d, book := deps(nil)
	o, err := NewOMRELP(OMRELPModule{}, p, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o.(*omrelp), book
}

// relpServer answers as its script says.
type relpServer struct {
	ln net.Listener
	// open is the answer to "open"; nil is a good one.
	open func(txnr uint32) []byte
	// syslog answers the messages of one read; closing ends the connection after
	// the answer.
	syslog func(conn int, messages []relp.Frame) (answer []byte, closing bool)

	readSize int         // bytes read at once; 0 is many
	secure   *tls.Config // nil is plain

	mu       sync.Mutex
	conns    int
	got      []string // all messages, in order of arrival
	commands []string // other than syslog
	unread   int      // most messages that came in one read
}

// acceptAll answers every message with 200.
func acceptAll(_ int, messages []relp.Frame) (answer []byte, closing bool) {
	for _, f := range messages {
		answer = relp.AppendOK(answer, f.Txnr)
	}
	return answer, false
}

func startRELP(t *testing.T, s *relpServer) *relpServer {
	s.ln = listen(t)
	if s.secure != nil {
		s.ln = tls.NewListener(s.ln, s.secure)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := s.ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns++
			n := s.conns
			s.mu.Unlock()
			wg.Go(func() { defer conn.Close(); s.serve(n, conn) })
		}
	})
	t.Cleanup(func() { s.ln.Close(); wg.Wait() })
	return s
}

func (s *relpServer) serve(n int, conn net.Conn) {
	dec := relp.Decoder{MaxData: 1 << 20}
	var in []byte
	b := make([]byte, cmp.Or(s.readSize, 1<<20))
	for {
		k, err := conn.Read(b)
		if err != nil {
			return
		}
		in = append(in, b[:k]...)
		var messages []relp.Frame
		for {
			used, f, ok, err := dec.Next(in)
			in = in[used:]
			if err != nil {
				return
			}
			if !ok {
				break
			}
			if string(f.Command) == relp.Syslog {
				messages = append(messages, f)
			} else if !s.command(conn, f) {
				return
			}
		}
		if len(messages) == 0 {
			continue
		}
		s.mu.Lock()
		for _, f := range messages {
			s.got = append(s.got, string(f.Data))
		}
		s.unread = max(s.unread, len(messages))
		s.mu.Unlock()
		answer, closing := s.syslog(n, messages)
		if _, err := conn.Write(answer); err != nil || closing {
			return
		}
		in = slices.Clone(in)
	}
}

func (s *relpServer) command(conn net.Conn, f relp.Frame) bool {
	s.mu.Lock()
	s.commands = append(s.commands, string(f.Command))
	s.mu.Unlock()
	var answer []byte
	switch {
	case string(f.Command) == relp.Close:
		answer = append(relp.AppendFrame(nil, f.Txnr, relp.Response, nil), "0 serverclose 0\n"...)
	case s.open != nil:
		answer = s.open(f.Txnr)
	default:
		answer = relp.AppendResponse(nil, f.Txnr, 200, "OK", relp.Offers{Version: "0", Commands: []string{"syslog"}}.Append(nil))
	}
	_, err := conn.Write(answer)
	return err == nil && string(f.Command) != relp.Close
}

func (s *relpServer) messages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func numbers(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("message %d", i))
	}
	return all
}

func TestRELP(t *testing.T) {
	s := startRELP(t, &relpServer{syslog: acceptAll})
	o, _ := newOMRELP(t, relpParams(s.ln.Addr()))
	all := numbers(1000)
	write(t, o, all...)
	write(t, o, "last")
	must(t, o.Close())
	equal(t, "received", s.messages(), append(all, "last"))
	equal(t, "commands", s.commands, []string{"open", "close"})
}

// TestRELPWireForm: what rsyslogd 8.2302 sends for a rendered message.
func TestRELPWireForm(t *testing.T) {
	s := startRELP(t, &relpServer{syslog: acceptAll})
	o, _ := newOMRELP(t, relpParams(s.ln.Addr()))
	long := strings.Repeat("m", 9000)
	write(t, o, "one", "", "two\n", "a\nb", long)
	equal(t, "received", s.messages(), []string{"one", "", "two\n", "a\nb", long[:8096]})
}

// TestRELPPeerClosesWhileIdle: it is of no consequence.
func TestRELPPeerClosesWhileIdle(t *testing.T) {
	for _, goodbye := range []string{"", "0 serverclose 0\n"} {
		synctest.Test(t, func(t *testing.T) {
			s := &relpServer{syslog: func(n int, m []relp.Frame) (b []byte, closing bool) {
				b, _ = acceptAll(n, m)
				return append(b, goodbye...), true
			}}
			_, a, book := newPiped(t, s)
			for _, m := range []string{"a", "b", "c"} {
				must(t, handle(a, m))
				synctest.Wait() // the end has been noticed
			}
			equal(t, "received", s.messages(), []string{"a", "b", "c"})
			equal(t, "said", book.all(), nil)
			must(t, a.Close())
		})
	}
}

// TestRELPBothSidesWrite: a server that reads no more until its answers have
// been read.
func TestRELPBothSidesWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &relpServer{syslog: acceptAll, readSize: 100}
		o, a, _ := newPiped(t, s)
		o.window = 1_000_000
		all := numbers(20_000)
		must(t, handle(a, all...))
		equal(t, "received", s.messages(), all)
		must(t, a.Close())
	})
}

// TestRELPAllocations: none for a message. The few for a batch are the context's.
func TestRELPAllocations(t *testing.T) {
	ln := listen(t)
	o, _ := newOMRELP(t, relpParams(ln.Addr()))
	served := make(chan struct{})
	go func() {
		defer close(served)
		theirs, err := ln.Accept()
		must(t, err)
		defer theirs.Close()
		answerOpen(t, theirs)
		in, out := newRelpReader(theirs), make([]byte, 0, 64<<10)
		for in.fill() == nil {
			out = out[:0]
			for f, ok, err := in.next(); ok && err == nil; f, ok, err = in.next() {
				out = relp.AppendOK(out, f.Txnr)
			}
			if _, err := theirs.Write(out); err != nil {
				return
			}
		}
	}()
	v := batch(numbers(1000)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := testing.AllocsPerRun(50, func() {
		if _, err := o.Write(ctx, v); err != nil {
			t.Error(err)
		}
	})
	if n > 10 {
		t.Errorf("%v allocations for 1000 messages", n)
	}
	must(t, o.Close())
	<-served
}

// TestRELPWindow: never more messages unanswered than the window has room for.
func TestRELPWindow(t *testing.T) {
	for _, window := range []int{1, 2, 7, 128} {
		s := startRELP(t, &relpServer{syslog: acceptAll})
		p := relpParams(s.ln.Addr())
		p.WindowSize = window
		o, _ := newOMRELP(t, p)
		write(t, o, numbers(300)...)
		must(t, o.Close())
		if s.unread > window || len(s.messages()) != 300 {
			t.Errorf("window %d: %d messages unanswered, %d received", window, s.unread, len(s.messages()))
		}
	}
}

// TestRELPAnswers: what a server may answer, and what the output makes of it.
// Of each script, only the last messages of a connection are left unanswered.
func TestRELPAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		syslog func(conn int, messages []relp.Frame) ([]byte, bool)
		want   string // what arrives, of messages a b c d
		said   int    // how often answers to nothing are reported
	}{
		{"in reverse order", func(_ int, m []relp.Frame) (b []byte, _ bool) {
			for _, f := range slices.Backward(m) {
				b = relp.AppendOK(b, f.Txnr)
			}
			return b, false
		}, "abcd", 0},
		{"twice, and to what was never sent", func(_ int, m []relp.Frame) (b []byte, _ bool) {
			b = relp.AppendOK(b, 999)
			b = relp.AppendOK(b, relp.MaxTxnr)
			b = relp.AppendOK(b, 1)
			for _, f := range m {
				b = relp.AppendOK(relp.AppendOK(b, f.Txnr), f.Txnr)
			}
			return b, false
		}, "abcd", 1},
		{"in reverse order, the last taken and then refused", func(_ int, m []relp.Frame) (b []byte, _ bool) {
			b = relp.AppendResponse(relp.AppendOK(b, m[3].Txnr), m[3].Txnr, 500, "no", nil)
			for _, f := range slices.Backward(m[:3]) {
				b = relp.AppendOK(b, f.Txnr)
			}
			return b, false
		}, "abcd", 1},
		{"to what is not sent yet", func(conn int, m []relp.Frame) (b []byte, _ bool) {
			b, _ = acceptAll(conn, m)
			return append(relp.AppendOK(nil, m[3].Txnr+1), b...), false
		}, "abcd", 1},
		{"closing after one answer in the middle", func(conn int, m []relp.Frame) (b []byte, closing bool) {
			if conn == 1 {
				return relp.AppendOK(nil, m[1].Txnr), true
			}
			b, _ = acceptAll(conn, m)
			return b, false
		}, "abcdacd", 0},
		{"closing in the middle of an answer", func(conn int, m []relp.Frame) (b []byte, closing bool) {
			b, _ = acceptAll(conn, m)
			if conn == 1 {
				return b[:len(b)-3], true
			}
			return b, false
		}, "abcdd", 0},
		{"saying that it closes", func(conn int, m []relp.Frame) (b []byte, closing bool) {
			if conn == 1 {
				return append(relp.AppendOK(nil, m[0].Txnr), "0 serverclose 0\n"...), false
			}
			b, _ = acceptAll(conn, m)
			return b, false
		}, "abcdbcd", 0},
		{"saying that it closes after all answers", func(conn int, m []relp.Frame) (b []byte, closing bool) {
			b, _ = acceptAll(conn, m)
			return append(b, "0 serverclose 0\n"...), true
		}, "abcd", 0},
		{"a hint nobody knows", func(conn int, m []relp.Frame) (b []byte, closing bool) {
			b, _ = acceptAll(conn, m)
			return append([]byte("0 news 5 hello\n"), b...), false
		}, "abcd", 0},
		{"a command", func(conn int, m []relp.Frame) (b []byte, closing bool) {
			b, _ = acceptAll(conn, m)
			if conn == 1 {
				return []byte("7 syslog 1 x\n"), false
			}
			return b, false
		}, "abcdabcd", 0},
		{"what is no answer", func(conn int, m []relp.Frame) (b []byte, closing bool) {
			b, _ = acceptAll(conn, m)
			if conn == 1 {
				return []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), false
			}
			return b, false
		}, "abcdabcd", 0},
		{"refusing once", func(conn int, m []relp.Frame) (b []byte, closing bool) {
			for i, f := range m {
				if i == 2 {
					b = relp.AppendResponse(b, f.Txnr, 500, "no room", nil)
				} else {
					b = relp.AppendOK(b, f.Txnr)
				}
			}
			return b, false
		}, "abcdc", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &relpServer{syslog: c.syslog}
				o, a, book := newPiped(t, s)
				o.log = book.Log
				must(t, handle(a, "a", "b", "c", "d"))
				if got := strings.Join(s.messages(), ""); got != c.want {
					t.Errorf("arrived %s, want %s", got, c.want)
				}
				wantAccounts(t, a, 4, 4, nil)
				if n := count(book.all(), "answers transactions that nothing waits for"); n != c.said {
					t.Errorf("said %d times, want %d: %q", n, c.said, book.all())
				}
				must(t, a.Close())
			})
		})
	}
}

func TestRELPOpenFails(t *testing.T) {
	for want, open := range map[string]func(uint32) []byte{
		`it answers: 500 "required feature missing"`: func(n uint32) []byte {
			return relp.AppendResponse(nil, n, 500, "required feature missing", nil)
		},
		"it takes no syslog messages": func(n uint32) []byte {
			return relp.AppendResponse(nil, n, 200, "OK", []byte("relp_version=0\ncommands=smtp"))
		},
		"not a RELP frame":              func(uint32) []byte { return []byte("220 mail.example.net ESMTP\r\n") },
		"about to close the connection": func(uint32) []byte { return []byte("0 serverclose 0\n") },
	} {
		s := startRELP(t, &relpServer{open: open})
		o, _ := newOMRELP(t, relpParams(s.ln.Addr()))
		_, err := o.Write(t.Context(), batch("m"))
		prefix := "cannot open a RELP session with " + s.ln.Addr().String() + ": "
		if err == nil || !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s%s", err, prefix, want)
		}
	}
}

func TestRELPRebind(t *testing.T) {
	s := startRELP(t, &relpServer{syslog: acceptAll})
	p := relpParams(s.ln.Addr())
	p.RebindInterval = 3
	o, _ := newOMRELP(t, p)
	all := numbers(7)
	write(t, o, all[0])
	write(t, o, all[1:]...)
	must(t, o.Close())
	if s.conns != 3 || len(s.messages()) != 7 {
		t.Errorf("%d connections for %d messages, want 3 for 7", s.conns, len(s.messages()))
	}
	equal(t, "commands", s.commands, []string{"open", "close", "open", "close", "open", "close"})
}

// TestRELPNumbersWrap: after the largest transaction number comes 1.
func TestRELPNumbersWrap(t *testing.T) {
	s := startRELP(t, &relpServer{syslog: acceptAll})
	o, _ := newOMRELP(t, relpParams(s.ln.Addr()))
	must(t, o.TryResume(t.Context()))
	o.session.sent, o.session.done = relp.MaxTxnr-150, relp.MaxTxnr-150
	all := numbers(300)
	write(t, o, all...)
	equal(t, "received", s.messages(), all)
}

func TestRELPParamsThatAreRefused(t *testing.T) {
	d, _ := deps(nil)
	if _, err := NewOMRELP(OMRELPModule{}, OMRELPParams{Target: "h", RELPTLS: conf.RELPTLS{TLS: true, AuthMode: "name"}, Template: "text"}, d); err == nil {
		t.Error("tls=on is accepted")
	}
}
