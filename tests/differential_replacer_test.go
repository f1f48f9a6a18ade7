package tests

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// randomTemplates is a case with random properties in a template.
func randomTemplates(seed uint64) *diffCase {
	g := templateGenerator{rand.New(rand.NewPCG(seed, 1))}
	var legacy, list strings.Builder
	for i := range randomExpressions {
		p := g.legacy()
		fmt.Fprintf(&legacy, "%%%s%%  %d %s\\n", p, i, strings.ReplaceAll(p, "%", ""))
		p = g.property()
		fmt.Fprintf(&list, "%s constant(value=\"  %d %s\\n\")\n", p, i, paramText(p))
	}
	conf := fmt.Sprintf(`global(parser.escapeControlCharactersOnReceive="off")
set $!v = "a variable  of / words";
set $!n = 17;
template(name="s" type="string" string="%s")
template(name="l" type="list") {
%s}
action(type="omfile" file="$OUT" template="s")
action(type="omfile" file="$DIR/list" template="l")
`, legacy.String(), list.String())
	return &diffCase{name: strconv.FormatUint(seed, 10), conf: conf, input: []byte(replacerInput)}
}

const replacerInput = "<34>Oct 11 22:14:15 mymachine su[77]: 'su root' failed for lonvick on /dev/pts/8\n" +
	"<165>1 2003-10-11T22:14:15.003Z host.example.com evntslog 12 ID47 [ex@32473 iut=\"3\" e=\"A \\\"q\\\"\"] BOM'An app\\ event\n" +
	"<14>Dec 31 12:00:00 host a/b:c[]: x  y   z\tTab\x1b \x7f\n" +
	"<13>Feb 28 00:00:00 10.0.0.99 ../../etc/passwd: a,b,,c;d;\"e\" /x//y/\n" +
	"<5>Mar  1 01:00:00 host tag:\n"

type templateGenerator struct{ *rand.Rand }

func (g templateGenerator) of(list ...string) string { return list[g.IntN(len(list))] }

func (g templateGenerator) name() string {
	return g.of("msg", "msg", "msg", "rawmsg", "hostname", "syslogtag", "programname", "procid", "msgid", "app-name", "structured-data",
		"pri", "pri-text", "syslogfacility", "syslogseverity-text", "timereported", "inputname", "$!v", "$!n", "$!none", "$!")
}

// legacy is a property as string templates have it.
func (g templateGenerator) legacy() string {
	from, to, options := "", "", g.options()
	switch g.IntN(6) {
	case 0:
		from, to = strconv.Itoa(1+g.IntN(12)), g.of("$", "", strconv.Itoa(12+g.IntN(40)))
	case 1:
		n := 1 + g.IntN(9)
		from, to, options = strconv.Itoa(n+g.IntN(20)), strconv.Itoa(n), append(options, "pos-end-relative")
	case 2:
		from, to, options = strconv.Itoa(1+g.IntN(5)), strconv.Itoa(6+g.IntN(60)), append(options, "fixed-width")
	case 3:
		from, to = g.of("F,32", "F,44", "F,47", "F"), strconv.Itoa(1+g.IntN(4))
	case 4:
		from = g.of("R,ERE", "R,BRE") + "," + g.of("0", "1") + "," + g.of("DFLT", "BLANK", "ZERO", "FIELD")
		to = g.of("[a-z][a-z]*", "o.*", "[0-9][0-9]*", " ([a-z]*)", "zz*y", "^.") + "--end"
	}
	p := g.name() + ":" + from + ":" + to + ":" + strings.Join(options, ",")
	if g.IntN(3) == 0 {
		p += ":" + g.of("name", "a.b", "@t")
	}
	return p
}

func (g templateGenerator) options() (list []string) {
	for _, o := range [][]string{
		{"uppercase", "lowercase"}, {"drop-cc", "space-cc", "escape-cc"}, {"secpath-drop"}, {"drop-last-lf"}, {"compressspace"},
		{"date-rfc3339", "date-mysql", "date-unixtimestamp", "date-year"}, {"csv", "json", "jsonf", "jsonr", "jsonfr"},
	} {
		if g.IntN(4) == 0 {
			list = append(list, g.of(o...))
		}
	}
	if g.IntN(20) == 0 {
		list = append(list, "sp-if-no-1st-sp")
	}
	return list
}

// property is a property of a list template.
func (g templateGenerator) property() string {
	var b strings.Builder
	fmt.Fprintf(&b, "property(name=%q", g.name())
	switch g.IntN(6) {
	case 0:
		// rsyslogd crashes where a negative end lies before the start and blanks are compressed.
		fmt.Fprintf(&b, ` position.from="%d" position.to="%s"`, 1+g.IntN(9), g.of("9", "30"))
	case 1:
		n := 1 + g.IntN(9)
		fmt.Fprintf(&b, ` position.from="%d" position.to="%d" position.relativeToEnd="on"`, n+g.IntN(20), n)
	case 2:
		fmt.Fprintf(&b, ` position.from="%d" position.to="%d" fixedWidth="on"`, 1+g.IntN(5), 6+g.IntN(60))
	case 3:
		fmt.Fprintf(&b, ` field.number="%d" field.delimiter="%s"`, 1+g.IntN(4), g.of("32", "44", "47"))
	case 4:
		fmt.Fprintf(&b, ` regex.expression="%s" regex.type="%s" regex.submatch="%d" regex.match="%d" regex.noMatchMode="%s"`,
			g.of("[a-z]+", "o.*", "([0-9])[0-9]*", " ([a-z]*)", "zz*y", "^."), g.of("ERE", "BRE"), g.IntN(2), g.IntN(2), g.of("DFLT", "BLANK", "ZERO", "FIELD"))
	}
	for _, o := range [][]string{
		{`caseConversion="upper"`, `caseConversion="lower"`}, {`controlCharacters="escape"`, `controlCharacters="space"`, `controlCharacters="drop"`},
		{`securePath="drop"`}, {`dropLastLF="on"`}, {`compressSpace="on"`}, {`dateFormat="rfc3339"`, `dateFormat="unixtimestamp"`, `dateFormat="month"`},
		{`format="csv"`, `format="json"`, `format="jsonf"`, `format="jsonr"`, `format="jsonfr"`}, {`outname="x"`, `outname="a.b"`},
		{`datatype="number"`, `datatype="bool"`, `datatype="auto"`, `datatype="string"`}, {`onEmpty="skip"`, `onEmpty="null"`, `onEmpty="keep"`},
	} {
		if g.IntN(4) == 0 {
			b.WriteString(" " + g.of(o...))
		}
	}
	return b.String() + ")"
}
