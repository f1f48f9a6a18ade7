package conf

import "fmt"

// Binding strength of the operators, as in rsyslogd: and and or are equal, and
// not binds tighter than everything else.
var precedence = map[string]int{
	"and": 1, "or": 1,
	"==": 2, "!=": 2, "<": 2, ">": 2, "<=": 2, ">=": 2,
	"contains": 2, "contains_i": 2, "startswith": 2, "startswith_i": 2, "endswith": 2,
	"+": 3, "-": 3, "&": 3,
	"*": 4, "/": 4, "%": 4,
}

// expr reads an expression.
func (p *parser) expr() (Expr, bool) {
	operators := 0
	return p.binary(1, &operators)
}

// binary reads operands joined by operators that bind at least as strongly as
// level.
func (p *parser) binary(level int, operators *int) (Expr, bool) {
	x, ok := p.unary(operators)
	for ok {
		op := p.peek()
		prec := precedence[op.text]
		if op.kind == tPunct && op.text == "=" {
			p.broken(op.pos(), `"=" compares nothing`, `write "=="`)
			prec, op.text = precedence["=="], "=="
		}
		if op.kind != tPunct || prec < level {
			return x, true
		}
		if *operators++; *operators > maxOperators {
			p.broken(op.pos(), fmt.Sprintf("more than %d operators in one expression", maxOperators), "")
			return nil, false
		}
		p.advance()
		var y Expr
		if y, ok = p.binary(prec+1, operators); ok {
			x = &Binary{Pos: x.Position(), Op: op.text, X: x, Y: y}
		}
	}
	return nil, false
}

func (p *parser) unary(operators *int) (Expr, bool) {
	if p.depth++; p.depth > maxDepth {
		p.broken(p.peek().pos(), fmt.Sprintf("more than %d levels inside one another", maxDepth), "")
		return nil, false
	}
	defer func() { p.depth-- }()
	t := p.advance()
	at := t.pos()
	switch t.kind {
	case tNumber:
		return &Num{at, t.num}, true
	case tString:
		return &Str{at, t.text}, true
	case tVar:
		if t.text == "" {
			p.broken(at, "a $ without a name", "text that contains a $ goes in single quotes")
			return nil, false
		}
		return &Var{at, t.text}, true
	case tFunc:
		return p.function(t, operators)
	case tPunct:
		switch t.text {
		case "not", "-":
			x, ok := p.unary(operators)
			return &Unary{at, t.text, x}, ok
		case "(":
			x, ok := p.binary(1, operators)
			return x, ok && p.expect(tPunct, ")", "in the expression")
		case "[":
			return p.array(t)
		}
	}
	p.broken(at, "expected a value in the expression, found "+t.String(), "")
	return nil, false
}

func (p *parser) function(t token, operators *int) (Expr, bool) {
	f := &Func{Pos: t.pos(), Name: t.text}
	if !p.peek().is(tPunct, "(") {
		p.broken(t.pos(), fmt.Sprintf("%s is neither a variable nor a function call", t), didYouMean(t.text, operatorWords())+exprHint)
		return nil, false
	}
	p.advance()
	if p.accept(tPunct, ")") {
		return f, true
	}
	for {
		x, ok := p.binary(1, operators)
		if !ok {
			return nil, false
		}
		f.Args = append(f.Args, x)
		if !p.accept(tPunct, ",") {
			return f, p.expect(tPunct, ")", "after the arguments of "+t.text+"()")
		}
	}
}

const exprHint = "variables begin with $, text goes in quotes"

func operatorWords() []string {
	words := []string{"then", "do", "in"}
	for w := range exprWords {
		words = append(words, w)
	}
	return words
}

// array reads ["a", "b"]. As in rsyslogd, its elements are strings.
func (p *parser) array(open token) (Expr, bool) {
	a := &Array{Pos: open.pos()}
	for {
		t := p.advance()
		if t.kind != tString {
			p.broken(t.pos(), "expected a string in the array, found "+t.String(), `arrays are written ["one", "two"]`)
			return nil, false
		}
		a.Elems = append(a.Elems, &Str{t.pos(), t.text})
		if !p.accept(tPunct, ",") {
			return a, p.expect(tPunct, "]", "at the end of the array")
		}
	}
}
