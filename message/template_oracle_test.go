package message

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The files in testdata/template hold what rsyslogd 8.2302 made of the templates
// and messages in template_oracle_cases_test.go. The test makes them anew with the
// rsyslogd that SYSRELAY_RSYSLOGD names.
var rsyslogd = os.Getenv("SYSRELAY_RSYSLOGD")

// templateGroup is a set of templates and the messages each is given.
type templateGroup struct {
	name      string
	global    string                                 // parameters of global()
	script    string                                 // statements before the actions, as rsyslog runs them …
	prepare   func(t *testing.T, e *Env, m *Message) // … and the same here
	keepCC    bool                                   // control characters are not escaped when received
	messages  []string
	templates []templateCase
}

// templateCase is a template in one of its forms.
type templateCase struct {
	legacy  string // $template NAME,"…"
	options string // behind it: ",sql"
	text    string // template(type="string" string="…")
	parts   []TemplatePart
	subtree string
	builtin string
	opts    TemplateOptions
	differs string // why our result is another one
}

func (o *templateCase) String() string {
	switch {
	case o.builtin != "":
		return "builtin " + strconv.Quote(o.builtin)
	case o.legacy != "":
		return "legacy " + strconv.Quote(o.legacy+o.options)
	case o.subtree != "":
		return "subtree " + strconv.Quote(o.subtree)
	}
	return strings.ReplaceAll(o.config("t"), "\n", " ")
}

// config is the template as rsyslog's configuration has it.
func (o *templateCase) config(name string) string {
	switch {
	case o.legacy != "":
		return fmt.Sprintf("$template %s,\"%s\"%s", name, o.legacy, o.options)
	case o.subtree != "":
		return fmt.Sprintf("template(name=%q type=\"subtree\" subtree=%q)", name, o.subtree)
	}
	var b strings.Builder
	kind := "list"
	if o.parts == nil {
		kind = "string"
	}
	fmt.Fprintf(&b, "template(name=%q type=%q", name, kind)
	writeParams(&b, reflect.ValueOf(o.opts))
	if o.parts == nil {
		fmt.Fprintf(&b, " string=%s)", scriptQuote(o.text))
		return b.String()
	}
	b.WriteString(") {")
	for _, p := range o.parts {
		kind := "property"
		if _, ok := p.(ConstantPart); ok {
			kind = "constant"
		}
		b.WriteString("\n" + kind + "(")
		writeParams(&b, reflect.ValueOf(p))
		b.WriteString(")")
	}
	b.WriteString("\n}")
	return b.String()
}

// writeParams writes the fields that are given by the names in their tags.
func writeParams(b *strings.Builder, v reflect.Value) {
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("conf"), ",")
		if name == "" || v.Field(i).IsZero() {
			continue
		}
		value := fmt.Sprint(v.Field(i).Interface())
		if v.Field(i).Kind() == reflect.Bool {
			value = "on"
		}
		fmt.Fprintf(b, " %s=%s", name, scriptQuote(value))
	}
}

