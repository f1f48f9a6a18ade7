package filter

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-multierror"

	"sysrelay/conf"
)

// compiler compiles the statements of one ruleset. It goes on after an error.
type compiler struct {
	deps    Deps
	ruleset *Ruleset
	level   int // of blocks around the statement
	errs    *multierror.Error
	// verbatim is set where literals are not calculated beforehand, see isLiteral.
	verbatim bool
}

func (c *compiler) errorf(p conf.Pos, suggest, format string, args ...any) {
	c.errs = multierror.Append(c.errs, &conf.Error{Pos: p, Msg: fmt.Sprintf(format, args...), Suggest: suggest})
}

func (c *compiler) block(stmts []conf.Stmt, top bool) block {
	var b block
	if !top {
		c.level++
		defer func() { c.level-- }()
	}
	for _, s := range stmts {
		if o, ok := s.(*conf.Object); ok && o.Kind != "action" {
			if !top {
				c.errorf(o.Pos, "", "%s() cannot stand among statements", o.Kind)
			}
			continue
		}
		if s := c.statement(s); s != nil {
			b = append(b, s)
		}
	}
	return b
}

func (c *compiler) statement(s conf.Stmt) statement {
	switch s := s.(type) {
	case *conf.Object:
		return c.action(s)
	case *conf.PRIFilter:
		return c.priFilter(s)
	case *conf.PropertyFilter:
		return c.propertyFilter(s)
	case *conf.If:
		return &branch{cond: c.condition(s.Cond), then: c.block(s.Then, false), els: c.block(s.Else, false)}
	case *conf.Set:
		return c.set(s)
	case *conf.Unset:
		if path, ok := c.path(s.Pos, s.Var); ok {
			return &unset{site: c.site(s.Pos), name: s.Var, path: path}
		}
		return nil
	case *conf.Foreach:
		return c.foreach(s)
	case *conf.CallIndirect:
		return c.callIndirect(s)
	case *conf.ReloadLookup:
		return c.reloadLookup(s)
	case *conf.Stop:
		return stop{c.site(s.Pos)}
	case *conf.Continue: // as rsyslog: does nothing
		return nil
	case *conf.Call:
		to := &call{site: c.site(s.Pos), name: s.Ruleset, find: c.deps.Ruleset}
		c.ruleset.calls = append(c.ruleset.calls, to)
		return to
	}
	c.errorf(s.Position(), "", "statement %T is not known to rulesets", s)
	return nil
}

func (c *compiler) action(o *conf.Object) statement {
	if name, is, err := c.deps.Copies(o); err != nil {
		c.errs = multierror.Append(c.errs, err)
		return nil
	} else if is {
		return c.copyTo(o.Pos, name)
	}
	m, is, err := c.deps.Modifier(o)
	switch {
	case err != nil:
		c.errs = multierror.Append(c.errs, err)
		return nil
	case is:
		return &alter{site: c.site(o.Pos), to: m}
	}
	a, err := c.deps.Action(o)
	if err != nil {
		c.errs = multierror.Append(c.errs, err)
		return nil
	}
	if a == nil { // config.enabled="off"
		return nil
	}
	return &act{site: c.site(o.Pos), to: a}
}

func (c *compiler) priFilter(s *conf.PRIFilter) statement {
	sel, err := ParseSelector(s.Selector)
	if e := (*SelectorError)(nil); errors.As(err, &e) {
		at := s.Pos
		at.Col += e.Offset
		c.errorf(at, e.Suggest, "selector %q: %s", s.Selector, e.Msg)
		return nil
	}
	return &branch{cond: condition{site: c.site(s.Pos), text: s.Selector, parts: c.tracedPRI(s.Pos), selector: &sel}, then: c.block(s.Then, false)}
}
