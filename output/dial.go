package output

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/conf"
)

// Dialing are the parameters of sockets that go out.
type Dialing struct {
	Address          string `conf:"address" doc:"Local address to send from." status:"full"`
	Device           string `conf:"device" doc:"Network interface to send through." status:"full"`
	FreeBind         int    `conf:"ipfreebind,min=0,max=2" default:"2" doc:"Whether address may be one the host does not have (yet); 0 is no." status:"full"`
	NetworkNamespace string `conf:"networknamespace" doc:"Network namespace to send from, a name below /run/netns." status:"full"`
	UserTimeout      int    `conf:"tcp_user_timeout" doc:"Milliseconds sent data may stay unacknowledged until the connection is given up; 0 is the system's default." status:"full"`
	conf.KeepAlive
}

// dialTimeout is how long a connection may take to come about: other outputs may
// be waiting for this one.
const dialTimeout = 5 * time.Second

// dialer connects to one target.
type dialer struct {
	Dialing
	to      hostPort
	timeout time.Duration
	tls     *conf.TLS // nil is plain
	oneWay  bool      // the peer has nothing to say

	failed time.Time // when there was last no answer
	err    error
}

// connect dials. The target's name is resolved anew every time. rsyslog's way of
// trying again at once after a failure makes no sense when the failure was that
// nobody answered in time: then the same is answered without waiting once more.
func (d *dialer) connect(ctx context.Context) (net.Conn, error) {
	if d.err != nil && time.Since(d.failed) < time.Second {
		return nil, d.err
	}
	conn, err := d.link(ctx)
	d.err = nil
	if n := net.Error(nil); errors.As(err, &n) && n.Timeout() && ctx.Err() == nil {
		d.noAnswer(err)
	}
	return conn, err
}

// of is a dialer like d to another target.
func (d dialer) of(to hostPort) dialer {
	d.to = to
	return d
}

// noAnswer notes that the target did not answer in time.
func (d *dialer) noAnswer(err error) { d.failed, d.err = time.Now(), err }

// hostPort is a target.
type hostPort struct{ host, port string }

func (a hostPort) String() string { return net.JoinHostPort(a.host, a.port) }

// dial connects. The target's name is resolved anew every time.
func (d Dialing) dial(ctx context.Context, to hostPort, timeout time.Duration) (*net.TCPConn, error) {
	nd := net.Dialer{
		Timeout:         timeout,
		KeepAliveConfig: d.KeepAlive.Config(),
		KeepAlive:       -1,
		Control:         func(_, _ string, c syscall.RawConn) error { return d.prepare(c) },
	}
	if d.Address != "" {
		ip := net.ParseIP(d.Address)
		if ip == nil {
			return nil, fmt.Errorf("address %q is not an IP address", d.Address)
		}
		nd.LocalAddr = &net.TCPAddr{IP: ip}
	}
	c, err := d.dialFrom(ctx, &nd, to)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", to, netCause(err))
	}
	tcp := c.(*net.TCPConn)
	if d.UserTimeout > 0 {
		err = onSocket(tcp, func(fd int) error {
			return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, d.UserTimeout)
		})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot set tcp_user_timeout: %w", err), c.Close())
	}
	return tcp, nil
}

// dialFrom dials in the network namespace. The name is resolved in ours; what a
// dialer does by goroutines of its own would not be in the namespace.
func (d Dialing) dialFrom(ctx context.Context, nd *net.Dialer, to hostPort) (c net.Conn, err error) {
	if d.NetworkNamespace == "" {
		return nd.DialContext(ctx, "tcp", to.String())
	}
	ctx, cancel := context.WithTimeout(ctx, nd.Timeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, to.host)
	if err != nil {
		return nil, err
	}
	for _, ip := range ips {
		err = conf.InNamespace(d.NetworkNamespace, func() (err error) {
			c, err = nd.DialContext(ctx, "tcp", net.JoinHostPort(ip.String(), to.port))
			return err
		})
		if err == nil {
			return c, nil
		}
	}
	return nil, err
}

// prepare sets what has to be set before a socket is bound or connected.
func (d Dialing) prepare(c syscall.RawConn) error {
	var serr error
	err := c.Control(func(fd uintptr) {
		if d.Device != "" {
			serr = os.NewSyscallError("device "+d.Device, unix.BindToDevice(int(fd), d.Device))
		}
		if serr == nil && d.FreeBind != 0 && d.Address != "" {
			serr = os.NewSyscallError("ipfreebind", unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1))
		}
	})
	return errors.Join(err, serr)
}

// onSocket calls f with a connection's descriptor.
func onSocket(c syscall.Conn, f func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	err = raw.Control(func(fd uintptr) { ferr = f(int(fd)) })
	return errors.Join(err, ferr)
}

// netCause removes addresses and operations from a network error; the messages
// around it name the target.
func netCause(err error) error {
	var (
		op  *net.OpError
		sys *os.SyscallError
	)
	if errors.As(err, &op) {
		err = op.Err
	}
	if errors.As(err, &sys) {
		return sys.Err
	}
	return err
}
