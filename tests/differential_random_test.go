package tests

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestDifferentialRandom has both daemons evaluate random expressions and templates,
// and parse random messages. The seeds are fixed; RANDOM_SEEDS=100-200 tries others.
func TestDifferentialRandom(t *testing.T) {
	from, to := 1, 8
	if s := os.Getenv("RANDOM_SEEDS"); s != "" {
		if _, err := fmt.Sscanf(s, "%d-%d", &from, &to); err != nil {
			t.Fatal(err)
		}
	}
	for seed := from; seed <= to; seed++ {
		t.Run("expressions-"+strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			randomCase(uint64(seed)).compare(t)
		})
		t.Run("messages-"+strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			randomMessages(uint64(seed)).compare(t)
		})
		t.Run("templates-"+strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			randomTemplates(uint64(seed)).compare(t)
		})
	}
}

// randomExpressions is how many one case has. Each is written to a line of its own,
// so that a difference names it.
const randomExpressions = 60

func randomCase(seed uint64) *diffCase {
	g := exprGenerator{rand.New(rand.NewPCG(seed, 0))}
	var conf strings.Builder
	conf.WriteString(randomHead)
	var tpl strings.Builder
	for i := range randomExpressions {
		x := g.expr(3)
		fmt.Fprintf(&conf, "set $.e%d = %s;\n", i, x)
		fmt.Fprintf(&tpl, "property(name=\"$.e%d\") constant(value=\"  %d %s\\n\")\n", i, i, paramText(x))
	}
	fmt.Fprintf(&conf, "template(name=\"t\" type=\"list\") {\n%s}\naction(type=\"omfile\" file=\"$OUT\" template=\"t\")\n", tpl.String())
	return &diffCase{name: strconv.FormatUint(seed, 10), conf: conf.String(), input: []byte(randomInput)}
}

// paramText escapes for a parameter's value.
func paramText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}

const randomHead = `set $!n = 10;
set $!z = 0;
set $!neg = -7;
set $!s = "10";
set $!t = "Text with 3 words";
set $!e = "";
set $!o!a = 1;
set $!o!b = "two";
set $.r = parse_json("{\"f\": 1.50, \"nul\": null, \"y\": true, \"no\": false, \"a\": [1, \"b\", {\"c\": 3}], \"x\": \"0x1f\"}", "\$!j");
`

const randomInput = `<34>Oct 11 22:14:15 mymachine su[77]: 'su root' failed for lonvick on /dev/pts/8
<13>Feb  5 17:32:18 10.0.0.99 10: 10
<165>1 2003-10-11T22:14:15.003Z host.example.com evntslog 12 ID47 [ex@32473 iut="3"] 9
<5>Mar  1 01:00:00 host tag:
`

type exprGenerator struct{ *rand.Rand }

func (g exprGenerator) of(list ...string) string { return list[g.IntN(len(list))] }

func (g exprGenerator) expr(depth int) string {
	if depth == 0 || g.IntN(6) == 0 {
		return g.leaf()
	}
	switch g.IntN(8) {
	case 0:
		return g.of("not ", "-") + "(" + g.expr(depth-1) + ")"
	case 1, 2, 3:
		return g.binary(depth)
	case 4:
		return "(" + g.binary(depth) + ")"
	}
	return g.call(depth)
}

func (g exprGenerator) leaf() string {
	switch g.IntN(4) {
	case 0:
		return g.of("0", "1", "2", "3", "7", "10", "77", "1000", "017", "0x1f")
	case 1:
		return g.of(`""`, `"0"`, `"10"`, `"010"`, `"-3"`, `" 5"`, `"5 "`, `"+5"`, `"abc"`, `"ABC"`, `"root"`, `"10.0.0.1"`, `"a,b,c"`, `"two"`, `"1.5"`)
	case 2:
		return g.json()
	}
	return g.of("$msg", "$programname", "$syslogtag", "$hostname", "$procid", "($syslogseverity + 0)", "($syslogfacility + 0)",
		"$pri", "$pri-text", "$app-name", "$msgid", "$structured-data", "$inputname")
}

