package engine

import (
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"sysrelay/conf"
	"sysrelay/filter"
	"sysrelay/filter/modify"
	"sysrelay/input"
	"sysrelay/message"
	"sysrelay/output"
	"sysrelay/queue"
	"sysrelay/queue/disk"
)

// builder makes an Engine of a configuration's tree. It goes on after an error,
// so that all are reported at once; what is wrong is left out.
type builder struct {
	*Engine
	cfg       *conf.Config
	modules   map[string]*conf.Object // loaded modules by base name
	params    map[string][]string     // the names of parameters that objects have, see known
	templates map[string]message.Template
	parsers   map[string]message.Parser
	zones     map[string]int16 // minutes east of UTC by name
	mainQueue *conf.Object
	errs      *multierror.Error
	fileLocks output.FileLocks
	rsyslog   rsyslogParams
	asked     map[string]bool // kinds of objects that were asked for
	reported  map[reported]bool
	leftOut   []string // names of parsers that are known and not there
	sequences modify.Sequences
}

// New builds a configuration. The error is a *multierror.Error of everything
// that is wrong with it; the Engine is good for what is not.
func New(cfg *conf.Config, o Options) (*Engine, error) {
	env := message.NewEnv("localhost")
	e := &Engine{opts: o, env: env, log: newOwnLog(o, env), manager: newServiceManager(), rulesets: map[string]*ruleset{}, entries: map[string]string{}}
	b := &builder{Engine: e, cfg: cfg, modules: map[string]*conf.Object{}, params: map[string][]string{}, templates: map[string]message.Template{},
		rsyslog: newRsyslogParams(), asked: map[string]bool{}, reported: map[reported]bool{}}
	b.readGlobals()
	b.loadModules()
	b.makeDiag()
	b.readTemplates()
	b.readParsers()
	b.readTables()
	b.readStats()
	b.readRateLimits()
	b.compileRulesets()
	b.checkElsewhere()
	b.makeInputs()
	b.makeStats()
	b.makeAdmin()
	b.bindDiag()
	b.unsupportedObjects()
	return e, b.errs.ErrorOrNil()
}

// reported is an error that has been reported.
type reported struct {
	at  conf.Pos
	msg string
}

func (b *builder) failed(err error) {
	if m := (*multierror.Error)(nil); errors.As(err, &m) {
		for _, err := range m.Errors {
			b.failed(err)
		}
		return
	}
	if e := (*conf.Error)(nil); errors.As(err, &e) {
		b.cfg.Quote(e)
		// A module() is decoded again for each of its objects.
		key := reported{e.Pos, e.Msg}
		if b.reported[key] {
			return
		}
		b.reported[key] = true
	}
	b.errs = multierror.Append(b.errs, err)
}

func (b *builder) errorf(p conf.Pos, suggest, format string, args ...any) {
	b.failed(b.cfg.Errorf(p, suggest, format, args...))
}

func (b *builder) decode(o *conf.Object, into ...any) bool { return b.decodeOver(nil, o, into...) }

// decodeOver is conf's, keeping the errors.
func (b *builder) decodeOver(module, o *conf.Object, into ...any) bool {
	if err := b.cfg.DecodeOver(module, o, into...); err != nil {
		b.failed(err)
		return false
	}
	return true
}

func (b *builder) objects(kind string) (found []*conf.Object) {
	b.asked[kind] = true
	for _, s := range b.cfg.Stmts {
		if o, ok := s.(*conf.Object); ok && o.Kind == kind {
			found = append(found, o)
		}
	}
	return found
}

func (b *builder) readGlobals() {
	b.globals = &Globals{}
	o := mergeGlobals(b.objects("global"))
	if err := b.checkTypes(o, b.cfg.Decode(o, b.globals), "global object"); err != nil {
		b.failed(err)
	}
	if os.Getenv("RSYSLOG_DFLT_LOG_INTERNAL") == "1" {
		b.globals.ProcessInternal = true
	}
	b.globals.apply(b.env)
	b.oversize = &oversize{file: b.globals.OversizeFile, report: b.globals.OversizeReport, log: b.log.Log, now: b.env.Now, most: b.env.Sanitize.MaxSize}
	b.env.Sanitize.OnOversize = b.oversize.tell
	if !b.globals.EscapeControl && !b.globals.SpaceLF {
		b.log.Log(5, "parser.escapeControlCharactersOnReceive is off: senders can end lines in files and pipes, and write there what looks like messages of others; "+
			`parser.spaceLFOnReceive="on" keeps them from that`)
	}
	b.memory = newMemory(b.globals.MemoryMax, b.log.Log)
	b.inputsMS.Store(int64(b.globals.InputsTimeout))
	b.env.SetHostname(b.globals.hostname())
	b.log.configure(b.globals)
	b.resolver = input.NewResolver(b.globals.resolver(b.env, b.log.Log))
	b.keyring = &conf.Keyring{Defaults: b.globals.StreamDefaults, Lenient: b.opts.Compat, Log: b.log.Log, Now: b.env.Now}
}

