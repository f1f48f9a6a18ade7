package message

import "bytes"

// takePart narrows v to field, expression, substring and sp-if-no-1st-sp. It
// returns false if v is final: the text for "no such field".
func (r *replacer) takePart(v *value) bool {
	switch {
	case r.field != nil:
		part, ok := r.field.of(v.text)
		if !ok {
			v.set("**FIELD NOT FOUND**")
			return false
		}
		v.text = part
	case r.expr != nil:
		r.expr.narrow(v)
	}
	if r.pos != nil {
		r.pos.narrow(v)
	}
	if r.firstSP && len(v.text) > 0 {
		if v.text[0] == ' ' {
			v.set("")
		} else {
			v.set(" ")
		}
	}
	return true
}

// of finds the field; behind a delimiter that ends the value there is an empty one.
func (f *fieldPart) of(text []byte) (part []byte, ok bool) {
	n := 1
	for len(text) > 0 && n < f.n {
		i := bytes.IndexByte(text, f.delim)
		if i < 0 {
			return nil, false
		}
		text = text[i+1:]
		for f.expand && len(text) > 0 && text[0] == f.delim {
			text = text[1:]
		}
		n++
	}
	if n != f.n {
		return nil, false
	}
	if i := bytes.IndexByte(text, f.delim); i >= 0 {
		text = text[:i]
	}
	return text, true
}

// narrow takes what the expression matches, or what stands for "no match". as
// rsyslog: a submatch that took no part in a match is empty, whatever nomatch says.
func (x *exprPart) narrow(v *value) {
	if part, ok := x.find(v.text); ok {
		v.text = part
		return
	}
	switch x.noMatch {
	case noMatchDefault:
		v.set("**NO MATCH**")
	case noMatchZero:
		v.set("0")
	case noMatchBlank:
		v.set("")
	}
}

func (x *exprPart) find(text []byte) ([]byte, bool) {
	if x.match == 0 && x.submatch == 0 {
		loc := x.re.FindIndex(text)
		if loc == nil {
			return nil, false
		}
		return text[loc[0]:loc[1]], true
	}
	for try := 0; ; try++ {
		loc := x.re.FindSubmatchIndex(text)
		switch {
		case loc == nil:
			return nil, false
		case try < x.match && loc[1] > 0:
			// as rsyslog: the search goes on behind the match, where ^ matches again;
			// an empty match at the beginning is found again and again.
			text = text[loc[1]:]
			continue
		case 2*x.submatch >= len(loc) || loc[2*x.submatch] < 0:
			return nil, true
		}
		return text[loc[2*x.submatch]:loc[2*x.submatch+1]], true
	}
}

// narrow takes the substring. Positions count bytes from 1 and include the last.
func (p *position) narrow(v *value) {
	size := len(v.text)
	from, to := p.bounds(size)
	switch {
	case from >= size || to < from:
		v.set("")
	case to < size:
		v.text = v.text[from : to+1]
	default:
		v.text = v.text[from:]
		if p.fixed {
			v.own()
			for n := to - size + 1; n > 0; n-- {
				v.dst = append(v.dst, ' ')
			}
			v.text = v.dst[v.at:]
		}
	}
}

// bounds are the positions counted from 0 for a value of the given size.
func (p *position) bounds(size int) (from, to int) {
	if p.fromEnd {
		return max(size-p.from, 0), max(size-p.to, 0)
	}
	from, to = max(p.from-1, 0), p.to
	switch {
	case to > 0:
		to--
	case to < 0:
		to = max(size-1+to, 0)
	}
	return from, to
}
