package message

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// templateParser reads the text of a string template: constants and
// %property:from:to:options:name%.
type templateParser struct {
	templateBuilder
	in     string
	at     int
	legacy bool // backslash escapes have not been resolved yet
}

func (e *Env) parseTemplate(name, text string, o TemplateOptions, legacy bool) (Template, error) {
	p := templateParser{templateBuilder: templateBuilder{env: e, name: name, opts: o}, in: text, legacy: legacy}
	for p.at < len(p.in) {
		if p.in[p.at] != '%' {
			p.constant()
			continue
		}
		if err := p.property(); err != nil {
			return nil, fmt.Errorf("template %q: byte %d: %w", name, p.at+1, err)
		}
	}
	return p.template()
}

// constant reads up to the next percent sign.
func (p *templateParser) constant() {
	var b []byte
	for p.at < len(p.in) && p.in[p.at] != '%' {
		c := p.in[p.at]
		p.at++
		if c == '\\' && p.legacy {
			if c = p.escape(); c == 0 && p.at == len(p.in) {
				break
			}
		}
		b = append(b, c)
	}
	if len(b) > 0 {
		p.add(segment{constant: string(b)}, "")
	}
}

// escape reads what follows a backslash: \n, \r, a decimal number, or any other
// character, which stands for itself. It is 0 at the end of the text.
func (p *templateParser) escape() byte {
	if p.at == len(p.in) {
		return 0
	}
	c := p.in[p.at]
	if isDigit(c) {
		return byte(p.number())
	}
	p.at++
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	}
	return c
}

// property reads a property, %…%. On an error at is where it was found.
func (p *templateParser) property() error {
	p.at++ // '%'
	from := p.at
	name := p.until(":%")
	if name == "" {
		return errors.New("no property between two percent signs")
	}
	prop, err := p.templateBuilder.property(name)
	if err != nil {
		p.at = from
		return err
	}
	part := PropertyPart{Name: name, Outname: legacyOutname(name, prop)}
	if err := p.replacements(&part); err != nil {
		return err
	}
	if err := part.addTo(&p.templateBuilder); err != nil {
		p.at = from
		return err
	}
	// as rsyslog: the end of the text may stand for the last percent sign, but not
	// in $template, where a quote would be taken for a part of the property.
	if !p.accept('%') && p.legacy {
		return errors.New("no percent sign behind the property")
	}
	return nil
}

// legacyOutname is the name a property has as a field, unless another is given.
func legacyOutname(name string, p Property) string {
	if p.id == propVariable && p.path.root != '/' && len(name) > 1 {
		return name[2:]
	}
	return name
}

// replacements reads :from:to:options:name.
func (p *templateParser) replacements(part *PropertyPart) error {
	if !p.accept(':') {
		return nil
	}
	if err := p.from(part); err != nil || !p.accept(':') {
		return p.ordered(part, err)
	}
	if err := p.to(part); err != nil || !p.accept(':') {
		return p.ordered(part, err)
	}
	if err := p.options(part); err != nil {
		return err
	}
	if p.accept(':') {
		if name := p.until(":%"); name != "" {
			part.Outname = name
		}
		if p.at < len(p.in) && p.in[p.at] != '%' {
			return errors.New("nothing can follow the name of the field")
		}
	}
	return p.ordered(part, nil)
}

// ordered exchanges positions that are the wrong way round. as rsyslog: without
// a word, so that %msg:5% are the first five bytes.
func (p *templateParser) ordered(part *PropertyPart, err error) error {
	if part.FromEnd == (part.To > part.From) {
		part.From, part.To = part.To, part.From
	}
	return err
}

// from reads the second part: a position, F for a field, or R for an expression.
func (p *templateParser) from(part *PropertyPart) error {
	switch {
	case p.accept('F'):
		return p.fieldFrom(part)
	case p.accept('R'):
		return p.exprFrom(part)
	}
	part.From = p.number()
	p.until(":%") // as rsyslog: what follows a position has no meaning
	return nil
}

// fieldFrom reads F[,delimiter[+][,from]].
func (p *templateParser) fieldFrom(part *PropertyPart) error {
	part.Field, part.Delimiter = -1, '\t'
	if p.accept(',') {
		if p.at == len(p.in) || !isDigit(p.in[p.at]) {
			return errors.New("field: F, needs the delimiter's decimal code")
		}
		if part.Delimiter = p.number(); part.Delimiter > 255 {
			return fmt.Errorf("the delimiter's code %d is more than 255", part.Delimiter)
		}
		part.fieldExpand = p.accept('+')
		if p.accept(',') {
			part.From = p.number()
		}
	}
	if p.at == len(p.in) || p.in[p.at] != ':' {
		return errors.New("the number of the field must follow after a colon; delimiters are decimal codes")
	}
	return nil
}

