package message

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

// The files in testdata/oracle say what rsyslogd 8.2302 makes of a message. A
// file begins with the parameters rsyslogd ran with, then has a block per message:
//
//	in "<13>Oct 11 22:14:15 host " "a"*600 ": text"
//	timegenerated "2026-11-21T11:08:54.796532+01:00"
//	pri "13"
//	ours pri "14" because of a reason
//
// The parameters are those of global(), parser(type="pmrfc3164") and input().
// A property that is not there has the value oracleDefault gives it; "dropped"
// stands for a message rsyslogd discards. "ours" is a deliberate difference.
// TestOracleRecord writes the files anew.

// oracleProperties are what is recorded, in this order.
var oracleProperties = []string{"timegenerated", "pri", "pri-text", "timestamp", "hostname",
	"syslogtag", "programname", "app-name", "procid", "msgid", "structured-data", "msg", "rawmsg",
	"rawmsg-after-pri", "parsesuccess", "protocol-version"}

// oracleZone is the TZ rsyslogd runs with.
const oracleZone = "Europe/Berlin"

type oracleFile struct {
	head  []string // lines before the first block
	cases []*oracleCase
}

type oracleCase struct {
	line     int
	comments []string // lines before "in"
	in       string
	dropped  bool
	want     map[string]string
	ours     map[string]string
	oursText []string // the lines
}

func (c *oracleCase) value(name string) string {
	if v, ok := c.want[name]; ok {
		return v
	}
	return c.oracleDefault(name)
}

// oracleDefault is the value of properties that usually need not be written.
func (c *oracleCase) oracleDefault(name string) string {
	switch name {
	case "pri":
		return "13"
	case "pri-text":
		if c.value("pri") == "13" {
			return "user.notice"
		}
	case "timestamp":
		return c.value("timegenerated")
	case "hostname":
		return "127.0.0.1"
	case "app-name":
		if p := c.value("programname"); p != "" {
			return p
		}
		return "-"
	case "procid", "msgid", "structured-data":
		return "-"
	case "rawmsg":
		return c.in
	case "rawmsg-after-pri":
		return strings.TrimPrefix(c.value("rawmsg"), "<13>")
	case "parsesuccess":
		return "FAIL"
	case "protocol-version":
		return "0"
	}
	return ""
}

func readOracle(t testing.TB, path string) *oracleFile {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o := &oracleFile{}
	var c *oracleCase
	var comments []string
	s := bufio.NewScanner(f)
	for n := 1; s.Scan(); n++ {
		line := s.Text()
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case word == "in":
			c = &oracleCase{line: n, comments: comments, in: unquoteOracle(t, n, rest),
				want: map[string]string{}, ours: map[string]string{}}
			comments = nil
			o.cases = append(o.cases, c)
		case line == "" || word == "#":
			if comments = append(comments, line); c == nil && line == "" {
				o.head, comments = append(o.head, comments...), nil
			}
		case c == nil:
			o.head = append(o.head, append(comments, line)...)
			comments = nil
		case word == "dropped":
			c.dropped = true
		case word == "ours":
			name, value, _ := strings.Cut(rest, " ")
			value, reason, ok := strings.Cut(value, " because ")
			if !ok || reason == "" {
				t.Fatalf("%s:%d: a difference without a reason", path, n)
			}
			c.ours[name] = unquoteOracle(t, n, value)
			c.oursText = append(c.oursText, line)
		case slices.Contains(oracleProperties, word):
			c.want[word] = unquoteOracle(t, n, rest)
		default:
			t.Fatalf("%s:%d: cannot read %q", path, n, line)
		}
	}
	return o
}

// unquoteOracle reads quoted strings, each of which may be repeated: "ab"*3 "c".
func unquoteOracle(t testing.TB, line int, s string) string {
	t.Helper()
	var b strings.Builder
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		q, err := strconv.QuotedPrefix(s)
		if err != nil {
			t.Fatalf("line %d: %q: %v", line, s, err)
		}
		text, _ := strconv.Unquote(q)
		s = s[len(q):]
		times := 1
		if after, ok := strings.CutPrefix(s, "*"); ok {
			digits, rest, _ := strings.Cut(after, " ")
			if times, err = strconv.Atoi(digits); err != nil {
				t.Fatalf("line %d: %v", line, err)
			}
			s = rest
		}
		b.WriteString(strings.Repeat(text, times))
	}
	return b.String()
}

// params returns what the head says with the given keyword: name="value".
func (o *oracleFile) params(keyword string) (params []string) {
	for _, line := range o.head {
		if p, ok := strings.CutPrefix(line, keyword+" "); ok {
			params = append(params, p)
		}
	}
	return params
}

