package conf

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Errorf makes an error at a place of the configuration, for those who build
// what it describes.
func (c *Config) Errorf(at Pos, suggest, format string, args ...any) *Error {
	return c.errorAt(at, fmt.Sprintf(format, args...), suggest)
}

// Quote completes an error that was made without the configuration at hand by
// the line it is about.
func (c *Config) Quote(e *Error) {
	if e.Line == "" {
		e.Line = c.errorAt(e.Pos, "", "").Line
	}
}

// DidYouMean suggests the name closest to word, or nothing if none is close.
func DidYouMean(word string, names []string) string { return didYouMean(word, names) }

// Sort puts errors in the order of the text; those without a place come last.
func (c *Config) Sort(errs []error) {
	place := func(err error) (file int, at Pos) {
		e := (*Error)(nil)
		if !errors.As(err, &e) {
			return len(c.Sources), Pos{}
		}
		return slices.IndexFunc(c.Sources, func(s *Source) bool { return s.Name == e.File }), e.Pos
	}
	slices.SortStableFunc(errs, func(a, b error) int {
		fileA, atA := place(a)
		fileB, atB := place(b)
		return cmp.Or(cmp.Compare(fileA, fileB), cmp.Compare(atA.Line, atB.Line), cmp.Compare(atA.Col, atB.Col))
	})
}

// add adds an error.
func (p *parser) add(e Error) {
	if len(p.errs) < maxErrors {
		at := p.cfg.errorAt(e.Pos, e.Msg, e.Suggest)
		at.Syntax, at.Fatal = e.Syntax, e.Fatal
		p.errs = append(p.errs, at)
	}
}

// report adds an error that leaves the rest of the text as it is.
func (p *parser) report(at Pos, msg, suggest string) {
	p.add(Error{Pos: at, Msg: msg, Suggest: suggest})
}

// notice adds something the user should know.
func (p *parser) notice(at Pos, msg, suggest string) { p.note("", at, msg, suggest) }

// warn adds something that rsyslogd lets pass and that is hardly meant.
func (p *parser) warn(at Pos, msg, suggest string) {
	p.keepNotice(Error{Pos: at, Msg: msg, Suggest: suggest, Severity: Warning})
}

// note is notice of a kind.
func (p *parser) note(id string, at Pos, msg, suggest string) {
	p.keepNotice(Error{Pos: at, Msg: msg, Suggest: suggest, Severity: Note, ID: id})
}

func (p *parser) keepNotice(n Error) {
	if len(p.cfg.Notices) == maxNotices {
		n.Msg, n.Suggest = "there is more to note, which is not shown", ""
	} else if len(p.cfg.Notices) > maxNotices {
		return
	}
	e := p.cfg.errorAt(n.Pos, n.Msg, n.Suggest)
	e.Severity, e.ID = n.Severity, n.ID
	p.cfg.Notices = append(p.cfg.Notices, e)
}
