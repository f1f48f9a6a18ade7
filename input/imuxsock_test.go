package input

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sysrelay/message"
)

// startSocket runs an input on a log socket and returns a connection to it.
func startSocket(t *testing.T, s *sink, d Deps, p IMUXSockParams) (c net.Conn, in Input, stop func()) {
	t.Helper()
	p.Socket, p.Unlink = filepath.Join(t.TempDir(), "log"), true
	in, err := NewIMUXSock(IMUXSockModule{}, p, d)
	if err != nil {
		t.Fatal(err)
	}
	stop = start(t, in, s)
	if c, err = net.Dial("unixgram", p.Socket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, in, stop
}

func TestTrustedProperties(t *testing.T) {
	cmdline, err := os.ReadFile("/proc/self/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	exe, _ := os.Readlink("/proc/self/exe")
	comm, _ := os.ReadFile("/proc/self/comm")
	s := newSink()
	c, _, _ := startSocket(t, s, s.deps(), IMUXSockParams{Special: true, Annotate: true})
	send(t, c, "<13>Nov 21 10:20:30 app[7]: text\n")
	s.waitTexts(t, fmt.Sprintf(`<13>Nov 21 10:20:30 app[7]: text @[_PID=%d _UID=%d _GID=%d _COMM=%s _EXE=%s _CMDLINE="%s"]`,
		os.Getpid(), os.Getuid(), os.Getgid(), strings.TrimSpace(string(comm)), exe, strings.ReplaceAll(string(cmdline), "\x00", " ")))
}

func TestTrustedVariables(t *testing.T) {
	s := newSink()
	got := make(chan string, 1)
	env := s.deps().Env
	all, err := env.Property("$!all-json")
	if err != nil {
		t.Fatal(err)
	}
	p := IMUXSockParams{Special: true, Annotate: true, ParseTrusted: true, UsePID: true, Socket: filepath.Join(t.TempDir(), "log"), Unlink: true}
	in, err := NewIMUXSock(IMUXSockModule{}, p, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- in.Run(ctx, func(_ context.Context, v message.View) error {
			m := v.At(0)
			got <- string(m.Tag.Of(m.Text)) + string(all.Value(m, nil))
			return nil
		})
	}()
	c, err := net.Dial("unixgram", p.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send(t, c, "<13>Nov 21 10:20:30 app[7]: text")
	want := fmt.Sprintf(`app[%d]:{ "pid": %d, "uid": %d, "gid": %d, "appname": "`, os.Getpid(), os.Getpid(), os.Getuid(), os.Getgid())
	if text := <-got; !strings.HasPrefix(text, want) {
		t.Errorf("got %s, want %s…", text, want)
	}
	cancel()
	<-done
}

// A limit is a process's; messages that are severe enough are not limited.
func TestProcessRateLimit(t *testing.T) {
	s := newSink()
	var ledger message.Ledger
	l, err := newProcessLimits(IMUXSockParams{RateInterval: 10, RateBurst: 2, RateSeverity: 4}, s.deps(), &ledger)
	if err != nil {
		t.Fatal(err)
	}
	from := message.NewOrigin("imuxsock", "here", "127.0.0.1", "")
	for i, c := range []struct {
		pid, second int
		text        string
		want        bool
	}{
		{7, 100, "<12>a", true}, {7, 100, "<12>a", true}, {7, 101, "<12>a", false}, {7, 101, "<15>a", false},
		{7, 101, "<11>a", true},                          // an error
		{8, 101, "<12>a", true}, {8, 101, "<12>a", true}, // another process
		{0, 101, "<12>a", true}, {0, 101, "<12>a", true}, {0, 101, "<12>a", true}, // nobody knows who
		{7, 111, "<12>a", true}, {7, 111, "<12>a", true}, {7, 112, "<12>a", false},
	} {
		if got := l.allow(credentials{pid: c.pid, at: int64(c.second) * 1e9}, []byte(c.text), from); got != c.want {
			t.Errorf("message %d: %v", i, got)
		}
	}
	l.close()
	if a := ledger.Read(); a.Discarded[message.RateLimited] != 3 || s.logged("imuxsock[pid: 7, name: ]: 2 messages lost") != 1 || s.logged("imuxsock[pid: 7, name: ]: 1 messages lost") != 1 {
		t.Errorf("account %+v, log %q", a, s.log)
	}
	for pid := range 2 * processesMax {
		l.allow(credentials{pid: pid + 1<<30, at: 1e12}, []byte("<12>a"), from)
	}
	if len(l.rates) > processesMax {
		t.Errorf("%d processes are remembered", len(l.rates))
	}
}

func TestOwnMessagesAtTheSocket(t *testing.T) {
	for _, inside := range []bool{true, false} {
		s := newSink()
		d := s.deps()
		d.OwnThroughRules = inside
		c, _, stop := startSocket(t, s, d, IMUXSockParams{IgnoreOwn: true})
		send(t, c, "<13>app: from this process")
		stop()
		if got := len(s.texts); got != map[bool]int{true: 0, false: 1}[inside] {
			t.Errorf("own messages inside %v: %d messages", inside, got)
		}
	}
}

// The time is the kernel's, not that of a read that came late.
func TestKernelTimeOfDatagram(t *testing.T) {
	s := newSink()
	d := s.deps()
	d.Env.Now = func() time.Time { return time.Unix(7, 0) }
	for _, kernel := range []bool{true, false} {
		p := IMUXSockParams{Special: true, UseSysTime: kernel}
		p.Socket, p.Unlink = filepath.Join(t.TempDir(), "log"), true
		in, err := newUnixSocket(p, d)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan int64, 1)
		if err := in.Listen(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() {
			done <- in.Run(ctx, func(_ context.Context, v message.View) error { got <- v.At(0).Received; return nil })
		}()
		c, err := net.Dial("unixgram", p.Socket)
		if err != nil {
			t.Fatal(err)
		}
		send(t, c, "<13>app: x")
		if at := time.Unix(0, <-got); time.Since(at) < time.Hour != kernel {
			t.Errorf("useSysTimeStamp %v: %v", kernel, at)
		}
		c.Close()
		cancel()
		<-done
	}
}

// When nothing takes messages any more, programs are not held up: what they send
// is read and counted as lost.
func TestProgramsAreNotHeldUp(t *testing.T) {
	s := newSink()
	in, err := newUnixSocket(IMUXSockParams{Socket: filepath.Join(t.TempDir(), "log"), Unlink: true}, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- in.Run(ctx, func(ctx context.Context, _ message.View) error { <-ctx.Done(); return ctx.Err() })
	}()
	c, err := net.Dial("unixgram", in.p.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const n = 5000
	c.SetWriteDeadline(time.Now().Add(20 * time.Second))
	for range n {
		send(t, c, "<13>app: text")
	}
	eventually(t, "all datagrams", func() bool { return in.ledger.Read().Discarded[message.QueueFull] == n })
	cancel()
	<-done
}
