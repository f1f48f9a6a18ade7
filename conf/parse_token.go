package conf

import "fmt"

// peek returns the next token. Directives on the way to it are carried out.
func (p *parser) peek() token {
	for !p.have {
		if len(p.errs) >= maxErrors {
			return token{kind: tEOF, src: p.tok.src, at: p.tok.at}
		}
		p.tok = p.next()
		switch p.tok.kind {
		case tDirective:
			p.directive(p.tok)
		case tBSDBlock:
			p.report(p.tok.pos(), "BSD-style blocks are not supported, neither here nor by rsyslogd (block "+p.tok.String()+")",
				`use a filter: if $programname == "name" then …, if $hostname == "name" then …`)
		default:
			p.have = true
		}
	}
	return p.tok
}

func (p *parser) advance() token {
	t := p.peek()
	p.have = false
	p.last = t
	p.taken++
	return t
}

// unread gives back the token taken last.
func (p *parser) unread(t token) { p.tok, p.have = t, true }

func (p *parser) accept(kind tokenKind, text string) bool {
	if p.peek().is(kind, text) {
		p.advance()
		return true
	}
	return false
}

// expect takes the token given, or reports what is missing. What is missing at
// the end of a line is reported there, not where the next token is.
func (p *parser) expect(kind tokenKind, text, where string) bool {
	if p.accept(kind, text) {
		return true
	}
	t := p.peek()
	switch {
	case t.kind == tBad:
	case p.last.src == t.src && p.last.src != nil && t.pos().Line > p.last.endPos().Line:
		p.broken(p.last.endPos(), fmt.Sprintf("expected %q %s", text, where), "")
	default:
		suggest := ""
		if t.kind == tFunc {
			suggest = didYouMean(t.text, operatorWords())
		}
		p.broken(t.pos(), fmt.Sprintf("expected %q %s, found %s", text, where, t), suggest)
	}
	return false
}
