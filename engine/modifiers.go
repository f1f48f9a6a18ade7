package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sysrelay/conf"
	"sysrelay/filter"
	"sysrelay/filter/modify"
	"sysrelay/message"
	"sysrelay/output"
	"sysrelay/queue"
)

// modifierKind is one module that changes messages.
type modifierKind struct {
	name string
	docs func() (module, object any)
	make func(b *builder, o *conf.Object) (*modifier, error)
}

func modifierKinds() []modifierKind {
	return []modifierKind{
		modifierOf("mmanon", modify.NewMMAnon),
		modifierOf("mmcount", modify.NewMMCount),
		modifierOf("mmdblookup", modify.NewMMDBLookup),
		modifierOf("mmexternal", modify.NewMMExternal),
		modifierOf("mmfields", modify.NewMMFields),
		modifierOf("mmjsonparse", modify.NewMMJSONParse),
		modifierOf("mmnormalize", modify.NewMMNormalize),
		modifierOf("mmpstrucdata", modify.NewMMPStrucData),
		modifierOf("mmrm1stspace", modify.NewMMRm1stSpace),
		modifierOf("mmsequence", modify.NewMMSequence),
		modifierOf("mmutf8fix", modify.NewMMUTF8Fix),
	}
}

func modifierOf[M, P any](name string, make func(M, P, modify.Deps) (modify.Modifier, error)) modifierKind {
	return modifierKind{
		name: name,
		docs: func() (any, any) { return new(M), new(P) },
		make: func(b *builder, o *conf.Object) (*modifier, error) {
			var (
				m M
				p P
				a output.ActionParams
			)
			if err := b.decodeModule(b.modules[name], &m); err != nil {
				return nil, err
			}
			into := []any{&actionHead{}, &a, &queue.Params{}, &p}
			if err := b.cfg.Decode(b.known(name, o, into...), into...); err != nil {
				return nil, err
			}
			does, err := make(m, p, b.modifyDeps())
			if err != nil {
				return nil, b.cfg.Errorf(o.Pos, "", "%v", err)
			}
			b.noteQueue(o)
			return b.newModifier(name, a, does), nil
		},
	}
}

func (b *builder) modifyDeps() modify.Deps {
	return modify.Deps{Env: b.env, Log: b.log.Log, Sequences: &b.sequences}
}

// noteQueue tells the user that a modifier has no queue: what it changes must be
// there for the next statement.
func (b *builder) noteQueue(o *conf.Object) {
	for _, p := range o.Params {
		if strings.HasPrefix(strings.ToLower(p.Name), "queue.") {
			n := b.cfg.Errorf(p.Pos, "a modifier works where it stands in the ruleset", "parameter %s has no effect here", p.Name)
			n.Severity, n.ID = conf.Note, "parameter-without-effect"
			b.cfg.Notices = append(b.cfg.Notices, n)
			return
		}
	}
}

// modifier is an action that changes messages, with what all actions have that
// makes sense for it.
type modifier struct {
	name     string
	failover bool
	gate     output.Gate
	does     modify.Modifier
	env      *message.Env
	ledger   message.Ledger
}

func (b *builder) newModifier(module string, p output.ActionParams, does modify.Modifier) *modifier {
	name := p.Name
	if name == "" {
		name = b.actionName(module)
	}
	return &modifier{name: name, failover: p.OnlyWhenSuspended, gate: output.NewGate(p.GateParams, b.markInterval()),
		does: does, env: b.env}
}

// actionName is the name of an action that is given none. as rsyslog: actions
// are counted from 0 in the order of the text, modifiers with the others.
func (b *builder) actionName(module string) string {
	return fmt.Sprintf("action-%d-%s", len(b.actions)+len(b.modifiers)+len(b.missing), module)
}

// Modify is filter's.
func (m *modifier) Modify(ctx context.Context, v message.View) error {
	taken := m.gate.Pass(v, m.env.Now())
	m.ledger.Receive(v.Len())
	m.ledger.Discard(message.Stopped, v.Len()-taken.Len())
	var left []int32
	var errs error
	for i := range taken.Len() {
		if err := m.does.Modify(ctx, taken.At(i)); err != nil {
			left, errs = append(left, int32(i)), err
		}
	}
	m.ledger.Deliver(taken.Len() - len(left))
	m.ledger.Discard(message.Suspended, len(left))
	if len(left) == 0 {
		return nil
	}
	return &message.Undelivered{Rest: taken.Pick(left), Err: errs}
}

// Name is filter's.
func (m *modifier) Name() string { return m.name }

// FailoverFor is filter's.
func (m *modifier) FailoverFor() bool { return m.failover }

// hup makes a modifier read its files again, if it has any.
func (m *modifier) hup() {
	if h, ok := m.does.(interface{ Hup() }); ok {
		h.Hup()
	}
}

// close ends what a modifier has started.
func (m *modifier) close() error {
	c, ok := m.does.(interface{ Close() error })
	if !ok {
		return nil
	}
	if err := c.Close(); err != nil {
		return fmt.Errorf("action %s: %w", m.name, err)
	}
	return nil
}

// modifier makes what an action() object stands for that changes messages.
func (b *builder) modifier(o *conf.Object) (filter.Modifier, bool, error) {
	name := conf.ModuleName(o.Value("type"))
	i := slices.IndexFunc(modifierKinds(), func(k modifierKind) bool { return k.name == name })
	if i < 0 {
		return nil, false, nil
	}
	if b.modules[name] == nil {
		return nil, true, b.cfg.Errorf(o.Param("type").ValuePos, `write module(load="`+name+`") before it`, "module %s is not loaded", name)
	}
	m, err := modifierKinds()[i].make(b, o)
	if err != nil {
		return nil, true, err
	}
	b.modifiers = append(b.modifiers, m)
	return m, true, nil
}

func modifierNames() (names []string) {
	for _, k := range modifierKinds() {
		names = append(names, k.name)
	}
	return names
}
