package engine

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"sysrelay/conf"
	"sysrelay/message"
	"sysrelay/output"
)

// The files in testdata/oracle say what rsyslogd 8.2302 makes of messages with
// a configuration. A file has groups of
//
//	at    2026-11-24T12:00:00Z
//	conf  module(load="mmfields")
//	rules action(type="mmfields" separator="|")
//	chain ["rsyslog.ciscoios"]
//	file  name text…
//	in    "<13>Oct 11 22:14:15 host tag: a|b"
//	out   "what the template below prints"
//	ours  "what we print" because of a reason
//
// conf lines are a configuration's top level, rules the statements of the ruleset
// that gets the messages, chain its parsers; a file line is a line of a file that
// both refer to as @DIR@/name, at the day of the recording. The first of these lines behind messages begins a
// new group. TestOracleRecord writes the files anew.
//
// Bytes from \x80 on are quoted, so that files are text whatever messages are.

// oracleProperties is what the template prints of a message; the first is left
// out of what is written down.
var oracleProperties = []string{"timegenerated:::date-rfc3339", "pri", "timestamp:::date-rfc3339", "hostname", "syslogtag", "app-name", "procid", "msgid",
	"structured-data", "msg", "rawmsg", "parsesuccess", "protocol-version", "$!", "$."}

// oracleZone is the time zone both run in.
const oracleZone = "Europe/Berlin"

const (
	oracleField    = "~|~"
	oracleEnd      = "~!~"
	oracleSentinel = "oracle-sentinel"
	// oracleNow stands for the time of reception, where a message has no time of
	// its own.
	oracleNow = "NOW"
)

type oracleGroup struct {
	line                      int
	at                        time.Time
	comments                  []string // before the first line
	conf, rules, chain, files []string
	cases                     []*oracleCase
}

type oracleCase struct {
	line     int
	comments []string
	in       string
	out      string
	ours     string // a deliberate difference
	oursLine string
}

func readOracle(t testing.TB, path string) (groups []*oracleGroup) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var g *oracleGroup
	var comments []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for n := 1; s.Scan(); n++ {
		word, rest, _ := strings.Cut(s.Text(), " ")
		switch word {
		case "", "#":
			comments = append(comments, s.Text())
			continue
		case "at", "conf", "rules", "chain", "file":
			if g == nil || len(g.cases) > 0 {
				g = &oracleGroup{line: n, comments: comments}
				groups = append(groups, g)
				comments = nil
			}
			g.add(word, rest)
			continue
		}
		if g == nil {
			t.Fatalf("%s:%d: a message before any configuration", path, n)
		}
		var c *oracleCase
		if len(g.cases) > 0 {
			c = g.cases[len(g.cases)-1]
		}
		switch word {
		case "in":
			g.cases = append(g.cases, &oracleCase{line: n, comments: comments, in: unquote(t, path, n, rest)})
			comments = nil
		case "out":
			c.out = unquote(t, path, n, rest)
		case "ours":
			text, _, ok := strings.Cut(rest, " because ")
			if !ok {
				t.Fatalf("%s:%d: a difference without a reason", path, n)
			}
			c.ours, c.oursLine = unquote(t, path, n, text), s.Text()
		default:
			t.Fatalf("%s:%d: cannot read %q", path, n, s.Text())
		}
	}
	return groups
}

func (g *oracleGroup) add(word, rest string) {
	if word == "at" {
		g.at, _ = time.Parse(time.RFC3339, rest)
		return
	}
	to := map[string]*[]string{"conf": &g.conf, "rules": &g.rules, "chain": &g.chain, "file": &g.files}[word]
	*to = append(*to, rest)
}

func unquote(t testing.TB, path string, line int, text string) string {
	t.Helper()
	v, err := strconv.Unquote(text)
	if err != nil {
		t.Fatalf("%s:%d: %s: %v", path, line, text, err)
	}
	return v
}

