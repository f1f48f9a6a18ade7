package output

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// OMUsrMsgModule are the parameters of module(load="builtin:omusrmsg"): none.
type OMUsrMsgModule struct{}

// OMUsrMsgParams are the parameters of action(type="omusrmsg").
type OMUsrMsgParams struct {
	Users    string `conf:"users,required" doc:"Users to write to if they are logged in, separated by commas; * is everybody." status:"full"`
	Template string `conf:"template" doc:"Template of what is written; default ' WallFmt' for everybody, ' StdUsrMsgFmt' for users." status:"full"`
	RateParams
}

// omusrmsg writes to the terminals of users who are logged in. Who is not, or
// does not want messages (mesg n), gets none; that is no failure.
type omusrmsg struct {
	tpl   message.Template
	users []string // nil: everybody
	utmp  string
	dev   string
	buf   []byte
	limit RateLimit
}

// NewOMUsrMsg makes the output of action(type="omusrmsg").
func NewOMUsrMsg(_ OMUsrMsgModule, p OMUsrMsgParams, d Deps) (Output, error) {
	o := &omusrmsg{utmp: "/run/utmp", dev: "/dev"}
	standard := " WallFmt"
	if p.Users != "*" {
		standard = " StdUsrMsgFmt"
		for name := range strings.SplitSeq(p.Users, ",") {
			if name = strings.TrimSpace(name); name != "" {
				o.users = append(o.users, name)
			}
		}
		if o.users == nil {
			return nil, errors.New("omusrmsg needs the name of a user, or * for everybody")
		}
	}
	var err error
	if o.limit, err = p.limit(d); err != nil {
		return nil, err
	}
	o.tpl, err = d.template(p.Template, standard)
	return o, err
}

// Write implements Output.
func (o *omusrmsg) Write(ctx context.Context, v message.View) (int, error) {
	lines, err := o.terminals()
	if err != nil {
		return 0, err
	}
	for i := range v.Len() {
		if ctx.Err() != nil {
			return i, ctx.Err()
		}
		o.buf = forTerminal(o.tpl.Append(o.buf[:0], v.At(i)))
		for _, line := range lines {
			o.writeTo(line)
		}
	}
	return v.Len(), nil
}

// forTerminal replaces what would command a terminal: control characters of both
// sets, as bytes and as UTF-8, and what is no UTF-8. Line ends, tabs and the bell
// are part of the templates.
func forTerminal(b []byte) []byte {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		switch {
		case r == utf8.RuneError && n <= 1,
			r < ' ' && r != '\r' && r != '\n' && r != '\t' && r != '\a',
			r >= 0x7f && r <= 0x9f:
			for k := range n {
				b[i+k] = '?'
			}
		}
		i += n
	}
	return b
}

// writeTo writes to one terminal if its owner allows it, without waiting for it.
func (o *omusrmsg) writeTo(line string) {
	fd, err := openFile(filepath.Join(o.dev, line), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return // logged out since
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	// mesg n takes the group's permission to write away; see mesg(1). rsyslogd looks
	// at the owner's, and writes all the same.
	if unix.Fstat(fd, &st) == nil && st.Mode&0o022 != 0 {
		// A terminal that is stopped gets nothing.
		_, _ = unix.Write(fd, o.buf)
	}
}

// The parts of a struct utmp that matter; see utmp(5).
const (
	utmpSize    = 384
	utmpLine    = 8
	utmpUser    = 44
	utmpNameLen = 32
	userProcess = 7
)

// terminals are the terminals to write to.
func (o *omusrmsg) terminals() ([]string, error) {
	b, err := os.ReadFile(o.utmp)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // nobody keeps account of logins here
	}
	if err != nil {
		return nil, fmt.Errorf("cannot tell who is logged in: %w", err)
	}
	var all []string
	for ; len(b) >= utmpSize; b = b[utmpSize:] {
		line, user := utmpName(b[utmpLine:]), utmpName(b[utmpUser:])
		if binary.NativeEndian.Uint16(b) != userProcess || user == "" || !filepath.IsLocal(line) {
			continue
		}
		if o.users == nil || slices.Contains(o.users, user) {
			all = append(all, line)
		}
	}
	return all, nil
}

func utmpName(b []byte) string {
	name, _, _ := bytes.Cut(b[:utmpNameLen], []byte{0})
	return string(name)
}

// Render shows what would be written, for the error file.
func (o *omusrmsg) Render(dst []byte, m *message.Message) []byte { return o.tpl.Append(dst, m) }

// TryResume implements Output.
func (o *omusrmsg) TryResume(context.Context) error { return nil }

// Hup implements Output.
func (o *omusrmsg) Hup() {}

// Close implements Output.
func (o *omusrmsg) Close() error { return nil }

// RateLimit implements Limited.
func (o *omusrmsg) RateLimit() RateLimit { return o.limit }
