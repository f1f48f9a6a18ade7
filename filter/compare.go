package filter

import (
	"bytes"
	"strings"

	"sysrelay/conf"
	"sysrelay/message"
)

// comparison compiles x == y, x < y and their like.
func (c *compiler) comparison(x *conf.Binary) expr {
	if v, ok := compareFacilityName(x); ok {
		return v
	}
	l, r := c.operand(x.X, x.Y), c.operand(x.Y, x.X)
	if x.Op == "==" || x.Op == "!=" {
		return equality(l, r, x.Op == "!=").dependingOn(l, r)
	}
	accept := orderOf(x.Op)
	if l.number != nil && r.number != nil {
		return boolExpr(func(e *eval, m *message.Message) bool {
			a, b := l.number(e, m), r.number(e, m)
			return a < b && accept.less || a == b && accept.equal || a > b && accept.greater
		}).dependingOn(l, r)
	}
	a, b := l.asValue(), r.asValue()
	return boolExpr(func(e *eval, m *message.Message) bool {
		vl := a(e, m)
		vr := b(e, m)
		switch e.order(&vl, &vr) {
		case -1:
			return accept.less
		case 0:
			return accept.equal
		}
		return accept.greater
	}).dependingOn(l, r)
}

// outcomes are the results of a comparison for which an operator holds.
type outcomes struct{ less, equal, greater bool }

func orderOf(op string) outcomes {
	return outcomes{less: op[0] == '<', equal: len(op) == 2, greater: op[0] == '>'}
}

// operand compiles one side of a comparison. as rsyslog: facility and severity
// compared with a number are numbers, and the facility of an invalid PRI is 24,
// where the property would be "invld".
func (c *compiler) operand(x, other conf.Expr) expr {
	v, isVar := x.(*conf.Var)
	if _, isNum := other.(*conf.Num); isVar && isNum {
		switch strings.ToLower(v.Name) {
		case "syslogfacility":
			f := numberExpr(func(_ *eval, m *message.Message) int64 { return int64(m.Facility()) })
			f.pri = true
			return f
		case "syslogseverity", "syslogpriority":
			s := numberExpr(func(_ *eval, m *message.Message) int64 { return int64(m.Severity()) })
			s.pri = true
			return s
		}
	}
	return c.expr(x)
}

// compareFacilityName compiles $syslogfacility-text == "name" and the same with
// the severity. as rsyslog: aliases of names and any case are understood there.
func compareFacilityName(x *conf.Binary) (expr, bool) {
	v, isVar := x.X.(*conf.Var)
	name, isStr := x.Y.(*conf.Str)
	if !isVar || !isStr || x.Op != "==" && x.Op != "!=" {
		return expr{}, false
	}
	var want int
	var of func(*message.Message) int
	switch strings.ToLower(v.Name) {
	case "syslogfacility-text":
		f, err := facilityNumber(name.Value)
		if err != nil {
			return expr{}, false
		}
		want, of = f, (*message.Message).Facility
	case "syslogseverity-text":
		s, ok := severityNumber(name.Value)
		if !ok {
			return expr{}, false
		}
		want, of = s, (*message.Message).Severity
	default:
		return expr{}, false
	}
	equal := x.Op == "=="
	b := boolExpr(func(_ *eval, m *message.Message) bool { return (of(m) == want) == equal })
	b.pri = true
	return b, true
}

func equality(l, r expr, negate bool) expr {
	if l.elems != nil {
		l, r = r, l
	}
	var holds boolFunc
	switch {
	case r.elems != nil && l.text != nil:
		holds = oneOf(l.text, r.elems)
	case r.elems != nil:
		holds = equalsOne(l.asValue(), r.elems)
	case l.number != nil && r.number != nil:
		holds = func(e *eval, m *message.Message) bool { return l.number(e, m) == r.number(e, m) }
	case l.text != nil && r.text != nil && r.fixed:
		want := r.once().text
		holds = func(e *eval, m *message.Message) bool { return bytes.Equal(l.text(e, m), want) }
	default:
		a, b := l.asValue(), r.asValue()
		holds = func(e *eval, m *message.Message) bool {
			vl := a(e, m)
			vr := b(e, m)
			return e.equal(&vl, &vr)
		}
	}
	if negate {
		return boolExpr(func(e *eval, m *message.Message) bool { return !holds(e, m) })
	}
	return boolExpr(holds)
}

// equalsOne tells whether a value equals an element, as == has it.
func equalsOne(v valueFunc, elems [][]byte) boolFunc {
	return func(e *eval, m *message.Message) bool {
		l := v(e, m)
		for _, el := range elems {
			r := textValue(el)
			if e.equal(&l, &r) {
				return true
			}
		}
		return false
	}
}

// oneOf tells whether a text is an element.
func oneOf(text textFunc, elems [][]byte) boolFunc {
	set := make(map[string]struct{}, len(elems))
	for _, el := range elems {
		set[string(el)] = struct{}{}
	}
	return func(e *eval, m *message.Message) bool {
		_, ok := set[string(text(e, m))]
		return ok
	}
}

// textMatch compiles x contains y and its like. as rsyslog: an array on the right
// means any of its elements.
func (c *compiler) textMatch(x *conf.Binary) expr {
	l, r := c.expr(x.X), c.expr(x.Y)
	text := l.asText()
	if !r.fixed {
		match, pattern := matcher(x.Op), r.asText()
		return boolExpr(func(e *eval, m *message.Message) bool {
			t := text(e, m)
			return match(t, pattern(e, m))
		})
	}
	patterns := r.elems
	if patterns == nil {
		patterns = [][]byte{r.asText()(new(eval), nil)}
	}
	match := matcher(x.Op)
	if len(patterns) == 1 {
		p := patterns[0]
		return boolExpr(func(e *eval, m *message.Message) bool { return match(text(e, m), p) }).dependingOn(l)
	}
	return boolExpr(func(e *eval, m *message.Message) bool {
		t := text(e, m)
		for _, p := range patterns {
			if match(t, p) {
				return true
			}
		}
		return false
	}).dependingOn(l)
}

// matcher is the function behind an operator of expressions or property filters.
func matcher(op string) func(text, pattern []byte) bool {
	switch op {
	case "contains":
		return bytes.Contains
	case "contains_i":
		return containsFold
	case "startswith":
		return bytes.HasPrefix
	case "startswith_i":
		return hasPrefixFold
	case "endswith":
		return bytes.HasSuffix
	case "isequal":
		return bytes.Equal
	}
	return nil
}

func hasPrefixFold(t, p []byte) bool { return len(t) >= len(p) && equalFold(t[:len(p)], p) }

func containsFold(t, p []byte) bool {
	if len(p) == 0 {
		return true
	}
	lower, upper := fold(p[0]), p[0]
	if 'a' <= lower && lower <= 'z' {
		upper = lower - 'a' + 'A'
	}
	for len(t) >= len(p) {
		i := bytes.IndexByte(t[:len(t)-len(p)+1], lower)
		if lower != upper {
			rest := t[:len(t)-len(p)+1]
			if i >= 0 {
				rest = rest[:i]
			}
			if j := bytes.IndexByte(rest, upper); j >= 0 {
				i = j
			}
		}
		if i < 0 {
			return false
		}
		if equalFold(t[i:i+len(p)], p) {
			return true
		}
		t = t[i+1:]
	}
	return false
}

// equalFold compares texts of the same length without the case of ASCII letters,
// as C's strcasecmp.
func equalFold(a, b []byte) bool {
	for i, c := range a {
		if c != b[i] && fold(c) != fold(b[i]) {
			return false
		}
	}
	return true
}

func fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
