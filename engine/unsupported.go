package engine

import (
	_ "embed"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"sysrelay/conf"
	"sysrelay/output"
	"sysrelay/queue"
)

// What rsyslog has and sysrelay has not is known by name, so that a configuration
// that uses it is told from one with a typing error: it is reported as unsupported,
// with what follows from that, and the daemon starts with the rest. A module that
// has come to exist needs no change here.

//go:embed rsyslog.list
var rsyslogList string

// rsyslogParams are the parameters of rsyslog's modules and objects with their types,
// by name and place: "omkafka action".
type rsyslogParams map[string]map[string]string

func newRsyslogParams() rsyslogParams {
	all := rsyslogParams{}
	for line := range strings.Lines(rsyslogList) {
		where, params, ok := strings.Cut(line, ":")
		if !ok || line[0] == '#' {
			continue
		}
		all[where] = map[string]string{}
		for _, p := range strings.Fields(params) {
			name, typ, _ := strings.Cut(p, "=")
			all[where][name] = typ
		}
	}
	return all
}

// has says whether rsyslog has such a module.
func (r rsyslogParams) has(module string) bool {
	for _, where := range []string{" module", " input", " action", " parser"} {
		if _, ok := r[module+where]; ok {
			return true
		}
	}
	return false
}

// takes says whether rsyslog's object takes the parameter.
func (r rsyslogParams) takes(module, where, param string) bool {
	params := r[module+" "+where]
	_, any := params["*"]
	_, ok := params[strings.ToLower(param)]
	return ok || any
}

// params lists the parameters of an object.
func (r rsyslogParams) params(module, where string) []string {
	return slices.Collect(maps.Keys(r[module+" "+where]))
}

// modules lists rsyslog's modules.
func (r rsyslogParams) modules() (names []string) {
	for where := range r {
		if name, at, _ := strings.Cut(where, " "); at != "object" {
			names = append(names, name)
		}
	}
	return names
}

