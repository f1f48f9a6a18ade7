package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sysrelay/input/relp"
	"sysrelay/message"
)

const librelpOffers = "relp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog"

func newIMRELP(t *testing.T, s *sink, set func(p *IMRELPParams)) Input {
	t.Helper()
	var p IMRELPParams
	decode(t, &p, "port", "0")
	if set != nil {
		set(&p)
	}
	in, err := NewIMRELP(IMRELPModule{}, p, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func frame(txnr uint32, command, data string) string {
	return string(relp.AppendFrame(nil, txnr, command, []byte(data)))
}

// answers reads until the connection ends or so many lines of answers are there.
func answers(t *testing.T, c net.Conn, lines int) (got string, closed bool) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 64<<10)
	for strings.Count(got, "\n") < lines {
		n, err := c.Read(buf)
		got += string(buf[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("waited in vain for %d lines; have %q", lines, got)
		}
		if err != nil {
			return got, true
		}
	}
	return got, false
}

const opened = "1 rsp 60 200 OK\nrelp_version=0\nrelp_software=sysrelay\ncommands=syslog\n"

// What rsyslogd 8.2302 answers is the same, but for its own relp_software and
// where a comment says so.
func TestIMRELPAnswers(t *testing.T) {
	open := frame(1, "open", librelpOffers)
	bye := "0 serverclose 0\n"
	big := "<13>" + strings.Repeat("x", 20000)
	for _, tt := range []struct {
		name   string
		mode   string
		send   string
		want   string
		closed bool
		texts  []string
		log    string
	}{
		{name: "session", send: open + frame(2, "syslog", "<13>a") + frame(3, "syslog", "<13>b\n") + frame(4, "close", ""),
			want: opened + "2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 0\n" + bye, closed: true, texts: []string{"<13>a", "<13>b"}},
		{name: "empty message", send: open + "2 syslog 0\n" + frame(3, "syslog", "x"),
			want: opened + "2 rsp 6 200 OK\n3 rsp 6 200 OK\n", texts: []string{"", "x"}},
		{name: "leading zeros", send: open + "000000002 syslog 000000005 <13>z\n",
			want: opened + "2 rsp 6 200 OK\n", texts: []string{"<13>z"}},
		{name: "no version", send: frame(1, "open", "commands=syslog") + frame(2, "syslog", "x"),
			want: opened + "2 rsp 6 200 OK\n", texts: []string{"x"}},
		{name: "version 9", send: frame(1, "open", "relp_version=9\ncommands=syslog") + frame(2, "syslog", "x"),
			want: opened + "2 rsp 6 200 OK\n", texts: []string{"x"}},
		{name: "no commands", send: frame(1, "open", "relp_version=0"),
			want: "1 rsp 44 500 required command not supported by client\n" + bye, closed: true, log: "required command not supported"},
		{name: "no offers", send: frame(1, "open", ""),
			want: "1 rsp 44 500 required command not supported by client\n" + bye, closed: true, log: "required command not supported"},
		{name: "message before open", send: frame(1, "syslog", "x"), // rsyslogd leaves the session open
			want: "1 rsp 20 500 command disabled\n" + bye, closed: true, log: "message before open"},
		{name: "open twice", send: open + frame(2, "syslog", "x") + frame(3, "open", librelpOffers), // rsyslogd answers the second open twice
			want: opened + "2 rsp 6 200 OK\n3 rsp 43 500 protocol error: connection already open\n" + bye, closed: true,
			texts: []string{"x"}, log: "received session open request for already open session - aborting session"},
		{name: "number left out", send: open + frame(3, "syslog", "x"),
			want: opened + bye, closed: true, log: "transaction number 3 where 2 is due"},
		{name: "number again", send: open + frame(2, "syslog", "x") + frame(2, "syslog", "y"),
			want: opened + "2 rsp 6 200 OK\n" + bye, closed: true, texts: []string{"x"}, log: "transaction number 2 where 3 is due"},
		{name: "first number is not 1", send: frame(7, "open", librelpOffers),
			want: bye, closed: true, log: "transaction number 7 where 1 is due"},
		{name: "number 0", send: open + frame(0, "syslog", "x"), // rsyslogd takes it and answers "0 rsp"
			want: opened + bye, closed: true, log: "hint syslog from a client"},
		{name: "unknown command", send: open + frame(2, "foo", "x"),
			want: opened + bye, closed: true, log: "unknown command foo"},
		{name: "starttls", send: open + frame(2, "starttls", ""), want: opened + bye, closed: true, log: "unknown command starttls"},
		{name: "rsp", send: open + frame(2, "rsp", "200 OK"), want: opened + bye, closed: true, log: "unknown command rsp"},
		{name: "after close", send: open + frame(2, "close", "") + frame(3, "syslog", "x"),
			want: opened + "2 rsp 0\n" + bye, closed: true},
		{name: "HTTP", send: "GET / HTTP/1.1\r\n\r\n", want: bye, closed: true, log: "not a RELP frame"},
		{name: "TLS", send: "\x16\x03\x01\x02\x00", want: bye, closed: true, log: "TLS handshake on a port without TLS"},
		{name: "wrong length", send: open + frame(2, "syslog", "x") + "3 syslog 5 <13>ax\n",
			want: opened + "2 rsp 6 200 OK\n" + bye, closed: true, texts: []string{"x"}, log: `"x" where the frame must end`},
		{name: "too long", send: open + frame(2, "syslog", big) + frame(3, "syslog", "x"),
			want: opened + "2 rsp 6 200 OK\n3 rsp 6 200 OK\n", texts: []string{big[:8096], "x"},
			log: "frame too long, size 20004, configured max 8096 -frame will be truncated, but session continues"},
		{name: "too long, accept", mode: "accept", send: open + frame(2, "syslog", big),
			want: opened + "2 rsp 6 200 OK\n", texts: []string{big[:8096]}, log: "frame too long, size 20004"},
		{name: "too long, abort", mode: "abort", send: open + frame(2, "syslog", "x") + frame(3, "syslog", big),
			want: opened + "2 rsp 6 200 OK\n" + bye, closed: true, texts: []string{"x"}, log: "frame too long: size 20004"},
		{name: "2 GiB", mode: "abort", send: open + "2 syslog 2147483648 x", want: opened + bye, closed: true, log: "not a RELP frame"},
		{name: "offers too long", send: frame(1, "open", librelpOffers+strings.Repeat("x", 5000)), want: bye, closed: true, log: "frame too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSink()
			in := newIMRELP(t, s, func(p *IMRELPParams) { p.OversizeMode = tt.mode })
			stop := start(t, in, s)
			c := dial(t, "tcp", in)
			c.Write([]byte(tt.send)) // the other end may have closed before the last of it
			lines := strings.Count(tt.want, "\n")
			if tt.closed {
				lines++
			}
			got, closed := answers(t, c, lines)
			if got != tt.want || closed != tt.closed {
				t.Errorf("answers %q closed %v\nwant    %q closed %v", got, closed, tt.want, tt.closed)
			}
			if tt.log != "" {
				s.waitLog(t, tt.log)
			}
			stop()
			if !slices.Equal(s.texts, tt.texts) {
				t.Errorf("messages %.50q, want %.50q", s.texts, tt.texts)
			}
			if n := len(s.log); tt.log == "" && n > 0 || n > 1 {
				t.Errorf("log %q", s.log)
			}
			checkLedger(t, in, uint64(len(tt.texts)), 0)
		})
	}
}