// text is the whole configuration; end is the action that prints.
func (g *oracleGroup) text(dir, end string) string {
	var b strings.Builder
	for _, line := range g.conf {
		fmt.Fprintln(&b, line)
	}
	var fields []string
	for _, p := range oracleProperties {
		fields = append(fields, "%"+p+"%")
	}
	fmt.Fprintf(&b, "template(name=\"all\" type=\"string\" string=\"%s%s\")\n", strings.Join(fields, oracleField), oracleEnd)
	chain := ""
	if len(g.chain) > 0 {
		chain = "parser=" + strings.Join(g.chain, " ")
	}
	fmt.Fprintf(&b, "ruleset(name=\"oracle\" %s) {\n", chain)
	for _, line := range g.rules {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintf(&b, "%s\n}\n", end)
	return strings.ReplaceAll(b.String(), "@DIR@", dir)
}

// writeFiles writes the files the configuration refers to.
func (g *oracleGroup) writeFiles(t testing.TB, dir string) {
	t.Helper()
	texts := map[string]string{}
	for _, line := range g.files {
		name, text, _ := strings.Cut(line, " ")
		texts[name] += text + "\n"
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func (g *oracleGroup) String() string {
	var b strings.Builder
	lines := func(prefix string, all []string) {
		for _, l := range all {
			if l == "" {
				l, prefix = strings.TrimRight(prefix, " "), ""
			}
			fmt.Fprintln(&b, prefix+l)
		}
	}
	lines("", g.comments)
	fmt.Fprintln(&b, "at", g.at.Format(time.RFC3339))
	lines("file ", g.files)
	lines("conf ", g.conf)
	lines("chain ", g.chain)
	lines("rules ", g.rules)
	for _, c := range g.cases {
		lines("", c.comments)
		fmt.Fprintf(&b, "in %s\nout %s\n", strconv.QuoteToASCII(c.in), strconv.QuoteToASCII(c.out))
		if c.oursLine != "" {
			fmt.Fprintln(&b, c.oursLine)
		}
	}
	return b.String()
}

func oracleFiles(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/oracle/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no oracle files", err)
	}
	return paths
}

func TestOracle(t *testing.T) {
	for _, path := range oracleFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			for _, g := range readOracle(t, path) {
				g.check(t, path)
			}
		})
	}
}

func (g *oracleGroup) check(t *testing.T, path string) {
	t.Helper()
	dir := t.TempDir()
	g.writeFiles(t, dir)
	w := newOracleEngine(t, fmt.Sprintf("%s:%d", path, g.line), g.text(dir, `action(type="omprint")`), g.at)
	for _, c := range g.cases {
		want := c.out
		if c.ours != "" {
			if c.ours == c.out {
				t.Errorf("%s:%d: we do what rsyslogd does", path, c.line)
			}
			want = c.ours
		}
		if got := w.run(t, c.in); got != want {
			t.Errorf("%s:%d: %.300q\n     got %.900q\nrsyslogd %.900q", path, c.line, c.in, got, want)
		}
	}
}

// oracleEngine runs messages through the ruleset of a group.
type oracleEngine struct {
	*Engine
	at      time.Time
	printer *printer
}

func newOracleEngine(t testing.TB, name, text string, at time.Time) *oracleEngine {
	t.Helper()
	o := &oracleEngine{at: at}
	c, err := conf.Parse(name, []byte(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	make := func(_ struct{}, _ struct{}, d output.Deps) (output.Output, error) {
		if o.printer == nil {
			o.printer = &printer{find: d.Template}
		}
		return o.printer, nil
	}
	o.Engine, err = New(c, Options{Program: "rsyslogd", Compat: true, outputs: []outputKind{outputOf("omprint", make)}})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if o.env.Location, err = time.LoadLocation(oracleZone); err != nil {
		t.Fatal(err)
	}
	o.env.Now = func() time.Time { return at }
	t.Cleanup(func() {
		if err := o.close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// run is what is printed for one message.
func (o *oracleEngine) run(t testing.TB, in string) string {
	t.Helper()
	o.printer.got = nil
	var b message.Batch
	b.Receive(&o.env.Sanitize, []byte(in), message.NewOrigin("imudp", "127.0.0.1", "127.0.0.1", "0"),
		o.at.UnixNano(), message.ParseHostname)
	if err := o.rulesets["oracle"].Handle(context.Background(), b.All()); err != nil {
		t.Fatal(err)
	}
	return oracleLine(o.printer.got)
}

// oracleLine is what a file says of a message that was printed.
func oracleLine(printed []byte) string {
	fields := strings.Split(strings.TrimSuffix(string(printed), oracleEnd), oracleField)
	if len(fields) != len(oracleProperties) {
		return string(printed)
	}
	if fields[2] == fields[0] {
		fields[2] = oracleNow
	}
	return strings.Join(fields[1:], " | ")
}

// printer is an output that keeps what the template all prints.
type printer struct {
	find func(name string) (message.Template, bool)
	got  []byte
}

func (p *printer) Write(_ context.Context, v message.View) (int, error) {
	t, _ := p.find("all")
	for i := range v.Len() {
		p.got = t.Append(p.got, v.At(i))
	}
	return v.Len(), nil
}

func (p *printer) TryResume(context.Context) error { return nil }
func (p *printer) Hup()                            {}
func (p *printer) Close() error                    { return nil }
