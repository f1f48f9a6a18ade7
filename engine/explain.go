package engine

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sysrelay/conf"
	"sysrelay/filter"
	"sysrelay/message"
	"sysrelay/output"
)

// Reception says how the messages to explain are received.
type Reception struct {
	From    string // address of the sender; "" is 127.0.0.1
	Input   string // input module; "" is imtcp
	Ruleset string // "" is the ruleset the input is bound to
}

// Explanation is what would happen to one message.
type Explanation struct {
	Raw        string     `json:"raw"` // as it was received
	Input      string     `json:"input"`
	From       string     `json:"from"`
	Ruleset    string     `json:"ruleset"`
	Parser     string     `json:"parser"` // "" if none knew the message
	Properties []Property `json:"properties"`
	Steps      []Step     `json:"steps"`
	Variables  []Property `json:"variables,omitempty"` // $!, $. and $/ at the end
	Actions    int        `json:"actions"`             // that would get it
	Stopped    string     `json:"stopped,omitempty"`   // file:line:column of the stop
}

// Property is the name and value of a property or variable. Control characters
// and invalid UTF-8 are escaped.
type Property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Step is one thing that happens to the message.
type Step struct {
	Kind  string `json:"kind"`
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
	Col   int    `json:"column,omitempty"`
	Level int    `json:"level"` // how deep it is nested

	Text   string     `json:"text,omitempty"`
	Value  string     `json:"value,omitempty"`
	Holds  *bool      `json:"holds,omitempty"`  // of a condition
	Queued bool       `json:"queued,omitempty"` // of a call: by way of the ruleset's queue
	Parts  []PartStep `json:"parts,omitempty"`
	Action *Emission  `json:"action,omitempty"`
}

// PartStep is a part of a condition.
type PartStep struct {
	Text    string `json:"text"`
	Level   int    `json:"level"`
	Value   string `json:"value,omitempty"`
	Skipped bool   `json:"skipped,omitempty"`
}

// Emission is what an action would emit.
type Emission struct {
	Name   string `json:"name"`
	Module string `json:"module"`
	Kind   string `json:"kind,omitempty"` // file, tcp, …
	To     string `json:"to,omitempty"`
	Data   string `json:"data"` // escaped
	Bytes  int    `json:"bytes"`
	Queue  string `json:"queue,omitempty"`
	Only   string `json:"only,omitempty"`
	Why    string `json:"notDelivered,omitempty"`
}

// stepKinds are the names of filter's steps.
var stepKinds = map[filter.StepKind]string{
	filter.StepCondition: "condition", filter.StepSet: "set", filter.StepUnset: "unset", filter.StepEach: "each",
	filter.StepCall: "call", filter.StepNoCall: "no-call", filter.StepReload: "reload-lookup-table",
	filter.StepAction: "action", filter.StepFailover: "failover", filter.StepStop: "stop",
	filter.StepModify: "modify",
}

// Explainer explains messages one after the other.
type Explainer struct {
	e      *Engine
	to     *ruleset
	origin message.Origin
	flags  message.Flags
	input  string
	from   string
	batch  message.Batch
}

