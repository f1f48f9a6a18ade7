package conf

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Decode sets the fields of the structs that into points at from the parameters
// of o. A field takes part if it has a tag:
//
//	Port []string `conf:"port,required" doc:"Port to listen on."`
//	Size int64    `conf:"queue.size,type=size" default:"1000" doc:"…" status:"full"`
//
// Embedded structs are decoded as if their fields stood here, and several
// structs as if they were one. Names are compared without case; `alias:"a,b"`
// names others. The field's Go type gives the rsyslog type: bool is on/off,
// integers are numbers, string, []string arrays (one string is an array of one),
// and the options type=size (1k, 2m, …), type=mode (octal), type=uid, type=gid,
// type=severity, type=facility, type=ms; type=word is a string without blanks.
// enum=a|b lists the values a string may
// have, which are compared without case and stored as they stand in the tag;
// min= and max= bound a number. A field of type Opt[T], or of another type that
// has its method Target, records whether the parameter was given.
//
// A default is set where the field is zero when Decode is called. Unknown names,
// values of the wrong type, repeated and missing parameters are errors with
// their place and a suggestion; what is right is decoded all the same. status is
// full (also when there is no tag), partial (doc says what is missing), or none
// (accepted with a notice that it has no effect).
//
// Accepted everywhere without a field: config.enabled, and the parameter that
// chooses the struct, which is type of action(), input() and parser(), and load
// of module().
func (c *Config) Decode(o *Object, into ...any) error {
	return c.DecodeOver(nil, o, into...)
}

// DecodeOver is Decode with a module()'s parameters in place of the defaults:
// what o says comes first, then what module says, then the default. Parameters
// of module that the structs do not have are passed over: module's own struct
// decides about them. module may be nil.
func (c *Config) DecodeOver(module, o *Object, into ...any) error {
	if c.tags == nil {
		c.tags = tagCache{}
	}
	d := &decoder{cfg: c, kind: o.Kind}
	for _, s := range into {
		d.fields = append(d.fields, c.tags.fieldsOf(s)...)
	}
	d.setDefaults(o)
	if module != nil {
		for _, p := range module.Params {
			if f := d.find(p.Name); f != nil {
				d.set(f, p)
			}
		}
	}
	seen := map[string]*Param{}
	for _, p := range o.Params {
		d.param(o, p, seen)
	}
	for _, f := range d.fields {
		if f.required && !f.given {
			d.report(o.Pos, o.String()+" needs the parameter "+f.name, "write "+f.name+`="…"`)
		}
	}
	return d.errs.ErrorOrNil()
}

type decoder struct {
	cfg    *Config
	kind   string
	fields []*field
	errs   *multierror.Error
}

func (d *decoder) report(at Pos, msg, suggest string) {
	d.errs = multierror.Append(d.errs, d.cfg.errorAt(at, msg, suggest))
}

func (d *decoder) find(name string) *field {
	for _, f := range d.fields {
		if f.is(name) {
			return f
		}
	}
	return nil
}

func (d *decoder) setDefaults(o *Object) {
	for _, f := range d.fields {
		if f.def == "" || !f.value.IsZero() {
			continue
		}
		if err := f.store([]string{f.def}); err != nil {
			d.report(o.Pos, fmt.Sprintf("default of %s: %v", f.name, err), "")
		}
	}
}

// param decodes one parameter of o.
func (d *decoder) param(o *Object, p *Param, seen map[string]*Param) {
	f := d.find(p.Name)
	if f == nil {
		if !chooses(o.Kind, p.Name) {
			d.report(p.Pos, "parameter "+p.Name+" not known in "+o.String(), didYouMean(p.Name, d.names()))
		}
		return
	}
	if first := seen[f.name]; first != nil {
		d.report(p.Pos, fmt.Sprintf("parameter %s is given more than once, first in line %d", p.Name, first.Line), "remove one of them")
		return
	}
	seen[f.name] = p
	d.set(f, p)
	if f.status == "none" {
		e := d.cfg.errorAt(p.Pos, "parameter "+p.Name+" is accepted but has no effect", f.doc)
		e.Severity, e.ID = Note, "parameter-without-effect"
		d.cfg.Notices = append(d.cfg.Notices, e)
	}
}

// chooses says whether the parameter is known without a field.
func chooses(kind, name string) bool {
	switch strings.ToLower(name) {
	case "config.enabled":
		return true
	case "type":
		return kind == "action" || kind == "input" || kind == "parser"
	case "load":
		return kind == "module"
	}
	return false
}

func (d *decoder) set(f *field, p *Param) {
	f.given = true
	if p.Array && !f.isArray() {
		d.report(p.ValuePos, "parameter "+p.Name+" takes one value, not an array", "write "+p.Name+`="value"`)
		return
	}
	if err := f.store(p.Values); err != nil {
		suggest := ""
		var v *valueError
		if errors.As(err, &v) {
			suggest = v.suggest
		}
		d.report(p.ValuePos, "parameter "+p.Name+": "+err.Error(), suggest)
	}
}

func (d *decoder) names() []string {
	names := make([]string, 0, len(d.fields))
	for _, f := range d.fields {
		names = append(names, f.name)
		names = append(names, f.aliases...)
	}
	return names
}

// Opt is a parameter that knows whether it was given.
type Opt[T any] struct {
	Value T
	Given bool
}

// opt lets the decoder see any Opt[T], and its like in packages that do not
// import this one.
type opt interface {
	Target() (value any, given *bool)
}

// Target returns where Decode puts the value, and that there is one.
func (o *Opt[T]) Target() (value any, given *bool) { return &o.Value, &o.Given }

// Or is o if it was given, or else other.
func (o Opt[T]) Or(other Opt[T]) Opt[T] {
	if o.Given {
		return o
	}
	return other
}
