package message

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// TemplatePart is a part of a list template: ConstantPart or PropertyPart.
type TemplatePart interface {
	addTo(b *templateBuilder) error
}

// ConstantPart is constant().
type ConstantPart struct {
	Value   string `conf:"value,required" doc:"The text."`
	Format  string `conf:"format,enum=jsonf" doc:"jsonf makes it \"outname\":\"value\"."`
	Outname string `conf:"outname" doc:"Name of the field, for structured outputs and jsonf."`
}

// PropertyPart is property(). Zero values mean "not given".
type PropertyPart struct {
	Name          string `conf:"name,required" doc:"The property."`
	Outname       string `conf:"outname" doc:"Name of the field, for structured outputs and jsonf; default is the property's name."`
	DateFormat    string `conf:"dateformat,enum=rfc3164|rfc3164-buggyday|rfc3339|mysql|pgsql|unixtimestamp|subseconds|year|month|day|hour|minute|second|wday|wdayname|week|iso-week|iso-week-year|ordinal|tzoffshour|tzoffsmin|tzoffsdirection" doc:"Form of a time."`
	DateInUTC     bool   `conf:"date.inutc" doc:"Show a time in UTC."`
	CompressSpace bool   `conf:"compressspace" doc:"Make runs of blanks one."`
	Case          string `conf:"caseconversion,enum=lower|upper" doc:"lower or upper."`
	Control       string `conf:"controlcharacters,enum=escape|escape-octal|space|drop" doc:"escape (#ddd, decimal), escape-octal, space or drop."`
	SecurePath    string `conf:"securepath,enum=drop|replace" doc:"drop or replace slashes, for use in file names."`
	Format        string `conf:"format,enum=csv|json|jsonf|jsonr|jsonfr" doc:"csv, json, jsonf, jsonr or jsonfr."`
	From          int    `conf:"position.from" doc:"First byte, counted from 1."`
	To            int    `conf:"position.to" doc:"Last byte; negative counts from the end."`
	FromEnd       bool   `conf:"position.relativetoend" doc:"Both positions count from the end."`
	Field         int    `conf:"field.number" doc:"Number of the field, counted from 1."`
	Delimiter     int    `conf:"field.delimiter" default:"9" doc:"Code of the character between fields."`
	Expr          string `conf:"regex.expression" doc:"Regular expression that finds the part to take."`
	ExprType      string `conf:"regex.type,enum=BRE|ERE" default:"BRE" doc:"BRE or ERE."`
	NoMatch       string `conf:"regex.nomatchmode,enum=DFLT|BLANK|FIELD|ZERO" default:"DFLT" doc:"Without a match: DFLT (**NO MATCH**), BLANK, FIELD (the whole value) or ZERO."`
	Match         int    `conf:"regex.match" doc:"Which of several matches, counted from 0."`
	Submatch      int    `conf:"regex.submatch" doc:"Which parenthesis of the match; 0 is all."`
	DropLastLF    bool   `conf:"droplastlf" doc:"Drop a newline at the end."`
	FixedWidth    bool   `conf:"fixedwidth" doc:"Pad with blanks up to position.to."`
	DataType      string `conf:"datatype,enum=string|number|bool|auto" default:"string" doc:"Of a jsonf field: string, number, bool or auto."`
	OnEmpty       string `conf:"onempty,enum=keep|skip|null" default:"keep" doc:"What an empty jsonf field does: keep, skip or null."`
	OmitIfZero    bool   `conf:"omitifzero" doc:"Leave out a jsonf field of type number that is 0."`
	Mandatory     bool   `conf:"mandatory" doc:"Show the field even if it is empty, for structured outputs; text has every field."`
	SPIfNo1stSP   bool   `conf:"spifno1stsp" doc:"Be a blank if the value does not begin with one, else nothing."`

	fieldExpand bool // F,n+ of a string template
}

// templateBuilder collects the segments of a template.
type templateBuilder struct {
	env      *Env
	name     string
	opts     TemplateOptions
	segments []segment
	names    []string // outname of each segment with jsonf format, else ""
	values   []string // value of each constant with jsonf format
}

