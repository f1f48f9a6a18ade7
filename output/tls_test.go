package output

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/conf"
	"sysrelay/tests/certs"
)

// trust is a server's identity and how our side is told of it.
type trust struct {
	server *certs.Identity
	client *certs.Identity
	driver conf.StreamDriver
}

func newTrust(t *testing.T) *trust {
	dir := t.TempDir()
	ca := certs.Authority("ca")
	x := &trust{server: certs.New(ca, certs.Options{IPs: []string{"127.0.0.1"}}), client: certs.New(ca, certs.Options{CN: "client"})}
	caFile := filepath.Join(dir, "ca.pem")
	must(t, os.WriteFile(caFile, ca.CertPEM(), 0o600))
	cert, key := x.client.Write(dir, "client")
	x.driver = conf.StreamDriver{Mode: given(1), AuthMode: given("x509/name"),
		StreamFiles: conf.StreamFiles{CAFile: given(caFile), CertFile: given(cert), KeyFile: given(key)}}
	return x
}

// config is that of a server that wants a certificate and has this to say to it.
func (x *trust) config(version uint16, verdict func() error) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{x.server.TLS()}, MinVersion: version, MaxVersion: version,
		ClientAuth: tls.RequireAnyClientCert, VerifyConnection: func(tls.ConnectionState) error { return verdict() }}
}

func welcome() error { return nil }

func (x *trust) params(addr net.Addr) OMFwdParams {
	p := fwdParams(addr)
	p.StreamDriver = x.driver
	return p
}

var versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// Large and small writes arrive over TLS as they do without.
func TestTCPForwardOverTLS(t *testing.T) {
	x := newTrust(t)
	for _, v := range versions {
		ln := listen(t)
		c := newCollector(t, tls.NewListener(ln, x.config(v, welcome)))
		o, _ := newOMFwd(t, x.params(ln.Addr()))
		want := ""
		for i := range 20 {
			want += fmt.Sprintf("small %d\n", i)
			write(t, o, fmt.Sprintf("small %d", i))
		}
		lines := make([]string, 1000) // larger than socket buffers: the server is slow
		for i := range lines {
			lines[i] = fmt.Sprintf("%d ", i) + strings.Repeat("x", 7000)
		}
		want += strings.Join(lines, "\n") + "\n"
		write(t, o, lines...)
		write(t, o, "last")
		must(t, o.Close())
		c.want(want + "last\n")
	}
}

// A server that does not want us says so before anything is sent, and what it
// takes later is everything.
func TestServerRefusesUs(t *testing.T) {
	x := newTrust(t)
	for _, v := range versions {
		ln := listen(t)
		wanted := make(chan bool, 100)
		c := newCollector(t, tls.NewListener(ln, x.config(v, func() error {
			if len(wanted) > 0 {
				return nil
			}
			return fmt.Errorf("not you")
		})))
		o, _ := newOMFwd(t, x.params(ln.Addr()))
		for range 3 {
			n, err := o.Write(context.Background(), batch("one", "two"))
			if n != 0 || err == nil || !strings.Contains(err.Error(), `TLS: the peer refuses: TLS alert "bad certificate"`) {
				t.Fatalf("%s: refused: %d, %v", tls.VersionName(v), n, err)
			}
		}
		wanted <- true
		write(t, o, "one", "two")
		c.wait("the messages", func(all []string) bool { return strings.Contains(strings.Join(all, ""), "one\ntwo\n") })
	}
}

// A server that takes its time to refuse us has read nothing: everything is sent
// again.
func TestServerRefusesUsLate(t *testing.T) {
	x := newTrust(t)
	ln := listen(t)
	o, _ := newOMFwd(t, x.params(ln.Addr()))
	go func() {
		first, err := ln.Accept()
		if err != nil {
			return
		}
		tls.Server(first, x.config(tls.VersionTLS13, welcome)).Handshake()
		time.Sleep(2 * refusalTime) // as its verifier does
		first.Close()
	}()
	write(t, o, "one", "two")
	s := o.(*tcpForward).targets[0].stream
	waitForFIN(t, s)
	// The program of a peer that has only closed may have read it; this one has not.
	c := newCollector(t, tls.NewListener(ln, x.config(tls.VersionTLS13, welcome)))
	if n, err := o.Write(context.Background(), batch("three")); n != 0 || err == nil {
		t.Fatalf("Write = %d, %v on a dead connection", n, err)
	}
	write(t, o, "three")
	c.want("one\ntwo\nthree\n")
}

