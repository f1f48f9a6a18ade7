package conf

import (
	"cmp"
	"fmt"
	"strings"
)

// legacy is what $directives have set so far. Settings wait for the actions and
// inputs that follow; objects that later directives add to are kept at hand.
type legacy struct {
	rec      *record
	settings []setting
	channels map[string]*channel
	modules  map[string]*Object // loaded modules by name
	senders  map[string]*Param  // $AllowedSender by module, which may be loaded later
	rulesets map[string]*Object
	mainq    *Object // $MainMsgQueue…
	current  *Object // the ruleset of $RuleSet; nil is the default ruleset
	others   *Call   // $DefaultRuleset: the ruleset for messages that no input binds to one
}

// setting is a parameter for what follows.
type setting struct {
	to    string // "action", a module's name, or "omfile.default", "omfwd.tcp" and the like
	once  bool   // for the next one only
	param *Param
	by    *directiveUse // nil unless somebody wants to know
}

// channel is an $outchannel.
type channel struct {
	file, limit, command string
	pos                  Pos
}

func newLegacy() *legacy {
	return &legacy{
		channels: map[string]*channel{},
		modules:  map[string]*Object{},
		senders:  map[string]*Param{},
		rulesets: map[string]*Object{},
	}
}

// keep remembers a setting, in place of an earlier one of the same name.
func (l *legacy) keep(s setting) {
	s.by = l.rec.keeping(s)
	for i, have := range l.settings {
		if have.to == s.to && strings.EqualFold(have.param.Name, s.param.Name) {
			l.rec.use(have.by, nil, nil)
			l.settings[i] = s
			return
		}
	}
	l.settings = append(l.settings, s)
}

// apply adds the settings for to that o does not have, and forgets those meant
// for one only.
func (l *legacy) apply(o *Object, to string) {
	kept := l.settings[:0]
	for _, s := range l.settings {
		if s.to == to && o.Param(s.param.Name) == nil {
			q := *s.param
			o.Params = append(o.Params, &q)
			if o.Kind != "" {
				l.rec.use(s.by, o, &q)
			}
		}
		if s.to == to && s.once {
			l.rec.use(s.by, o, nil)
		}
		if s.to != to || !s.once {
			kept = append(kept, s)
		}
	}
	l.settings = kept
}

// forget drops settings for one only without using them.
func (l *legacy) forget(to string) {
	l.apply(&Object{}, to)
}

// value returns the setting of that name, "" if there is none.
func (l *legacy) value(to, name string) string {
	for _, s := range l.settings {
		if s.to == to && strings.EqualFold(s.param.Name, name) {
			return s.param.Values[0]
		}
	}
	return ""
}

// addObject adds an object of the RainerScript kind, and notes what legacy
// directives may refer to later.
func (p *parser) addObject(o *Object) {
	switch o.Kind {
	case "module":
		p.noteModule(o)
	case "ruleset":
		p.legacy.rulesets[strings.ToLower(o.Value("name"))] = o
	}
	p.cfg.Stmts = append(p.cfg.Stmts, o)
}

func (p *parser) noteModule(o *Object) {
	name := ModuleName(o.Value("load"))
	if p.legacy.modules[name] == nil {
		p.legacy.modules[name] = o
	}
}

// emit adds an object that a directive makes.
func (p *parser) emit(o *Object) {
	o.Legacy = true
	p.rec.made(o)
	p.pending = append(p.pending, o)
}

// directive carries out a $directive.
func (p *parser) directive(t token) {
	line := &directiveLine{parser: p, tok: t, at: 1}
	name := line.word()
	d, ok := p.known[strings.ToLower(name)]
	if !ok {
		p.report(t.pos(), "unknown directive $"+name, didYouMean("$"+name, p.directiveNames()))
		return
	}
	if d.module != "" && !builtin[d.module] && p.legacy.modules[d.module] == nil {
		p.report(t.pos(), fmt.Sprintf("$%s belongs to module %s, which is not loaded", d.name, d.module), "write $ModLoad "+d.module+" before it")
		return
	}
	p.rec.begin(t, d)
	defer func() { p.rec.finish(line.at) }()
	if d.do != nil {
		d.do(p, line)
		return
	}
	q, ok := line.param(d)
	line.end()
	if !ok {
		return
	}
	p.place(d, t, q)
}