// loadModules reads module() objects. as rsyslog: a module may be named by a
// path; only the base name counts.
func (b *builder) loadModules() {
	for _, o := range b.objects("module") {
		p := o.Param("load")
		if p == nil {
			b.errorf(o.Pos, `write module(load="imudp")`, "module() needs the parameter load")
			continue
		}
		name := conf.ModuleName(p.Values[0])
		if _, isOutput := b.findOutput(name); !isOutput && !knownModule(name) {
			if b.unsupportedModule(name, o) {
				continue
			}
			b.errorf(p.ValuePos, conf.DidYouMean(name, append(moduleNames(), b.rsyslog.modules()...)), "there is no module %q", p.Values[0])
			continue
		}
		into := b.moduleParams(name)
		o = b.known(name, o, into...)
		if err := b.checkTypes(o, b.cfg.Decode(o, into...), name+" module"); err != nil {
			b.failed(err)
		}
		b.modules[name] = o
	}
}

func (b *builder) compileRulesets() {
	for _, o := range b.objects("main_queue") {
		b.mainQueue = o
	}
	b.addRuleset(rulesetSource{name: DefaultRuleset, stmts: b.cfg.Stmts, parsers: b.defaultChain()}, b.mainOptions())
	for _, o := range b.objects("ruleset") {
		if isDefaultRuleset(o) {
			continue
		}
		head, opts := b.readRuleset(o)
		if head.Name == "" {
			continue
		}
		if _, dup := b.rulesets[strings.ToLower(head.Name)]; dup {
			b.errorf(o.Pos, "", "ruleset %q exists already", head.Name)
			continue
		}
		b.addRuleset(rulesetSource{name: head.Name, stmts: o.Body, parsers: b.chain(head.Parser, o)}, opts)
	}
	for _, r := range b.order {
		if err := r.Link(); err != nil {
			b.failed(err)
		}
	}
}

// rulesetHead are the parameters of ruleset() besides its queue's.
type rulesetHead struct {
	Name   string   `conf:"name,required" doc:"Name to call it by."`
	Parser []string `conf:"parser" doc:"Parsers to try, in this order; default rsyslog.rfc5424, rsyslog.rfc3164."`
}

// readRuleset reads a ruleset's own parameters; its queue is nil if it has none.
func (b *builder) readRuleset(o *conf.Object) (head rulesetHead, q *queue.Options) {
	var params queue.Params
	if !b.decode(o, &head, &params) || !hasQueue(o) {
		return head, nil
	}
	opts := b.queueOptions(o.Pos, head.Name, queue.Ruleset, params)
	defaultTimeouts(&opts.Params, b.globals.RulesetShutdown, b.globals.RulesetCompletion, b.globals.RulesetEnqueue)
	return head, &opts
}

// hasQueue: as rsyslog, a ruleset has a queue when any queue parameter is given.
func hasQueue(o *conf.Object) bool {
	for _, p := range o.Params {
		if strings.HasPrefix(strings.ToLower(p.Name), "queue.") {
			return true
		}
	}
	return false
}

func (b *builder) mainOptions() *queue.Options {
	kind := queue.MainLegacy
	var q queue.Params
	var at conf.Pos
	if b.mainQueue != nil {
		at = b.mainQueue.Pos
		if err := b.checkTypes(b.mainQueue, b.cfg.Decode(b.mainQueue, &q), "queue object"); err != nil {
			b.failed(err)
		}
		if !b.mainQueue.Legacy {
			kind = queue.Main
		}
	}
	opts := b.queueOptions(at, "main Q", kind, q)
	return &opts
}

func (b *builder) queueOptions(at conf.Pos, name string, kind queue.Kind, p queue.Params) queue.Options {
	if _, err := p.Check(kind); err != nil {
		b.failed(b.cfg.Errorf(at, "", "%v", err))
	}
	if p.SpoolDirectory == "" {
		p.SpoolDirectory = b.globals.WorkDirectory
	}
	return queue.Options{Name: name, Kind: kind, Params: p, Now: b.env.Now, Log: b.log.Log, OpenStore: disk.Open}
}

