package filter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sysrelay/conf"
	"sysrelay/message"
)

// TestScripts runs the configurations in testdata/scripts and compares what
// their actions write with what rsyslogd's did. A script has the parts "-- rules
// --", "-- messages --" and one "-- NAME --" per file written to @DIR@/NAME.
// @TESTDATA@ is the directory the test finds its files in. An omfwd action stands
// for one that cannot deliver.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			s := readScript(t, file)
			if *rsyslogd != "" {
				s.ask(t)
				s.write(t, file)
			}
			got := s.run(t)
			for name := range got {
				if _, ok := s.want[name]; !ok {
					t.Errorf("file %s is not expected: %s", name, got[name])
				}
			}
			for name, want := range s.want {
				if got[name] != want {
					t.Errorf("file %s\n got:\n%s\nwant:\n%s", name, got[name], want)
				}
			}
		})
	}
}

type script struct {
	comment, rules string
	messages       []string
	want           map[string]string
}

func readScript(t *testing.T, file string) *script {
	t.Helper()
	s := &script{want: map[string]string{}}
	part := &s.comment
	var messages string
	named := map[string]*string{"rules": &s.rules, "messages": &messages}
	for _, line := range goldenLines(t, file) {
		name, ok := strings.CutPrefix(line, "-- ")
		if !ok {
			*part += line + "\n"
			continue
		}
		name = strings.TrimSuffix(name, " --")
		if named[name] == nil {
			named[name] = new(string)
		}
		part = named[name]
	}
	s.messages = strings.Split(strings.TrimSuffix(messages, "\n"), "\n")
	for name, text := range named {
		if name != "rules" && name != "messages" {
			s.want[name] = *text
		}
	}
	return s
}

func (s *script) write(t *testing.T, file string) {
	t.Helper()
	text := s.comment + "-- rules --\n" + s.rules + "-- messages --\n" + strings.Join(s.messages, "\n") + "\n"
	var names []string
	for n := range s.want {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		text += "-- " + n + " --\n" + s.want[n]
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s *script) ask(t *testing.T) {
	t.Helper()
	here, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	dir := oracle(t, strings.ReplaceAll(s.rules, "@TESTDATA@", here), s.messages)
	s.want = map[string]string{}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == "rsyslog.conf" || f.Name() == "done" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		s.want[f.Name()] = string(b)
	}
}

// run runs the rules as an engine would and returns what the actions wrote.
func (s *script) run(t *testing.T) map[string]string {
	t.Helper()
	e := newScriptEngine(t)
	c, err := conf.Parse("script", []byte(strings.NewReplacer("@DIR@", "/dir", "@TESTDATA@", "testdata").Replace(s.rules)))
	if err != nil {
		t.Fatal(err)
	}
	main := e.build(t, c)
	err = main.Handle(context.Background(), received(t, s.messages).All())
	if err != nil && !errors.Is(err, errRefused) {
		t.Fatal(err)
	}
	for len(e.queued) > 0 {
		next := e.queued[0]
		e.queued = e.queued[1:]
		if err := next(); err != nil {
			t.Fatal(err)
		}
	}
	return e.files
}

// scriptEngine is as much of an engine as scripts need.
type scriptEngine struct {
	deps      Deps
	rulesets  map[string]*Ruleset
	templates map[string]message.Template
	tables    map[string]*LookupTable
	files     map[string]string
	queued    []func() error // batches in front of rulesets with a queue
}

func newScriptEngine(t *testing.T) *scriptEngine {
	e := &scriptEngine{deps: testDeps(), rulesets: map[string]*Ruleset{},
		templates: map[string]message.Template{}, tables: map[string]*LookupTable{}, files: map[string]string{}}
	for _, b := range message.BuiltinTemplates(e.deps.Env) {
		e.templates[b.Name()] = b
	}
	e.deps.Action = e.action
	e.deps.Template = func(n string) (message.Template, bool) { t, ok := e.templates[n]; return t, ok }
	e.deps.Ruleset = func(n string) (*Ruleset, bool) { r, ok := e.rulesets[n]; return r, ok }
	e.deps.Lookup = func(n string) (*LookupTable, bool) { l, ok := e.tables[n]; return l, ok }
	e.deps.Log = func(severity int, text string) { t.Logf("log %d: %s", severity, text) }
	return e
}

func (e *scriptEngine) build(t *testing.T, c *conf.Config) *Ruleset {
	t.Helper()
	for _, st := range c.Stmts {
		if o, ok := st.(*conf.Object); ok {
			e.object(t, o)
		}
	}
	for _, st := range c.Stmts {
		if o, ok := st.(*conf.Object); ok && o.Kind == "ruleset" {
			e.ruleset(t, o)
		}
	}
	main, err := Compile(e.deps, "RSYSLOG_DefaultRuleset", c.Stmts)
	if err != nil {
		t.Fatal(err)
	}
	e.rulesets[main.Name] = main
	for _, r := range e.rulesets {
		if err := r.Link(); err != nil {
			t.Fatal(err)
		}
	}
	return main
}

// object makes what rules refer to.
func (e *scriptEngine) object(t *testing.T, o *conf.Object) {
	t.Helper()
	name := o.Value("name")
	var err error
	switch o.Kind {
	case "template":
		e.templates[name], err = e.deps.Env.ParseTemplate(name, o.Value("string"), message.TemplateOptions{})
	case "lookup_table":
		e.tables[name], err = OpenLookupTable(name, o.Value("file"), e.deps.Log)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (e *scriptEngine) ruleset(t *testing.T, o *conf.Object) {
	t.Helper()
	r, err := Compile(e.deps, o.Value("name"), o.Body)
	if err != nil {
		t.Fatal(err)
	}
	e.rulesets[r.Name] = r
	if o.Param("queue.type") == nil {
		return
	}
	r.SetQueue(func(ctx context.Context, v message.View) error {
		b := &message.Batch{}
		v.CopyTo(b)
		e.queued = append(e.queued, func() error { return r.Handle(ctx, b.All()) })
		return nil
	})
}

func (e *scriptEngine) action(o *conf.Object) (Action, error) {
	a := &fileAction{failover: strings.EqualFold(o.Value("action.execOnlyWhenPreviousIsSuspended"), "on")}
	if o.Value("type") == "omfwd" {
		return a, nil
	}
	tpl, ok := e.templates[o.Value("template")]
	if !ok {
		return nil, fmt.Errorf("no template %q", o.Value("template"))
	}
	name := strings.TrimPrefix(o.Value("file"), "/dir/")
	a.write = func(m *message.Message) { e.files[name] += string(tpl.Append(nil, m)) }
	return a, nil
}

// fileAction writes to a file, or fails.
type fileAction struct {
	write    func(*message.Message)
	failover bool
}

func (a *fileAction) Handle(_ context.Context, v message.View) error {
	if a.write == nil {
		return &message.Undelivered{Rest: v, Err: errRefused}
	}
	for i := range v.Len() {
		a.write(v.At(i))
	}
	return nil
}
func (a *fileAction) Suspended() bool   { return a.write == nil }
func (a *fileAction) FailoverFor() bool { return a.failover }
func (a *fileAction) HasFailover()      {}
