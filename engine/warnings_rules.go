package engine

import (
	"slices"
	"strconv"
	"strings"

	"sysrelay/conf"
	"sysrelay/filter"
)

// ruleWarnings are about rules that cannot do what they are there for.
func ruleWarnings() []WarningKind {
	return []WarningKind{
		{ID: "never-matches", Severity: conf.Warning, About: "condition or selector that no message can meet",
			Why: "what is under it is never run", Fix: "correct the condition, or remove the rule", find: followRules},
		{ID: "unreachable", Severity: conf.Warning, About: "rule behind a stop that takes all its messages",
			Why: "the messages it is for have been stopped before", Fix: "move it in front of the stop, or remove it"},
		{ID: "discards-everything", Severity: conf.Warning, About: "stop in front of every action",
			Why: "no message is written or sent", Fix: "put the actions in front of the stop, or a condition around it"},
	}
}

// everything selects all messages.
func everything() (s filter.Selector) {
	for i := range s {
		s[i] = 0xff
	}
	return s
}

func both(a, b filter.Selector) filter.Selector {
	for i := range a {
		a[i] &= b[i]
	}
	return a
}

func either(a, b filter.Selector) filter.Selector {
	for i := range a {
		a[i] |= b[i]
	}
	return a
}

func without(a, b filter.Selector) filter.Selector {
	for i := range a {
		a[i] &^= b[i]
	}
	return a
}

func none(s filter.Selector) bool { return s == filter.Selector{} }

// followRules follows what is known of the messages through each ruleset.
func followRules(l *linter) {
	for _, s := range l.sets {
		f := &follower{linter: l}
		f.block(s.stmts, everything(), nil)
	}
}

// follower follows the messages of one ruleset: which facilities and severities
// still come by, and what the conditions around say.
type follower struct {
	*linter
	acted bool // an action or call came before
}

// block returns the messages that leave it.
func (f *follower) block(stmts []conf.Stmt, live filter.Selector, known facts) filter.Selector {
	for _, s := range stmts {
		if o, ok := s.(*conf.Object); ok && o.Kind != "action" {
			continue
		}
		if none(live) {
			f.warn("unreachable", s.Position(), "no message comes here")
			return live
		}
		live = f.statement(s, live, known)
	}
	return live
}

func (f *follower) statement(s conf.Stmt, live filter.Selector, known facts) filter.Selector {
	switch s := s.(type) {
	case *conf.Object, *conf.Call, *conf.CallIndirect:
		f.acted = true
	case *conf.Stop:
		if live == everything() && !f.acted && len(known) == 0 {
			f.warn("discards-everything", s.Pos, "every message is discarded before anything has been done with it")
		}
		return filter.Selector{}
	case *conf.PRIFilter:
		sel, err := filter.ParseSelector(s.Selector)
		if err != nil {
			return live
		}
		return f.selected(s.Pos, s.Selector, sel, live, s.Then, nil, known)
	case *conf.PropertyFilter: // what it leaves is not known
		f.branch(s.Then, live, known)
	case *conf.If:
		return f.condition(s, live, known)
	case *conf.Foreach:
		f.branch(s.Body, live, known)
	}
	return live
}

// branch is a block under a condition.
func (f *follower) branch(stmts []conf.Stmt, live filter.Selector, known facts) filter.Selector {
	if len(stmts) == 0 {
		return live
	}
	return f.block(stmts, live, append(slices.Clone(known), fact{}))
}

// selected follows the messages of a selector, and those of no selector.
func (f *follower) selected(at conf.Pos, text string, sel, live filter.Selector, then, els []conf.Stmt, known facts) filter.Selector {
	hit := both(live, sel)
	switch {
	case none(sel):
		f.warn("never-matches", at, "selector %s selects nothing", text)
		return live
	case none(hit):
		f.warn("unreachable", at, "everything that %s selects has been stopped before", text)
		return live
	}
	rest := without(live, sel)
	under := known
	if rest != (filter.Selector{}) || len(known) > 0 {
		under = append(slices.Clone(known), fact{})
	}
	after := f.block(then, hit, under)
	if !none(rest) {
		rest = f.branch(els, rest, known)
	}
	return either(after, rest)
}