// chain sets up what o's head describes.
func (o *oracleFile) chain(t *testing.T) (*Env, ParserChain) {
	t.Helper()
	env := NewEnv("localhost")
	env.Location = zone(t, oracleZone)
	s, p := &env.Sanitize, RFC3164Parser{}
	set := map[string]*bool{
		"parser.dropTrailingLFOnReception":        &s.DropTrailingLF,
		"parser.escapeControlCharactersOnReceive": &s.EscapeControl,
		"parser.escapeControlCharacterTab":        &s.EscapeTab,
		"parser.escapeControlCharactersCStyle":    &s.EscapeCStyle,
		"parser.escape8BitCharactersOnReceive":    &s.Escape8Bit,
		"parser.spaceLFOnReceive":                 &s.SpaceLF,
		"parser.supportCompressionExtension":      &s.SupportsCompression,
		"parser.permitSlashInProgramName":         &s.PermitSlashInProgram,
		"parser.parseHostnameAndTag":              &p.NoHostnameAndTag,
		"detect.yearAfterTimestamp":               &p.DetectYearAfterTimestamp,
		"permit.squareBracketsInHostname":         &p.PermitSquareBracketsInHostname,
		"permit.slashesInHostname":                &p.PermitSlashesInHostname,
		"permit.atSignsInHostname":                &p.PermitAtSignsInHostname,
		"force.tagEndingByColon":                  &p.ForceTagEndingByColon,
		"remove.msgFirstSpace":                    &p.RemoveMsgFirstSpace,
	}
	for _, param := range append(o.params("global"), o.params("parser")...) {
		name, value, _ := strings.Cut(param, "=")
		value = strings.Trim(value, `"`)
		switch b := set[name]; {
		case b != nil:
			*b = (value == "on") != (name == "parser.parseHostnameAndTag")
		case name == "maxMessageSize":
			s.MaxSize, _ = strconv.Atoi(value)
		case name == "parser.controlCharacterEscapePrefix":
			s.EscapePrefix = value[0]
		default:
			t.Fatalf("unknown parameter %s", param)
		}
	}
	p.PermitSlashInProgram = s.PermitSlashInProgram
	return env, NewParserChain(env, &RFC5424Parser{PermitSlashInProgram: s.PermitSlashInProgram}, &p)
}

func TestOracle(t *testing.T) {
	paths, err := filepath.Glob("testdata/oracle/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no oracle files", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			o := readOracle(t, path)
			env, chain := o.chain(t)
			for _, c := range o.cases {
				c.check(t, path, env, chain, o.flags(t))
			}
		})
	}
}

// flags are those of a message that came through the input o's head describes.
func (o *oracleFile) flags(t *testing.T) Flags {
	t.Helper()
	f := ParseHostname
	for _, param := range o.params("input") {
		var sign rune
		var hour, minute int
		if n, err := fmt.Sscanf(param, `defaultTZ="%c%d:%d"`, &sign, &hour, &minute); n != 3 {
			t.Fatalf("parameter %s: %v", param, err)
		}
		if minute += 60 * hour; sign == '-' {
			minute = -minute
		}
		f |= DefaultTZ(minute)
	}
	return f
}

func (c *oracleCase) check(t *testing.T, path string, env *Env, chain ParserChain, f Flags) {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, c.value("timegenerated"))
	if err != nil && !c.dropped {
		t.Fatalf("%s:%d: %v", path, c.line, err)
	}
	var b Batch
	b.Receive(&env.Sanitize, []byte(c.in), NewOrigin("imudp", "127.0.0.1", "127.0.0.1", "0"),
		at.UnixNano(), f)
	m := b.All().At(0)
	chain.Parse(m)
	for _, name := range oracleProperties {
		want := c.value(name)
		if ours, ok := c.ours[name]; ok {
			if ours == want {
				t.Errorf("%s:%d: %s does not differ from rsyslogd's", path, c.line, name)
			}
			want = ours
		} else if c.dropped {
			continue
		}
		if got := oracleValue(t, env, m, name); got != want {
			t.Errorf("%s:%d: %.200q\n%s: got %.200q, rsyslogd %.200q", path, c.line, c.in, name, got, want)
		}
	}
}

func oracleValue(t *testing.T, env *Env, m *Message, name string) string {
	t.Helper()
	switch name {
	case "timestamp":
		return string(AppendRFC3339(nil, &m.Time))
	case "timegenerated":
		ts := env.Timestamp(m.Received)
		return string(AppendRFC3339(nil, &ts))
	}
	p, err := env.Property(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(p.Value(m, nil))
}

// String is the block of c.
func (c *oracleCase) String() string {
	var b strings.Builder
	for _, line := range c.comments {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b, "in", quoteOracle(c.in))
	if c.dropped {
		fmt.Fprintln(&b, "dropped")
	}
	for _, name := range oracleProperties {
		if v, ok := c.want[name]; ok && v != c.oracleDefault(name) {
			fmt.Fprintln(&b, name, quoteOracle(v))
		}
	}
	for _, line := range c.oursText {
		fmt.Fprintln(&b, line)
	}
	return b.String()
}

// quoteOracle is the inverse of unquoteOracle; it shortens long runs.
func quoteOracle(s string) string {
	const long = 40
	var parts []string
	for plain, i := 0, 0; i <= len(s); {
		run := i
		for run < len(s) && s[run] == s[i] {
			run++
		}
		if run-i >= long || i == len(s) {
			if plain < i || s == "" {
				parts = append(parts, strconv.QuoteToASCII(s[plain:i]))
			}
			if i == len(s) {
				break
			}
			parts = append(parts, strconv.QuoteToASCII(s[i:i+1])+"*"+strconv.Itoa(run-i))
			plain = run
		}
		i = run
	}
	return strings.Join(parts, " ")
}