// relpClient opens a session.
func relpClient(t *testing.T, in Input) net.Conn {
	t.Helper()
	c := dial(t, "tcp", in)
	send(t, c, frame(1, "open", librelpOffers))
	if got, _ := answers(t, c, 4); got != opened {
		t.Fatalf("open is answered %q", got)
	}
	return c
}

func TestIMRELPPromises(t *testing.T) {
	for text, want := range map[string]message.Ack{"received": message.Received, "Stored": message.Stored, "": message.Stored, "delivered": message.Delivered} {
		s := newSink()
		in := newIMRELP(t, s, func(p *IMRELPParams) { p.Ack = text })
		if err := in.Listen(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		var got atomic.Int32
		go func() {
			defer close(done)
			in.Run(ctx, func(ctx context.Context, v message.View) error {
				got.Store(int32(message.AckOf(ctx)))
				return s.handle(ctx, v)
			})
		}()
		c := relpClient(t, in)
		send(t, c, frame(2, "syslog", "x"))
		answers(t, c, 1)
		if message.Ack(got.Load()) != want {
			t.Errorf("%q: promise %d, want %d", text, got.Load(), want)
		}
		cancel()
		<-done
	}
}

// A refused message is not answered, and taken later all the same.
func TestIMRELPWithholdsAnswers(t *testing.T) {
	s := newSink()
	in := newIMRELP(t, s, nil)
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var calls atomic.Int32
	go func() {
		defer close(done)
		in.Run(ctx, func(ctx context.Context, v message.View) error {
			switch calls.Add(1) {
			case 1: // takes the first and the last, not the two in the middle
				s.handle(ctx, v.Slice(0, 1))
				s.handle(ctx, v.Slice(3, 4))
				return &message.Undelivered{Rest: v.Slice(1, 3), Err: errors.New("disk full")}
			case 2:
				return errors.New("disk still full")
			}
			return s.handle(ctx, v)
		})
	}()
	defer func() { cancel(); <-done }()
	c := relpClient(t, in)
	send(t, c, frame(2, "syslog", "a")+frame(3, "syslog", "b")+frame(4, "syslog", "c")+frame(5, "syslog", "d"))
	if got, _ := answers(t, c, 4); got != "2 rsp 6 200 OK\n5 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n" {
		t.Errorf("answers %q", got)
	}
	s.waitTexts(t, "a", "d", "b", "c")
	checkLedger(t, in, 4, 0)
}

// While the handler holds messages whose sender has gone, it is told to give up.
func TestIMRELPGivesUpForDeadPeer(t *testing.T) {
	s := newSink()
	in := newIMRELP(t, s, nil)
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done, entered, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		in.Run(ctx, func(ctx context.Context, v message.View) error {
			close(entered)
			<-ctx.Done()
			close(left)
			return ctx.Err()
		})
	}()
	c := relpClient(t, in)
	send(t, c, frame(2, "syslog", "a"))
	<-entered
	closes(t, c)
	<-left
	s.waitLog(t, "1 messages not taken and not answered")
	cancel()
	<-done
	checkLedger(t, in, 0, 0)
}

