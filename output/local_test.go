package output

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

func TestPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	d, _ := deps(map[string]message.Template{"lf": textTemplate{after: "\n"}})
	o, err := NewOMPipe(OMPipeModule{Template: "lf"}, OMPipeParams{Pipe: name}, d)
	must(t, err)
	defer o.Close()
	if _, err := o.Write(t.Context(), batch("m")); err == nil || !strings.Contains(err.Error(), "cannot open pipe "+name) {
		t.Errorf("without a pipe: %v", err)
	}
	must(t, unix.Mkfifo(name, 0o600))
	r, err := os.OpenFile(name, os.O_RDWR, 0)
	must(t, err)
	defer r.Close()

	// More than fits, then a reader: every message is there, whole, in order.
	const messages, size = 100, 3000
	var want strings.Builder
	var all []string
	for i := range messages {
		all = append(all, fmt.Sprintf("%04d%s", i, strings.Repeat("p", size-5)))
		fmt.Fprintln(&want, all[i])
	}
	v := batch(all...)
	sent, waits := 0, 0
	got := make([]byte, 0, want.Len())
	for len(got) < want.Len() {
		if sent < messages {
			n, err := o.Write(t.Context(), v.Slice(sent, messages))
			sent += n
			if err != nil {
				waits++
				if !strings.Contains(err.Error(), "is full") {
					t.Fatal(err)
				}
			}
		} else {
			must(t, o.TryResume(t.Context()))
		}
		n, err := r.Read(got[len(got):min(cap(got), len(got)+40000)])
		must(t, err)
		got = got[:len(got)+n]
	}
	if string(got) != want.String() || waits == 0 {
		t.Errorf("messages are torn or out of order; waited %d times", waits)
	}
}

func TestStdout(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	d, _ := deps(nil)
	o, err := NewOMStdout(OMStdoutModule{}, OMStdoutParams{Template: "text", EnsureLF: true}, d)
	must(t, err)
	must(t, o.Close())
	o.(*omstdout).file = w
	write(t, o, "one", "two\n")
	must(t, o.Close())
	b := make([]byte, 100)
	if n, _ := r.Read(b); string(b[:n]) != "one\ntwo\n" {
		t.Errorf("wrote %q", b[:n])
	}
}

// TestUserTerminals: who gets a message. Plain files stand for terminals.
func TestUserTerminals(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/dev/pts", 0o700))
	var utmp []byte
	for _, e := range []struct {
		kind       uint16
		line, user string
		mode       os.FileMode
	}{
		{userProcess, "tty1", "root", 0o620},
		{userProcess, "pts/0", "ann", 0o620},
		{userProcess, "pts/1", "bob", 0o600}, // mesg n
		{8, "pts/2", "ann", 0o620},           // DEAD_PROCESS
		{userProcess, "../outside", "ann", 0o620},
		{userProcess, "pts/gone", "ann", 0},
	} {
		b := make([]byte, utmpSize)
		binary.NativeEndian.PutUint16(b, e.kind)
		copy(b[utmpLine:], e.line)
		copy(b[utmpUser:], e.user)
		utmp = append(utmp, b...)
		if e.mode != 0 {
			must(t, os.WriteFile(dir+"/dev/"+e.line, nil, e.mode))
			must(t, os.Chmod(dir+"/dev/"+e.line, e.mode))
		}
	}
	must(t, os.WriteFile(dir+"/utmp", utmp, 0o600))
	for users, want := range map[string]string{"*": "tty1 pts/0", "ann, nobody": "pts/0", "bob": "", "root,ann": "tty1 pts/0"} {
		d, _ := deps(nil)
		o, err := NewOMUsrMsg(OMUsrMsgModule{}, OMUsrMsgParams{Users: users, Template: "text"}, d)
		must(t, err)
		u := o.(*omusrmsg)
		u.utmp, u.dev = dir+"/utmp", dir+"/dev"
		write(t, o, "hello")
		var got []string
		for _, name := range []string{"tty1", "pts/0", "pts/1", "pts/2", "../outside"} {
			if b, _ := os.ReadFile(dir + "/dev/" + name); string(b) == "hello" {
				got = append(got, name)
			}
			must(t, os.Truncate(dir+"/dev/"+name, 0))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: written to %q, want %q", users, got, want)
		}
	}
	d, _ := deps(nil)
	if _, err := NewOMUsrMsg(OMUsrMsgModule{}, OMUsrMsgParams{Users: " , ", Template: "text"}, d); err == nil {
		t.Error("no user is accepted")
	}
}

