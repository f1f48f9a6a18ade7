package main

import (
	"fmt"
	"io"
	"strings"

	"sysrelay/engine"
)

// manPages are the manual pages, in roff, by name.
func manPages() map[string]func(io.Writer) {
	return map[string]func(io.Writer){"sysrelay": manCommand, "sysrelay.conf": manConfig}
}

// roff writes the lines of a manual page.
type roff struct{ w io.Writer }

// macro writes a request with its arguments.
func (r roff) macro(name string, args ...string) {
	for i, a := range args {
		args[i] = `"` + strings.ReplaceAll(escapeRoff(a), `"`, `\(dq`) + `"`
	}
	fmt.Fprintln(r.w, strings.Join(append([]string{"." + name}, args...), " "))
}

// text writes a paragraph.
func (r roff) text(s string) {
	for line := range strings.Lines(s) {
		line = escapeRoff(strings.TrimRight(line, "\n"))
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line // it would be a request
		}
		fmt.Fprintln(r.w, line)
	}
}

// verbatim writes text as it is laid out.
func (r roff) verbatim(s string) {
	r.macro("nf")
	r.text(s)
	r.macro("fi")
}

func escapeRoff(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
}

// manCommand is sysrelay(8).
func manCommand(w io.Writer) {
	r := roff{w}
	r.macro("TH", "SYSRELAY", "8", "", "sysrelay "+version, "System Administration")
	r.macro("SH", "NAME")
	r.text("sysrelay - syslog relay, driven by rsyslog configurations")
	r.macro("SH", "SYNOPSIS")
	r.verbatim("sysrelay -n [-f FILE] [flags]\nsysrelay COMMAND [arguments]")
	r.macro("SH", "DESCRIPTION")
	r.text("sysrelay receives, filters, stores and forwards syslog messages. It is configured by what rsyslogd is configured by; " +
		"see sysrelay.conf(5). What it has acknowledged to a RELP sender is stored.")
	r.macro("PP")
	r.text("Called by the name rsyslogd, it behaves as rsyslogd does.")
	r.macro("SH", "DAEMON")
	r.verbatim(strings.TrimLeft(daemonUsage, "\n"))
	r.macro("SH", "COMMANDS")
	for _, c := range commands() {
		r.macro("SS", strings.TrimSpace(c.name+" "+c.synopsis))
		r.text(strings.ToUpper(c.summary[:1]) + c.summary[1:] + ".")
		for _, f := range c.flags {
			r.macro("TP")
			r.macro("B", f.words())
			r.text(f.text)
		}
		if c.detail != "" {
			r.macro("PP")
			r.verbatim(c.detail)
		}
	}
	r.macro("SH", "SIGNALS")
	r.verbatim("TERM  drain the queues within their time-outs and end; a second one hurries\n" +
		"HUP   open files anew, read certificates and lookup tables again\n" +
		"INT   end, when in the foreground")
	r.macro("SH", "FILES")
	r.verbatim(ownConfig + "\n" + rsyslogConfig + "\n/var/spool/sysrelay")
	r.macro("SH", "SEE ALSO")
	r.text("sysrelay.conf(5), logger(1)")
}

// manConfig is sysrelay.conf(5).
func manConfig(w io.Writer) {
	r := roff{w}
	r.macro("TH", "SYSRELAY.CONF", "5", "", "sysrelay "+version, "File Formats")
	r.macro("SH", "NAME")
	r.text("sysrelay.conf - configuration of sysrelay(8)")
	r.macro("SH", "DESCRIPTION")
	r.text("The languages are rsyslog's: legacy directives, selector lines and RainerScript. " +
		"This page lists every module and object with its parameters.")
	for _, page := range engine.NewManual().Pages {
		r.macro("SH", strings.ToUpper(page.Name))
		for _, s := range page.Sections {
			r.macro("SS", s.Where)
			for _, p := range s.Params {
				r.macro("TP")
				r.macro("B", p.Name)
				r.text(strings.Join(facts(p), ", ") + ".")
				r.macro("br")
				r.text(p.Doc)
			}
		}
	}
	r.macro("SH", "SEE ALSO")
	r.text("sysrelay(8)")
}