// At shutdown what has been taken is answered, and nothing else.
func TestIMRELPStops(t *testing.T) {
	s := newSink()
	in := newIMRELP(t, s, nil)
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done, entered, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var once sync.Once
	go func() {
		defer close(done)
		in.Run(ctx, func(ctx context.Context, v message.View) error {
			once.Do(func() { close(entered); <-release })
			return s.handle(ctx, v)
		})
	}()
	c := relpClient(t, in)
	idle := relpClient(t, in)
	send(t, c, frame(2, "syslog", "a"))
	<-entered
	send(t, c, frame(3, "syslog", "b"))
	cancel()
	s.waitInterrupt(t, in)
	close(release)
	all, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("the session ended with %v: answers under way could be lost", err)
	}
	got := string(all)
	if want := "0 serverclose 0\n"; strings.TrimPrefix(got, answersTo(s)) != want {
		t.Errorf("messages %q, answers %q", s.texts, got)
	}
	if got, _ := answers(t, idle, 2); got != "0 serverclose 0\n" {
		t.Errorf("answers to an idle session %q", got)
	}
	<-done
}

// answersTo is what must have been answered for the messages taken, numbered from 2.
func answersTo(s *sink) (all string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.texts {
		all += fmt.Sprintf("%d rsp 6 200 OK\n", 2+i)
	}
	return all
}

