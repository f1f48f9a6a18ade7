package engine

import (
	"slices"
	"strings"

	"sysrelay/conf"
	"sysrelay/message"
)

// objectWarnings are about modules, inputs and things with names.
func objectWarnings() []WarningKind {
	return []WarningKind{
		{ID: "template-unused", Severity: conf.Note, About: "template that nothing uses",
			Why: "it has no effect", Fix: "remove it, or name it where it is meant to be used", find: unusedTemplates},
		{ID: "ruleset-unused", Severity: conf.Warning, About: "ruleset that no input and no call leads to",
			Why: "its rules are never run", Fix: `bind an input to it with ruleset="NAME", or call it`, find: unusedRulesets},
		{ID: "lookup-table-unused", Severity: conf.Note, About: "lookup table that nothing uses",
			Why: "it is read for nothing", Fix: `remove it, or use lookup("NAME", key)`, find: unusedTables},
		{ID: "ruleset-without-action", Severity: conf.Warning, About: "input bound to a ruleset that has no action",
			Why: "its messages are discarded", Fix: "put an action into the ruleset", find: rulesetsWithoutAction},
		{ID: "module-loaded-twice", Severity: conf.Warning, About: "module that is loaded twice (a note for $ModLoad)",
			Why: "the parameters of one of them have no effect", Fix: "load it once, with all its parameters", find: modulesTwice},
		{ID: "input-missing", Severity: conf.Warning, About: "input module without an input",
			Why: "loading it does not listen anywhere", Fix: "write an input() of it, or remove the module", find: inputsMissing},
		{ID: "port-twice", Severity: conf.Warning, About: "two inputs on the same port",
			Why: "the second one cannot be opened, or takes a part of the other's messages", Fix: "give each input a port or an address of its own", find: portsTwice},
	}
}

// mentioned is what the configuration names where names of templates and the like
// may stand.
func (l *linter) mentioned() map[string]bool {
	all := map[string]bool{}
	add := func(o *conf.Object) {
		for _, p := range o.Params {
			if low := strings.ToLower(p.Name); o.Kind == "template" && low != "plugin" || o.Kind != "action" && low == "name" {
				continue
			}
			for _, v := range p.Values {
				all[v] = true
			}
		}
	}
	var expr func(x conf.Expr)
	expr = func(x conf.Expr) {
		switch x := x.(type) {
		case *conf.Str:
			all[x.Value] = true
		case *conf.Func:
			for _, a := range x.Args {
				expr(a)
			}
		case *conf.Binary:
			expr(x.X)
			expr(x.Y)
		case *conf.Unary:
			expr(x.X)
		}
	}
	var stmts func(list []conf.Stmt)
	stmts = func(list []conf.Stmt) {
		for _, s := range list {
			switch s := s.(type) {
			case *conf.Object:
				add(s)
				stmts(s.Body)
			case *conf.If:
				expr(s.Cond)
				stmts(s.Then)
				stmts(s.Else)
			case *conf.PRIFilter:
				stmts(s.Then)
			case *conf.PropertyFilter:
				stmts(s.Then)
			case *conf.Foreach:
				expr(s.In)
				stmts(s.Body)
			case *conf.Set:
				expr(s.Value)
			case *conf.CallIndirect:
				expr(s.Ruleset)
				all[anyRuleset] = true
			case *conf.Call:
				all[strings.ToLower(s.Ruleset)] = true
			case *conf.ReloadLookup:
				all[s.Table] = true
			}
		}
	}
	stmts(l.cfg.Stmts)
	return all
}

// anyRuleset is mentioned by call_indirect.
const anyRuleset = "\x00any ruleset"

func unusedTemplates(l *linter) {
	all := l.mentioned()
	for _, s := range l.cfg.Stmts {
		if o, ok := s.(*conf.Object); ok && o.Kind == "template" && o.Value("name") != "" && !all[o.Value("name")] {
			l.warn("template-unused", o.Pos, "nothing uses template %s", o.Value("name"))
		}
	}
}

func unusedTables(l *linter) {
	all := l.mentioned()
	for _, s := range l.cfg.Stmts {
		if o, ok := s.(*conf.Object); ok && o.Kind == "lookup_table" && o.Value("name") != "" && !all[o.Value("name")] {
			l.warn("lookup-table-unused", o.Pos, "nothing uses lookup table %s", o.Value("name"))
		}
	}
}

func unusedRulesets(l *linter) {
	all := map[string]bool{}
	for name := range l.mentioned() {
		all[strings.ToLower(name)] = true
	}
	if all[anyRuleset] {
		return
	}
	for _, s := range l.sets[1:] {
		if s.name != "" && !all[strings.ToLower(s.name)] {
			l.warn("ruleset-unused", s.object.Pos, "nothing leads to ruleset %s", s.name)
		}
	}
}

