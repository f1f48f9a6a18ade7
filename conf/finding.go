package conf

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Severity is how much a finding matters.
type Severity uint8

const (
	// Wrong is an error: what it is about is left out.
	Wrong Severity = iota
	// Unsupported is right for rsyslogd, but is not there here: what it is about is
	// left out.
	Unsupported
	// Warning is for what works and will bite.
	Warning
	// Note is for what is good to know.
	Note
)

// String is what people and JSON call the severity.
func (s Severity) String() string {
	return [...]string{"error", "unsupported", "warning", "note"}[s]
}

// MarshalText writes the severity as its name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one thing that a check of a configuration has to say.
type Finding struct {
	Severity Severity `json:"severity"`
	ID       string   `json:"id"` // kebab-case: what kind of finding it is
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Message  string   `json:"message"`
	Why      string   `json:"why,omitempty"` // what it leads to
	Fix      string   `json:"fix,omitempty"`
	Source   string   `json:"source,omitempty"` // the line of the text
}

// Findings lists what errs and the notices say, in the order of the text; what
// has no place comes last.
func (c *Config) Findings(errs []error) []Finding {
	var all []Finding
	for _, err := range errs {
		e := (*Error)(nil)
		if !errors.As(err, &e) {
			e = &Error{Msg: err.Error()}
		}
		all = append(all, e.finding())
	}
	for _, e := range c.Notices {
		all = append(all, e.finding())
	}
	order := map[string]int{"": len(c.Sources)}
	for i, s := range c.Sources {
		if _, known := order[s.Name]; !known {
			order[s.Name] = i
		}
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(order[a.File], order[b.File]), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Severity, b.Severity))
	})
	return all
}

// Write writes the finding for people: where and what, the line with a caret, what
// it leads to if that is wanted, and what to do about it.
func (f Finding) Write(w io.Writer, explain bool) {
	var b strings.Builder
	if f.File != "" {
		fmt.Fprintf(&b, "%s:%d:%d: ", f.File, f.Line, f.Column)
	}
	fmt.Fprintf(&b, "%s: %s [%s]\n", f.Severity, f.Message, f.ID)
	if f.Source != "" {
		fmt.Fprintf(&b, "    %s\n    %s^\n", f.Source, caretIndent(f.Source, f.Column))
	}
	if f.Why != "" && explain {
		fmt.Fprintf(&b, "    %s\n", f.Why)
	}
	if fix := strings.TrimSpace(f.Fix); fix != "" {
		fmt.Fprintf(&b, "    %s\n", fix)
	}
	io.WriteString(w, b.String())
}

func (e *Error) finding() Finding {
	return Finding{
		Severity: e.Severity, ID: e.id(), File: e.File, Line: e.Pos.Line, Column: e.Col,
		Message: e.Msg, Why: e.Why, Fix: e.Suggest, Source: e.Line,
	}
}

// id is the kind of an error that has not been given one.
func (e *Error) id() string {
	switch {
	case e.ID != "":
		return e.ID
	case e.Fatal:
		return "unreadable"
	case e.Syntax:
		return "syntax"
	case e.Severity == Wrong:
		return "invalid"
	}
	return e.Severity.String()
}