// add adds a segment; name is the field's if it is a JSON member.
func (b *templateBuilder) add(s segment, name string) {
	if s.prop.id != propNone {
		s.kind = s.kindOf()
	}
	last := len(b.segments) - 1
	joined := b.opts.JSONF || b.opts.JSONFTree // there constants are members of their own
	if s.kind == segConstant && last >= 0 && b.segments[last].kind == segConstant && !joined {
		b.segments[last].constant += s.constant
		return
	}
	b.segments = append(b.segments, s)
	b.names = append(b.names, name)
	b.values = append(b.values, "")
}

// template is what has been built.
func (b *templateBuilder) template() (Template, error) {
	if err := b.opts.check(); err != nil {
		return nil, fmt.Errorf("template %q: %w", b.name, err)
	}
	t := &textTemplate{name: b.name, env: b.env, segments: b.segments}
	for i := range t.segments {
		t.usesNow = t.usesNow || t.segments[i].prop.usesNow()
	}
	switch {
	case b.opts.SQL:
		t.escape = appendEscapedSQL
	case b.opts.StdSQL:
		t.escape = appendEscapedStdSQL
	case b.opts.JSON:
		t.escape = appendEscapedQuotes
	case b.opts.JSONF:
		return &fieldsTemplate{text: t, root: flatFields(len(t.segments))}, nil
	case b.opts.JSONFTree:
		return &fieldsTemplate{text: t, root: b.nest()}, nil
	}
	return t, nil
}

func (p ConstantPart) addTo(b *templateBuilder) error {
	p.Value = unescape(p.Value)
	switch {
	case p.Format == "":
		b.add(segment{constant: p.Value}, "")
	case p.Format != "jsonf":
		return fmt.Errorf("there is no format %q for constants, only jsonf", p.Format)
	case p.Outname == "":
		return errors.New("format jsonf needs an outname")
	default:
		b.add(segment{constant: jsonConstant(p.Outname, p.Value)}, p.Outname)
		b.values[len(b.values)-1] = p.Value
	}
	return nil
}

// unescape resolves backslash escapes. as rsyslog: constants are unescaped once
// more after the configuration's own strings have been. Unknown escapes stay.
func unescape(s string) string {
	const letters, values = `abfnrt'"?\`, "\a\b\f\n\r\t'\"?\\"
	var b []byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			if n := strings.IndexByte(letters, s[i+1]); n >= 0 {
				c, i = values[n], i+1
			} else if code, ok := hexEscape(s[i+1:]); ok {
				c, i = code, i+3
			}
		}
		b = append(b, c)
	}
	return string(b)
}

// hexEscape reads x and two hexadecimal digits.
func hexEscape(s string) (code byte, ok bool) {
	if len(s) < 3 || s[0] != 'x' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:3], 16, 8)
	return byte(n), err == nil
}

// jsonConstant is a constant as a member. as rsyslog: libfastjson prints these,
// with a blank.
func jsonConstant(name, value string) string {
	b := append(appendJSONString(nil, name), ": "...)
	return string(appendJSONString(b, value))
}

func (p PropertyPart) addTo(b *templateBuilder) error {
	prop, err := b.property(p.Name)
	if err != nil {
		return err
	}
	outname := p.Outname
	if outname == "" {
		outname = strings.TrimPrefix(p.Name, "$!")
	}
	if prop.id == propVariable && !b.opts.CaseSensitive {
		outname = toLowerASCII(outname)
	}
	r, err := p.replacer()
	if err != nil {
		return fmt.Errorf("property %q: %w", p.Name, err)
	}
	r.name = outname
	s := segment{prop: prop, repl: r}
	if *r == (replacer{name: outname}) {
		s.repl = nil
	}
	if r.format != formatJSONF && r.format != formatJSONFR {
		outname = ""
	}
	b.add(s, outname)
	return nil
}

// property resolves a name. as rsyslog: unless the template says otherwise,
// variables' names are taken in lower case even where case matters.
func (b *templateBuilder) property(name string) (Property, error) {
	p, err := b.env.Property(name)
	if err == nil && p.id == propVariable && !b.opts.CaseSensitive {
		return b.env.Property(toLowerASCII(name))
	}
	return p, err
}
