package filter

import (
	"strconv"
	"strings"

	"sysrelay/conf"
)

// exprText writes an expression as a configuration would, for people to read.
func exprText(x conf.Expr) string {
	switch x := x.(type) {
	case *conf.Num:
		return strconv.FormatInt(x.Value, 10)
	case *conf.Str:
		return quote(x.Value)
	case *conf.Var:
		return "$" + x.Name
	case *conf.Array:
		return "[" + exprTexts(x.Elems) + "]"
	case *conf.Func:
		return x.Name + "(" + exprTexts(x.Args) + ")"
	case *conf.Unary:
		if x.Op == "-" {
			return "-" + operandText(x.X)
		}
		return x.Op + " " + operandText(x.X)
	case *conf.Binary:
		return operandText(x.X) + " " + x.Op + " " + operandText(x.Y)
	}
	return "?"
}

func exprTexts(list []conf.Expr) string {
	texts := make([]string, len(list))
	for i, x := range list {
		texts[i] = exprText(x)
	}
	return strings.Join(texts, ", ")
}

// operandText puts what has an operator of its own in parentheses.
func operandText(x conf.Expr) string {
	if _, ok := x.(*conf.Binary); ok {
		return "(" + exprText(x) + ")"
	}
	return exprText(x)
}

func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + "'"
}
