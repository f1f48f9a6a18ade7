package modify

import (
	"context"

	"sysrelay/filter/lognorm"
	"sysrelay/message"
)

// MMNormalizeModule are mmnormalize's parameters at module().
type MMNormalizeModule struct {
	AllowRegex bool `conf:"allowregex" doc:"Rule bases may have fields of type regex; there is no such type here." status:"none"`
}

// MMNormalizeParams are mmnormalize's parameters.
type MMNormalizeParams struct {
	Rulebase  string   `conf:"rulebase" doc:"File with the rule base." status:"full"`
	Rule      []string `conf:"rule" doc:"Lines of a rule base, version 2, instead of a file." status:"full"`
	Path      string   `conf:"path" default:"$!" doc:"Variable that gets the fields." status:"full"`
	UseRawMsg bool     `conf:"userawmsg" doc:"Look at the whole raw message, not at MSG." status:"full"`
	Variable  string   `conf:"variable" doc:"Look at this variable instead." status:"full"`

	Debug     bool   `conf:"debug" doc:"Accepted." status:"none"`
	DebugFile string `conf:"debugfile" doc:"Accepted." status:"none"`
	Turbo     bool   `conf:"turbo" doc:"Accepted." status:"none"`
}

type normalize struct {
	rules    *lognorm.Rulebase
	raw      bool
	variable *message.Path
	path     message.Path
}

// NewMMNormalize returns what makes variables of a message by the rules of a rule
// base.
func NewMMNormalize(_ MMNormalizeModule, p MMNormalizeParams, d Deps) (Modifier, error) {
	n := &normalize{raw: p.UseRawMsg}
	var err error
	if n.path, err = container(d.Env, "path", p.Path); err != nil {
		return nil, err
	}
	if p.Variable != "" {
		v, err := container(d.Env, "variable", p.Variable)
		if err != nil {
			return nil, err
		}
		n.variable = &v
	}
	if n.rules, err = loadRules(d.Env, p.Rulebase, p.Rule); err != nil {
		return nil, err
	}
	return n, nil
}

// Modify stores the fields of the first rule that fits; if none does, the text and
// what of it no rule came to.
func (n *normalize) Modify(_ context.Context, m *message.Message) error {
	t := text(m, n.raw)
	if n.variable != nil {
		t = nil
		if v, ok := m.Var(*n.variable); ok {
			t = v.AppendText(nil)
		}
	}
	event, ok := n.rules.Normalize(t)
	setParseSuccess(m, ok)
	_ = m.AddVar(n.path, event) // as rsyslog: a tree that cannot take it stays as it is
	return nil
}
