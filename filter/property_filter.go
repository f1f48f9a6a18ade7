package filter

import (
	"fmt"

	"sysrelay/conf"
	"sysrelay/message"
)

// propertyOps are the operations of property filters.
var propertyOps = []string{"contains", "contains_i", "isequal", "startswith", "startswith_i",
	"endswith", "regex", "ereregex", "isempty"}

// propertyFilter compiles `:property, [!]operation, "value"`.
func (c *compiler) propertyFilter(s *conf.PropertyFilter) statement {
	b := &branch{cond: condition{site: c.site(s.Pos), text: propertyFilterText(s), parts: c.traced(filterVar(s))}, then: c.block(s.Then, false)}
	prop := c.filterProperty(s)
	test, ok := c.propertyTest(s)
	if !ok {
		return nil
	}
	holds, negate := prop.asText(), s.Negate
	x := boolExpr(func(e *eval, m *message.Message) bool { return test(holds(e, m)) != negate })
	x.pri = prop.pri
	if x.pri {
		b.cond.selector = x.selector()
	} else {
		b.cond.holds = x.holds
	}
	return b
}

// filterProperty compiles the property, which is a name with or without its '$'.
func (c *compiler) filterProperty(s *conf.PropertyFilter) expr {
	return c.variable(filterVar(s))
}

func filterVar(s *conf.PropertyFilter) *conf.Var {
	name := s.Property
	if len(name) > 1 && name[0] == '$' && isTree(name[1:]) {
		name = name[1:]
	}
	return &conf.Var{Pos: s.Pos, Name: name}
}

func (c *compiler) propertyTest(s *conf.PropertyFilter) (test func([]byte) bool, ok bool) {
	switch s.Op {
	case "isempty":
		return func(t []byte) bool { return len(t) == 0 }, true
	case "regex", "ereregex":
		compile := message.CompileBRE
		if s.Op == "ereregex" {
			compile = message.CompileERE
		}
		re, err := compile(s.Value)
		if err != nil {
			c.errs = appendError(c.errs, s.ValuePos, err)
			return nil, false
		}
		return matchRegex(re), true
	}
	match := matcher(s.Op)
	if match == nil {
		c.errorf(s.Pos, suggestName(s.Op, propertyOps), "operation %q is not known", s.Op)
		return nil, false
	}
	value := []byte(s.Value)
	return func(t []byte) bool { return match(t, value) }, true
}

func propertyFilterText(s *conf.PropertyFilter) string {
	not := ""
	if s.Negate {
		not = "!"
	}
	return fmt.Sprintf(":%s, %s%s, %q", s.Property, not, s.Op, s.Value)
}
