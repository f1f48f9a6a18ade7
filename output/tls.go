package output

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/conf"
)

// link dials and puts TLS around the connection, if there is to be any.
func (d *dialer) link(ctx context.Context) (net.Conn, error) {
	tcp, err := d.dial(ctx, d.to, d.timeout)
	if err != nil {
		return nil, err
	}
	if d.tls == nil {
		return tcp, nil
	}
	limited, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	began := time.Now()
	c, err := d.tls.Client(limited, tcp, d.to.host)
	if err == nil && d.oneWay && c.Asked && c.ConnectionState().Version >= tls.VersionTLS13 {
		err = c.Hear(refusalTime + 2*time.Since(began))
	}
	if err != nil {
		if limited.Err() != nil && ctx.Err() == nil {
			err = fmt.Errorf("no answer to the handshake in %v: %w", d.timeout, limited.Err())
		}
		return nil, errors.Join(fmt.Errorf("cannot connect to %s: TLS: %w", d.to, err), tcp.Close())
	}
	return c, nil
}

const (
	// refusalTime is how long a server may take to refuse our certificate. Under TLS
	// 1.3 the client is done before the server has looked at it: what is sent at
	// once would be lost.
	refusalTime = 100 * time.Millisecond
	// probation is how long a connection is watched in case it takes longer: what
	// was sent meanwhile is sent again then.
	probation = time.Second
	// probationMax is how much is sent in that time.
	probationMax = 4 << 20
	// recordMax is the most a TLS record holds (RFC 8446 §5.1).
	recordMax = 16 << 10
)

// sealed is what a stream under TLS has besides. Places in the stream are those
// before encryption; marks say where they are behind it.
type sealed struct {
	*conf.TLSConn
	ctx    context.Context // of the write under way
	wire   int64           // encrypted bytes given to the kernel
	marks  []mark          // ends of records that are not acknowledged
	acked  int64           // all before this place is
	opened time.Time
	proven bool // the server would have refused us by now
}

type mark struct{ plain, wire int64 }

// seal makes s write through TLS.
func (s *stream) seal(c *conf.TLSConn) {
	s.sealed = &sealed{TLSConn: c, opened: time.Now()}
	s.sealed.proven = !c.Asked || c.ConnectionState().Version < tls.VersionTLS13
	c.WriteBy(func(b []byte) (int, error) {
		n, err := s.writeRaw(s.sealed.ctx, b)
		s.sealed.wire += int64(n)
		return n, err
	})
}

// writeSealed is writeBytes under TLS.
func (s *stream) writeSealed(ctx context.Context, b []byte) (n int, err error) {
	x := s.sealed
	x.ctx = ctx
	for n < len(b) {
		if s.check || !x.proven {
			if err := s.hear(); err != nil {
				return n, s.fail(err)
			}
		}
		if !x.proven && s.sent+int64(n) > probationMax {
			if err := pause(ctx, time.Until(x.opened.Add(probation))); err != nil {
				return n, err
			}
			continue
		}
		k, err := x.Write(b[n:min(len(b), n+recordMax)])
		n += k
		if err != nil {
			return n, s.fail(err)
		}
		x.marks = append(x.marks, mark{s.sent + int64(n), x.wire})
	}
	return n, nil
}

// hear reads what the server may have to say, without waiting: its end, or that
// it refuses us.
func (s *stream) hear() (err error) {
	// Asked before: what is heard now is no older.
	old := time.Since(s.sealed.opened) >= probation
	cerr := s.raw.Control(func(fd uintptr) {
		for err == nil {
			var n int
			if n, err = s.sealed.ReadNow(fd, s.in[:]); n == 0 && err == nil {
				err = errClosed
			}
		}
	})
	if err == unix.EAGAIN {
		err = nil
	}
	if err = errors.Join(err, cerr); err == nil && old {
		s.sealed.proven = true
	}
	return err
}

// arrivedAt is the place up to which all is acknowledged, the kernel having
// outq bytes that are not.
func (x *sealed) arrivedAt(outq int) int64 {
	if !x.proven {
		return 0
	}
	n := 0
	for n < len(x.marks) && x.marks[n].wire <= x.wire-int64(outq) {
		x.acked = x.marks[n].plain
		n++
	}
	x.marks = x.marks[:copy(x.marks, x.marks[n:])]
	return x.acked
}

// prove waits until the server would have refused us.
func (s *stream) prove(ctx context.Context) error {
	if s.sealed == nil || s.sealed.proven {
		return nil
	}
	if err := pause(ctx, time.Until(s.sealed.opened.Add(probation))); err != nil {
		return err
	}
	return s.hear()
}

// tls are the settings of the action's connections; nil without TLS.
func (p OMFwdParams) tls(m OMFwdModule, d Deps) (*conf.TLS, error) {
	driver := p.StreamDriver
	driver.StreamFiles = driver.StreamFiles.Over(m.StreamFiles)
	t, err := d.keyring().StreamTLS("omfwd to "+p.targetsShown(), false, driver, p.RemoteSNI)
	if t != nil && p.Protocol != "tcp" {
		return nil, errors.New("streamDriver.mode=1 asks for TLS, which is not for UDP: write protocol=\"tcp\", or use omdtls")
	}
	return t, err
}

func (p OMFwdParams) targetsShown() string {
	all := p.addresses()
	switch len(all) {
	case 0:
		return p.TargetSRV
	case 1:
		return all[0].String()
	}
	return fmt.Sprintf("%s and %d more", all[0], len(all)-1)
}

func (d *Deps) keyring() *conf.Keyring {
	if d.TLS == nil {
		return &conf.Keyring{Log: d.Log}
	}
	return d.TLS
}