func rulesetsWithoutAction(l *linter) {
	for _, s := range l.sets[1:] {
		if acts(s.stmts) {
			continue
		}
		for _, o := range l.inputs {
			if strings.EqualFold(o.Value("ruleset"), s.name) {
				l.warn("ruleset-without-action", at(o, "ruleset"), "ruleset %s has no action", s.name)
				break
			}
		}
	}
}

// acts says whether statements hold an action or a call.
func acts(stmts []conf.Stmt) bool {
	return slices.ContainsFunc(stmts, func(s conf.Stmt) bool {
		switch s := s.(type) {
		case *conf.Object:
			return s.Kind == "action"
		case *conf.Call, *conf.CallIndirect:
			return true
		case *conf.If:
			return acts(s.Then) || acts(s.Else)
		case *conf.PRIFilter:
			return acts(s.Then)
		case *conf.PropertyFilter:
			return acts(s.Then)
		case *conf.Foreach:
			return acts(s.Body)
		}
		return false
	})
}

func modulesTwice(l *linter) {
	for _, s := range l.cfg.Stmts {
		o, ok := s.(*conf.Object)
		if !ok || o.Kind != "module" {
			continue
		}
		name := conf.ModuleName(o.Value("load"))
		if first := l.modules[name]; first != nil && first != o {
			l.warn("module-loaded-twice", o.Pos, "module %s is loaded in line %d already", name, first.Line)
		}
	}
}

func inputsMissing(l *linter) {
	for _, name := range []string{"imudp", "imtcp", "imptcp", "imrelp", "imfile"} {
		module := l.modules[name]
		if module == nil || slices.ContainsFunc(l.inputs, func(o *conf.Object) bool { return conf.ModuleName(o.Value("type")) == name }) {
			continue
		}
		l.warn("input-missing", module.Pos, "module %s is loaded, but there is no input of it", name)
	}
}

func portsTwice(l *linter) {
	type place struct{ transport, port string }
	type listener struct {
		at      conf.Pos
		address string
	}
	taken := map[place][]listener{}
	for _, o := range l.inputs {
		p := o.Param("port")
		t := transport(conf.ModuleName(o.Value("type")))
		if p == nil || t == "" {
			continue
		}
		if t == "relp" {
			t = "tcp"
		}
		address := o.Value("address")
		for _, port := range p.Values {
			key := place{t, port}
			for _, other := range taken[key] {
				if port != "0" && (address == other.address || everywhere(address) || everywhere(other.address)) {
					l.warn("port-twice", p.ValuePos, "%s port %s is listened on in line %d already", t, port, other.at.Line)
					break
				}
			}
			taken[key] = append(taken[key], listener{p.ValuePos, address})
		}
	}
}

// everywhere says whether an address stands for all of the host's.
func everywhere(address string) bool {
	return address == "" || address == "*" || address == "0.0.0.0" || address == "::"
}

// senderNamesFile finds dynamic file names with properties the sender chooses,
// in which a slash would be left as it is.
func senderNamesFile(l *linter) {
	env := message.NewEnv("h")
	names := map[string]bool{}
	for _, a := range l.actions {
		names[a.Value("dynafile")] = true
	}
	for _, s := range l.cfg.Stmts {
		o, ok := s.(*conf.Object)
		if !ok || o.Kind != "template" || !names[o.Value("name")] {
			continue
		}
		if unsafe := unsafeProperties(env, o); len(unsafe) > 0 {
			l.warn("sender-names-file", o.Pos, "template %s, which names files, holds %s as the sender wrote it", o.Value("name"), strings.Join(unsafe, ", "))
		}
	}
}

// unsafeProperties are those of a template that may hold a slash from a message.
func unsafeProperties(env *message.Env, o *conf.Object) (names []string) {
	add := func(property, options string) {
		p, err := env.Property(property)
		if err == nil && p.FromSender() && !strings.Contains(strings.ToLower(options), "secpath-") {
			names = append(names, "%"+property+"%")
		}
	}
	for _, c := range o.Children {
		if c.Kind == "property" {
			options := ""
			if c.Value("securePath") != "" {
				options = "secpath-"
			}
			add(c.Value("name"), options)
		}
	}
	parts := strings.Split(o.Value("string"), "%")
	for i := 1; i < len(parts); i += 2 {
		property, options, _ := strings.Cut(parts[i], ":")
		add(property, options)
	}
	return names
}