// TestPipeTakesPart: a message of which the pipe has taken only the beginning is
// not delivered yet; once the rest is written, it is, without being repeated.
func TestPipeTakesPart(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	must(t, unix.Mkfifo(name, 0o600))
	r, err := os.OpenFile(name, os.O_RDWR, 0)
	must(t, err)
	defer r.Close()
	d, _ := deps(map[string]message.Template{"lf": textTemplate{after: "\n"}})
	o, err := NewOMPipe(OMPipeModule{Template: "lf"}, OMPipeParams{Pipe: name}, d)
	must(t, err)
	defer o.Close()
	large := strings.Repeat("l", 100_000)
	if n, err := o.Write(t.Context(), batch("small", large, "after")); n != 1 || err == nil || !strings.Contains(err.Error(), "is full") {
		t.Fatalf("Write = %d, %v; want 1 and that it is full", n, err)
	}
	got := make([]byte, 0, 200_000)
	read := func() {
		n, err := r.Read(got[len(got):cap(got)])
		must(t, err)
		got = got[:len(got)+n]
	}
	read()
	must(t, o.TryResume(t.Context()))
	// Somebody else comes first.
	write(t, o, "other")
	write(t, o, large, "after")
	read()
	if want := "small\n" + large + "\nother\nafter\n"; string(got) != want {
		t.Errorf("the pipe has %d bytes, want %d: ends in %q", len(got), len(want), got[max(0, len(got)-30):])
	}
	// A pipe opened anew gets it whole.
	if n, err := o.Write(t.Context(), batch(large)); n != 0 || err == nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	got = got[:0]
	read()
	o.(*ompipe).reopen = true
	must(t, o.TryResume(t.Context()))
	got = got[:0]
	n, err := o.Write(t.Context(), batch("x"+large))
	read()
	if !strings.HasPrefix(string(got), "xl") {
		t.Errorf("after opening anew %d, %v, it has %.20q", n, err, got)
	}
}

// TestTerminal: a real terminal gets the bytes as they are, and one that nobody
// reads holds up nobody.
func TestTerminal(t *testing.T) {
	master, line := openPTY(t)
	utmp := t.TempDir() + "/utmp"
	b := make([]byte, utmpSize)
	binary.NativeEndian.PutUint16(b, userProcess)
	copy(b[utmpLine:], line)
	copy(b[utmpUser:], "ann")
	must(t, os.WriteFile(utmp, b, 0o600))
	d, _ := deps(map[string]message.Template{"wall": textTemplate{"\r\n\aMessage from syslogd@here ...\r\n ", "\n\r"}})
	o, err := NewOMUsrMsg(OMUsrMsgModule{}, OMUsrMsgParams{Users: "*", Template: "wall"}, d)
	must(t, err)
	o.(*omusrmsg).utmp = utmp
	write(t, o, "hello")
	want := "\r\n\aMessage from syslogd@here ...\r\n hello\n\r"
	got := make([]byte, 0, 1000)
	must(t, master.SetReadDeadline(time.Now().Add(10*time.Second)))
	for len(got) < len(want) {
		n, err := master.Read(got[len(got):cap(got)])
		must(t, err)
		got = got[:len(got)+n]
	}
	if string(got) != want {
		t.Errorf("the terminal got %q, want %q", got, want)
	}
	large := strings.Repeat("x", 8000)
	began := time.Now()
	for range 100 {
		write(t, o, large)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a terminal nobody reads takes %v", took)
	}
}

// openPTY opens a terminal that changes no bytes, and returns its name in /dev.
func openPTY(t *testing.T) (master *os.File, line string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	must(t, err)
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { master.Close() })
	must(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	must(t, err)
	line = fmt.Sprintf("pts/%d", n)
	// It exists as long as somebody has it open.
	slave, err := os.OpenFile("/dev/"+line, os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { slave.Close() })
	modes, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	must(t, err)
	modes.Oflag &^= unix.OPOST
	must(t, unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, modes))
	must(t, os.Chmod("/dev/"+line, 0o620))
	return master, line
}
