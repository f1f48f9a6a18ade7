package output

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// OMUXSockModule are the parameters of module(load="omuxsock").
type OMUXSockModule struct {
	Template string `conf:"template" doc:"Default template of omuxsock actions." status:"full"`
	UnixTarget
}

// UnixTarget names a Unix domain socket.
type UnixTarget struct {
	Socket    string `conf:"socketname" doc:"Socket to send to. socketName, socketType and abstract go together: those of module() count for actions without a socketName." status:"full"`
	Type      string `conf:"sockettype,enum=DGRAM|STREAM|SEQPACKET" default:"DGRAM" doc:"Its type. In a STREAM every message ends in a line feed." status:"full"`
	Abstract  bool   `conf:"abstract" doc:"The name is an abstract one: it is not in the file system. rsyslog's 0 and 1 are off and on." status:"full"`
	Namespace string `conf:"networknamespace" doc:"Network namespace of the socket; not there, an error." status:"none"`
}

// OMUXSockParams are the parameters of action(type="omuxsock").
type OMUXSockParams struct {
	Template string `conf:"template" doc:"Template of what is sent; default RSYSLOG_TraditionalForwardFormat." status:"full"`
	UnixTarget
}

// unixTimeout is how long a receiver may keep us waiting.
const unixTimeout = time.Second

// omuxsock sends to a Unix domain socket.
type omuxsock struct {
	target UnixTarget
	tpl    message.Template

	mu   sync.Mutex
	conn *net.UnixConn // nil while there is none
	out  lines
}

var (
	errNoSocket    = errors.New("omuxsock needs a socketName, in the action or in module()")
	errNoNamespace = errors.New("networkNamespace is not supported: messages would go to another receiver than meant")
)

// NewOMUXSock makes the output of action(type="omuxsock"). It connects to nothing.
func NewOMUXSock(m OMUXSockModule, p OMUXSockParams, d Deps) (Output, error) {
	tpl, err := d.template(p.Template, m.Template, "RSYSLOG_TraditionalForwardFormat")
	if err != nil {
		return nil, err
	}
	target := p.UnixTarget
	if target.Socket == "" {
		target = m.UnixTarget
	}
	switch {
	case target.Socket == "":
		return nil, errNoSocket
	case target.Namespace != "":
		return nil, errNoNamespace
	}
	return &omuxsock{target: target, tpl: tpl}, nil
}

// Write implements Output.
func (o *omuxsock) Write(ctx context.Context, v message.View) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.connect(ctx); err != nil {
		return 0, err
	}
	if o.target.Type == "STREAM" {
		return o.writeStream(ctx, v)
	}
	for i := range v.Len() {
		o.out.reset()
		o.out.buf = o.tpl.Append(o.out.buf, v.At(i))
		if _, err := o.send(ctx, o.out.buf); err != nil {
			return i, err
		}
	}
	return v.Len(), nil
}

// writeStream sends all messages at once. The end of a message that was cut off
// is lost with the connection; the message is sent again as a whole.
func (o *omuxsock) writeStream(ctx context.Context, v message.View) (int, error) {
	o.out.reset()
	for i := range v.Len() {
		o.out.buf = o.tpl.Append(o.out.buf, v.At(i))
		o.out.end(true)
	}
	n, err := o.send(ctx, o.out.buf)
	count, end := o.out.whole(n)
	if n > end {
		o.hangUp()
	}
	return count, err
}

func (o *omuxsock) send(ctx context.Context, b []byte) (int, error) {
	defer within(ctx, unixTimeout, o.conn.SetWriteDeadline)()
	n, err := o.conn.Write(b)
	switch {
	case err == nil:
		return n, nil
	case ctx.Err() != nil:
		return n, ctx.Err()
	case errors.Is(err, unix.EMSGSIZE):
		return n, fmt.Errorf("%w: %d bytes are too many for socket %s", ErrUnacceptable, len(b), o.target.Socket)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, fmt.Errorf("cannot send to socket %s: its receiver does not read", o.target.Socket)
	}
	// Its receiver is gone; it may be another one's socket by now.
	o.hangUp()
	return n, o.fail("send", err)
}

func (o *omuxsock) fail(what string, err error) error {
	if s := (*os.SyscallError)(nil); errors.As(err, &s) {
		err = s.Err
	}
	return fmt.Errorf("cannot %s to socket %s: %w", what, o.target.Socket, err)
}

func (o *omuxsock) connect(ctx context.Context) error {
	if o.conn != nil {
		return nil
	}
	network := map[string]string{"DGRAM": "unixgram", "STREAM": "unix", "SEQPACKET": "unixpacket"}[o.target.Type]
	name := o.target.Socket
	if o.target.Abstract {
		name = "@" + name
	}
	d := net.Dialer{Timeout: unixTimeout}
	c, err := d.DialContext(ctx, network, name)
	if err != nil {
		return o.fail("connect", err)
	}
	o.conn = c.(*net.UnixConn)
	return nil
}

func (o *omuxsock) hangUp() {
	if o.conn != nil {
		o.conn.Close() // nothing is buffered on our side
		o.conn = nil
	}
}

// TryResume implements Output.
func (o *omuxsock) TryResume(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.connect(ctx)
}

// Render shows what would be sent, for the error file.
func (o *omuxsock) Render(dst []byte, m *message.Message) []byte { return o.tpl.Append(dst, m) }

// Hup connects anew: the name may mean another socket now.
func (o *omuxsock) Hup() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hangUp()
}

// Close implements Output.
func (o *omuxsock) Close() error {
	o.Hup()
	return nil
}
