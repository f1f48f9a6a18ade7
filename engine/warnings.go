package engine

import (
	"fmt"
	"slices"
	"strings"

	"sysrelay/conf"
)

// Warnings are about configurations that mean something, and will bite. Each kind
// is a row of WarningKinds; `sysrelay help check` prints them.

// WarningKind is one kind of warning.
type WarningKind struct {
	ID       string
	Severity conf.Severity
	About    string // one line: what it finds
	Why      string // what it leads to
	Fix      string
	find     func(l *linter) // nil: another one's find finds it, too
}

// WarningKinds are all there are.
func WarningKinds() []WarningKind {
	return slices.Concat(actionWarnings(), ruleWarnings(), objectWarnings())
}

// Warnings looks at a whole configuration, and is the same whether or not it can
// be built.
func Warnings(cfg *conf.Config) []*conf.Error {
	l := &linter{cfg: cfg, kinds: map[string]WarningKind{}, count: map[string]int{}, modules: map[string]*conf.Object{}}
	l.collect()
	all := WarningKinds()
	for _, k := range all {
		l.kinds[k.ID] = k
	}
	for _, k := range all {
		if k.find != nil {
			k.find(l)
		}
	}
	return l.found
}

// linter is one look at a configuration.
type linter struct {
	cfg     *conf.Config
	kinds   map[string]WarningKind
	count   map[string]int
	found   []*conf.Error
	globals *conf.Object
	modules map[string]*conf.Object
	sets    []ruleSet
	actions []lintAction
	inputs  []*conf.Object
}

// ruleSet is a ruleset's statements.
type ruleSet struct {
	name   string
	object *conf.Object // nil for the default ruleset
	stmts  []conf.Stmt
}

// lintAction is an action where it stands.
type lintAction struct {
	*conf.Object
	module  string
	ruleset string
	under   string       // the conditions around it
	next    *conf.Object // the action behind it, nil if there is none
}

// maxSame is how often one kind is reported: a generated configuration may have
// ten thousand of one.
const maxSame = 20

// warn reports a finding. What is said of the kind is not repeated at each.
func (l *linter) warn(id string, at conf.Pos, format string, args ...any) {
	k := l.kinds[id]
	l.count[id]++
	switch n := l.count[id]; {
	case n == maxSame+1:
		format, args = "there is more of the kind %s, which is not shown", []any{id}
	case n > maxSame:
		return
	}
	e := l.cfg.Errorf(at, k.Fix, format, args...)
	e.Severity, e.ID, e.Why = k.Severity, id, k.Why
	l.found = append(l.found, e)
}

// collect finds what the kinds look at.
func (l *linter) collect() {
	l.sets = []ruleSet{{name: DefaultRuleset, stmts: l.cfg.Stmts}}
	var globals []*conf.Object
	for _, s := range l.cfg.Stmts {
		o, ok := s.(*conf.Object)
		if !ok {
			continue
		}
		switch o.Kind {
		case "global":
			globals = append(globals, o)
		case "module":
			name := conf.ModuleName(o.Value("load"))
			if l.modules[name] == nil {
				l.modules[name] = o
			}
		case "input":
			l.inputs = append(l.inputs, o)
		case "ruleset":
			if !isDefaultRuleset(o) {
				l.sets = append(l.sets, ruleSet{o.Value("name"), o, o.Body})
			}
		}
	}
	l.globals = mergeGlobals(globals)
	for _, s := range l.sets {
		l.collectActions(s.name, "", s.stmts)
	}
}

// collectActions walks statements, with the text of the conditions around them.
func (l *linter) collectActions(ruleset, under string, stmts []conf.Stmt) {
	for i, s := range stmts {
		switch s := s.(type) {
		case *conf.Object:
			if s.Kind != "action" {
				continue
			}
			a := lintAction{Object: s, module: conf.ModuleName(s.Value("type")), ruleset: ruleset, under: under}
			if i+1 < len(stmts) {
				a.next, _ = stmts[i+1].(*conf.Object)
			}
			l.actions = append(l.actions, a)
		case *conf.PRIFilter:
			l.collectActions(ruleset, under+"\x00"+s.Selector, s.Then)
		case *conf.PropertyFilter:
			l.collectActions(ruleset, fmt.Sprintf("%s\x00:%s,%v,%s,%s", under, s.Property, s.Negate, s.Op, s.Value), s.Then)
		case *conf.If:
			cond := under + "\x00" + conf.ExprString(s.Cond)
			l.collectActions(ruleset, cond, s.Then)
			l.collectActions(ruleset, cond+"\x00else", s.Else)
		case *conf.Foreach:
			l.collectActions(ruleset, under+"\x00foreach", s.Body)
		}
	}
}

// value is the first of the parameters that o has, "" if it has none.
func value(o *conf.Object, names ...string) string {
	for _, n := range names {
		if v := o.Value(n); v != "" {
			return v
		}
	}
	return ""
}

// at is where a parameter is written, or the object if it is not.
func at(o *conf.Object, name string) conf.Pos {
	if p := o.Param(name); p != nil {
		return p.ValuePos
	}
	return o.Pos
}

// queued says whether an object has a queue that is more than direct delivery.
func queued(o *conf.Object) bool {
	t := o.Value("queue.type")
	return t != "" && !strings.EqualFold(t, "Direct")
}

// remote says whether the action forwards over a connection.
func (a *lintAction) remote() bool {
	return a.module == "omrelp" || a.module == "omfwd" && strings.EqualFold(a.Value("protocol"), "tcp")
}

// target is where an action forwards to.
func (a *lintAction) target() string {
	t := "?"
	if p := a.Param("target"); p != nil {
		t = strings.Join(p.Values, ", ")
	}
	if p := a.Value("port"); p != "" {
		t += ":" + p
	}
	return t
}

// hasFailover says whether the action behind takes what this one does not deliver.
func (a *lintAction) hasFailover() bool {
	return a.next != nil && a.next.Kind == "action" && on(a.next, "action.execOnlyWhenPreviousIsSuspended")
}

func on(o *conf.Object, name string) bool { return strings.EqualFold(o.Value(name), "on") }