// exprFrom reads R[,type[,submatch[,nomatch[,match]]]].
func (p *templateParser) exprFrom(part *PropertyPart) error {
	text := p.until(":%")
	settings := strings.Split(text, ",")
	if settings[0] != "" || len(settings) > 5 {
		return fmt.Errorf("expression R%s: R is followed by ,type,submatch,nomatch,match", text)
	}
	for i, s := range settings[1:] {
		switch {
		case s == "":
		case i == 0:
			part.ExprType = s
		case i == 2:
			part.NoMatch = s
		case len(s) != 1 || !isDigit(s[0]):
			return fmt.Errorf("expression R%s: match and submatch are one digit", text)
		case i == 1:
			part.Submatch = int(s[0] - '0')
		default:
			part.Match = int(s[0] - '0')
		}
	}
	if p.at == len(p.in) || p.in[p.at] != ':' {
		return errors.New("the regular expression must follow after a colon")
	}
	part.Expr = " " // an expression is due
	return nil
}

// to reads the third part: a position, a field's number, or an expression.
func (p *templateParser) to(part *PropertyPart) error {
	switch {
	case part.Expr != "":
		expr, _, ok := strings.Cut(p.in[p.at:], "--end")
		if !ok {
			return errors.New("the regular expression has no --end")
		}
		part.Expr = expr
		p.at += len(expr) + len("--end")
		return p.ends("--end")
	case part.Field != 0:
		if part.Field = p.number(); part.Field == 0 {
			return errors.New("fields count from 1")
		}
		if p.accept(',') {
			part.To = p.number()
		}
	case p.accept('$'):
		part.To = lastPosition
		return p.ends("$")
	default:
		part.To = p.number()
	}
	p.until(":%")
	return nil
}

// ends checks that a part of the property ends here, behind what.
func (p *templateParser) ends(what string) error {
	if p.at < len(p.in) && p.in[p.at] != ':' && p.in[p.at] != '%' {
		return fmt.Errorf("nothing but options can follow %s", what)
	}
	return nil
}

// options reads the fourth part: names with commas between them.
func (p *templateParser) options(part *PropertyPart) error {
	for p.at < len(p.in) && p.in[p.at] != ':' && p.in[p.at] != '%' {
		from := p.at
		option := toLowerASCII(p.until(",:%"))
		if err := part.setOption(option); err != nil {
			p.at = from
			return err
		}
		p.accept(',')
	}
	return nil
}

// setOption sets what an option of a string template stands for.
func (p *PropertyPart) setOption(option string) error {
	if format, ok := strings.CutPrefix(option, "date-"); ok && format != "utc" {
		p.DateFormat = format
		_, err := dateFormats.find("date-", format)
		return err
	}
	switch option {
	case "date-utc":
		p.DateInUTC = true
	case "uppercase":
		p.Case = "upper"
	case "lowercase":
		p.Case = "lower"
	// as rsyslog: of several of these the strongest holds, wherever it stands.
	case "escape-cc":
		p.Control = cmp.Or(p.Control, "escape")
	case "space-cc":
		if p.Control != "drop" {
			p.Control = "space"
		}
	case "drop-cc":
		p.Control = "drop"
	case "drop-last-lf":
		p.DropLastLF = true
	case "sp-if-no-1st-sp":
		p.SPIfNo1stSP = true
	case "compressspace":
		p.CompressSpace = true
	case "secpath-drop":
		p.SecurePath = "drop"
	case "secpath-replace":
		p.SecurePath = cmp.Or(p.SecurePath, "replace")
	case "pos-end-relative":
		p.FromEnd = true
	case "fixed-width":
		p.FixedWidth = true
	case "mandatory-field":
		p.Mandatory = true
	case "csv", "json", "jsonf", "jsonr", "jsonfr":
		if p.Format != "" {
			return fmt.Errorf("%s and %s exclude each other", p.Format, option)
		}
		p.Format = option
	default:
		return fmt.Errorf("there is no option %q%s", option, didYouMean(option, templateOptions))
	}
	return nil
}

// templateOptions are the names for suggestions.
var templateOptions = []string{"date-utc", "uppercase", "lowercase", "escape-cc", "space-cc", "drop-cc",
	"drop-last-lf", "sp-if-no-1st-sp", "compressspace", "secpath-drop", "secpath-replace", "pos-end-relative",
	"fixed-width", "mandatory-field", "csv", "json", "jsonf", "jsonr", "jsonfr", "date-rfc3339", "date-rfc3164"}

// until reads up to one of the bytes in stop, or the end.
func (p *templateParser) until(stop string) string {
	from := p.at
	if n := strings.IndexAny(p.in[from:], stop); n >= 0 {
		p.at += n
	} else {
		p.at = len(p.in)
	}
	return p.in[from:p.at]
}

// accept takes c if it is next.
func (p *templateParser) accept(c byte) bool {
	if p.at < len(p.in) && p.in[p.at] == c {
		p.at++
		return true
	}
	return false
}

// number reads digits; a number too large is the largest.
func (p *templateParser) number() int {
	n := 0
	for p.at < len(p.in) && isDigit(p.in[p.at]) {
		n = min(10*n+int(p.in[p.at]-'0'), lastPosition)
		p.at++
	}
	return n
}
