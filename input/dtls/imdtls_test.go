package dtls

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	pion "github.com/pion/dtls/v3"
	"go.uber.org/goleak"

	"sysrelay/conf"
	"sysrelay/input"
	"sysrelay/message"
	"sysrelay/tests/certs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a running input and what came out of it.
type world struct {
	in   input.Input
	stop func()

	mu    sync.Mutex
	texts []string
	log   []string
}

func (w *world) read(of *[]string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(*of, "|")
}

func (w *world) wait(t *testing.T, of *[]string, want string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(w.read(of), want); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %q: %s; log: %s", want, w.read(of), w.read(&w.log))
		}
	}
}

func start(t *testing.T, p Params) *world {
	cert, key := certs.New(nil, certs.Options{CN: "server"}).Write(t.TempDir(), "server")
	p.Port, p.Address, p.Name, p.DTLS = "0", "127.0.0.1", "imdtls", conf.DTLS{MyCert: cert, MyPrivKey: key}
	w := &world{}
	d := input.Deps{Env: message.NewEnv("relay"), Resolve: func(_ context.Context, ip string) string { return ip },
		Log: func(_ int, text string) { w.mu.Lock(); defer w.mu.Unlock(); w.log = append(w.log, text) }}
	var err error
	if w.in, err = New(Module{}, p, d); err != nil {
		t.Fatal(err)
	}
	if err := w.in.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- w.in.Run(ctx, func(_ context.Context, v message.View) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			for i := range v.Len() {
				w.texts = append(w.texts, string(v.At(i).Text))
			}
			return nil
		})
	}()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

func (w *world) dial(t *testing.T, patience time.Duration) (*pion.Conn, error) {
	t.Helper()
	addr, err := net.ResolveUDPAddr("udp", w.in.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	c, err := pion.DialWithOptions("udp", addr, pion.WithInsecureSkipVerify(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c, c.HandshakeContext(ctx)
}

// There are no more sessions than are wanted; who has left makes room, and who
// says nothing for long is ended.
func TestSessions(t *testing.T) {
	w := start(t, Params{MaxSessions: 2, Timeout: 2})
	var conns []*pion.Conn
	for _, text := range []string{"one", "two"} {
		c, err := w.dial(t, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		w.wait(t, &w.texts, text)
	}
	third, err := w.dial(t, 100*time.Millisecond)
	if err == nil {
		t.Error("a third session where two are permitted")
	}
	third.Close()
	w.wait(t, &w.log, "too many sessions")
	conns[0].Close()
	// The other one times out.
	if _, err := conns[1].Read(make([]byte, 1)); err == nil {
		t.Error("a silent session is not ended")
	}
	c, err := w.dial(t, 10*time.Second)
	if err != nil {
		t.Fatalf("no room when others have left: %v", err)
	}
	if _, err := c.Write([]byte("three")); err != nil {
		t.Fatal(err)
	}
	w.wait(t, &w.texts, "three")
	w.stop()
	if got := w.read(&w.texts); got != "one|two|three" {
		t.Errorf("messages %s", got)
	}
	if a := w.in.Ledger().Read(); a.Received != 3 || a.Delivered != 3 {
		t.Errorf("accounts %+v", a)
	}
}

// What is no DTLS makes no session.
func TestGarbage(t *testing.T) {
	w := start(t, Params{MaxSessions: 1, Timeout: 60})
	c, err := net.Dial("udp", w.in.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, b := range []string{"<13>plain syslog", "", "\x16\xfe\xfd", strings.Repeat("\x16", 1400)} {
		c.Write([]byte(b))
	}
	s, err := w.dial(t, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	s.Write([]byte("message"))
	w.wait(t, &w.texts, "message")
}
