package message

import "regexp"

// replacer is what a template does to a property's value. The steps are always
// taken in the same order, whatever order they are written in: field or
// expression, substring, sp-if-no-1st-sp, case, control characters, secpath,
// drop-last-lf, compressspace, then csv or one of the json forms.
type replacer struct {
	date     dateFormat
	utc      bool
	field    *fieldPart
	expr     *exprPart
	pos      *position
	firstSP  bool // sp-if-no-1st-sp
	letters  caseConversion
	control  controlMode
	secPath  pathMode
	dropLF   bool
	compress bool // compressspace
	format   valueFormat
	name     string // of the field, for jsonf and jsonfr
	dataType dataType
	onEmpty  onEmpty
	omitZero bool // omitifzero
}

type (
	caseConversion uint8
	controlMode    uint8
	pathMode       uint8
	valueFormat    uint8
	dataType       uint8
	onEmpty        uint8
	noMatch        uint8
)

const (
	caseKeep caseConversion = iota
	caseLower
	caseUpper
)

const (
	controlKeep controlMode = iota
	controlEscape
	controlEscapeOctal
	controlSpace
	controlDrop
)

const (
	pathKeep pathMode = iota
	pathDrop
	pathReplace
)

const (
	formatPlain valueFormat = iota
	formatCSV
	formatJSON
	formatJSONF
	formatJSONR
	formatJSONFR
)

const (
	typeString dataType = iota
	typeNumber
	typeBool
	typeAuto
)

const (
	emptyKeep onEmpty = iota
	emptySkip
	emptyNull
)

const (
	noMatchDefault noMatch = iota
	noMatchBlank
	noMatchField
	noMatchZero
)

// fieldPart takes the n-th of the fields that delim separates.
type fieldPart struct {
	delim  byte
	n      int
	expand bool // several delimiters in a row are one
}

// exprPart takes what a regular expression matches.
type exprPart struct {
	re       *regexp.Regexp
	match    int // which of the matches, from 0
	submatch int
	noMatch  noMatch
}

// position takes a substring; from and to are as written, to has a default.
type position struct {
	from, to int
	fromEnd  bool // pos-end-relative
	fixed    bool // fixed-width: padded with blanks
}

// lastPosition is a to that lies behind the end of every value.
const lastPosition = 2_000_000_000

// plain says whether nothing is done to a value but giving a date its form.
func (r *replacer) plain() bool {
	return !r.selects() && !r.rewrites() && r.format == formatPlain
}

// selects says whether a part of the value is taken.
func (r *replacer) selects() bool {
	return r.field != nil || r.expr != nil || r.pos != nil || r.firstSP
}

// rewrites says whether bytes of the value are changed.
func (r *replacer) rewrites() bool {
	return r.letters != caseKeep || r.control != controlKeep || r.secPath != pathKeep || r.dropLF || r.compress
}

// append appends the property's value as r makes it.
//
// A value that is a part of the message's text is only looked at until something
// has to be changed; everything else happens at the end of dst.
func (r *replacer) append(dst []byte, p *Property, m *Message, now int64) []byte {
	v := value{dst: dst, at: len(dst)}
	if text, ok := p.text(m); ok {
		v.text = text
	} else if v.copied = true; p.IsTime() {
		v.dst = r.appendTime(dst, p, m)
	} else {
		v.dst = p.appendComputed(dst, m, now)
	}
	if v.copied {
		v.text = v.dst[v.at:]
	}
	if r.selects() && !r.takePart(&v) {
		return v.dst
	}
	if r.rewrites() {
		r.rewrite(&v)
	}
	return r.appendFormatted(&v)
}

func (r *replacer) appendTime(dst []byte, p *Property, m *Message) []byte {
	t := p.env.timeOf(p.id, m)
	if r.utc {
		t = t.inUTC()
	}
	return r.date.append(dst, &t)
}

// value is a value on its way through a replacer: a part of the message's text
// or, once copied is set, of dst[at:].
type value struct {
	dst    []byte
	at     int
	text   []byte
	copied bool
}

// set replaces the value.
func (v *value) set(s string) {
	v.dst = append(v.dst[:v.at], s...)
	v.text, v.copied = v.dst[v.at:], true
}

// own makes the value all there is behind dst[:at], so that it can be changed.
func (v *value) own() {
	v.dst = append(v.dst[:v.at], v.text...) // also if text is a part of dst
	v.text, v.copied = v.dst[v.at:], true
}

// cut shortens an owned value to n bytes.
func (v *value) cut(n int) {
	v.dst = v.dst[:v.at+n]
	v.text = v.dst[v.at:]
}

// expand replaces the value by what f appends for it.
func (v *value) expand(f func(dst, text []byte) []byte) {
	if !v.copied {
		v.dst = f(v.dst[:v.at], v.text)
		v.text, v.copied = v.dst[v.at:], true
		return
	}
	v.own()
	v.dst = expandTail(v.dst, v.at, f)
	v.text = v.dst[v.at:]
}

// expandTail replaces dst[at:] by what f appends for it.
func expandTail(dst []byte, at int, f func(dst, text []byte) []byte) []byte {
	n := len(dst)
	dst = f(dst, dst[at:n])
	copy(dst[at:], dst[n:])
	return dst[:at+len(dst)-n]
}