// What a lost connection leaves unacknowledged is sent again, whole records and
// whole messages.
func TestTLSConnectionLost(t *testing.T) {
	x := newTrust(t)
	ln := listen(t)
	// The peer's kernel holds little, ours much: what is lost with ours shows.
	const kernel = 64 << 10
	must(t, onSocket(ln.(*net.TCPListener), func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, kernel) }))
	o, _ := newOMFwd(t, x.params(ln.Addr()))
	var sent []string
	for i := range 2000 {
		sent = append(sent, fmt.Sprintf("%04d", i)+strings.Repeat("x", 7000))
	}
	first := make(chan string, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		c := tls.Server(conn, x.config(tls.VersionTLS12, welcome))
		b := make([]byte, 100<<10)
		n, _ := io.ReadFull(c, b)
		first <- string(b[:n])
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}()
	must(t, o.TryResume(context.Background()))
	must(t, o.(*tcpForward).targets[0].stream.conn.SetWriteBuffer(4<<20))
	n, err := o.Write(context.Background(), batch(sent...))
	got := <-first
	if err == nil {
		t.Fatalf("Write = %d, nil into a connection that was reset", n)
	}
	c := newCollector(t, tls.NewListener(ln, x.config(tls.VersionTLS12, welcome)))
	write(t, o, sent[n:]...)
	c.wait("the rest", func(all []string) bool {
		return strings.HasSuffix(strings.Join(all, ""), sent[len(sent)-1]+"\n")
	})
	// Plain TCP cannot know what the peer's kernel had and its program had not read;
	// behind that nothing may be missing.
	rest := strings.Join(c.received(), "")
	at := strings.Index(strings.Join(sent, "\n")+"\n", rest)
	if at < 0 || len(rest) == 0 {
		t.Errorf("what was sent again is not the end of what was to be sent: %d bytes, begins %.20q", len(rest), rest)
	}
	if at > len(got)+4*kernel {
		t.Errorf("%d bytes are missing that the peer's kernel cannot have had", at-len(got))
	}
	if at%7005 != 0 {
		t.Errorf("it begins inside a message, at %d", at)
	}
}

// A pool's targets are secured in the background, too; one that refuses is left out.
func TestPoolOverTLS(t *testing.T) {
	x := newTrust(t)
	good, bad := listen(t), listen(t)
	c := newCollector(t, tls.NewListener(good, x.config(tls.VersionTLS13, welcome)))
	newCollector(t, tls.NewListener(bad, x.config(tls.VersionTLS13, func() error { return fmt.Errorf("no") })))
	p := x.params(good.Addr())
	p.Target = []string{"127.0.0.1", "127.0.0.1"}
	p.Port = append(p.Port, strings.Split(bad.Addr().String(), ":")[1])
	o, book := newOMFwd(t, p)
	for i := range 10 {
		write(t, o, fmt.Sprint(i))
	}
	c.want("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n")
	if lines := strings.Join(book.all(), "\n"); strings.Count(lines, "is left out of its pool") > 1 {
		t.Errorf("log:\n%s", lines)
	}
}

func TestRELPOverTLS(t *testing.T) {
	x := newTrust(t)
	for _, v := range versions {
		s := &relpServer{syslog: acceptAll, secure: x.config(v, welcome)}
		startRELP(t, s)
		p := relpParams(s.ln.Addr())
		p.RELPTLS = conf.RELPTLS{TLS: true, AuthMode: "name", CACert: x.driver.CAFile.Value, MyCert: x.driver.CertFile.Value, MyPrivKey: x.driver.KeyFile.Value}
		o, _ := newOMRELP(t, p)
		write(t, o, numbers(1000)...)
		equal(t, "messages", s.messages(), numbers(1000))
		p.PermittedPeers = []string{"other.example.net"}
		o, _ = newOMRELP(t, p)
		if _, err := o.Write(context.Background(), batch("x")); err == nil || !strings.Contains(err.Error(), "peer name not authorized") {
			t.Errorf("a peer of another name: %v", err)
		}
	}
}

// A server that accepts and never answers the handshake is given up in time.
func TestServerSilentInHandshake(t *testing.T) {
	x := newTrust(t)
	ln := listen(t)
	d := dialer{timeout: 50 * time.Millisecond, to: hostPort{"127.0.0.1", strings.Split(ln.Addr().String(), ":")[1]}}
	var err error
	if d.tls, err = (&conf.Keyring{}).StreamTLS("test", false, x.driver, ""); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time is answered without waiting
		if _, err = d.connect(context.Background()); err == nil || !strings.Contains(err.Error(), "no answer to the handshake in 50ms") {
			t.Fatalf("error %v", err)
		}
	}
	if d.err == nil {
		t.Error("that there was no answer is not remembered")
	}
}
