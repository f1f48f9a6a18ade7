package engine

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible writes control characters and invalid UTF-8 as escapes.
func visible(b []byte) string {
	var s strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == '\n':
			s.WriteString(`\n`)
		case r == '\t':
			s.WriteString(`\t`)
		case r == '\r':
			s.WriteString(`\r`)
		case r == '\\':
			s.WriteString(`\\`)
		case r == utf8.RuneError && n == 1, r < ' ', r == 0x7f:
			fmt.Fprintf(&s, `\x%02x`, b[0])
		case !unicode.IsPrint(r):
			fmt.Fprintf(&s, `\u%04x`, r)
		default:
			s.Write(b[:n])
		}
		b = b[n:]
	}
	return s.String()
}

// Write writes the explanation for people: what the message is, and then, by
// line of the configuration, what happens to it.
func (x *Explanation) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", x.Raw)
	parser := "parsed by " + x.Parser
	if x.Parser == "" {
		parser = "no parser knows it: all of it is its msg"
	}
	fmt.Fprintf(&b, "  came over %s from %s, %s, enters ruleset %s\n\n", x.Input, x.From, parser, x.Ruleset)
	for _, p := range x.Properties {
		fmt.Fprintf(&b, "  %-20s %s\n", p.Name, p.Value)
	}
	file := ""
	for _, s := range x.Steps {
		if s.File != file {
			file = s.File
			fmt.Fprintf(&b, "\n  %s\n", file)
		}
		s.write(&b)
	}
	if len(x.Variables) > 0 {
		b.WriteString("\n  variables at the end\n")
	}
	for _, v := range x.Variables {
		fmt.Fprintf(&b, "  %-20s %s\n", v.Name, v.Value)
	}
	fmt.Fprintf(&b, "\n  %s\n", x.summary())
	_, err := io.WriteString(w, b.String())
	return err
}

func (x *Explanation) summary() string {
	actions := "no action gets it"
	switch {
	case x.Actions == 1:
		actions = "1 action gets it"
	case x.Actions > 1:
		actions = fmt.Sprintf("%d actions get it", x.Actions)
	}
	if x.Stopped == "" {
		return actions
	}
	return actions + "; stopped at " + x.Stopped
}

// margin is the space left of a step's text: line number and mark.
const margin = 18

// write writes one step: line, mark, text.
func (s *Step) write(b *strings.Builder) {
	mark, text := s.words()
	indent := strings.Repeat("  ", s.Level)
	fmt.Fprintf(b, "  %6d  %-7s %s%s\n", s.Line, mark, indent, text)
	more := strings.Repeat(" ", margin) + indent
	if len(s.Parts) == 1 && s.Holds != nil && s.Parts[0].Text == s.Text {
		return // it has no parts
	}
	for _, p := range s.Parts {
		if p.Text == s.Text { // the condition itself
			continue
		}
		value := p.Value
		if p.Skipped {
			value = "(not looked at)"
		}
		fmt.Fprintf(b, "%s%s%s  is  %s\n", more, strings.Repeat("  ", max(p.Level, 1)), p.Text, value)
	}
	if s.Action != nil {
		s.Action.write(b, more)
	}
}

// words are the mark and the text of a step.
func (s *Step) words() (mark, text string) {
	switch s.Kind {
	case "condition":
		if *s.Holds {
			return "yes", s.Text
		}
		return "no", s.Text
	case "set":
		return "set", s.Text + " = " + s.Value
	case "modify":
		return "modify", s.Text + ": " + s.Value
	case "unset":
		return "unset", s.Text
	case "each":
		return "each", s.Text + " = " + s.Value
	case "call":
		if s.Queued {
			return "call", s.Text + ", by way of its queue"
		}
		return "call", s.Text
	case "no-call":
		return "no call", "there is no ruleset " + s.Text + ", or it is called too deep"
	case "reload-lookup-table":
		return "reload", s.Text
	case "stop":
		return "stop", "it goes no further"
	case "failover":
		return "(->)", s.Action.destination() + ", only when the action before it is suspended"
	}
	return "->", s.Action.destination()
}

// destination says where the action would deliver to.
func (e *Emission) destination() string {
	to := strings.TrimSpace(e.Kind + " " + e.To)
	if to == "" {
		to = e.Module
	}
	to += "  (" + e.Name
	if e.Queue != "" {
		to += ", queue " + e.Queue
	}
	if e.Only != "" {
		to += ", takes " + e.Only
	}
	return to + ")"
}

func (e *Emission) write(b *strings.Builder, indent string) {
	if e.Why != "" {
		fmt.Fprintf(b, "%s  not delivered: %s\n", indent, e.Why)
	}
	if e.Bytes > 0 {
		fmt.Fprintf(b, "%s  %s\n", indent, e.Data)
	}
}
