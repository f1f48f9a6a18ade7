package conf

import (
	"fmt"
	"strings"
)

// Param returns the parameter of that name, or nil. The last one counts if
// there are several.
func (o *Object) Param(name string) *Param {
	for i := len(o.Params) - 1; i >= 0; i-- {
		if strings.EqualFold(o.Params[i].Name, name) {
			return o.Params[i]
		}
	}
	return nil
}

// Value returns the value of the parameter of that name, "" if there is none.
func (o *Object) Value(name string) string {
	if p := o.Param(name); p != nil && len(p.Values) > 0 {
		return p.Values[0]
	}
	return ""
}

// String is what error messages call the object: action(type="omfile").
func (o *Object) String() string {
	for _, name := range []string{"type", "load", "name"} {
		if v := o.Value(name); v != "" {
			return fmt.Sprintf("%s(%s=%q)", o.Kind, name, v)
		}
	}
	return o.Kind + "()"
}

// enabled says whether the object is to be used: as in rsyslogd, any value of
// config.enabled but "on" switches it off.
func (o *Object) enabled() bool {
	p := o.Param("config.enabled")
	return p == nil || o.Value("config.enabled") == "on"
}

// set gives o the parameter, in place of an earlier one of the same name.
func (o *Object) set(q *Param) {
	for i, have := range o.Params {
		if strings.EqualFold(have.Name, q.Name) {
			o.Params[i] = q
			return
		}
	}
	o.Params = append(o.Params, q)
}

// word makes a parameter that stands at p.
func word(p Pos, name, value string) *Param {
	return &Param{Pos: p, Name: name, Values: []string{value}, ValuePos: p}
}

// ModuleName returns the name of a module as it is named in load= or type=: a
// path, builtin: and .so do not count.
func ModuleName(load string) string {
	name := load[strings.LastIndexByte(load, '/')+1:]
	name = strings.TrimPrefix(name, "builtin:")
	return strings.ToLower(strings.TrimSuffix(name, ".so"))
}
