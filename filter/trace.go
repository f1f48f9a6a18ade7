package filter

import (
	"context"
	"strconv"
	"strings"

	"sysrelay/conf"
	"sysrelay/message"
)

// Tracer is told, step by step, what would happen to a message; nil means nobody
// listens.
type Tracer interface {
	Step(m *message.Message, s Step)
}

// StepKind is what a Step is about.
type StepKind uint8

const (
	StepParsed    StepKind = iota // Text is the parser, "" if none knew the message
	StepCondition                 // Text and its outcome Holds, with its Parts
	StepSet                       // Text is the variable, Value what it is now
	StepUnset                     // Text is the variable
	StepEach                      // of foreach: Text is the variable, Value the element
	StepCall                      // Text is the ruleset; Holds: it has a queue
	StepNoCall                    // Text is the ruleset of call_indirect that cannot be called
	StepReload                    // Text is the lookup table; it is not read
	StepAction                    // Action would get the message
	StepFailover                  // Action would get it if the one before were suspended
	StepStop                      // the message goes no further
	StepModify                    // Text is the modifier, Value what MSG is now
)

// Step is one thing that happens to a message.
type Step struct {
	Kind   StepKind
	At     conf.Pos
	Level  int // of statements and calls around it
	Text   string
	Value  string
	Holds  bool
	Parts  []Part
	Action Action
}

// Part is a part of a condition: the condition itself first, then what it is made
// of.
type Part struct {
	Text    string
	Level   int
	Skipped bool   // the outcome was known without it
	Value   string // true, false, a number, text in quotes, or JSON
}

// Trace tells t what Handle would do with the messages of v, one after the other.
// Nothing is delivered, put into a queue or counted. The ruleset must have been
// compiled with Deps.Traced.
func (r *Ruleset) Trace(ctx context.Context, v message.View, t Tracer) {
	x := &pass{}
	for i := range v.Len() {
		one := v.Slice(i, i+1)
		x.begin(ctx, one, t)
		r.run(x, x.sort(x.parse(one, r)))
	}
}

// step tells the tracer about every message of v.
func (x *pass) step(v message.View, at site, s Step) {
	s.At, s.Level = at.pos, x.level+at.level
	for i := range v.Len() {
		x.trace.Step(v.At(i), s)
	}
}

// site is where a statement is written.
type site struct {
	pos   conf.Pos
	level int // of blocks around it
}

func (c *compiler) site(p conf.Pos) site { return site{p, c.level} }

// actTraced is act for a tracer: what delivers is passed over.
func (x *pass) actTraced(s *act, v message.View) {
	step := Step{Kind: StepAction, Action: s.to}
	if s.to.FailoverFor() {
		step.Kind = StepFailover
		x.step(v, s.site, step)
		return
	}
	x.step(v, s.site, step)
}

// alterTraced is alter for a tracer. Messages are changed: what follows depends on
// it.
func (x *pass) alterTraced(s *alter, v message.View) {
	x.alter(s.to, v)
	step := Step{Kind: StepModify, At: s.pos, Level: x.level + s.level, Text: s.to.Name()}
	for i := range v.Len() {
		m := v.At(i)
		step.Value = string(m.Msg.Of(m.Text))
		x.trace.Step(m, step)
	}
}

// enterTraced shows what a ruleset does that is called from the place given,
// perhaps with a copy of the message.
func (r *Ruleset) enterTraced(x *pass, v message.View, from site, copies bool) {
	x.step(v, from, Step{Kind: StepCall, Text: r.Name, Holds: r.queue != nil})
	level := x.level
	inside := x
	if copies {
		copied := new(message.Batch)
		v.CopyTo(copied)
		v = copied.All()
		inside = &pass{}
		inside.begin(x.ctx, v, x.trace)
		v = inside.sort(inside.parse(v, r))
	}
	inside.level = level + from.level + 1
	inside.depth = x.depth + 1
	r.run(inside, v)
	if inside == x {
		x.level = level
		x.depth--
	}
}

// tracedPRI shows the message's PRI as a part of a selector.
func (c *compiler) tracedPRI(at conf.Pos) *traced {
	return c.traced(&conf.Var{Pos: at, Name: "pri-text"})
}

// traced is an expression that shows its parts.
type traced struct {
	text  string
	op    string // "and", "or", "not", or "": one that is not taken apart further
	bool  bool   // the value is true or false
	value valueFunc
	parts []*traced
}

// maxTraced is how many parts of one condition are shown.
const maxTraced = 200

// traced compiles the parts of x. What is wrong with it has been reported.
func (c *compiler) traced(x conf.Expr) *traced {
	if !c.deps.Traced {
		return nil
	}
	scratch, left := &compiler{deps: c.deps, ruleset: &Ruleset{}}, maxTraced
	return scratch.taken(x, &left)
}

// taken takes x apart.
func (c *compiler) taken(x conf.Expr, left *int) *traced {
	if *left--; *left < 0 {
		return nil
	}
	t := &traced{text: exprText(x), value: c.expr(x).asValue()}
	var parts []conf.Expr
	switch x := x.(type) {
	case *conf.Binary:
		parts = []conf.Expr{x.X, x.Y}
		if x.Op == "and" || x.Op == "or" {
			t.op = x.Op
		}
		t.bool = strings.IndexByte("+-*/%&", x.Op[0]) < 0
	case *conf.Unary:
		parts = []conf.Expr{x.X}
		if x.Op == "not" {
			t.op, t.bool = "not", true
		}
	case *conf.Func:
		parts = x.Args
	}
	for _, p := range parts {
		if t.op == "" && fixed(p) { // shows itself
			continue
		}
		if part := c.taken(p, left); part != nil {
			t.parts = append(t.parts, part)
		}
	}
	return t
}

func fixed(x conf.Expr) bool {
	switch x := x.(type) {
	case *conf.Num, *conf.Str, *conf.Array:
		return true
	case *conf.Unary:
		return fixed(x.X)
	}
	return false
}

// show evaluates t and appends it and its parts.
func (t *traced) show(all []Part, e *eval, m *message.Message, level int) ([]Part, bool) {
	at := len(all)
	all = append(all, Part{Text: t.text, Level: level})
	if t.op == "" || len(t.parts) == 0 {
		e.begin(e.mark)
		v := t.value(e, m)
		n, _ := v.number()
		all[at].Value = v.shown(e, t.bool)
		for _, p := range t.parts {
			all, _ = p.show(all, e, m, level+1)
		}
		return all, n != 0
	}
	all, holds := t.parts[0].show(all, e, m, level+1)
	switch {
	case t.op == "not":
		holds = !holds
	case len(t.parts) < 2:
	case holds == (t.op == "or"):
		all = append(all, Part{Text: t.parts[1].text, Level: level + 1, Skipped: true})
	default:
		all, holds = t.parts[1].show(all, e, m, level+1)
	}
	all[at].Value = strconv.FormatBool(holds)
	return all, holds
}

// shown is v for people to read.
func (v *value) shown(e *eval, truth bool) string {
	switch {
	case truth:
		n, _ := v.number()
		return strconv.FormatBool(n != 0)
	case v.kind == textKind:
		return "'" + string(v.text) + "'"
	}
	return string(v.string(e))
}

// parts shows what came of a condition for the message at an index of the batch.
func (x *pass) parts(c *condition, at int) []Part {
	x.eval.begin(&x.marks[at])
	m := &x.messages[at]
	if c.parts == nil {
		return nil
	}
	all, _ := c.parts.show(nil, &x.eval, m, 0)
	return all
}
