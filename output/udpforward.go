package output

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/conf"
	"sysrelay/message"
)

const (
	// maxDatagram is what fits an IPv4 datagram with UDP's header.
	maxDatagram = 65507
	// resolveAgain is how long the address of a name is taken for granted.
	resolveAgain = 5 * time.Minute
	// cutEvery is how often cut messages are reported.
	cutEvery = time.Minute
)

// udpForward sends every message as a datagram.
type udpForward struct {
	wire
	p   OMFwdParams
	to  []hostPort // in the order in which they are tried
	srv *srv       // nil: the configuration names the targets
	log func(severity int, text string)
	now func() time.Time

	peers    []*datagrams // the addresses of the target; all are sent to with udp.sendToAll, else the first that works
	resolved time.Time
	count    int // messages since then
	batch    lines
	bytes    atomic.Int64
	cut      int // messages cut since the last report
	cutAt    time.Time
}

func newUDPForward(p OMFwdParams, d Deps, w wire) *udpForward {
	if to := p.addresses(); len(to) > 1 && !p.UDPSendToAll {
		// as rsyslog: pools need TCP.
		d.Log(severityWarning, fmt.Sprintf("omfwd: UDP has no pools: messages go to %s alone as long as they can be sent there; use protocol=\"tcp\" to share them out, or udp.sendToAll=\"on\" to send them to all %d targets", to[0], len(to)))
	}
	return &udpForward{wire: w, p: p, to: p.addresses(), srv: newSRV(&p, d), log: d.Log, now: d.Env.Now}
}

