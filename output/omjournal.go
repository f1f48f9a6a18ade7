package output

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// OMJournalModule are the parameters of module(load="omjournal"): none.
type OMJournalModule struct{}

// OMJournalParams are the parameters of action(type="omjournal").
type OMJournalParams struct {
	Template string `conf:"template" doc:"Template whose fields become the journal's: a list, a subtree, or one that gives JSON. Without one the message, its priority, facility and tag are sent." status:"full"`
}

// journalSocket is where journald listens.
const journalSocket = "/run/systemd/journal/socket"

// omjournal writes to journald by its native protocol.
type omjournal struct {
	path     string
	env      *message.Env
	fields   message.Template // gives JSON; nil without a template
	nonEmpty bool             // as rsyslog: empty fields of a list are left out
	msg, tag message.Template

	mu   sync.Mutex
	fd   int // -1: there is none
	buf  []byte
	text []byte
}

// NewOMJournal makes the output of action(type="omjournal"). It connects to nothing.
func NewOMJournal(_ OMJournalModule, p OMJournalParams, d Deps) (Output, error) {
	o := &omjournal{path: journalSocket, env: d.Env, fd: -1}
	if p.Template == "" {
		var err1, err2 error
		o.msg, err1 = d.Env.ParseTemplate("msg", "%msg%", message.TemplateOptions{})
		o.tag, err2 = d.Env.ParseTemplate("tag", "%syslogtag%", message.TemplateOptions{})
		return o, errors.Join(err1, err2)
	}
	tpl, err := d.template(p.Template)
	if err != nil {
		return nil, err
	}
	o.fields = tpl
	if s, ok := tpl.(message.Structured); ok && s.Fields() != nil {
		o.fields, o.nonEmpty = s.Fields(), true
	}
	return o, nil
}

// Write implements Output.
func (o *omjournal) Write(ctx context.Context, v message.View) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.open(); err != nil {
		return 0, err
	}
	for i := range v.Len() {
		if ctx.Err() != nil {
			return i, ctx.Err()
		}
		if err := o.encode(v.At(i)); err != nil {
			return i, err
		}
		if err := o.send(); err != nil {
			return i, err
		}
	}
	return v.Len(), nil
}

// encode puts a message into buf as journald reads it: NAME=value and a line
// feed, or for values with line feeds the name, a line feed, the length and the
// value. https://systemd.io/JOURNAL_NATIVE_PROTOCOL
func (o *omjournal) encode(m *message.Message) error {
	o.buf = o.buf[:0]
	if o.fields == nil {
		o.text = o.msg.Append(o.text[:0], m)
		o.field("MESSAGE", o.text)
		o.field("PRIORITY", strconv.AppendInt(o.text[:0], int64(m.Severity()), 10))
		o.field("SYSLOG_FACILITY", strconv.AppendInt(o.text[:0], int64(m.Facility()), 10))
		// as rsyslog: the tag as it is, with the process's number.
		o.text = o.tag.Append(o.text[:0], m)
		o.field("SYSLOG_IDENTIFIER", o.text)
		return nil
	}
	o.text = o.fields.Append(o.text[:0], m)
	all, _, err := o.env.ParseJSON(o.text)
	if err != nil || all.Kind() != message.KindObject {
		return fmt.Errorf("%w: its template gives no JSON object but %.60q", ErrUnacceptable, o.text)
	}
	for i := range all.Len() {
		name, value := all.At(i)
		o.text = value.AppendText(o.text[:0])
		if len(o.text) > 0 || !o.nonEmpty {
			o.field(name, o.text)
		}
	}
	if len(o.buf) == 0 {
		return fmt.Errorf("%w: its template gives no field", ErrUnacceptable)
	}
	return nil
}

// field appends a field. Names may come from messages: those that journald cannot
// take are left out, which is what it would do itself.
func (o *omjournal) field(name string, value []byte) {
	if name == "" || len(name) > 64 {
		return
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == '=' || c >= 0x7f {
			return
		}
	}
	o.buf = append(o.buf, name...)
	if bytes.IndexByte(value, '\n') < 0 {
		o.buf = append(o.buf, '=')
	} else {
		o.buf = append(o.buf, '\n')
		o.buf = binary.LittleEndian.AppendUint64(o.buf, uint64(len(value)))
	}
	o.buf = append(append(o.buf, value...), '\n')
}

func (o *omjournal) open() error {
	if o.fd >= 0 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	wait := unix.NsecToTimeval(int64(unixTimeout / time.Nanosecond))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait); err != nil {
		unix.Close(fd)
		return fmt.Errorf("journal: %w", err)
	}
	o.fd = fd
	return nil
}

// send sends buf; what is too large for a datagram is handed over as a file in
// memory.
func (o *omjournal) send() error {
	to := &unix.SockaddrUnix{Name: o.path}
	err := unix.Sendto(o.fd, o.buf, unix.MSG_NOSIGNAL, to)
	if errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.ENOBUFS) {
		err = o.sendFile(to)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("journald at %s does not read", o.path)
	}
	return fmt.Errorf("cannot send to journald at %s: %w", o.path, err)
}

func (o *omjournal) sendFile(to unix.Sockaddr) error {
	fd, err := unix.MemfdCreate("sysrelay-journal", unix.MFD_ALLOW_SEALING|unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "journal")
	defer f.Close()
	if _, err := f.Write(o.buf); err != nil {
		return rootCause(err)
	}
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return err
	}
	return unix.Sendmsg(o.fd, nil, unix.UnixRights(fd), to, unix.MSG_NOSIGNAL)
}

// TryResume implements Output.
func (o *omjournal) TryResume(context.Context) error {
	if _, err := os.Stat(o.path); err != nil {
		return fmt.Errorf("journald at %s: %w", o.path, rootCause(err))
	}
	return nil
}

// Render shows what would be sent, for the error file.
func (o *omjournal) Render(dst []byte, m *message.Message) []byte {
	if o.fields != nil {
		return o.fields.Append(dst, m)
	}
	return o.msg.Append(dst, m)
}

// Hup implements Output.
func (o *omjournal) Hup() {}

// Close implements Output.
func (o *omjournal) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fd >= 0 {
		unix.Close(o.fd) // nothing is buffered on our side
		o.fd = -1
	}
	return nil
}
