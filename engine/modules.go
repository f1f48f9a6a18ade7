package engine

import (
	"slices"
	"strings"

	"sysrelay/conf"
	"sysrelay/input"
	indtls "sysrelay/input/dtls"
	"sysrelay/output"
	outdtls "sysrelay/output/dtls"
	"sysrelay/queue"
)

// This file is the table from rsyslog's module names to constructors. A module
// that is not here does not exist.

// inputKind is one input module.
type inputKind struct {
	name string
	docs func() (module, object any) // empty parameter structs, for the manual
	// make makes what an input() object asks for; nil if the module has none.
	make func(b *builder, module, o *conf.Object) (input.Input, error)
	// load makes what loading the module means by itself; nil if that is nothing.
	load func(b *builder, module *conf.Object) (input.Input, error)
}

// outputKind is one output module.
type outputKind struct {
	name string
	docs func() (module, object any)
	make func(b *builder, o *conf.Object) (*output.Action, error)
}

func inputKinds() []inputKind {
	return []inputKind{
		inputOf("imudp", input.NewIMUDP),
		inputOf("imtcp", input.NewIMTCP),
		inputOf("imptcp", input.NewIMPTCP),
		inputOf("imrelp", input.NewIMRELP),
		inputOf("imdtls", indtls.New),
		withLoad(inputOf("imuxsock", input.NewIMUXSock), loadOf("imuxsock", input.NewSystemSocket)),
		inputOf("imfile", input.NewIMFile),
		inputOf("improg", input.NewIMProg),
		inputOf("im3195", input.NewIM3195),
		inputOf("imfifo", input.NewIMFIFO),
		loadOf("imklog", input.NewIMKLog),
		loadOf("imkmsg", input.NewIMKMsg),
		withLoad(inputOf("imjournal", input.NewIMJournal), unlessMain(loadOf("imjournal", input.NewJournal))),
		loadOf("immark", input.NewIMMark),
	}
}

func outputKinds() []outputKind {
	return []outputKind{
		outputOf("omdtls", outdtls.New),
		outputOf("omfile", output.NewOMFile),
		outputOf("omfwd", output.NewOMFwd),
		outputOf("omjournal", output.NewOMJournal),
		outputOf("ommail", output.NewOMMail),
		outputOf("ompipe", output.NewOMPipe),
		outputOf("omprog", output.NewOMProg),
		outputOf("omrelp", output.NewOMRELP),
		outputOf("omshell", output.NewOMShell),
		outputOf("omstdout", output.NewOMStdout),
		outputOf("omudpspoof", output.NewOMUDPSpoof),
		outputOf("omusrmsg", output.NewOMUsrMsg),
		outputOf("omuxsock", output.NewOMUXSock),
	}
}

// inputHead are the parameters of any input that are the engine's business.
type inputHead struct {
	Type    string `conf:"type,required" doc:"Input module."`
	Ruleset string `conf:"ruleset" doc:"Ruleset that gets the messages; default is the configuration's top level."`
}

// moduleHead is what every module() has.
type moduleHead struct {
	Load    string `conf:"load,required" doc:"Name of the module."`
	Ruleset string `conf:"ruleset" doc:"Ruleset for inputs that name none."`
}

func inputOf[M, P any](name string, make func(M, P, input.Deps) (input.Input, error)) inputKind {
	return inputKind{
		name: name,
		docs: func() (any, any) { return new(M), new(P) },
		make: func(b *builder, module, o *conf.Object) (input.Input, error) {
			var m M
			var p P
			if err := b.decodeModule(module, &m); err != nil {
				return nil, err
			}
			into := []any{&inputHead{}, &p}
			if err := b.decodeKnown(name, o, into...); err != nil {
				return nil, err
			}
			in, err := make(m, p, b.inputDeps())
			if err != nil {
				return nil, b.cfg.Errorf(o.Pos, "", "%v", err)
			}
			return in, nil
		},
	}
}

// loadOf is a module that receives as soon as it is loaded.
func loadOf[M any](name string, make func(M, input.Deps) (input.Input, error)) inputKind {
	return inputKind{
		name: name,
		docs: func() (any, any) { return new(M), nil },
		load: func(b *builder, module *conf.Object) (input.Input, error) {
			var m M
			if err := b.decodeModule(module, &m); err != nil {
				return nil, err
			}
			in, err := make(m, b.inputDeps())
			if err != nil {
				return nil, b.cfg.Errorf(module.Pos, "", "%v", err)
			}
			return in, nil
		},
	}
}

// withLoad is a module that receives when it is loaded and at its input() objects.
func withLoad(objects, module inputKind) inputKind {
	objects.load = module.load
	return objects
}

// unlessMain is a module that does not receive by itself when one of its input()
// objects says main="on".
func unlessMain(k inputKind) inputKind {
	load := k.load
	k.load = func(b *builder, module *conf.Object) (input.Input, error) {
		for _, o := range b.objects("input") {
			if conf.ModuleName(o.Value("type")) == k.name && strings.EqualFold(o.Value("main"), "on") {
				return nil, nil
			}
		}
		return load(b, module)
	}
	return k
}

