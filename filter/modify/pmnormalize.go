package modify

import (
	"errors"
	"fmt"
	"sync"

	"sysrelay/filter/lognorm"
	"sysrelay/message"
)

// PMNormalizeParams are the parameters of the parser pmnormalize.
type PMNormalizeParams struct {
	Rulebase       string   `conf:"rulebase" doc:"File with the rule base." status:"full"`
	Rule           []string `conf:"rule" doc:"Lines of a rule base, version 2, instead of a file." status:"full"`
	UndefinedError bool     `conf:"undefinedpropertyerror" doc:"Report fields that are no property." status:"full"`
}

// NormalizeParser is a message.Parser that takes the text behind PRI apart by a
// rule base, whose fields are properties.
type NormalizeParser struct {
	rules  *lognorm.Rulebase
	env    *message.Env
	report func(name string)
}

// NewNormalizeParser returns the parser that p describes.
func NewNormalizeParser(p PMNormalizeParams, d Deps) (*NormalizeParser, error) {
	rules, err := loadRules(d.Env, p.Rulebase, p.Rule)
	if err != nil {
		return nil, err
	}
	n := &NormalizeParser{rules: rules, env: d.Env, report: func(string) {}}
	if p.UndefinedError {
		var once sync.Map
		n.report = func(name string) {
			if _, known := once.LoadOrStore(name, true); !known {
				d.Log(severityWarning, fmt.Sprintf("pmnormalize: %q is no property; further fields of that name are not reported", name))
			}
		}
	}
	return n, nil
}

// loadRules reads a rule base from a file or from lines.
func loadRules(env *message.Env, file string, lines []string) (rules *lognorm.Rulebase, err error) {
	switch {
	case file != "" && len(lines) > 0:
		return nil, errors.New("rulebase and rule exclude each other")
	case file != "":
		rules, err = lognorm.Load(env, file)
	case len(lines) > 0:
		rules, err = lognorm.Compile(env, lines)
	default:
		return nil, errors.New("a rule base is needed: rulebase, or rule")
	}
	if err != nil {
		return nil, fmt.Errorf("rule base: %w", err)
	}
	return rules, nil
}

// Name is the name configurations know the parser by.
func (n *NormalizeParser) Name() string { return "rsyslog.pmnormalize" }

// Parse parses m if a rule fits.
func (n *NormalizeParser) Parse(m *message.Message) bool {
	event, ok := n.rules.Normalize(m.Msg.Of(m.Text))
	if !ok {
		return false
	}
	for i := range event.Len() {
		name, v := event.At(i)
		if !setProperty(n.env, m, name, v) {
			n.report(name)
		}
	}
	return true
}
