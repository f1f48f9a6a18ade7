package filter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

const conditionGolden = "testdata/conditions.txt"

// TestConditionGolden compares conditions with rsyslogd.
func TestConditionGolden(t *testing.T) {
	lines := goldenLines(t, conditionGolden)
	if *rsyslogd != "" {
		lines = askConditions(t, lines)
		writeGolden(t, conditionGolden, lines)
	}
	messages := received(t, section(lines, "message"))
	setup := strings.Join(section(lines, "setup"), "\n")
	pairs := 0
	for _, line := range lines {
		want, cond, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		got, err := outcomesOf(t, setup, cond, messages)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s\n got %s (%v)\nwant %s", cond, got, err, want)
		}
		pairs += len(want)
	}
	if pairs < 1000 {
		t.Errorf("only %d pairs of condition and message in %s", pairs, conditionGolden)
	}
}

// outcomesOf is a letter per message: whether it fulfils the condition.
func outcomesOf(t *testing.T, setup, cond string, b *message.Batch) (string, error) {
	t.Helper()
	return chosen(t, setup+"\nif "+cond+` then action(type="omfile" file="x")`, b)
}

// chosen is a letter per message: whether an action of the rules gets it.
func chosen(t *testing.T, rules string, b *message.Batch) (string, error) {
	t.Helper()
	got := make([]byte, b.Len())
	deps := testDeps()
	deps.Action = func(*conf.Object) (Action, error) {
		return actionFunc(func(v message.View) {
			for i := range v.Len() {
				got[v.Index(i)] = 'y'
			}
		}), nil
	}
	stmts, err := parse(rules)
	if err != nil {
		return "", err
	}
	r, err := Compile(deps, "main", stmts)
	if err != nil {
		return "", err
	}
	for i := range got {
		got[i] = 'n'
	}
	copied := &message.Batch{}
	b.All().CopyTo(copied)
	return string(got), errors.Join(r.Link(), r.Handle(context.Background(), copied.All()))
}

// actionFunc is an action that is told what it is given.
type actionFunc func(message.View)

func (f actionFunc) Handle(_ context.Context, v message.View) error { f(v); return nil }
func (f actionFunc) Suspended() bool                                { return false }
func (f actionFunc) FailoverFor() bool                              { return false }
func (f actionFunc) HasFailover()                                   {}

func testDeps() Deps {
	env := message.NewEnv("here")
	env.Location = time.UTC
	templates := map[string]message.Template{}
	for _, t := range message.BuiltinTemplates(env) {
		templates[t.Name()] = t
	}
	return Deps{
		Template: func(name string) (message.Template, bool) { t, ok := templates[name]; return t, ok },
		Env:      env, Parsers: message.DefaultChain(env),
		Action: func(*conf.Object) (Action, error) { return actionFunc(func(message.View) {}), nil },
		Log:    func(int, string) {},
	}
}

func parse(text string) ([]conf.Stmt, error) {
	c, err := conf.Parse("test.conf", []byte(text))
	if err != nil {
		return nil, err
	}
	return c.Stmts, nil
}

// received makes the batch imudp makes of the datagrams.
func received(t testing.TB, texts []string) *message.Batch {
	t.Helper()
	b := &message.Batch{}
	s := message.DefaultSanitizer()
	origin := message.NewOrigin("imudp", "127.0.0.1", "127.0.0.1", "514")
	for _, text := range texts {
		b.Receive(&s, []byte(text), origin, time.Now().UnixNano(), message.ParseHostname)
	}
	return b
}

func askConditions(t *testing.T, lines []string) []string {
	messages := section(lines, "message")
	setup := strings.Join(section(lines, "setup"), "\n")
	rules := &strings.Builder{}
	fmt.Fprintf(rules, "template(name=\"raw\" type=\"string\" string=\"%%rawmsg%%\\n\")\n%s\n", setup)
	for i, line := range lines {
		_, cond, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		rule := fmt.Sprintf("if %s then action(type=\"omfile\" file=\"@DIR@/c%d\" template=\"raw\")\n", cond, i)
		if said := oracleCheck(t, fmt.Sprintf("if %s then action(type=\"omfile\" file=\"/dev/null\")\n", cond)); refused(said) {
			t.Logf("%s: %s", cond, said)
			lines[i] = "error\t" + cond
			continue
		}
		lines[i] = "\t" + cond
		rules.WriteString(rule)
	}
	dir := oracle(t, rules.String(), messages)
	for i, line := range lines {
		outcome, cond, ok := strings.Cut(line, "\t")
		if !ok || outcome == "error" {
			continue
		}
		out, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("c%d", i)))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		outcome = ""
		for _, m := range messages {
			if strings.Contains(string(out), m+"\n") {
				outcome += "y"
			} else {
				outcome += "n"
			}
		}
		lines[i] = outcome + "\t" + cond
	}
	return lines
}

// refused tells whether rsyslogd, saying this, has refused a rule altogether.
func refused(said string) bool {
	return strings.Contains(said, "could not interpret") || strings.Contains(said, "not found") ||
		strings.Contains(said, "number of parameters") || strings.Contains(said, "must be")
}

const valueGolden = "testdata/values.txt"

// TestValueGolden compares the values of expressions with rsyslogd.
func TestValueGolden(t *testing.T) {
	lines := goldenLines(t, valueGolden)
	if *rsyslogd != "" {
		lines = askValues(t, lines)
		writeGolden(t, valueGolden, lines)
	}
	messages := received(t, section(lines, "message"))
	setup := strings.Join(section(lines, "setup"), "\n")
	for _, line := range lines {
		want, expr, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		got, err := valueOf(t, testDeps(), setup, expr, messages)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s\n got %s (%v)\nwant %s", expr, got, err, want)
		}
	}
}

// valueOf is the $. tree after $.r has been set.
func valueOf(t *testing.T, deps Deps, setup, expr string, b *message.Batch) (string, error) {
	t.Helper()
	stmts, err := parse(setup + "\nset $.r = " + expr + ";")
	if err != nil {
		return "", err
	}
	r, err := Compile(deps, "main", stmts)
	if err != nil {
		return "", err
	}
	copied := &message.Batch{}
	b.All().CopyTo(copied)
	v := copied.All()
	if err := errors.Join(r.Link(), r.Handle(context.Background(), v)); err != nil {
		return "", err
	}
	p, err := deps.Env.Property("$.")
	if err != nil {
		return "", err
	}
	return string(p.Value(v.At(0), nil)), nil
}

func askValues(t *testing.T, lines []string) []string {
	setup := strings.Join(section(lines, "setup"), "\n")
	rules := &strings.Builder{}
	fmt.Fprintln(rules, `template(name="tree" type="string" string="%$.%")`)
	for i, line := range lines {
		_, expr, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		if said := oracleCheck(t, fmt.Sprintf("set $.r = %s;\naction(type=\"omfile\" file=\"/dev/null\")\n", expr)); refused(said) {
			t.Logf("%s: %s", expr, said)
			lines[i] = "error\t" + expr
			continue
		}
		lines[i] = "\t" + expr
		fmt.Fprintf(rules, "unset $.;\n%s\nset $.r = %s;\naction(type=\"omfile\" file=\"@DIR@/v%d\" template=\"tree\")\n", setup, expr, i)
	}
	dir := oracle(t, rules.String(), section(lines, "message"))
	for i, line := range lines {
		outcome, expr, ok := strings.Cut(line, "\t")
		if !ok || outcome == "error" {
			continue
		}
		out, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("v%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = string(out) + "\t" + expr
	}
	return lines
}
