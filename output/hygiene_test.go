package output

import (
	"strings"
	"testing"

	"sysrelay/message"
)

// A delimiter inside a message makes no second message of it, whatever the
// framing; a template that has one asks for it.
func TestDelimitersInside(t *testing.T) {
	const forged = "<13>one\n<10>su: root\n\n"
	for _, c := range []struct {
		framing   string
		delimiter int
		after     string
		want      string
	}{
		{"traditional", '\n', "", "<13>one <10>su: root \n"},
		{"traditional", '\n', "\n", "<13>one <10>su: root  \n"},
		{"octet-counted", '\n', "", "22 " + forged},
		{"traditional", 0, "", forged + "\x00"},
		{"traditional", '\n', "\n<13>of the template", forged + "\n<13>of the template\n"},
	} {
		ln := listen(t)
		col := newCollector(t, ln)
		p := fwdParams(ln.Addr())
		p.Framing, p.FrameDelimiter, p.Template = c.framing, c.delimiter, "t"
		d, _ := deps(map[string]message.Template{"t": textTemplate{after: c.after}})
		o, err := NewOMFwd(OMFwdModule{}, p, d)
		must(t, err)
		write(t, o, forged)
		col.want(c.want)
		must(t, o.Close())
	}
}

// Nothing that a message holds commands a terminal.
func TestForTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"\r\n\aMessage from syslogd:\tg\u00fc\u00dfe \u65e5\u672c\r\n": "\r\n\aMessage from syslogd:\tg\u00fc\u00dfe \u65e5\u672c\r\n",
		"\x1b]0;title\x07\x1b[2J":                                      "?]0;title\x07?[2J",
		"\x9b2J\x90":                                                   "?2J?",
		"\u009b2J \u0085 \x7f \x00":                                    "??2J ?? ? ?",
		"\xe2\x80":                                                     "??",
	} {
		if got := string(forTerminal([]byte(in))); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if got := string(forTerminal([]byte(strings.Repeat("\xff", 3)))); got != "???" {
		t.Errorf("%q", got)
	}
}