// defaultTimeouts fills in global()'s defaults where the queue gives none.
func defaultTimeouts(p *queue.Params, shutdown, completion, enqueue conf.Opt[int]) {
	for _, t := range []struct {
		of *queue.Opt[int]
		to conf.Opt[int]
	}{{&p.TimeoutShutdown, shutdown}, {&p.TimeoutCompletion, completion}, {&p.TimeoutEnqueue, enqueue}} {
		if !t.of.Given && t.to.Given {
			*t.of = queue.Given(t.to.Value)
		}
	}
}

// rulesetSource is what a ruleset is compiled from.
type rulesetSource struct {
	name    string
	stmts   []conf.Stmt
	parsers message.ParserChain
}

func (b *builder) addRuleset(src rulesetSource, q *queue.Options) {
	compiled, err := filter.Compile(filter.Deps{
		Env: b.env, Parsers: src.parsers, Action: b.action, Modifier: b.modifier, Copies: b.copies,
		Ruleset: b.compiled, Template: b.template, Lookup: b.lookupTable, Log: b.log.Log, Traced: b.opts.Explain,
		DynStats: find(b.dynStats), Percentiles: find(b.percentiles),
	}, src.name, src.stmts)
	if err != nil {
		b.failed(err)
	}
	r := &ruleset{Ruleset: compiled, parsers: src.parsers}
	b.rulesets[strings.ToLower(src.name)] = r
	b.order = append(b.order, r)
	if q != nil {
		r.setQueue(*q)
		// as rsyslog: a ruleset with a queue of type Direct is a part of its callers.
		if !strings.EqualFold(string(q.Params.Type), string(queue.Direct)) {
			compiled.SetQueue(r.entry)
		}
	}
}

func (r *ruleset) setQueue(q queue.Options) {
	q.Work = r.Handle
	r.options, r.queued = q, true
}

// compiled finds a ruleset. as rsyslog: the case of its name does not count.
func (b *builder) compiled(name string) (*filter.Ruleset, bool) {
	r, ok := b.rulesets[strings.ToLower(name)]
	if !ok {
		return nil, false
	}
	return r.Ruleset, true
}

func (b *builder) template(name string) (message.Template, bool) {
	t, ok := b.templates[name]
	return t, ok
}

// copyParams are the parameters of omruleset.
type copyParams struct {
	Ruleset  string `conf:"rulesetname,required" doc:"Ruleset that gets copies of the messages."`
	Template string `conf:"template" doc:"Not used: what is handed on is the message." status:"none"`
}

// copies tells whether an action is omruleset, which is the rules' own business.
func (b *builder) copies(o *conf.Object) (ruleset string, is bool, err error) {
	if conf.ModuleName(o.Value("type")) != "omruleset" {
		return "", false, nil
	}
	var p copyParams
	err = b.cfg.Decode(o, &actionHead{}, &p)
	return p.Ruleset, true, err
}

// action makes the action of an action() object; nil if it is switched off.
func (b *builder) action(o *conf.Object) (filter.Action, error) {
	p := o.Param("type")
	if p == nil {
		return nil, b.cfg.Errorf(o.Pos, `write action(type="omfile" …)`, "action() needs the parameter type")
	}
	kind, ok := b.findOutput(conf.ModuleName(p.Values[0]))
	if !ok {
		if name := conf.ModuleName(p.Values[0]); b.rsyslog.has(name) {
			return b.unsupportedAction(name, o), nil
		}
		return nil, b.cfg.Errorf(p.ValuePos, conf.DidYouMean(p.Values[0], slices.Concat(outputNames(), modifierNames(), b.rsyslog.modules())),
			"there is no output module %q", p.Values[0])
	}
	if name := conf.ModuleName(p.Values[0]); b.modules[name] == nil && b.rsyslog.has(name) && !builtinOutput(name) {
		b.errorf(p.ValuePos, `write module(load="`+name+`") before it`, "module %s is not loaded", p.Values[0])
		return nil, nil
	}
	a, err := kind.make(b, o)
	if err != nil {
		return nil, err
	}
	b.actions = append(b.actions, a)
	return a, nil
}

// actionHead are the parameters of any action that are the engine's business.
type actionHead struct {
	Type string `conf:"type,required" doc:"Output module."`
}

