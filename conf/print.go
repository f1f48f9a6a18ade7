package conf

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Print writes the tree as a configuration in RainerScript, one way for
// everything, whatever way it was written. Read again it gives the same tree,
// but for the mark of legacy objects, which is a comment here.
func (c *Config) Print(w io.Writer) error {
	var p printer
	p.stmts(c.Stmts)
	_, err := io.WriteString(w, p.String())
	return err
}

type printer struct {
	strings.Builder
	depth int
}

// line begins a line.
func (p *printer) line() { p.WriteString(strings.Repeat("    ", p.depth)) }

func (p *printer) stmts(all []Stmt) {
	for _, s := range all {
		p.line()
		p.stmt(s)
		p.WriteByte('\n')
	}
}

// block writes statements in braces. Where errors left none, there is continue.
func (p *printer) block(all []Stmt) {
	p.WriteString(" {\n")
	p.depth++
	if len(all) == 0 {
		p.line()
		p.WriteString("continue\n")
	}
	p.stmts(all)
	p.depth--
	p.line()
	p.WriteByte('}')
}

func (p *printer) stmt(s Stmt) {
	switch s := s.(type) {
	case *Object:
		p.object(s)
	case *If:
		p.WriteString("if ")
		p.expr(s.Cond)
		p.WriteString(" then")
		p.block(s.Then)
		if s.Else != nil {
			p.WriteString(" else")
			p.block(s.Else)
		}
	case *PRIFilter:
		p.WriteString(s.Selector)
		p.block(s.Then)
	case *PropertyFilter:
		not := ""
		if s.Negate {
			not = "!"
		}
		value := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s.Value)
		fmt.Fprintf(p, `:%s, %s%s, "%s"`, s.Property, not, s.Op, value)
		p.block(s.Then)
	case *Call:
		p.WriteString("call " + s.Ruleset)
	case *CallIndirect:
		p.WriteString("call_indirect ")
		p.expr(s.Ruleset)
		p.WriteByte(';')
	case *Set:
		word := "set "
		if s.Reset {
			word = "reset "
		}
		p.WriteString(word + s.Var + " = ")
		p.expr(s.Value)
		p.WriteByte(';')
	case *Unset:
		p.WriteString("unset " + s.Var + ";")
	case *Foreach:
		p.WriteString("foreach (" + s.Var + " in ")
		p.expr(s.In)
		p.WriteString(") do")
		p.block(s.Body)
	case *Stop:
		p.WriteString("stop")
	case *Continue:
		p.WriteString("continue")
	case *ReloadLookup:
		p.WriteString("reload_lookup_table(" + quote(s.Table))
		if s.Stub != "" {
			p.WriteString(", " + quote(s.Stub))
		}
		p.WriteByte(')')
	}
}

func (p *printer) object(o *Object) {
	if o.Legacy {
		p.WriteString("/* legacy */ ")
	}
	p.WriteString(o.Kind + "(")
	for i, q := range o.Params {
		if i > 0 {
			p.WriteByte(' ')
		}
		p.WriteString(q.Name + "=")
		if !q.Array {
			p.WriteString(quoteParam(strings.Join(q.Values, ",")))
			continue
		}
		quoted := make([]string, len(q.Values))
		for i, v := range q.Values {
			quoted[i] = quoteParam(v)
		}
		p.WriteString("[" + strings.Join(quoted, ", ") + "]")
	}
	p.WriteByte(')')
	switch {
	case o.Kind == "ruleset" && len(o.Body) == 0:
		p.WriteString(" { }")
	case o.Kind == "ruleset":
		p.block(o.Body)
	case len(o.Children) > 0:
		p.WriteString(" {\n")
		p.depth++
		for _, part := range o.Children {
			p.line()
			p.object(part)
			p.WriteByte('\n')
		}
		p.depth--
		p.line()
		p.WriteByte('}')
	}
}

// ExprString writes an expression with all its parentheses.
func ExprString(e Expr) string {
	var p printer
	p.expr(e)
	return p.String()
}

func (p *printer) expr(e Expr) {
	switch e := e.(type) {
	case *Binary:
		p.operand(e.X)
		p.WriteString(" " + e.Op + " ")
		p.operand(e.Y)
	case *Unary:
		p.WriteString(e.Op + " ")
		p.operand(e.X)
	case *Func:
		p.WriteString(e.Name + "(")
		p.list(e.Args)
		p.WriteByte(')')
	case *Var:
		p.WriteString("$" + e.Name)
	case *Str:
		p.WriteString(quote(e.Value))
	case *Num:
		p.WriteString(strconv.FormatInt(e.Value, 10))
	case *Array:
		p.WriteByte('[')
		p.list(e.Elems)
		p.WriteByte(']')
	}
}

func (p *printer) operand(e Expr) {
	switch e.(type) {
	case *Binary, *Unary:
		p.WriteByte('(')
		p.expr(e)
		p.WriteByte(')')
	default:
		p.expr(e)
	}
}

func (p *printer) list(all []Expr) {
	for i, e := range all {
		if i > 0 {
			p.WriteString(", ")
		}
		p.expr(e)
	}
}

// quote writes a string as expressions have them: a $ needs a backslash.
func quote(s string) string { return strings.ReplaceAll(quoteParam(s), "$", `\$`) }

// quoteParam writes a string as the parameters of objects have them.
func quoteParam(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\r':
			b.WriteString(`\r`)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
