package engine

import (
	"slices"

	"sysrelay/conf"
	"sysrelay/filter"
	"sysrelay/input"
	"sysrelay/message"
	"sysrelay/output"
	"sysrelay/queue"
)

// Manual describes what the configuration language knows. It is made of the
// parameter structs, so that it cannot disagree with the decoder.
type Manual struct{ Pages []Page }

// Page is one module or object.
type Page struct {
	Name     string // "imudp", "global"
	Sections []Section
}

// Section is the parameters at one place: `module(load="imudp")`.
type Section struct {
	Where  string
	Params []conf.ParamDoc
}

// NewManual collects the pages: inputs, outputs, then objects.
func NewManual() *Manual {
	m := &Manual{}
	for _, k := range inputKinds() {
		module, object := k.docs()
		m.add(k.name, section(`module(load="`+k.name+`")`, module),
			inputSection(k, object))
	}
	m.add("imdiag", section(`module(load="imdiag")`, &DiagParams{}))
	m.add("admin", section(`module(load="admin")`, &AdminParams{}))
	m.add("impstats", section(`module(load="impstats")`, &StatsParams{}))
	for _, k := range outputKinds() {
		module, object := k.docs()
		m.add(k.name, section(`module(load="builtin:`+k.name+`")`, module),
			section(`action(type="`+k.name+`")`, object))
	}
	m.add("omruleset", section(`action(type="omruleset")`, &copyParams{}))
	for _, k := range modifierKinds() {
		module, object := k.docs()
		m.add(k.name, section(`module(load="`+k.name+`")`, module),
			section(`action(type="`+k.name+`")`, object))
	}
	m.add("action", section("action()", &actionHead{}, &output.ActionParams{}))
	m.add("queue", section("main_queue(), ruleset(), action()", &queue.Params{}))
	m.add("global", section("global()", &Globals{}))
	m.add("template", section("template()", &message.TemplateParams{}),
		section("constant()", &message.ConstantPart{}), section("property()", &message.PropertyPart{}))
	var parsers []Section
	for _, k := range parserKinds() {
		parsers = append(parsers, section(`parser(type="`+k.name+`")`, &parserHead{}, k.docs()))
	}
	m.add("parser", parsers...)
	m.add("timezone", section("timezone()", &zoneParams{}))
	m.add("lookup_table", section("lookup_table()", &lookupParams{}))
	m.add("ratelimit", section("ratelimit()", &input.RateLimitParams{}))
	m.add("dyn_stats", section("dyn_stats()", &filter.DynStatsParams{}))
	m.add("percentile_stats", section("percentile_stats()", &filter.PercentileParams{}))
	m.add("ruleset", section("ruleset()", &rulesetHead{}))
	return m
}

// inputSection is empty for a module without input() objects.
func inputSection(k inputKind, object any) Section {
	if k.make == nil {
		return Section{}
	}
	return section(`input(type="`+k.name+`")`, &inputHead{}, object)
}

// section describes structs as one; a name that two of them have counts once.
func section(where string, structs ...any) Section {
	s := Section{Where: where}
	for _, p := range conf.Describe(structs...) {
		if !slices.ContainsFunc(s.Params, func(q conf.ParamDoc) bool { return q.Name == p.Name }) {
			s.Params = append(s.Params, p)
		}
	}
	return s
}

func (m *Manual) add(name string, sections ...Section) {
	with := slices.DeleteFunc(sections, func(s Section) bool { return len(s.Params) == 0 })
	m.Pages = append(m.Pages, Page{name, with})
}

// Find returns the page of that name.
func (m *Manual) Find(name string) (Page, bool) {
	i := slices.IndexFunc(m.Pages, func(p Page) bool { return p.Name == name })
	if i < 0 {
		return Page{}, false
	}
	return m.Pages[i], true
}

// Names lists the pages.
func (m *Manual) Names() (names []string) {
	for _, p := range m.Pages {
		names = append(names, p.Name)
	}
	return names
}
