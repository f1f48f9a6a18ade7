package filter

import (
	"strings"

	"sysrelay/conf"
	"sysrelay/message"
)

// Compiled expressions. They keep nothing of e or m.
type (
	boolFunc   func(e *eval, m *message.Message) bool
	numberFunc func(e *eval, m *message.Message) int64
	textFunc   func(e *eval, m *message.Message) []byte
	valueFunc  func(e *eval, m *message.Message) value
)

// expr is a compiled expression. Exactly one of number, text and value is set:
// most expressions have a type known beforehand and need no value.
type expr struct {
	number numberFunc
	text   textFunc
	value  valueFunc
	holds  boolFunc // with number: whether it is not 0, found more directly
	// elems are the elements of an array; elsewhere than in comparisons an array
	// is its first element.
	elems [][]byte
	fixed bool // the value is always the same
	pri   bool // the value depends on the message's PRI alone
}

func numberExpr(f numberFunc) expr { return expr{number: f} }
func textExpr(f textFunc) expr     { return expr{text: f} }
func valueExpr(f valueFunc) expr   { return expr{value: f} }

func boolExpr(f boolFunc) expr {
	return expr{holds: f, number: func(e *eval, m *message.Message) int64 {
		if f(e, m) {
			return 1
		}
		return 0
	}}
}

func fixedNumber(n int64) expr {
	return expr{fixed: true, pri: true, number: func(*eval, *message.Message) int64 { return n }}
}

func fixedText(s string) expr {
	b := []byte(s)
	return expr{fixed: true, pri: true, text: func(*eval, *message.Message) []byte { return b }}
}

// once evaluates x, which is fixed.
func (x expr) once() value {
	return x.asValue()(&eval{mark: new(mark)}, &message.Message{})
}

// folded is x, evaluated now if that is possible.
func (x expr) folded() expr {
	if !x.fixed {
		return x
	}
	switch v := x.once(); v.kind {
	case numberKind:
		return fixedNumber(v.num)
	case textKind:
		return fixedText(string(v.text))
	}
	return x
}

// dependingOn marks x as fixed, or as depending on the PRI alone, if all its
// parts are.
func (x expr) dependingOn(parts ...expr) expr {
	x.fixed, x.pri = true, true
	for _, p := range parts {
		x.fixed = x.fixed && p.fixed
		x.pri = x.pri && p.pri
	}
	return x.folded()
}

func (x expr) asValue() valueFunc {
	switch {
	case x.number != nil:
		return func(e *eval, m *message.Message) value { return numberValue(x.number(e, m)) }
	case x.text != nil:
		return func(e *eval, m *message.Message) value { return textValue(x.text(e, m)) }
	}
	return x.value
}

func (x expr) asText() textFunc {
	switch {
	case x.number != nil:
		return func(e *eval, m *message.Message) []byte { return e.number(x.number(e, m)) }
	case x.text != nil:
		return x.text
	}
	return func(e *eval, m *message.Message) []byte {
		v := x.value(e, m)
		return v.string(e)
	}
}

// asNumber is x as a number, as far as it goes.
func (x expr) asNumber() numberFunc {
	switch {
	case x.number != nil:
		return x.number
	case x.text != nil:
		return func(e *eval, m *message.Message) int64 {
			n, _ := parseNumber(x.text(e, m))
			return n
		}
	}
	return func(e *eval, m *message.Message) int64 {
		v := x.value(e, m)
		n, _ := v.number()
		return n
	}
}

// asBool is whether x is a number other than 0. What depends on the PRI alone
// becomes a selector.
func (x expr) asBool() boolFunc {
	if x.pri {
		s := x.selector()
		return func(_ *eval, m *message.Message) bool { return s.Match(m) }
	}
	if x.holds != nil {
		return x.holds
	}
	n := x.asNumber()
	return func(e *eval, m *message.Message) bool { return n(e, m) != 0 }
}