// scriptQuote quotes as RainerScript does.
func scriptQuote(s string) string {
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`)
	return `"` + r.Replace(s) + `"`
}

func (o *templateCase) template(t *testing.T, e *Env, name string) Template {
	t.Helper()
	var tpl Template
	var err error
	switch {
	case o.builtin != "":
		for _, b := range BuiltinTemplates(e) {
			if b.Name() == o.builtin {
				return b
			}
		}
		t.Fatalf("no built-in template %q", o.builtin)
	case o.legacy != "":
		opts := o.opts
		switch o.options {
		case ",sql":
			opts.SQL = true
		case ",stdsql":
			opts.StdSQL = true
		case ",json":
			opts.JSON = true
		case ",casesensitive":
			opts.CaseSensitive = true
		}
		tpl, err = e.ParseTemplate(name, o.legacy, opts)
	default:
		p := TemplateParams{Name: name, Type: "string", String: o.text, Subtree: o.subtree, TemplateOptions: o.opts}
		if o.parts != nil {
			p.Type = "list"
		}
		if o.subtree != "" {
			p.Type = "subtree"
		}
		tpl, err = e.NewTemplate(&p, o.parts)
	}
	if err != nil {
		t.Fatalf("%s: %v", o, err)
	}
	return tpl
}

// templateZone is the time zone the real rsyslogd ran in.
var templateZone = time.FixedZone("XST", 5*3600+30*60)

func templateEnv(g *templateGroup, received time.Time) *Env {
	e := NewEnv("relay")
	e.Location = templateZone
	e.Now = func() time.Time { return received }
	e.Sanitize.EscapeControl = !g.keepCC
	return e
}

// golden is what one file in testdata/template holds.
type golden struct {
	received map[string]string            // by message: when it was received
	results  map[string]map[string]string // by template and message
}

func TestTemplateOracle(t *testing.T) {
	for _, g := range templateGroups() {
		t.Run(g.name, func(t *testing.T) {
			file := filepath.Join("testdata", "template", g.name+".txt")
			if rsyslogd != "" {
				g.record(t, file)
			}
			g.compare(t, readGolden(t, file))
		})
	}
}

// compare renders everything and compares it with what rsyslogd made of it.
// Where we mean to differ the result is in a file of its own.
func (g *templateGroup) compare(t *testing.T, want golden) {
	file := filepath.Join("testdata", "template", g.name+".differences.txt")
	differences := golden{results: map[string]map[string]string{}}
	if _, err := os.Stat(file); err == nil && rsyslogd == "" {
		differences = readGolden(t, file)
	}
	var recorded strings.Builder
	for _, o := range g.templates {
		title := o.String()
		ours := differences.results[title]
		if o.differs != "" {
			fmt.Fprintf(&recorded, "= %s\n# %s\n", title, o.differs)
		}
		for i, raw := range g.messages {
			id := fmt.Sprintf("m%02d", i)
			wanted, ok := want.results[title][id]
			if !ok {
				t.Fatalf("%s.txt holds nothing for %s, %s: record it", g.name, title, id)
			}
			got := g.render(t, &o, id, raw, want.received[id])
			if o.differs != "" && got != wanted {
				fmt.Fprintf(&recorded, "%s %q\n", id, got)
			}
			if other, differs := ours[id]; differs {
				wanted = other
				delete(ours, id)
			}
			if got != wanted && (rsyslogd == "" || o.differs == "") {
				t.Errorf("%s\nof   %q\nis   %q\nwant %q", title, raw, got, wanted)
			}
		}
		if len(ours) > 0 {
			t.Errorf("%s: %d differences that are none", title, len(ours))
		}
	}
	if rsyslogd != "" && recorded.Len() > 0 {
		if err := os.WriteFile(file, []byte(recorded.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (g *templateGroup) render(t *testing.T, o *templateCase, id, raw, received string) string {
	at, err := time.Parse(time.RFC3339Nano, received)
	if err != nil {
		t.Fatal(err)
	}
	e := templateEnv(g, at)
	var b Batch
	origin := NewOrigin(id, "localhost", "127.0.0.1", "")
	b.Receive(&e.Sanitize, []byte(raw), origin, at.UnixNano(), ParseHostname)
	m := b.All().At(0)
	DefaultChain(e).Parse(m)
	if g.prepare != nil {
		g.prepare(t, e, m)
	}
	return string(o.template(t, e, "t").Append(nil, m))
}

// readGolden reads sections of one template each: the template in a line of its
// own, then a line per message with its name and the quoted result.
func readGolden(t *testing.T, file string) golden {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g := golden{map[string]string{}, map[string]map[string]string{}}
	var section map[string]string
	for n, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if name, ok := strings.CutPrefix(line, "= "); ok {
			section = map[string]string{}
			g.results[name] = section
			continue
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		id, quoted, _ := strings.Cut(line, " ")
		result, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s:%d: %v", file, n+1, err)
		}
		section[id] = result
	}
	g.received = g.results["received"]
	return g
}

// record has the real rsyslogd render everything. Every message comes in
// through an input of its own, whose name every result's file bears.
func (g *templateGroup) record(t *testing.T, file string) {
	dir := t.TempDir()
	ports := freePorts(t, len(g.messages))
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(g.config(dir, ports)), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(rsyslogd, "-n", "-f", filepath.Join(dir, "conf"), "-i", filepath.Join(dir, "pid"))
	cmd.Env = append(os.Environ(), "TZ=XST-5:30")
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		if log.Len() > 0 {
			t.Logf("rsyslogd: %s", log.String())
		}
	}()
	g.send(t, dir, ports)
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	g.collect(t, dir, file)
}

func (g *templateGroup) config(dir string, ports []int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global(localhostname=\"relay\" %s)\nmodule(load=\"imudp\")\nmodule(load=\"mmjsonparse\")\n", g.global)
	for i, port := range ports {
		fmt.Fprintf(&b, "input(type=\"imudp\" address=\"127.0.0.1\" port=\"%d\" name=\"m%02d\")\n", port, i)
	}
	for i, o := range g.templates {
		if o.builtin == "" {
			fmt.Fprintf(&b, "%s\n", o.config(fmt.Sprintf("t%03d", i)))
		}
		fmt.Fprintf(&b, "template(name=\"f%03d\" type=\"string\" string=\"%s/out.%03d.%%inputname%%\")\n", i, dir, i)
	}
	fmt.Fprintf(&b, "template(name=\"when\" type=\"string\" string=\"%%timegenerated:::date-rfc3339%%\")\n"+
		"template(name=\"fwhen\" type=\"string\" string=\"%s/out.when.%%inputname%%\")\n%s\n", dir, g.script)
	for i, o := range g.templates {
		name := fmt.Sprintf("t%03d", i)
		if o.builtin != "" {
			name = o.builtin
		}
		fmt.Fprintf(&b, "action(type=\"omfile\" dynafile=\"f%03d\" template=%q dynaFileCacheSize=\"200\")\n", i, name)
	}
	b.WriteString("action(type=\"omfile\" dynafile=\"fwhen\" template=\"when\")\n")
	return b.String()
}

// send sends every message to its input and waits until the last action has
// written them all.
func (g *templateGroup) send(t *testing.T, dir string, ports []int) {
	for i, raw := range g.messages {
		addr := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: ports[i]}
		waitFor(t, fmt.Sprintf("input m%02d", i), func() bool {
			c, err := net.ListenUDP("udp", addr)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		conn, err := net.DialUDP("udp", nil, addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	waitFor(t, "results", func() bool {
		files, _ := filepath.Glob(filepath.Join(dir, "out.when.*"))
		return len(files) == len(g.messages)
	})
}

// freePorts returns UDP ports that nobody has, for a daemon that cannot tell
// which it was given.
func freePorts(t *testing.T, n int) []int {
	ports := make([]int, n)
	for i := range ports {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ports[i] = c.LocalAddr().(*net.UDPAddr).Port
	}
	return ports
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not appear", what)
		}
	}
}

// collect writes the golden file.
func (g *templateGroup) collect(t *testing.T, dir, file string) {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	section := func(title, number string) {
		fmt.Fprintf(w, "= %s\n", title)
		for i := range g.messages {
			// A result that is empty makes no file.
			result, _ := os.ReadFile(filepath.Join(dir, fmt.Sprintf("out.%s.m%02d", number, i)))
			fmt.Fprintf(w, "m%02d %q\n", i, result)
		}
	}
	section("received", "when")
	for i, o := range g.templates {
		section(o.String(), fmt.Sprintf("%03d", i))
	}
	w.Flush()
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