func TestIMRELPRateLimit(t *testing.T) {
	s := newSink()
	in := newIMRELP(t, s, func(p *IMRELPParams) { p.RateInterval, p.RateBurst = 3600, 2 })
	stop := start(t, in, s)
	c := relpClient(t, in)
	var stream, want string
	for i := range uint32(5) {
		stream += frame(2+i, "syslog", fmt.Sprint(i))
		want += fmt.Sprintf("%d rsp 6 200 OK\n", 2+i)
	}
	send(t, c, stream)
	if got, _ := answers(t, c, 5); got != want {
		t.Errorf("answers %q", got)
	}
	stop()
	s.waitTexts(t, "0", "1")
	checkLedger(t, in, 2, 3)
}

// A client that sends without reading answers is stopped by TCP, not by memory.
func TestIMRELPMillionsUnanswered(t *testing.T) {
	s := newSink()
	in := newIMRELP(t, s, nil)
	stop := start(t, in, s)
	c := relpClient(t, in)
	var stream []byte
	n := uint32(100_000)
	for i := range n {
		stream = relp.AppendFrame(stream, 2+i, "syslog", []byte("x"))
	}
	go c.Write(stream)
	got := 0
	for buf := make([]byte, 64<<10); got < int(n); {
		k, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got += strings.Count(string(buf[:k]), "\n")
	}
	stop()
	checkLedger(t, in, uint64(n), 0)
}

func TestIMRELPConfigurationErrors(t *testing.T) {
	for want, set := range map[string]func(p *IMRELPParams){
		`ack "sure" is not received, stored or delivered`: func(p *IMRELPParams) { p.Ack = "sure" },
		"proxyProtocol needs proxyProtocol.trusted":       func(p *IMRELPParams) { p.ProxyProtocol.Mode = "required" },
		`allowed sender "a b"`:                            func(p *IMRELPParams) { p.AllowedSender = []string{"a b"} },
		"TLS needs tls.myCert and tls.myPrivKey":          func(p *IMRELPParams) { p.TLS = true },
	} {
		p := IMRELPParams{Port: "0"}
		set(&p)
		if _, err := NewIMRELP(IMRELPModule{}, p, newSink().deps()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	s := newSink()
	newIMRELP(t, s, func(p *IMRELPParams) { p.FlowControl, p.OversizeMode, p.MaxDataSize = "maybe", "bend", 1000 })
	if s.logged("wrong flowcontrol parameter value 'maybe'") != 1 || s.logged("wrong oversizeMode parameter value bend") != 1 ||
		s.logged("error: maxDataSize (1000) is smaller than global parameter maxMessageSize (8096)") != 1 {
		t.Errorf("log %q", s.log)
	}
}

func TestIMRELPDoesNotAllocatePerMessage(t *testing.T) {
	s := newSink()
	in := newIMRELP(t, s, nil).(*relpInput)
	in.to = func(context.Context, message.View) error { return nil }
	se := &relpSession{in: in, opened: true, origin: message.NewOrigin("imrelp", "h", "192.0.2.1", "1"), out: make([]byte, 0, 64<<10),
		decoder: relp.Decoder{MaxData: in.maxData}, watch: time.AfterFunc(time.Hour, func() {})}
	se.c = &conn{}
	sc := in.pool.get(context.Background())
	var stream []byte
	for i := range uint32(128) {
		stream = relp.AppendFrame(stream, 2+i, "syslog", []byte("<13>Oct 11 22:14:15 host tag: a message"))
	}
	n := testing.AllocsPerRun(20, func() {
		se.next, se.out = 2, se.out[:0]
		if err := se.use(context.Background(), sc, sc.buf[:copy(sc.buf, stream)]); err != nil {
			t.Fatal(err)
		}
	})
	if n > 5 {
		t.Errorf("%v allocations for 128 messages", n)
	}
}

// relpProxy stands between rsyslogd and the input, so that the input can be
// killed and restarted on another port, and the connection be cut.
type relpProxy struct {
	ln net.Listener
	mu sync.Mutex
	to string
	cs []net.Conn
}

func newRELPProxy(t *testing.T) *relpProxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &relpProxy{ln: ln}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.pass(c, &wg) })
		}
	})
	t.Cleanup(func() { ln.Close(); p.cut(""); wg.Wait() })
	return p
}