// selector evaluates x, which depends on the PRI alone, for every PRI.
func (x expr) selector() *Selector {
	s, n, e := new(Selector), x.asNumber(), eval{mark: new(mark)}
	var m message.Message
	for pri := range facilities * 8 {
		e.begin(e.mark)
		m = message.Message{PRI: uint16(pri), Flags: message.Parsed}
		if n(&e, &m) != 0 {
			s[pri>>3] |= 1 << (pri & 7)
		}
	}
	return s
}

// condition is a compiled condition: a selector, or a closure.
type condition struct {
	site
	text     string  // for the tracer, as are
	parts    *traced // nil unless it is wanted
	selector *Selector
	holds    boolFunc
}

func (c *compiler) condition(x conf.Expr) condition {
	cond := condition{site: c.site(x.Position()), text: exprText(x), parts: c.traced(x)}
	if v := c.expr(x); v.pri {
		cond.selector = v.selector()
	} else {
		cond.holds = v.asBool()
	}
	return cond
}

// expr compiles x. After an error it returns something that can be used.
func (c *compiler) expr(x conf.Expr) expr {
	switch x := x.(type) {
	case *conf.Num:
		return fixedNumber(x.Value)
	case *conf.Str:
		return fixedText(x.Value)
	case *conf.Array:
		return c.array(x)
	case *conf.Var:
		return c.variable(x)
	case *conf.Func:
		return c.call(x)
	case *conf.Unary:
		return c.unary(x)
	case *conf.Binary:
		return c.binary(x)
	}
	c.errorf(x.Position(), "", "expression %T is not known", x)
	return fixedNumber(0)
}

func (c *compiler) array(x *conf.Array) expr {
	a := fixedText("")
	for i, elem := range x.Elems {
		v := c.expr(elem)
		if !v.fixed {
			c.errorf(elem.Position(), "", "an array can hold constants only")
			continue
		}
		text := string(v.asText()(new(eval), nil))
		if i == 0 {
			a = fixedText(text)
		}
		a.elems = append(a.elems, []byte(text))
	}
	if len(x.Elems) == 0 {
		c.errorf(x.Pos, "", "an array needs an element")
	}
	return a
}

func (c *compiler) variable(x *conf.Var) expr {
	if isTree(x.Name) {
		path, ok := c.path(x.Pos, x.Name)
		if !ok {
			return fixedText("")
		}
		return valueExpr(func(e *eval, m *message.Message) value {
			v, _ := m.Var(path)
			return e.fromJSON(v)
		})
	}
	p, err := c.deps.Env.Property(x.Name)
	if err != nil {
		c.errs = appendError(c.errs, x.Pos, err)
		return fixedText("")
	}
	t := textExpr(func(e *eval, m *message.Message) []byte { return e.property(p, m) })
	t.pri = dependsOnPRI(x.Name)
	return t
}

// isTree tells whether a name is one of a variable in $!, $. or $/. as rsyslog:
// the property $!all-json is none but in templates.
func isTree(name string) bool {
	return name != "" && (name[0] == '!' || name[0] == '.' || name[0] == '/')
}

// dependsOnPRI tells whether a property is a function of the PRI.
func dependsOnPRI(name string) bool {
	switch strings.ToLower(name) {
	case "pri", "pri-text", "syslogfacility", "syslogfacility-text", "syslogseverity",
		"syslogseverity-text", "syslogpriority", "syslogpriority-text":
		return true
	}
	return false
}

// path resolves a variable's name. Rulesets that use $/ are run message by
// message, so that what one message sets is what the next one finds.
func (c *compiler) path(pos conf.Pos, name string) (message.Path, bool) {
	p, err := c.deps.Env.Path(name)
	if err != nil {
		c.errs = appendError(c.errs, pos, err)
		return p, false
	}
	if strings.HasPrefix(strings.TrimPrefix(name, "$"), "/") {
		c.ruleset.single = true
	}
	return p, true
}