// Explainer makes an Explainer of an engine that was made with Options.Explain.
func (e *Engine) Explainer(r Reception) (*Explainer, error) {
	x := &Explainer{e: e, input: r.Input, from: r.From}
	if x.input == "" {
		x.input = "imtcp"
	}
	if x.from == "" {
		x.from = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(x.from)
	if err != nil {
		return nil, fmt.Errorf("%q is no address", x.from)
	}
	if !slices.Contains(moduleNames(), x.input) {
		return nil, fmt.Errorf("there is no input %q; %s", x.input, conf.DidYouMean(x.input, moduleNames()))
	}
	host := x.from
	if addr.IsLoopback() {
		host = e.env.Hostname()
	}
	x.origin = message.NewOrigin(x.input, host, x.from, "")
	if fromNetwork(x.input) {
		x.flags = message.ParseHostname
	}
	if x.to, err = x.entered(r.Ruleset); err != nil {
		return nil, err
	}
	return x, nil
}

// fromNetwork tells whether messages of an input hold the name of a host.
func fromNetwork(input string) bool {
	return !slices.Contains([]string{"imuxsock", "imklog", "imkmsg", "immark", "imfifo", "imfile", "imjournal", "improg", "impstats"}, input)
}

// entered is the ruleset that messages enter.
func (x *Explainer) entered(name string) (*ruleset, error) {
	e := x.e
	if name == "" {
		name = e.entries[x.input]
	}
	if name == "" {
		return e.order[0], nil
	}
	to, ok := e.rulesets[strings.ToLower(name)]
	if !ok {
		var names []string
		for _, r := range e.order {
			names = append(names, r.Name)
		}
		return nil, fmt.Errorf("there is no ruleset %q; %s", name, conf.DidYouMean(name, names))
	}
	return to, nil
}

// Explain says what would happen to a message. Nothing is written or sent.
func (x *Explainer) Explain(raw []byte) *Explanation {
	x.batch.Reset()
	x.batch.Receive(&x.e.env.Sanitize, raw, x.origin, x.e.env.Now().UnixNano(), x.flags)
	ex := &Explanation{Raw: visible(raw), Input: x.input, From: x.from, Ruleset: x.to.Name}
	x.to.Trace(context.Background(), x.batch.All(), &tracer{env: x.e.env, to: ex})
	if x.batch.Len() > 0 {
		ex.Variables = variables(x.e.env, x.batch.All().At(0))
	}
	return ex
}

// tracer writes an Explanation.
type tracer struct {
	env  *message.Env
	to   *Explanation
	read bool // the properties
}

// Step implements filter.Tracer.
func (t *tracer) Step(m *message.Message, s filter.Step) {
	if s.Kind == filter.StepParsed {
		if !t.read { // a ruleset with a queue has a copy that is parsed already
			t.to.Parser, t.to.Properties, t.read = s.Text, properties(t.env, m), true
		}
		return
	}
	step := Step{Kind: stepKinds[s.Kind], File: s.At.File, Line: s.At.Line, Col: s.At.Col, Level: s.Level,
		Text: s.Text, Value: visible([]byte(s.Value))}
	switch s.Kind {
	case filter.StepCondition:
		step.Holds = &s.Holds
		for _, p := range s.Parts {
			step.Parts = append(step.Parts, PartStep{p.Text, p.Level, visible([]byte(p.Value)), p.Skipped})
		}
	case filter.StepCall:
		step.Queued = s.Holds
	case filter.StepAction, filter.StepFailover:
		step.Action = emission(m, s.Action)
		if s.Kind == filter.StepAction && step.Action.Why == "" {
			t.to.Actions++
		}
	case filter.StepStop:
		t.to.Stopped = fmt.Sprintf("%s:%d:%d", s.At.File, s.At.Line, s.At.Col)
	}
	t.to.Steps = append(t.to.Steps, step)
}

func emission(m *message.Message, a filter.Action) *Emission {
	planned, ok := a.(interface {
		Plan(m *message.Message) output.Plan
	})
	if !ok {
		return &Emission{}
	}
	p := planned.Plan(m)
	return &Emission{Name: p.Name, Module: p.Module, Kind: p.Kind, To: visible([]byte(p.To)), Data: visible(p.Data),
		Bytes: len(p.Data), Queue: p.Queue, Only: p.Only, Why: p.Why}
}

func properties(env *message.Env, m *message.Message) (all []Property) {
	for _, name := range message.Properties() {
		if p, err := env.Property(name); err == nil {
			all = append(all, Property{name, visible(p.Value(m, nil))})
		}
	}
	return all
}

// variables are the trees that are not empty.
func variables(env *message.Env, m *message.Message) (all []Property) {
	for _, name := range []string{"$!", "$.", "$/"} {
		p, err := env.Property(name)
		if err != nil {
			continue
		}
		if v := p.Value(m, nil); len(v) > 0 && strings.Trim(string(v), "{ }") != "" {
			all = append(all, Property{name, visible(v)})
		}
	}
	return all
}