// cut breaks all connections and sends later ones elsewhere.
func (p *relpProxy) cut(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.cs {
		c.Close()
	}
	p.cs, p.to = nil, to
}

func (p *relpProxy) pass(c net.Conn, wg *sync.WaitGroup) {
	p.mu.Lock()
	to := p.to
	p.mu.Unlock()
	d, err := net.Dial("tcp", to)
	if err != nil {
		c.Close()
		return
	}
	p.mu.Lock()
	p.cs = append(p.cs, c, d)
	p.mu.Unlock()
	wg.Go(func() { io.Copy(d, c); c.Close(); d.Close() })
	io.Copy(c, d)
	c.Close()
	d.Close()
}

// Real rsyslogd sends through omrelp while our input goes away, comes back and
// its connections are cut: every message arrives, those repeated are few.
func TestIMRELPFromRsyslogd(t *testing.T) {
	if _, err := exec.LookPath("rsyslogd"); err != nil {
		t.Skip("rsyslogd is not installed")
	}
	proxy := newRELPProxy(t)
	_, port, _ := net.SplitHostPort(proxy.ln.Addr().String())
	dir := t.TempDir()
	stopSender := startRsyslogd(t, dir, fmt.Sprintf(`global(workDirectory="%[1]s")
module(load="imtcp")
module(load="omrelp")
template(name="raw" type="string" string="%%rawmsg%%")
input(type="imtcp" port="0" listenPortFileName="%[1]s/port")
action(type="omrelp" target="127.0.0.1" port="%[2]s" template="raw" timeout="3" action.resumeRetryCount="-1" action.resumeInterval="1"
  queue.type="LinkedList" queue.size="100000" queue.timeoutEnqueue="60000")
`, dir, port))
	defer stopSender()
	s := newSink()
	in := newIMRELP(t, s, nil)
	stop := start(t, in, s)
	proxy.cut(loopback(in.Addrs()[0]))
	c, err := net.Dial("tcp", "127.0.0.1:"+readSoon(t, filepath.Join(dir, "port")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const rounds, each = 4, 300
	for round := range rounds {
		var b strings.Builder
		for i := range each {
			fmt.Fprintf(&b, "<13>Oct 11 22:14:15 host tag: %06d\n", round*each+i)
		}
		send(t, c, b.String())
		if round == rounds-1 {
			break
		}
		s.wait(t, "some of the round", func() bool { return len(s.texts) >= round*each+each/3 })
		if round%2 == 0 {
			stop() // in good order
			in = newIMRELP(t, s, nil)
			stop = start(t, in, s)
		}
		proxy.cut(loopback(in.Addrs()[0]))
	}
	seen := map[string]int{}
	s.wait(t, "every message", func() bool {
		clear(seen)
		for _, x := range s.texts {
			seen[x]++
		}
		return len(seen) == rounds*each
	})
	if extra := len(s.texts) - rounds*each; extra > (rounds-1)*128 {
		t.Errorf("%d messages came twice", extra)
	}
}

// A message that is split is answered once, when all its pieces have been taken.
func TestRELPSplit(t *testing.T) {
	s := &relpSession{in: &relpInput{}}
	var b message.Batch
	for _, text := range []string{"1a", "1b", "1c", "2", "3a", "3b"} {
		b.Add([]byte(text), nil, 0, 0)
	}
	v := b.All()
	left := s.answer(v, v.Pick([]int32{1, 4}), []uint32{inPieces, inPieces, 1, 2, inPieces, 3})
	if got := fmt.Sprint(left); got != "[1 3]" || string(s.out) != "2 rsp 6 200 OK\n" {
		t.Errorf("left %s, answers %q", got, s.out)
	}
	rest := v.Pick([]int32{1, 4})
	left = s.answer(rest, message.Rest(rest, nil), left)
	if len(left) != 0 || string(s.out) != "2 rsp 6 200 OK\n1 rsp 6 200 OK\n3 rsp 6 200 OK\n" {
		t.Errorf("left %v, answers %q", left, s.out)
	}
	if a := s.in.ledger.Read(); a.Delivered != 6 {
		t.Errorf("ledger %+v", a)
	}
}