func (g exprGenerator) json() string {
	return g.of("$!n", "$!z", "$!neg", "$!s", "$!t", "$!e", "$!o", "$!o!a", "$!o!b", "$!j!f", "$!j!nul", "$!j!y", "$!j!no",
		"$!j!a", "$!j!a[1]", "$!j!a[2]!c", "$!j!x", "$!missing", "$!n!below", "$.r", "$.missing")
}

func (g exprGenerator) binary(depth int) string {
	op := g.of("+", "-", "*", "/", "%", "&", "&", "==", "!=", "<", ">", "<=", ">=", "contains", "contains_i",
		"startswith", "and", "or", "==", "!=")
	left, right := g.expr(depth-1), g.expr(depth-1)
	switch op {
	case "==", "!=":
		// rsyslogd compares JSON on the right by its address.
		for strings.HasPrefix(right, "$!") || strings.HasPrefix(right, "$.") {
			right = g.leaf()
		}
		if g.IntN(6) == 0 {
			// In the arguments of functions it looks as if arrays were sorted.
			right = g.of(`["10", "abc", "su"]`, `["a"]`, `["", "root"]`)
		}
	case "*": // it cuts the difference of two numbers to 32 bits
		right = g.of("0", "1", "2", "3")
	case "contains", "contains_i", "startswith":
		if g.IntN(4) == 0 {
			right = g.of(`["su", "10", "abc"]`, `["a"]`, `["0", "root"]`)
		}
	}
	if op == "!=" { // it gives the difference of texts
		return "not (" + left + " == " + right + ")"
	}
	return left + " " + op + " " + right
}

func (g exprGenerator) call(depth int) string {
	x := func() string { return g.expr(depth - 1) }
	n := func() string { return g.of("0", "1", "2", "3", "5", "100") }
	switch f := g.of("strlen", "tolower", "ltrim", "rtrim", "cstr", "cnum", "int2hex", "num2ipv4", "ip42num", "substring", "replace",
		"wrap", "wrap3", "field", "fieldtext", "re_match", "re_match_i", "re_extract", "exists", "is_time", "parse_time", "format_time",
		"get_property"); f {
	case "substring":
		return fmt.Sprintf("substring(%s, %s, %s)", x(), n(), n())
	case "replace":
		return fmt.Sprintf("replace(%s, %s, %s)", x(), g.of(`"o"`, `"10"`, `"root"`, `" "`, `"aa"`), x())
	case "wrap":
		return fmt.Sprintf("wrap(%s, %s)", x(), x())
	case "wrap3":
		return fmt.Sprintf("wrap(%s, %s, %s)", x(), g.of(`"o"`, `"'"`, `"##"`), x())
	case "field":
		return fmt.Sprintf("field(%s, %s, %s)", x(), g.of("32", "44", "58"), n())
	case "fieldtext":
		return fmt.Sprintf("field(%s, %s, %s)", x(), g.of(`" "`, `","`, `"ro"`), n())
	case "re_match", "re_match_i":
		return fmt.Sprintf("%s(%s, %s)", f, x(), g.of(`"^[0-9]+"`, `"o+"`, `"[a-z]+"`, `"^(a|b)*c"`))
	case "re_extract":
		return fmt.Sprintf("re_extract(%s, %s, %s, %s, %s)", x(), g.of(`"([0-9])([0-9]*)"`, `"(o)+"`, `"([a-z]+)"`), g.of("0", "1"), g.of("0", "1", "2"), g.leaf())
	case "exists":
		return "exists(" + g.json() + ")"
	case "is_time":
		return fmt.Sprintf("is_time(%s)", x())
	case "format_time":
		return fmt.Sprintf("format_time(%s, %s)", x(), g.of(`"date-rfc3339"`, `"date-rfc3164"`))
	case "get_property":
		// rsyslogd takes texts that were found for 0 in comparisons, and nothing equals
		// what was not found.
		return "cstr(" + g.of(`get_property($!o, "a")`, `get_property($!o, "b")`, `get_property($!j!a, 0)`, `get_property($!j!a, "1")`,
			`get_property($!j!a, "")`, `get_property($!o, "")`, `get_property($!t, "a")`, `get_property($!j!y, "a")`, `get_property($!n, 1)`) + ")"
	default:
		return fmt.Sprintf("%s(%s)", f, x())
	}
}