func (p *parser) directiveNames() []string {
	names := []string{"$RuleSet"}
	for _, d := range p.known {
		names = append(names, "$"+d.name)
	}
	return names
}

// place puts the parameter of a directive where it belongs.
func (p *parser) place(d directive, t token, q *Param) {
	l := p.legacy
	switch d.scope {
	case toGlobal:
		p.emit(&Object{Pos: t.pos(), Kind: "global", Params: []*Param{q}})
	case toMainQueue:
		if l.mainq == nil {
			l.mainq = &Object{Pos: t.pos(), Kind: "main_queue"}
			p.emit(l.mainq)
		}
		l.mainq.set(q)
	case toModule:
		p.toModule(t, d.module, q)
	case toAction, toInput:
		l.keep(setting{to: d.target(), param: q})
	case toNextAction, toNextInput:
		l.keep(setting{to: d.target(), once: true, param: q})
	case toDefaults:
		if l.ownTemplate(d.module) {
			p.report(t.pos(), fmt.Sprintf("%s is ignored: module(load=%q) has a template of its own", firstWord(t.text), "builtin:"+d.module), "")
			return
		}
		l.keep(setting{to: d.module + ".default", param: q})
	case runInput:
		o := &Object{Pos: t.pos(), Kind: "input", Params: []*Param{word(t.pos(), "type", d.module), q}}
		l.apply(o, d.module)
		p.emit(o)
	}
}

// target is what the settings of the directive are kept for.
func (d directive) target() string {
	if d.only != "" {
		return cmp.Or(d.module, "action") + "." + d.only
	}
	return cmp.Or(d.module, "action")
}

// toModule sets a parameter of a module. As in rsyslogd, a module that
// was loaded by module() takes nothing from directives.
func (p *parser) toModule(t token, module string, q *Param) {
	o := p.legacy.modules[module]
	if !o.Legacy {
		p.report(t.pos(), fmt.Sprintf("%s is ignored: module %s was loaded by module()", firstWord(t.text), module),
			fmt.Sprintf("write %s=%q in module(load=%q)", q.Name, q.Values[0], module))
		return
	}
	o.set(q)
	p.rec.set(o, q)
}

// finishLegacy is called at the end of the configuration.
func (p *parser) finishLegacy() {
	if p.legacy.others != nil {
		p.replaceDefault(p.legacy.others)
	}
	for module, q := range p.legacy.senders {
		if o := p.legacy.modules[module]; o != nil {
			o.set(q)
		}
	}
	for _, s := range p.legacy.settings {
		if s.once && s.to != "action" && s.param.Name == "file" {
			p.notice(s.param.Pos, "no $InputRunFileMonitor follows: the file is not read", "")
		}
	}
}

// replaceDefault makes the default ruleset nothing but a call of another one.
func (p *parser) replaceDefault(call *Call) {
	var kept []Stmt
	for _, s := range p.cfg.Stmts {
		if o, ok := s.(*Object); ok && o.Kind != "action" {
			kept = append(kept, s)
		}
	}
	if len(kept) < len(p.cfg.Stmts) {
		p.notice(call.Pos, "messages go to ruleset "+call.Ruleset+": what is written outside of rulesets gets none", "")
	}
	p.cfg.Stmts = append(kept, call)
}

// selectRuleset carries out $RuleSet: what follows belongs to that ruleset.
func (p *parser) selectRuleset(t token) {
	line := &directiveLine{parser: p, tok: t, at: 1}
	p.rec.begin(t, directive{name: "RuleSet"})
	defer func() { p.rec.finish(line.at) }()
	line.word()
	name := line.word()
	line.end()
	if name == "" {
		p.report(t.pos(), "$RuleSet needs the name of a ruleset", "")
		return
	}
	if strings.EqualFold(name, defaultRuleset) {
		p.legacy.current, p.into = nil, &p.cfg.Stmts
		return
	}
	o := p.legacy.rulesets[strings.ToLower(name)]
	if o == nil {
		o = &Object{Pos: t.pos(), Kind: "ruleset", Params: []*Param{word(t.pos(), "name", name)}, Legacy: true}
		p.legacy.rulesets[strings.ToLower(name)] = o
		p.cfg.Stmts = append(p.cfg.Stmts, o)
	}
	p.rec.made(o)
	p.legacy.current, p.into = o, &o.Body
}

// defaultRuleset is rsyslogd's name for what stands outside of rulesets.
const defaultRuleset = "RSYSLOG_DefaultRuleset"
