package conf

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Format lays a configuration file out in the canonical way: one statement a line,
// four blanks for each level, selectors of neighbouring lines side by side. Comments,
// single blank lines, and the lines that the author made of an object or a condition
// stay; so do both languages, and includes. A file that cannot be read is refused.
func Format(name string, text []byte) ([]byte, error) {
	if isYAML(name) {
		return nil, errYAML(name)
	}
	if err := syntaxErrors(name, text); err != nil {
		return nil, err
	}
	elems, err := elements(name, text)
	if err != nil {
		return nil, err
	}
	p := &layout{}
	for i, e := range elems {
		p.rest = elems[i+1:]
		p.add(e)
	}
	out := p.bytes()
	if !sameTree(name, text, out) {
		return nil, errors.New(name + ": the file cannot be laid out anew without changing what it means")
	}
	return out, nil
}

func errYAML(name string) error {
	return fmt.Errorf("%s: YAML has no directives and its own tools to lay it out; nothing is done", name)
}

// syntaxErrors are those after which the structure of the file is not known.
func syntaxErrors(name string, text []byte) error {
	_, err := ParseAlone(name, text)
	var all, syntax *multierror.Error
	if !errors.As(err, &all) {
		return nil
	}
	for _, err := range all.Errors {
		if e := (*Error)(nil); errors.As(err, &e) && e.Syntax {
			syntax = multierror.Append(syntax, e)
		}
	}
	return syntax.ErrorOrNil()
}

// sameTree tells whether two texts are the same configuration.
func sameTree(name string, a, b []byte) bool {
	print := func(text []byte) string {
		cfg, _ := ParseAlone(name, text)
		var out strings.Builder
		if err := cfg.Print(&out); err != nil {
			return err.Error()
		}
		return out.String()
	}
	return print(a) == print(b)
}

// elem is a token or comment of a file as it is written.
type elem struct {
	tok     token
	text    string
	comment bool
	toEOL   bool // a # comment, which ends with its line
	lines   int  // line feeds in front of it
	mode    mode // of the lexer when it was read
}

// elements splits a file into tokens and comments.
func elements(name string, text []byte) ([]elem, error) {
	s := newSource(&Source{Name: name, Text: text})
	var errs *multierror.Error
	cfg := &Config{Sources: []*Source{s.Source}}
	l := &lexer{stack: []*source{s}, fail: func(e Error) {
		at := cfg.errorAt(e.Pos, e.Msg, e.Suggest)
		at.Syntax = e.Syntax
		errs = multierror.Append(errs, at)
	}}
	o := s.origins()
	var all []elem
	end := 0
	for {
		m := l.mode
		t := l.next()
		if t.kind == tEOF {
			all, _ = o.gap(all, end, len(s.buf))
			return all, errs.ErrorOrNil()
		}
		var lines int
		all, lines = o.gap(all, end, t.at)
		all = append(all, elem{tok: t, text: o.text(t.at, t.end), lines: lines, mode: m})
		end = t.end
	}
}

// origins finds the text of a file behind what was prepared of it.
type origins struct {
	src   *source
	lines []int // where lines begin in the file
}

func (s *source) origins() *origins {
	o := &origins{src: s, lines: []int{0}}
	for i, c := range s.Text {
		if c == '\n' {
			o.lines = append(o.lines, i+1)
		}
	}
	return o
}

// at is the place in the file of an offset into the prepared text.
func (o *origins) at(prepared int) int {
	marks := o.src.marks
	i := sort.Search(len(marks), func(i int) bool { return marks[i].at > prepared }) - 1
	if i < 0 {
		return 0
	}
	m := marks[i]
	return min(o.lines[m.line-1]+m.col-1+prepared-m.at, len(o.src.Text))
}

// text is what stands in the file for a part of the prepared text.
func (o *origins) text(from, to int) string {
	if to <= from {
		return ""
	}
	return string(o.src.Text[o.at(from):min(o.at(to-1)+1, len(o.src.Text))])
}

// gap reads what stands between two tokens: blanks and comments. It returns the
// line feeds behind the last comment.
func (o *origins) gap(all []elem, from, to int) ([]elem, int) {
	buf, lines := o.src.buf[:to], 0
	for at := from; at < to; {
		n := 1
		switch {
		case buf[at] == '\n':
			lines++
		case buf[at] == '#':
			if n = bytes.IndexByte(buf[at:], '\n'); n < 0 {
				n = to - at
			}
			all = append(all, elem{text: strings.TrimRight(o.text(at, at+n), blanks), comment: true, toEOL: true, lines: lines})
			lines = 0
		case bytes.HasPrefix(buf[at:], []byte("/*")):
			if n = bytes.Index(buf[at+2:], []byte("*/")) + 4; n < 4 {
				n = to - at
			}
			all = append(all, elem{text: o.text(at, at+n), comment: true, lines: lines})
			lines = 0
		}
		at += n
	}
	return all, lines
}
