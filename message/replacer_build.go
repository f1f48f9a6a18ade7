package message

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
)

// The values that parameters of property() can have.
var (
	caseNames    = names[caseConversion]{{"", caseKeep}, {"lower", caseLower}, {"upper", caseUpper}}
	controlNames = names[controlMode]{{"", controlKeep}, {"escape", controlEscape},
		{"escape-octal", controlEscapeOctal}, {"space", controlSpace}, {"drop", controlDrop}}
	pathNames   = names[pathMode]{{"", pathKeep}, {"drop", pathDrop}, {"replace", pathReplace}}
	formatNames = names[valueFormat]{{"", formatPlain}, {"csv", formatCSV}, {"json", formatJSON},
		{"jsonf", formatJSONF}, {"jsonr", formatJSONR}, {"jsonfr", formatJSONFR}}
	dataTypeNames = names[dataType]{{"", typeString}, {"string", typeString}, {"number", typeNumber},
		{"bool", typeBool}, {"auto", typeAuto}}
	onEmptyNames = names[onEmpty]{{"", emptyKeep}, {"keep", emptyKeep}, {"skip", emptySkip}, {"null", emptyNull}}
	noMatchNames = names[noMatch]{{"", noMatchDefault}, {"DFLT", noMatchDefault}, {"BLANK", noMatchBlank},
		{"FIELD", noMatchField}, {"ZERO", noMatchZero}}
)

// names are the values a parameter can have.
type names[T any] []struct {
	name  string
	value T
}

// find looks a name up; parameter is the one it was given for.
func (n names[T]) find(parameter, name string) (v T, err error) {
	var known []string
	for _, e := range n {
		if e.name == name {
			return e.value, nil
		}
		if e.name != "" {
			known = append(known, e.name)
		}
	}
	return v, fmt.Errorf("%s cannot be %q%s", parameter, name, didYouMean(name, known))
}

// replacer makes the replacer that p describes.
func (p *PropertyPart) replacer() (*replacer, error) {
	r := &replacer{utc: p.DateInUTC, compress: p.CompressSpace, dropLF: p.DropLastLF,
		firstSP: p.SPIfNo1stSP, omitZero: p.OmitIfZero}
	var errs [10]error
	r.date, errs[0] = dateFormats.find("dateformat", p.DateFormat)
	r.letters, errs[1] = caseNames.find("caseconversion", p.Case)
	r.control, errs[2] = controlNames.find("controlcharacters", p.Control)
	r.secPath, errs[3] = pathNames.find("securepath", p.SecurePath)
	r.format, errs[4] = formatNames.find("format", p.Format)
	r.dataType, errs[5] = dataTypeNames.find("datatype", p.DataType)
	r.onEmpty, errs[6] = onEmptyNames.find("onempty", p.OnEmpty)
	r.field, errs[7] = p.fieldPart()
	r.expr, errs[8] = p.exprPart()
	r.pos, errs[9] = p.position()
	if err := cmp.Or(errs[:]...); err != nil {
		return nil, err
	}
	if r.field != nil && r.expr != nil {
		return nil, errors.New("field.number and regex.expression exclude each other")
	}
	return r, nil
}

func (p *PropertyPart) fieldPart() (*fieldPart, error) {
	if p.Field == 0 {
		return nil, nil
	}
	delim := p.Delimiter
	if delim == 0 {
		delim = '\t'
	}
	if p.Field < 0 || delim < 0 || delim > 255 {
		return nil, fmt.Errorf("field %d with delimiter %d: fields count from 1, delimiters are codes up to 255", p.Field, delim)
	}
	return &fieldPart{delim: byte(delim), n: p.Field, expand: p.fieldExpand}, nil
}

func (p *PropertyPart) exprPart() (x *exprPart, err error) {
	if p.Expr == "" {
		return nil, nil
	}
	x = &exprPart{match: p.Match, submatch: p.Submatch}
	if p.Match < 0 || p.Submatch < 0 || p.Submatch > 9 {
		return nil, fmt.Errorf("match %d, submatch %d: matches count from 0, submatches from 0 to 9", p.Match, p.Submatch)
	}
	if x.noMatch, err = noMatchNames.find("regex.nomatchmode", p.NoMatch); err != nil {
		return nil, err
	}
	compile, err := names[func(string) (*regexp.Regexp, error)]{
		{"", CompileBRE}, {"BRE", CompileBRE}, {"ERE", CompileERE}}.find("regex.type", p.ExprType)
	if err != nil {
		return nil, err
	}
	x.re, err = compile(p.Expr)
	return x, err
}

func (p *PropertyPart) position() (*position, error) {
	if p.From == 0 && p.To == 0 {
		return nil, nil
	}
	pos := &position{from: p.From, to: p.To, fromEnd: p.FromEnd, fixed: p.FixedWidth}
	if p.To == 0 && !p.FromEnd {
		pos.to = lastPosition
	}
	switch {
	case p.From < 0:
		return nil, fmt.Errorf("position.from=%d is negative", p.From)
	case p.FromEnd && pos.to > pos.from:
		return nil, fmt.Errorf("position.to=%d is higher than position.from=%d, but they count from the end", p.To, p.From)
	case !p.FromEnd && pos.to > 0 && pos.to < pos.from:
		return nil, fmt.Errorf("position.to=%d is lower than position.from=%d", p.To, p.From)
	case p.FixedWidth && pos.to > maxWidth:
		return nil, fmt.Errorf("fixedwidth needs a position.to, of at most %d", maxWidth)
	}
	return pos, nil
}

// maxWidth bounds what fixedwidth pads.
const maxWidth = 1 << 20
