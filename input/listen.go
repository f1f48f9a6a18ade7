package input

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/conf"
	"sysrelay/message"
)

// streamParams are what a stream listener needs to know, whatever the protocol
// spoken on the connections.
type streamParams struct {
	module       string // "imtcp", for messages
	inputName    string // property inputname
	address      string
	port         string
	path         string // unix socket; then address and port are empty
	portFile     string
	backlog      int
	maxSessions  int
	keepAlive    net.KeepAliveConfig
	notifyOpen   bool
	notifyClose  bool
	lowerCase    bool // of the peer's name
	patience     patience
	namespace    string // network namespace to listen in; empty is ours
	allowed      *AllowedSenders
	proxy        proxyPolicy
	socketMode   os.FileMode
	socketOwner  int // negative is unchanged
	socketGroup  int
	unlink       bool
	ownerIsFatal bool
	tls          *conf.TLS // nil is plain
	// unpack decompresses streams, nil if they are not compressed.
	unpack *unpackPolicy
}

// streamListener accepts connections and runs a session for each.
type streamListener struct {
	streamParams
	deps     Deps
	ln       net.Listener
	serve    func(ctx context.Context, c *conn) // and finish it, now or later
	accepted uint64                             // connections so far; the accept loop's
	sessions atomic.Int64
	opened   atomic.Uint64 // sessions, for statistics
	refused  atomic.Uint64
	wg       sync.WaitGroup
	faults   complaints
	sources  sources
}

// conn is one accepted connection and what is known about its peer.
type conn struct {
	net.Conn
	ip    string // address the messages come from, after any PROXY header
	port  string
	host  string              // name of ip
	ahead []byte              // read already: what came in one packet with the PROXY header
	id    uint64              // number of the connection, for messages
	from  netip.Prefix        // counted there, if it is valid
	via   string              // address of the proxy, if there is one
	vars  message.EncodedVars // of its messages; nil is none
	check bool                // it is the proxy's own health check

	listener  *streamListener
	stopping  context.Context // ends when the input is to stop
	stopWatch func() bool
}

// watch makes reads end when the input is to stop.
func (c *conn) watch() { c.stopWatch = context.AfterFunc(c.stopping, c.interrupt) }

func (c *conn) unwatch() {
	if c.stopWatch != nil {
		c.stopWatch()
		c.stopWatch = nil
	}
}

// interrupt makes a read under way, and every later one, return.
func (c *conn) interrupt() { c.SetReadDeadline(time.Unix(1, 0)) }

// deadline lets reads wait until t, or until interrupt.
func (c *conn) deadline(t time.Time) {
	c.SetReadDeadline(t)
	if c.stopping.Err() != nil {
		c.interrupt()
	}
}

// finish closes the connection and gives its place to another.
func (c *conn) finish() {
	c.unwatch()
	c.Close()
	c.listener.sources.leave(c.from)
	c.listener.sessions.Add(-1)
	c.listener.wg.Done()
}

// init sets what needs more than parameters.
func (l *streamListener) init(name string, d Deps) {
	l.deps = d
	l.faults = complaints{name: name, log: d.Log, now: d.Env.Now}
}

// listen binds the socket and writes the port file.
func (l *streamListener) listen() error {
	network, addr := "unix", l.path
	if l.path == "" {
		network, addr = "tcp"+l.deps.IPVersion, net.JoinHostPort(l.address, l.port)
	} else if l.unlink {
		if err := os.Remove(l.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s: remove old socket: %w", l.module, err)
		}
	}
	lc := net.ListenConfig{KeepAliveConfig: l.keepAlive, KeepAlive: -1}
	var ln net.Listener
	err := conf.InNamespace(l.namespace, func() (err error) {
		ln, err = lc.Listen(context.Background(), network, addr)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: cannot listen on %s: %w", l.module, addr, err)
	}
	if err := l.prepare(ln); err != nil {
		ln.Close()
		return err
	}
	l.ln = ln
	return nil
}

func (l *streamListener) prepare(ln net.Listener) error {
	if err := setBacklog(ln, l.backlog); err != nil {
		return fmt.Errorf("%s: backlog of %s: %w", l.module, ln.Addr(), err)
	}
	if l.path != "" {
		return l.prepareSocketFile()
	}
	return writePortFile(l.portFile, ln.Addr())
}

func (l *streamListener) prepareSocketFile() error {
	if err := os.Chmod(l.path, l.socketMode); err != nil {
		return fmt.Errorf("%s: mode of socket: %w", l.module, err)
	}
	if l.socketOwner < 0 && l.socketGroup < 0 {
		return nil
	}
	err := os.Chown(l.path, l.socketOwner, l.socketGroup)
	if err != nil && l.ownerIsFatal {
		return fmt.Errorf("%s: owner of socket: %w", l.module, err)
	}
	if err != nil {
		l.deps.Log(severityWarning, fmt.Sprintf("%s: owner of socket: %v; left as it is", l.module, err))
	}
	return nil
}

// setBacklog replaces the backlog of a listening socket: listen(2) may be called again.
func setBacklog(ln net.Listener, n int) error {
	c, ok := ln.(syscall.Conn)
	if !ok || n <= 0 {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), n) }); cerr != nil {
		return cerr
	}
	return err
}