// Write implements Output.
func (o *udpForward) Write(ctx context.Context, v message.View) (n int, err error) {
	for n < v.Len() {
		if err := o.bind(ctx); err != nil {
			return n, err
		}
		upto := min(v.Len(), n+vectorSize)
		if o.p.UDPSendDelay > 0 {
			upto = n + 1
		}
		o.fill(v.Slice(n, upto))
		k, err := o.send(ctx)
		if k > 0 {
			o.bytes.Add(int64(o.batch.ends[k-1]))
		}
		n += k
		o.count += k
		if err != nil {
			return n, err
		}
		if o.p.UDPSendDelay > 0 {
			if err := pause(ctx, time.Duration(o.p.UDPSendDelay)*time.Microsecond); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (o *udpForward) fill(v message.View) {
	o.batch.reset()
	for i := range v.Len() {
		at := len(o.batch.buf)
		o.append(&o.batch, v.At(i))
		if len(o.batch.buf)-at > maxDatagram {
			// as rsyslog: cut it.
			o.batch.buf = o.batch.buf[:at+maxDatagram]
			o.batch.ends[i] = len(o.batch.buf)
			o.reportCut()
		}
	}
}

func (o *udpForward) reportCut() {
	o.cut++
	if now := o.now(); now.Sub(o.cutAt) >= cutEvery {
		o.log(severityWarning, fmt.Sprintf("%d messages to %s were cut to the %d bytes a UDP datagram can have", o.cut, o.shown(), maxDatagram))
		o.cut, o.cutAt = 0, now
	}
}

// send sends the batch and returns how many messages went out.
func (o *udpForward) send(ctx context.Context) (n int, err error) {
	if o.p.UDPSendToAll {
		n = len(o.batch.ends)
		for _, p := range o.peers {
			k, perr := p.send(ctx, &o.batch, 0)
			n, err = min(n, k), errors.Join(err, perr)
		}
	} else {
		for _, p := range o.peers {
			if n, err = p.send(ctx, &o.batch, n); err == nil {
				break
			}
		}
	}
	if err == nil {
		return n, nil
	}
	if errors.Is(err, unix.EMSGSIZE) {
		return n, fmt.Errorf("%w: it is too long for the way to %s", ErrUnacceptable, o.shown())
	}
	o.unbind()
	return n, fmt.Errorf("cannot send to %s: %w", o.shown(), err)
}

// bind resolves the target's name and opens sockets, if that has not been done,
// was long ago, or it is time to rebind.
func (o *udpForward) bind(ctx context.Context) error {
	now := o.now()
	rebind := o.p.rebind() > 0 && o.count >= o.p.rebind()
	if len(o.peers) > 0 && !rebind && now.Sub(o.resolved) < resolveAgain {
		return nil
	}
	addrs, err := o.resolve(ctx)
	if err != nil {
		if len(o.peers) > 0 {
			// The old address is better than none.
			o.resolved, o.count = now, 0
			return nil
		}
		return err
	}
	o.unbind()
	o.resolved, o.count = now, 0
	var failure error
	for _, a := range addrs {
		d, err := o.p.newDatagrams(ctx, a.ip, a.port, int(o.p.UDPSendBuf))
		if err != nil {
			failure = errors.Join(failure, err)
			continue
		}
		o.peers = append(o.peers, d)
	}
	if len(o.peers) == 0 {
		return fmt.Errorf("cannot send to %s: %w", o.shown(), failure)
	}
	return nil
}

// ipPort is an address to send to.
type ipPort struct {
	ip   net.IPAddr
	port int
}

// resolve finds the addresses of all targets, in their order.
func (o *udpForward) resolve(ctx context.Context) (all []ipPort, failure error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if o.srv != nil {
		records, err := o.srv.find(ctx)
		if err != nil {
			return nil, err
		}
		o.to = nil
		for _, r := range records {
			o.to = append(o.to, srvTarget(r))
		}
	}
	for _, to := range o.to {
		addrs, err := to.resolve(ctx)
		failure = errors.Join(failure, err)
		all = append(all, addrs...)
	}
	if len(all) > 0 {
		return all, nil
	}
	return nil, failure
}

func (a hostPort) resolve(ctx context.Context) (all []ipPort, err error) {
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", a.port)
	if err != nil {
		return nil, fmt.Errorf("port %q is not known: %w", a.port, err)
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, a.host)
	if err != nil {
		return nil, fmt.Errorf("cannot resolve %s: %w", a.host, err)
	}
	for _, ip := range ips {
		all = append(all, ipPort{ip, port})
	}
	return all, nil
}

// shown is what messages call the targets.
func (o *udpForward) shown() string {
	if len(o.to) > 0 {
		return o.to[0].String()
	}
	return o.srv.name
}

func (o *udpForward) unbind() {
	for _, p := range o.peers {
		// A datagram socket has nothing left to do.
		_ = p.conn.Close()
	}
	o.peers = o.peers[:0]
}

// TryResume implements Output.
func (o *udpForward) TryResume(ctx context.Context) error { return o.bind(ctx) }

// Hup implements Output.
func (o *udpForward) Hup() {}

// Close implements Output.
func (o *udpForward) Close() error {
	o.unbind()
	return nil
}

// newDatagrams opens a socket to send to one address from.
func (d Dialing) newDatagrams(ctx context.Context, ip net.IPAddr, port, sendBuf int) (*datagrams, error) {
	network, local := "udp4", d.Address
	if ip.IP.To4() == nil {
		network = "udp6"
	}
	lc := net.ListenConfig{Control: func(_, _ string, c rawControl) error { return d.prepare(c) }}
	var pc net.PacketConn
	err := conf.InNamespace(d.NetworkNamespace, func() (err error) {
		pc, err = lc.ListenPacket(ctx, network, net.JoinHostPort(local, "0"))
		return err
	})
	if err != nil {
		return nil, netCause(err)
	}
	conn := pc.(*net.UDPConn)
	if sendBuf > 0 {
		if err := setSendBuffer(conn, sendBuf); err != nil {
			return nil, errors.Join(fmt.Errorf("udp.sendBuf=%d: %w", sendBuf, err), conn.Close())
		}
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return newDatagramVector(conn, raw, ip, port), nil
}

// setSendBuffer goes beyond the system's limit if we may.
func setSendBuffer(c *net.UDPConn, size int) error {
	return onSocket(c, func(fd int) error {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, size) == nil {
			return nil
		}
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size)
	})
}