// newAction puts what all actions have around an output.
func (b *builder) newAction(o *conf.Object, module string, out output.Output, p output.ActionParams, q queue.Params) (*output.Action, error) {
	name := p.Name
	if name == "" {
		name = b.actionName(module)
	}
	if !p.ReportSuspension.Given {
		p.ReportSuspension.Value = b.globals.ReportSuspension
	}
	if !p.ReportContinuation.Given {
		p.ReportContinuation.Value = b.globals.ReportContinuation
	}
	opts := b.queueOptions(o.Pos, name+" queue", actionQueue(o), q)
	defaultTimeouts(&opts.Params, b.globals.ActionShutdown, b.globals.ActionCompletion, b.globals.ActionEnqueue)
	a, err := output.NewAction(output.ActionOptions{
		Name: name, Module: module, Params: p, Queue: opts, Output: out,
		MarkInterval: b.markInterval(), Jitter: output.Jitter, Deps: b.outputDeps(),
	})
	if err != nil {
		return nil, b.cfg.Errorf(o.Pos, "", "%v", err)
	}
	return a, nil
}

// actionQueue is the kind of queue an action has.
func actionQueue(o *conf.Object) queue.Kind {
	if o.Legacy {
		return queue.ActionLegacy
	}
	return queue.Action
}

// markInterval is immark's interval, 0 if it is not loaded.
func (b *builder) markInterval() time.Duration {
	var m input.IMMarkModule
	if b.modules["immark"] == nil || b.decodeModule(b.modules["immark"], &m) != nil {
		return 0 // what is wrong with it is reported when it is made
	}
	return time.Duration(m.Interval) * time.Second
}

func (b *builder) outputDeps() output.Deps {
	return output.Deps{Env: b.env, Log: b.log.Log, Template: b.template, TLS: b.keyring, FileLocks: &b.fileLocks, RateLimit: b.outputLimit}
}

func (b *builder) makeInputs() {
	for _, k := range inputKinds() {
		if module := b.modules[k.name]; module != nil && k.load != nil {
			in, err := k.load(b, module)
			b.addInput(in, err, module)
		}
	}
	for _, o := range b.objects("input") {
		if conf.ModuleName(o.Value("type")) != "imdiag" {
			in, err := b.input(o)
			b.addInput(in, err, o)
		}
	}
}

// addInput binds an input to the ruleset that o, its object or module, names.
func (b *builder) addInput(in input.Input, err error, o *conf.Object) {
	switch {
	case err != nil:
		b.failed(err)
	case in != nil:
		to := b.target(o)
		b.bind(in, to)
		b.enter(o, to)
	}
}

// enter notes for Explain which ruleset an input module's messages enter.
func (b *builder) enter(o *conf.Object, to *ruleset) {
	name := conf.ModuleName(o.Value("type") + o.Value("load"))
	if _, known := b.entries[name]; !known {
		b.entries[name] = to.Name
	}
}

// bind gives an input the ruleset its messages go to.
func (b *builder) bind(in input.Input, to *ruleset) {
	bound := boundInput{Input: in, to: to, memory: b.memory}
	if b.globals.RepeatedMsgs {
		bound.repeats = input.NewRepeats(b.env, to.parsers, to.entry)
	}
	b.inputs = append(b.inputs, bound)
}

// target is the ruleset an input is bound to. An input's ruleset without queue
// parameters gets a queue of its own with the main queue's parameters: messages
// do not run the rules on the connection's time.
// as rsyslog it would share the main queue; a queue of its own keeps inputs from
// holding each other up.
func (b *builder) target(o *conf.Object) *ruleset {
	main := b.order[0]
	p := o.Param("ruleset")
	if p == nil && b.module(o) != nil {
		p = b.module(o).Param("ruleset")
	}
	if p == nil || p.Values[0] == "" {
		return main
	}
	r, ok := b.rulesets[strings.ToLower(p.Values[0])]
	if !ok {
		b.errorf(p.ValuePos, conf.DidYouMean(p.Values[0], b.rulesetNames()), "there is no ruleset %q", p.Values[0])
		return main
	}
	if !r.queued {
		q := main.options
		q.Name = r.Name + " queue"
		if q.Params.Filename != "" {
			q.Params.Filename += "-" + url.PathEscape(r.Name)
		}
		r.setQueue(q)
	}
	return r
}

func (b *builder) rulesetNames() (names []string) {
	for _, r := range b.order {
		names = append(names, r.Name)
	}
	return names
}