func (b *builder) inputDeps() input.Deps {
	return input.Deps{
		Env: b.env, Log: b.log.Log, Resolve: b.resolver.Name, IPVersion: b.globals.ipVersion(),
		StopTimeout: b.inputsTime, Program: b.opts.Program, RateLimit: b.rateLimit, TLS: b.keyring, WorkDirectory: b.globals.WorkDirectory,
		OwnThroughRules: b.globals.ProcessInternal,
	}
}

func outputOf[M, P any](name string, make func(M, P, output.Deps) (output.Output, error)) outputKind {
	return outputKind{
		name: name,
		docs: func() (any, any) { return new(M), new(P) },
		make: func(b *builder, o *conf.Object) (*output.Action, error) {
			var (
				m M
				p P
				a output.ActionParams
				q queue.Params
			)
			if err := b.decodeModule(b.modules[name], &m); err != nil {
				return nil, err
			}
			into := []any{&actionHead{}, &a, &q, &p}
			if err := b.decodeKnown(name, o, into...); err != nil {
				return nil, err
			}
			out, err := make(m, p, b.outputDeps())
			if err != nil {
				return nil, b.cfg.Errorf(o.Pos, "", "%v", err)
			}
			return b.newAction(o, moduleTitle(name), out, a, q)
		},
	}
}

// moduleTitle is a module's name as rsyslog shows it: those that are part of the
// daemon say so.
func moduleTitle(name string) string {
	if builtinOutput(name) {
		return "builtin:" + name
	}
	return name
}

// moduleParams are the structs of a module's module() object.
func (b *builder) moduleParams(name string) []any {
	into := []any{&moduleHead{}}
	for _, k := range inputKinds() {
		if k.name == name {
			module, _ := k.docs()
			return append(into, module)
		}
	}
	if k, ok := b.findOutput(name); ok && k.docs != nil {
		module, _ := k.docs()
		return append(into, module)
	}
	for _, k := range modifierKinds() {
		if k.name == name {
			module, _ := k.docs()
			return append(into, module)
		}
	}
	if name == "imdiag" {
		into = append(into, &DiagParams{})
	}
	if name == "admin" {
		into = append(into, &AdminParams{})
	}
	if name == "impstats" {
		into = append(into, &StatsParams{})
	}
	return into
}

// builtinOutput says whether the output needs no module().
func builtinOutput(name string) bool {
	return slices.Contains([]string{"omfile", "omfwd", "ompipe", "omusrmsg", "omshell", "omdiscard"}, name)
}

// decodeModule decodes a module() object, or the defaults if there is none.
func (b *builder) decodeModule(module *conf.Object, into any) error {
	if module == nil {
		module = &conf.Object{Kind: "module"}
		return b.cfg.Decode(module, into)
	}
	return b.cfg.Decode(module, &moduleHead{}, into)
}

func (b *builder) input(o *conf.Object) (input.Input, error) {
	p := o.Param("type")
	if p == nil {
		return nil, b.cfg.Errorf(o.Pos, `write input(type="imudp" …)`, "input() needs the parameter type")
	}
	name := conf.ModuleName(p.Values[0])
	i := slices.IndexFunc(inputKinds(), func(k inputKind) bool { return k.name == name })
	if i < 0 {
		if b.unsupportedInput(name, o) {
			return nil, nil
		}
		return nil, b.cfg.Errorf(p.ValuePos, conf.DidYouMean(name, append(moduleNames(), b.rsyslog.modules()...)), "there is no input module %q", p.Values[0])
	}
	if inputKinds()[i].make == nil {
		return nil, b.cfg.Errorf(p.ValuePos, "", "module %q has no input() objects: loading it is enough", name)
	}
	if b.modules[name] == nil {
		return nil, b.cfg.Errorf(p.ValuePos, `write module(load="`+name+`") before it`, "module %q is not loaded", name)
	}
	return inputKinds()[i].make(b, b.modules[name], o)
}

// module is the module() object of an input.
func (b *builder) module(o *conf.Object) *conf.Object {
	if p := o.Param("type"); p != nil {
		return b.modules[conf.ModuleName(p.Values[0])]
	}
	return nil
}

func (b *builder) findOutput(name string) (outputKind, bool) {
	kinds := append(outputKinds(), b.opts.outputs...)
	i := slices.IndexFunc(kinds, func(k outputKind) bool { return k.name == name })
	if i < 0 {
		return outputKind{}, false
	}
	return kinds[i], true
}

func outputNames() (names []string) {
	for _, k := range outputKinds() {
		names = append(names, k.name)
	}
	return names
}

func moduleNames() []string {
	names := append(outputNames(), "admin", "fmhash", "fmpcre", "fmunflatten", "imdiag", "impstats", "omruleset")
	names = append(names, parserModules()...)
	names = append(names, modifierNames()...)
	for _, k := range inputKinds() {
		names = append(names, k.name)
	}
	slices.Sort(names)
	return names
}

func knownModule(name string) bool { return slices.Contains(moduleNames(), name) }