func (c *compiler) unary(x *conf.Unary) expr {
	if x.Op == "not" {
		v := c.expr(x.X)
		holds := v.asBool()
		return boolExpr(func(e *eval, m *message.Message) bool { return !holds(e, m) }).dependingOn(v)
	}
	v := c.verbatimExpr(x.X)
	n := v.asNumber()
	return numberExpr(func(e *eval, m *message.Message) int64 { return -n(e, m) }).dependingOn(v)
}

func (c *compiler) binary(x *conf.Binary) expr {
	switch x.Op {
	case "and", "or":
		return c.logical(x)
	case "==", "!=", "<", ">", "<=", ">=":
		return c.comparison(x)
	case "contains", "contains_i", "startswith", "startswith_i", "endswith":
		return c.textMatch(x)
	}
	l, r := c.expr(x.X), c.expr(x.Y)
	if x.Op == "&" {
		return concat(l.asText(), r.asText()).dependingOn(l, r)
	}
	if !c.verbatim && isLiteral(x.X) && isLiteral(x.Y) {
		l, r = l.literalNumber(), r.literalNumber()
	}
	return c.arithmetic(x, l.asNumber(), r.asNumber()).dependingOn(l, r)
}

// isLiteral tells whether x is made of literals alone. as rsyslog: it calculates
// those when it reads the configuration, and takes texts for numbers as cnum() does;
// but not within the arguments of functions and behind a minus.
func isLiteral(x conf.Expr) bool {
	switch x := x.(type) {
	case *conf.Num, *conf.Str:
		return true
	case *conf.Binary:
		return strings.Contains("+-*/%&", x.Op) && isLiteral(x.X) && isLiteral(x.Y)
	}
	return false
}

// verbatimExpr compiles what rsyslog does not calculate beforehand.
func (c *compiler) verbatimExpr(x conf.Expr) expr {
	before := c.verbatim
	c.verbatim = true
	v := c.expr(x)
	c.verbatim = before
	return v
}

// literalNumber is x, which is fixed, as a number.
func (x expr) literalNumber() expr {
	if x.text == nil {
		return x
	}
	return fixedNumber(literalNumber(string(x.once().text)))
}

func (c *compiler) logical(x *conf.Binary) expr {
	l, r := c.expr(x.X), c.expr(x.Y)
	a, b := l.asBool(), r.asBool()
	if x.Op == "and" {
		return boolExpr(func(e *eval, m *message.Message) bool { return a(e, m) && b(e, m) }).dependingOn(l, r)
	}
	return boolExpr(func(e *eval, m *message.Message) bool { return a(e, m) || b(e, m) }).dependingOn(l, r)
}

func concat(l, r textFunc) expr {
	return textExpr(func(e *eval, m *message.Message) []byte {
		a := l(e, m)
		b := r(e, m)
		at := len(e.buf)
		e.buf = append(append(e.buf, a...), b...)
		return e.since(at)
	})
}

func (c *compiler) arithmetic(x *conf.Binary, l, r numberFunc) expr {
	switch x.Op {
	case "+":
		return numberExpr(func(e *eval, m *message.Message) int64 { return l(e, m) + r(e, m) })
	case "-":
		return numberExpr(func(e *eval, m *message.Message) int64 { return l(e, m) - r(e, m) })
	case "*":
		return numberExpr(func(e *eval, m *message.Message) int64 { return l(e, m) * r(e, m) })
	case "/":
		return numberExpr(func(e *eval, m *message.Message) int64 {
			a, b := l(e, m), r(e, m)
			if b == 0 { // as rsyslog
				return 0
			}
			return a / b
		})
	case "%":
		return numberExpr(func(e *eval, m *message.Message) int64 {
			a, b := l(e, m), r(e, m)
			if b == 0 { // as rsyslog
				return 0
			}
			return a % b
		})
	}
	c.errorf(x.Pos, "", "operator %q is not known", x.Op)
	return fixedNumber(0)
}