func (f *follower) condition(s *conf.If, live filter.Selector, known facts) filter.Selector {
	if call, ok := s.Cond.(*conf.Func); ok && call.Name == "prifilt" && len(call.Args) == 1 {
		if text, ok := call.Args[0].(*conf.Str); ok {
			if sel, err := filter.ParseSelector(text.Value); err == nil {
				return f.selected(s.Cond.Position(), text.Value, sel, live, s.Then, s.Else, known)
			}
		}
	}
	under := append(slices.Clone(known), conjuncts(s.Cond)...)
	if why := under.contradiction(); why != "" {
		f.warn("never-matches", s.Cond.Position(), "the condition can never hold: %s", why)
		return f.branch(s.Else, live, known)
	}
	under = slices.DeleteFunc(under, func(k fact) bool { return k.changes() })
	after := f.block(s.Then, live, append(under, fact{}))
	if len(s.Else) == 0 {
		return live
	}
	return either(after, f.branch(s.Else, live, known))
}

// fact is one thing that holds for the messages of a block: a property is, or is
// not, one of several texts; or lies between numbers. The zero fact is a condition
// nothing is known about.
type fact struct {
	name     string // of the property or variable
	text     string // as it is written
	values   []string
	not      bool
	ordered  bool
	from, to int64
}

type facts []fact

// changes says whether a statement may change it.
func (k fact) changes() bool {
	return k.name != "" && strings.IndexByte("!./", k.name[0]) >= 0
}

// conjuncts are the facts that a condition says.
func conjuncts(x conf.Expr) facts {
	b, ok := x.(*conf.Binary)
	if !ok {
		return nil
	}
	if b.Op == "and" {
		return append(conjuncts(b.X), conjuncts(b.Y)...)
	}
	v, ok := b.X.(*conf.Var)
	if !ok {
		return nil
	}
	k := fact{name: strings.ToLower(v.Name), text: conf.ExprString(b)}
	switch y := b.Y.(type) {
	case *conf.Str:
		k.values = []string{y.Value}
	case *conf.Array:
		for _, e := range y.Elems {
			if s, ok := e.(*conf.Str); ok {
				k.values = append(k.values, s.Value)
			}
		}
	case *conf.Num:
		return k.number(b.Op, y.Value)
	}
	// Where one side is a number in quotes numbers are compared: 07 is 7.
	if len(k.values) == 0 || b.Op != "==" && b.Op != "!=" || slices.ContainsFunc(k.values, isNumber) {
		return nil
	}
	if strings.HasSuffix(k.name, "-text") { // aliases of names are understood there
		return nil
	}
	k.not = b.Op == "!="
	return facts{k}
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil || s == ""
}

const far = 1 << 40

// number is the fact that a number compares so. Only facility and severity are
// always numbers.
func (k fact) number(op string, n int64) facts {
	if !slices.Contains([]string{"syslogfacility", "syslogseverity", "syslogpriority", "pri"}, k.name) || n > far || n < -far {
		return nil
	}
	if k.name == "syslogpriority" {
		k.name = "syslogseverity"
	}
	k.ordered, k.from, k.to = true, -far, far
	switch op {
	case "==":
		k.from, k.to = n, n
	case "<":
		k.to = n - 1
	case "<=":
		k.to = n
	case ">":
		k.from = n + 1
	case ">=":
		k.from = n
	default:
		return nil
	}
	return facts{k}
}

// contradiction says why the facts cannot all hold, "" if they can.
func (all facts) contradiction() string {
	for i, a := range all {
		for _, b := range all[:i] {
			if a.name != "" && a.name == b.name && a.excludes(b) {
				return b.text + " and " + a.text
			}
		}
		if a.ordered && (a.from > a.to || a.to < 0 || a.name == "syslogseverity" && a.from > 7) {
			return a.text
		}
	}
	return ""
}

func (k fact) excludes(o fact) bool {
	if k.ordered || o.ordered {
		return k.ordered && o.ordered && (k.from > o.to || o.from > k.to)
	}
	switch {
	case k.not && o.not:
		return false
	case k.not:
		return within(o.values, k.values)
	case o.not:
		return within(k.values, o.values)
	}
	return !slices.ContainsFunc(k.values, func(v string) bool { return slices.Contains(o.values, v) })
}

// within says whether all of some are among others.
func within(some, others []string) bool {
	return !slices.ContainsFunc(some, func(v string) bool { return !slices.Contains(others, v) })
}
