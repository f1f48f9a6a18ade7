package lognorm

import (
	"errors"
	"fmt"
	"strings"

	"sysrelay/message"
)

// spec is one part of a sample: a literal, or a field.
type spec struct {
	literal string
	name    string // of the field; "-" discards it
	typ     string
	params  message.Value // an object
}

// parseSample takes a sample apart.
func (l *loader) parseSample(s string) ([]spec, error) {
	var specs []spec
	for s != "" {
		text, after, field := strings.Cut(s, "%")
		if text != "" {
			specs = append(specs, spec{literal: unescape(text)})
		}
		if !field {
			break
		}
		if strings.HasPrefix(after, "%") { // a percent sign
			specs = append(specs, spec{literal: "%"})
			s = after[1:]
			continue
		}
		more, rest, err := l.parseField(after)
		if err != nil {
			return nil, err
		}
		specs, s = append(specs, more...), rest
	}
	return specs, nil
}

// parseField reads a field up to its closing percent sign, in one of the forms
//
//	name:type%   name:type:extra%   name:type{"param":"value"}%   {"type":"…"}%   [{…},{…}]%
func (l *loader) parseField(s string) (specs []spec, rest string, err error) {
	s = strings.TrimLeft(s, " \t\r\n")
	if s != "" && (s[0] == '{' || s[0] == '[') {
		v, n, err := l.env.ParseJSON([]byte(s))
		if err != nil {
			return nil, "", fmt.Errorf("field: %w", err)
		}
		rest, ok := strings.CutPrefix(s[n:], "%")
		if !ok {
			return nil, "", errors.New("a field has no closing %")
		}
		specs, err = specsOf(v)
		return specs, rest, err
	}
	colon := strings.IndexByte(s, ':')
	if colon < 0 {
		return nil, "", fmt.Errorf("field %.40q has no type: fields are written as %%name:type%%", s)
	}
	f := spec{name: strings.TrimSpace(s[:colon]), params: message.NewObject()}
	s = s[colon+1:]
	end := strings.IndexAny(s, ":{%")
	if end < 0 {
		return nil, "", fmt.Errorf("field %s has no closing %%", f.name)
	}
	f.typ = strings.TrimSpace(s[:end])
	switch s[end] {
	case '{':
		v, n, err := l.env.ParseJSON([]byte(s[end:]))
		if err != nil {
			return nil, "", fmt.Errorf("field %s: %w", f.name, err)
		}
		f.params, s = v, strings.TrimLeft(s[end+n:], " \t\r\n")
		if !strings.HasPrefix(s, "%") {
			return nil, "", fmt.Errorf("field %s has no closing %%", f.name)
		}
		s = s[1:]
	case ':':
		extra, after, ok := strings.Cut(s[end+1:], "%")
		if !ok {
			return nil, "", fmt.Errorf("field %s has no closing %%", f.name)
		}
		f.params.SetMember("extradata", message.StringValue(unescape(extra)), true)
		s = after
	default:
		s = s[end+1:]
	}
	return []spec{f}, s, nil
}

// specsOf reads a field, or a sequence of fields, from JSON.
func specsOf(v message.Value) ([]spec, error) {
	if v.Kind() == message.KindArray {
		var all []spec
		for i := range v.Len() {
			_, elem := v.At(i)
			more, err := specsOf(elem)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
		return all, nil
	}
	if v.Kind() != message.KindObject {
		return nil, errors.New("a field must be an object, or an array of objects")
	}
	f := spec{name: "-", typ: param(v, "type"), params: v}
	if name := param(v, "name"); name != "" {
		f.name = name
	}
	if f.typ == "" {
		return nil, errors.New("a field needs a type")
	}
	if f.typ == "literal" && f.name == "-" {
		return []spec{{literal: param(v, "text")}}, nil
	}
	return []spec{f}, nil
}

// param is a parameter as text; "" if it is not given.
func param(v message.Value, name string) string {
	p, ok := v.Member(name, false)
	if !ok {
		return ""
	}
	return string(p.AppendText(nil))
}

// key tells equal fields from different ones.
func (f *spec) key() string {
	return f.name + "\x00" + f.typ + "\x00" + string(f.params.AppendJSON(nil, message.JSONPlain))
}
