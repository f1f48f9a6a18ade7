package filter

import (
	"errors"
	"os"
	"strconv"

	"sysrelay/conf"
	"sysrelay/message"
)

// exists compiles exists($!path).
func exists(c *compiler, f *conf.Func, _ []expr) expr {
	v, ok := f.Args[0].(*conf.Var)
	if !ok || !isTree(v.Name) {
		c.errorf(f.Args[0].Position(), "", "the argument of exists() must be a variable, such as $!name")
		return fixedNumber(0)
	}
	path, ok := c.path(v.Pos, v.Name)
	if !ok {
		return fixedNumber(0)
	}
	return boolExpr(func(_ *eval, m *message.Message) bool {
		v, ok := m.Var(path)
		return ok && v.Kind() != message.KindNull // as rsyslog
	})
}

// parseJSON compiles parse_json(text, "\$!path"): 0, or 1 if the text is no JSON.
func parseJSON(c *compiler, f *conf.Func, a []expr) expr {
	name, ok := c.constant(f, 1)
	if !ok {
		return fixedNumber(1)
	}
	path, ok := c.path(f.Args[1].Position(), name)
	if !ok {
		return fixedNumber(1)
	}
	t, env := a[0].asText(), c.deps.Env
	return boolExpr(func(e *eval, m *message.Message) bool {
		v, _, err := env.ParseJSON(t(e, m))
		if err == nil {
			_ = m.AddVar(path, v) // as rsyslog: that it has no place there is no failure
		}
		e.fail(err != nil)
		return err != nil
	})
}

// getProperty compiles get_property(container, key): a member of an object or an
// element of an array. as rsyslog: an object is returned itself for an empty key,
// and so is a text; what else is neither is a number.
func getProperty(c *compiler, _ *conf.Func, a []expr) expr {
	container, key, env := a[0].asValue(), a[1].asText(), c.deps.Env
	return valueExpr(func(e *eval, m *message.Message) value {
		v := container(e, m)
		if v.kind != jsonKind {
			return v
		}
		k := key(e, m)
		switch {
		case v.json.Kind() == message.KindObject && len(k) == 0:
			return v
		case v.json.Kind() == message.KindObject:
			elem, _ := v.json.Member(string(k), env.VarsCaseSensitive)
			return e.fromJSON(elem)
		case v.json.Kind() == message.KindArray:
			i, err := strconv.Atoi(string(k))
			if len(k) == 0 { // as rsyslog
				i, err = 0, nil
			}
			if err != nil || i < 0 || i >= v.json.Len() {
				return textValue(nil)
			}
			_, elem := v.json.At(i)
			return e.fromJSON(elem)
		}
		return numberValue(v.json.Int()) // as rsyslog
	})
}

// prifilt compiles prifilt("selector").
func prifilt(c *compiler, f *conf.Func, _ []expr) expr {
	text, ok := c.constant(f, 0)
	if !ok {
		return fixedNumber(0)
	}
	s, err := ParseSelector(text)
	if e := (*SelectorError)(nil); errors.As(err, &e) {
		c.errorf(f.Args[0].Position(), e.Suggest, "selector %q: %s", text, e.Msg)
	}
	x := boolExpr(func(_ *eval, m *message.Message) bool { return s.Match(m) })
	x.pri = true
	return x
}

// execTemplate compiles exec_template("name").
func execTemplate(c *compiler, f *conf.Func, _ []expr) expr {
	name, ok := c.constant(f, 0)
	if !ok {
		return fixedText("")
	}
	t, ok := c.deps.Template(name)
	if !ok {
		c.errorf(f.Args[0].Position(), "", "exec_template(): there is no template %q", name)
		return fixedText("")
	}
	return textExpr(func(e *eval, m *message.Message) []byte {
		at := len(e.buf)
		e.buf = t.Append(e.buf, m)
		return e.since(at)
	})
}

// lookup compiles lookup("table", key).
func lookup(c *compiler, f *conf.Func, a []expr) expr {
	name, ok := c.constant(f, 0)
	if !ok {
		return fixedText("")
	}
	table, ok := c.deps.Lookup(name)
	if !ok {
		c.errorf(f.Args[0].Position(), "", "lookup(): there is no lookup table %q", name)
		return fixedText("")
	}
	key := a[1].asValue()
	return textExpr(func(e *eval, m *message.Message) []byte {
		k := key(e, m)
		return e.keep(table.find(e, &k))
	})
}

// getenv compiles getenv(name). The environment does not change while we run.
func getenv(_ *compiler, _ *conf.Func, a []expr) expr {
	if a[0].fixed {
		return fixedText(os.Getenv(string(a[0].asText()(new(eval), nil))))
	}
	t := a[0].asText()
	return textExpr(func(e *eval, m *message.Message) []byte { return e.keep(os.Getenv(string(t(e, m)))) })
}

// scriptErrorOf compiles script_error(): whether the function called before, of
// those that can, has failed.
func scriptErrorOf(*compiler, *conf.Func, []expr) expr {
	return boolExpr(func(e *eval, _ *message.Message) bool { return *e.mark&scriptError != 0 })
}

// previousSuspended compiles previous_action_suspended().
func previousSuspended(*compiler, *conf.Func, []expr) expr {
	return boolExpr(func(e *eval, _ *message.Message) bool { return *e.mark&prevSuspended != 0 })
}