// UnsupportedModules are rsyslog's modules that are not there, sorted.
func UnsupportedModules() []string {
	names := slices.DeleteFunc(newRsyslogParams().modules(), func(name string) bool {
		return knownModule(name) || strings.HasPrefix(name, "lm")
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// consequence is what it means that a module is missing, at its module() object.
func consequence(module string) string {
	switch {
	case module == "impstats":
		return "there are no statistics"
	case module == "imkmsg", module == "imjournal", module == "imdocker":
		return "it receives nothing"
	case strings.HasPrefix(module, "im"):
		return "its inputs receive nothing"
	case strings.HasPrefix(module, "om"):
		return "messages for its actions are discarded"
	case strings.HasPrefix(module, "mm"):
		return "messages pass its actions unchanged"
	case strings.HasPrefix(module, "pm"):
		return "its parser is left out of every chain"
	}
	return "what uses its functions is left out"
}

// unsupported reports what is right for rsyslog and is not there.
func (b *builder) unsupported(at conf.Pos, why, format string, args ...any) {
	b.failed(unsupportedError(b.cfg, at, why, format, args...))
}

func unsupportedError(cfg *conf.Config, at conf.Pos, why, format string, args ...any) *conf.Error {
	e := cfg.Errorf(at, "", format, args...)
	e.Severity, e.ID, e.Why = conf.Unsupported, "unsupported-module", why
	return e
}

// known returns o without the parameters that rsyslog has and the structs have not,
// each of which is reported.
func (b *builder) known(module string, o *conf.Object, into ...any) *conf.Object {
	key := module + " " + o.Kind
	own := b.params[key]
	if own == nil {
		own = paramNames(into...)
		b.params[key] = own
	}
	kept := *o
	kept.Params = nil
	for _, p := range o.Params {
		if !slices.Contains(own, strings.ToLower(p.Name)) && b.rsyslog.takes(module, o.Kind, p.Name) {
			e := unsupportedError(b.cfg, p.Pos, "it has no effect", "parameter %s of %s is not supported", p.Name, o)
			e.ID = "unsupported-parameter"
			b.failed(e)
			continue
		}
		kept.Params = append(kept.Params, p)
	}
	return &kept
}

// decodeKnown decodes an object of a module: what rsyslog has besides is reported as
// unsupported, and values are checked by rsyslog's types, too, where the structs ask
// for less.
func (b *builder) decodeKnown(module string, o *conf.Object, into ...any) error {
	o = b.known(module, o, into...)
	return b.checkTypes(o, b.cfg.Decode(o, into...), module+" "+o.Kind, "action object", "queue object")
}

// checkTypes checks the values of o by rsyslog's types of the places. It passes over
// values that err, the errors so far, is about, and adds to it.
func (b *builder) checkTypes(o *conf.Object, err error, places ...string) error {
	var all *multierror.Error
	reported := map[conf.Pos]bool{}
	if err != nil {
		all = multierror.Append(all, err)
		for _, err := range all.Errors {
			if e := (*conf.Error)(nil); errors.As(err, &e) {
				reported[e.Pos] = true
			}
		}
	}
	for _, p := range o.Params {
		if reported[p.ValuePos] {
			continue
		}
		if e := b.cfg.CheckParam(p, b.rsyslog.typeOf(p.Name, places...)); e != nil {
			all = multierror.Append(all, e)
		}
	}
	return all.ErrorOrNil()
}

// typeOf is the type of a parameter at the first of the places that has it.
func (r rsyslogParams) typeOf(param string, places ...string) string {
	for _, place := range places {
		if typ, ok := r[place][strings.ToLower(param)]; ok {
			return typ
		}
	}
	return ""
}

// paramNames are the names that the structs know, in lower case.
func paramNames(into ...any) (names []string) {
	for _, p := range conf.Describe(into...) {
		names = append(names, strings.ToLower(p.Name))
		for _, a := range p.Aliases {
			names = append(names, strings.ToLower(a))
		}
	}
	return names
}

// checkUnsupported checks the parameters of an object whose module there is not:
// those that the heads have by their values, the module's by their names.
func (b *builder) checkUnsupported(module string, o *conf.Object, heads ...any) {
	own := paramNames(heads...)
	checked := *o
	checked.Params = nil
	for _, p := range o.Params {
		switch {
		case slices.Contains(own, strings.ToLower(p.Name)):
			checked.Params = append(checked.Params, p)
		case strings.EqualFold(p.Name, "config.enabled"), b.rsyslog.takes(module, o.Kind, p.Name):
		default:
			b.errorf(p.Pos, conf.DidYouMean(p.Name, append(own, b.rsyslog.params(module, o.Kind)...)), "parameter %s not known in %s", p.Name, o)
		}
	}
	b.decode(&checked, heads...)
	for _, p := range o.Params {
		if e := b.cfg.CheckParam(p, b.rsyslog.typeOf(p.Name, module+" "+o.Kind)); e != nil {
			b.failed(e)
		}
	}
}

// unsupportedModule is a module() of rsyslog's that is not there. It says whether
// rsyslog has one.
func (b *builder) unsupportedModule(name string, o *conf.Object) bool {
	if !b.rsyslog.has(name) {
		return false
	}
	b.checkUnsupported(name, o, &moduleHead{})
	p := o.Param("load")
	if strings.HasPrefix(name, "lm") {
		// A library of rsyslogd's. What it is for is part of the daemon, or is
		// reported where it is asked for.
		n := b.cfg.Errorf(p.ValuePos, "remove the line", "there is no need to load the library %s", p.Values[0])
		n.Severity = conf.Note
		b.cfg.Notices = append(b.cfg.Notices, n)
		return true
	}
	b.unsupported(p.ValuePos, consequence(name), "module %s is not supported", p.Values[0])
	return true
}

// unsupportedInput is an input() of a module that is not there.
func (b *builder) unsupportedInput(name string, o *conf.Object) bool {
	if !b.rsyslog.has(name) {
		return false
	}
	b.checkUnsupported(name, o, &inputHead{})
	b.unsupported(o.Param("type").ValuePos, "this input receives nothing", "input module %s is not supported", o.Value("type"))
	return true
}

// unsupportedAction is an action() of a module that is not there.
func (b *builder) unsupportedAction(name string, o *conf.Object) *missingAction {
	var a output.ActionParams
	b.checkUnsupported(name, o, &actionHead{}, &a, &queue.Params{})
	m := &missingAction{name: a.Name, failover: a.OnlyWhenSuspended, passes: strings.HasPrefix(name, "mm")}
	why := "messages for this action are discarded"
	if m.passes {
		why = "messages pass it unchanged"
	}
	if m.name == "" {
		m.name = "unsupported:" + name
	}
	b.unsupported(o.Param("type").ValuePos, why, "output module %s is not supported", o.Value("type"))
	b.missing = append(b.missing, m)
	return m
}

// unsupportedParser is a parser() of a module that is not there.
func (b *builder) unsupportedParser(o *conf.Object) bool {
	name := conf.ModuleName(o.Value("type"))
	if !b.rsyslog.has(name) {
		return false
	}
	var head parserHead
	b.checkUnsupported(name, o, &head)
	b.unsupported(o.Param("type").ValuePos, "it is left out of every chain", "parser module %s is not supported", o.Value("type"))
	b.leftOut = append(b.leftOut, head.Name)
	return true
}

// isLeftOut says whether a parser is known and not there: one of parser(), or the
// one a module brings.
func (b *builder) isLeftOut(name string) bool {
	module := "pm" + strings.TrimPrefix(name, "rsyslog.")
	if name == "rsyslog.lastline" {
		module = "pmlastmsg"
	}
	return slices.Contains(b.leftOut, name) || b.rsyslog.has(module)
}

// unsupportedObjects reports the objects that nothing has asked for.
func (b *builder) unsupportedObjects() {
	for _, s := range b.cfg.Stmts {
		o, ok := s.(*conf.Object)
		if !ok || o.Kind == "action" || b.asked[o.Kind] {
			continue
		}
		if _, ok := b.rsyslog[o.Kind+" object"]; !ok {
			continue
		}
		for _, p := range o.Params {
			if !b.rsyslog.takes(o.Kind, "object", p.Name) && !strings.EqualFold(p.Name, "config.enabled") {
				b.errorf(p.Pos, conf.DidYouMean(p.Name, b.rsyslog.params(o.Kind, "object")), "parameter %s not known in %s", p.Name, o)
			}
		}
		e := unsupportedError(b.cfg, o.Pos, "it has no effect", "%s is not supported", o)
		e.ID = "unsupported-object"
		b.failed(e)
	}
}

// KnowsModule says whether a module is there or is known to be rsyslog's.
func KnowsModule(name string) bool { return knownModule(name) || newRsyslogParams().has(name) }
