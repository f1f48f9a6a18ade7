package output

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// journal is a journald that hands on what it gets.
func journal(t *testing.T) (path string, get func() string) {
	t.Helper()
	path = t.TempDir() + "/socket"
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return path, func() string {
		t.Helper()
		b, oob := make([]byte, 1<<20), make([]byte, 100)
		must(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
		n, nOOB, _, _, err := c.ReadMsgUnix(b, oob)
		must(t, err)
		if nOOB == 0 {
			return string(b[:n])
		}
		msgs, err := unix.ParseSocketControlMessage(oob[:nOOB])
		must(t, err)
		fds, err := unix.ParseUnixRights(&msgs[0])
		must(t, err)
		f := os.NewFile(uintptr(fds[0]), "memfd")
		defer f.Close()
		if _, err := f.WriteAt([]byte("x"), 0); err == nil {
			t.Error("the file is not sealed")
		}
		st, err := f.Stat()
		must(t, err)
		all := make([]byte, st.Size())
		_, err = f.ReadAt(all, 0)
		must(t, err)
		return string(all)
	}
}

// received is a message as an input makes it, parsed.
func received(t *testing.T, d Deps, text string) message.View {
	t.Helper()
	b := new(message.Batch)
	b.Add([]byte(text), nil, 0, message.ParseHostname)
	v := b.All()
	for i := range v.Len() {
		message.DefaultChain(d.Env).Parse(v.At(i))
	}
	return v
}

func TestJournal(t *testing.T) {
	path, get := journal(t)
	d, _ := deps(nil)
	list, err := d.Env.ListTemplate("list", []message.TemplatePart{
		message.ConstantPart{Value: "const", Outname: "KEY"}, message.PropertyPart{Name: "msg", Outname: "MESSAGE"},
		message.ConstantPart{Value: "no name"}, message.PropertyPart{Name: "hostname"}, message.PropertyPart{Name: "$!no", Outname: "EMPTY"},
	}, message.TemplateOptions{})
	must(t, err)
	subtree, err := d.Env.SubtreeTemplate("subtree", "$!")
	must(t, err)
	d.Template = func(name string) (message.Template, bool) {
		t, ok := map[string]message.Template{"list": list, "subtree": subtree, "json": textTemplate{}}[name]
		return t, ok
	}
	const one = "<13>Nov 21 10:20:30 host app[123]: one two"
	for _, c := range []struct{ template, text, vars, want string }{
		// As rsyslogd's, but for CODE_FILE and the like.
		{"", one, "", "MESSAGE= one two\nPRIORITY=5\nSYSLOG_FACILITY=1\nSYSLOG_IDENTIFIER=app[123]:\n"},
		{"", "<30>Nov 21 10:20:31 host kernel: no pid", "", "MESSAGE= no pid\nPRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=kernel:\n"},
		{"", one + "\nthree", "", "MESSAGE\n\x0e\x00\x00\x00\x00\x00\x00\x00 one two\nthree\nPRIORITY=5\nSYSLOG_FACILITY=1\nSYSLOG_IDENTIFIER=app[123]:\n"},
		{"list", one, "", "KEY=const\nMESSAGE= one two\nhostname=host\n"},
		{"json", `{"MESSAGE":"a\nb","N":5,"sub":{"A":1},"bad=name":1,"b\nd":2,"":3}`, "",
			"MESSAGE\n\x03\x00\x00\x00\x00\x00\x00\x00a\nb\nN=5\nsub={ \"A\": 1 }\n"},
		{"", "<13>Nov 21 10:20:30 host app: " + strings.Repeat("x", 300_000), "",
			"MESSAGE= " + strings.Repeat("x", 300_000) + "\nPRIORITY=5\nSYSLOG_FACILITY=1\nSYSLOG_IDENTIFIER=app:\n"},
	} {
		o, err := NewOMJournal(OMJournalModule{}, OMJournalParams{Template: c.template}, d)
		must(t, err)
		o.(*omjournal).path = path
		if n, err := o.Write(t.Context(), received(t, d, c.text)); n != 1 || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
		if got := get(); got != c.want {
			t.Errorf("%s %.60q:\n got %.300q\nwant %.300q", c.template, c.text, got, c.want)
		}
		must(t, o.Close())
	}
	o, err := NewOMJournal(OMJournalModule{}, OMJournalParams{Template: "json"}, d)
	must(t, err)
	defer o.Close()
	for _, text := range []string{"no JSON", "[1]", "{}"} {
		if _, err := o.Write(t.Context(), batch(text)); !errors.Is(err, ErrUnacceptable) {
			t.Errorf("%q: %v", text, err)
		}
	}
	o.(*omjournal).path = "/nonexistent/socket"
	_, err = o.Write(t.Context(), batch(`{"A":1}`))
	if err == nil || err.Error() != "cannot send to journald at /nonexistent/socket: no such file or directory" || o.TryResume(t.Context()) == nil {
		t.Errorf("no journald: %v", err)
	}
}