// writePortFile writes the decimal port number of a.
// as rsyslog: without a line feed.
func writePortFile(name string, a net.Addr) error {
	if name == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return fmt.Errorf("port of %s: %w", a, err)
	}
	if err := os.WriteFile(name, []byte(port), 0o644); err != nil {
		return fmt.Errorf("listenPortFileName: %w", err)
	}
	return nil
}

// run accepts until ctx ends, then stops the sessions and waits for them. What
// is in beside runs along with it.
func (l *streamListener) run(ctx context.Context, beside ...func(ctx, work context.Context)) error {
	work, cancel := l.deps.graceful(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.ln.Close() })
	defer stop()
	defer l.faults.close()
	for _, f := range beside {
		l.wg.Go(func() { f(ctx, work) })
	}
	l.accept(ctx, work)
	l.wg.Wait()
	return nil
}

const (
	firstAcceptPause = 5 * time.Millisecond
	lastAcceptPause  = time.Second
)

// accept takes connections. Running out of file descriptors or memory is told
// once and waited out: the connections stay in the kernel's backlog meanwhile.
func (l *streamListener) accept(ctx, work context.Context) {
	pause := time.Duration(0)
	for {
		c, err := l.ln.Accept()
		if err == nil {
			pause = 0
			l.admit(ctx, work, c)
			continue
		}
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		if pause == 0 {
			l.deps.Log(severityError, fmt.Sprintf("%s %s: cannot accept connections: %v; those waiting are accepted when that is over",
				l.module, l.inputName, err))
			pause = firstAcceptPause / 2
		}
		pause = min(2*pause, lastAcceptPause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// admit starts the session of c, unless there are too many.
func (l *streamListener) admit(ctx, work context.Context, c net.Conn) {
	if n := l.sessions.Add(1); l.maxSessions > 0 && n > int64(l.maxSessions) {
		l.sessions.Add(-1)
		l.refused.Add(1)
		l.faults.add("too many tcp sessions - dropping incoming request")
		c.Close()
		return
	}
	l.accepted++
	l.opened.Add(1)
	l.wg.Add(1)
	go l.session(work, &conn{Conn: c, id: l.accepted, stopping: ctx, listener: l})
}

// session finds out who the peer is and serves the connection if it may send.
func (l *streamListener) session(ctx context.Context, c *conn) {
	c.watch()
	err := l.identify(ctx, c)
	if err == nil && l.tls != nil {
		err = l.secure(c)
	}
	if err != nil {
		if c.stopping.Err() == nil && err != conf.ErrSilent {
			l.faults.add(fmt.Sprintf("%s %s: %v", l.module, l.inputName, err))
		}
		c.finish()
		return
	}
	if l.notifyOpen && !c.check {
		l.deps.Log(severityInfo, fmt.Sprintf("%s: connection established with host: %s", l.module, l.peerShown(c)))
	}
	if l.unpack != nil {
		c.Conn = l.unpack.unpack(c)
	}
	l.serve(ctx, c)
}

// identify sets the peer's address and name, reading the PROXY header if there
// is to be one, and checks that it may send.
func (l *streamListener) identify(ctx context.Context, c *conn) error {
	if l.path != "" {
		// as rsyslog: a unix socket has no remote peer.
		c.host, c.ip = l.deps.Env.Hostname(), "127.0.0.1"
		return nil
	}
	peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return fmt.Errorf("address of peer: %w", err)
	}
	direct := peer.Addr().Unmap()
	source, err := l.proxy.source(c, direct)
	if err != nil {
		if err == conf.ErrSilent {
			return err
		}
		return fmt.Errorf("connection from %s closed: %w", peer, err)
	}
	if source.IsValid() {
		c.via = direct.String()
		if l.proxy.meta {
			c.vars = proxyVars(direct, peer.Port())
		}
		peer = source
	}
	ip := peer.Addr().Unmap()
	if c.from, err = l.sources.enter(ip); err != nil {
		return err
	}
	c.ip, c.port = ip.String(), strconv.Itoa(int(peer.Port()))
	c.host = l.deps.Resolve(ctx, c.ip)
	if l.lowerCase {
		c.host = strings.ToLower(c.host)
	}
	if c.host == "" || !l.allowed.Allows(ip, c.host) {
		return fmt.Errorf("connection request from disallowed sender %s discarded", c.ip)
	}
	return nil
}

// isTimeout tells whether a read ended because its deadline passed.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
