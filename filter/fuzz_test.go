package filter

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

// partsTracer finds conditions whose parts say something else than they do.
type partsTracer struct{ wrong string }

func (p *partsTracer) Step(_ *message.Message, s Step) {
	if len(s.Parts) > 0 && s.Parts[0].Level == 0 && s.Parts[0].Text == s.Text && s.Parts[0].Value != fmt.Sprint(s.Holds) &&
		(s.Parts[0].Value == "true" || s.Parts[0].Value == "false") {
		p.wrong = fmt.Sprintf("%s: %v, but its parts say %v", s.Text, s.Holds, s.Parts)
	}
}

// FuzzCondition evaluates any condition on any message: it must end, without a
// panic, with the same outcome whether the message is alone or in company, and
// whether or not somebody listens.
func FuzzCondition(f *testing.F) {
	lines := goldenLines(f, conditionGolden)
	for i, l := range lines {
		if _, cond, ok := strings.Cut(l, "\t"); ok && i%7 == 0 {
			f.Add(cond, "<22>1 2023-08-24T05:14:15.000003Z mx2 postfix 8710 ID47 - connect")
		}
	}
	for i, l := range goldenLines(f, valueGolden) {
		if _, expr, ok := strings.Cut(l, "\t"); ok && i%7 == 0 {
			f.Add(expr, "<13>Oct 11 22:14:15 host1 app[123]: Hello World error=5")
		}
	}
	for _, expr := range []string{
		`hash32($msg, -1) + hash64mod($msg, 7, "x")`, `tocef("0", $msg, $msg, "", "a=|", $rawmsg, 5, cef_ext_escape($msg))`,
		`append_json($!, "k", split($msg, " ")) & append_json(split($msg, ""), $!)`, `unflatten($!, "o") & script_error()`,
		`pcre_match($msg, "(?i)h.*o")`, `dyn_inc("b", $msg) + percentile_observe("b", $msg, $procid)`,
		`lookup("regex", $msg) & lookup("regex", 5)`, `get_property(split($msg, "o"), "1") & "010" + 0x1f`, `0 == ["", "0", "00"]`,
		`substring($msg, -3, 3) & substring($msg, 3, -3) & substring($msg, 9223372036854775807, -9223372036854775807)`,
	} {
		f.Add(expr, "<13>Oct 11 22:14:15 host1 app[123]: Hello World error=5")
	}
	setup, full := strings.Join(section(lines, "setup"), "\n"), fullDeps(f)
	f.Fuzz(func(t *testing.T, cond, text string) {
		// What counts, or is as it was left, differs from message to message.
		if strings.Contains(cond, "random") || strings.Contains(cond, "dyn_inc") && strings.Contains(cond, "==") || strings.Contains(cond, "`") || len(cond) > 500 {
			t.Skip() // backticks read files
		}
		stmts, err := parse(setup + "\nif " + cond + " then /file")
		if err != nil {
			return
		}
		deps := full
		taken := map[int]bool{}
		deps.Action = func(*conf.Object) (Action, error) {
			return actionFunc(func(v message.View) {
				for i := range v.Len() {
					taken[v.Index(i)] = true
				}
			}), nil
		}
		deps.Traced = true
		r, err := Compile(deps, "main", stmts)
		if err != nil || r.Link() != nil {
			return
		}
		company := received(t, []string{text, "<0>Oct 11 22:14:15 host1 kernel: 42", text})
		if err := r.Handle(context.Background(), company.All()); err != nil {
			t.Fatal(err)
		}
		first := taken[0]
		if taken[2] != first && !strings.Contains(cond, "/") { // $/ goes from message to message
			t.Errorf("%s: %v, then %v for the same message", cond, first, taken[2])
		}
		clear(taken)
		alone := received(t, []string{text})
		if err := r.Handle(context.Background(), alone.All()); err != nil {
			t.Fatal(err)
		}
		var tracer partsTracer
		r.Trace(context.Background(), received(t, []string{text}).All(), &tracer)
		if tracer.wrong != "" && !strings.Contains(cond, "/") {
			t.Error(tracer.wrong)
		}
		if taken[0] != first && !strings.Contains(cond, "/") {
			t.Errorf("%s: %v in company, %v alone", cond, first, taken[0])
		}
	})
}

// fullDeps are deps with a table, a dyn_stats() and a percentile_stats() bucket.
func fullDeps(t testing.TB) Deps {
	t.Helper()
	deps := testDeps()
	file := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(file, []byte(`{"type":"regex","nomatch":"-","table":[{"regex":"e.*r","tag":"x"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := OpenLookupTable("regex", file, deps.Log)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDynStats(DynStatsParams{Name: "b", Cardinality: 100, UnusedLife: 3600}, time.Now)
	s, err := NewPercentileStats(PercentileParams{Name: "b", Percentiles: []string{"50"}, WindowSize: 8, Delimiter: "."})
	if err != nil {
		t.Fatal(err)
	}
	deps.Lookup = func(string) (*LookupTable, bool) { return table, true }
	deps.DynStats = func(string) (*DynStats, bool) { return d, true }
	deps.Percentiles = func(string) (*PercentileStats, bool) { return s, true }
	return deps
}

// FuzzStatements runs any statements: they end, without a panic.
func FuzzStatements(f *testing.F) {
	scripts, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(scripts) == 0 {
		f.Fatal("no scripts", err)
	}
	for _, file := range scripts {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, rules, _ := strings.Cut(string(text), "-- rules --\n")
		rules, _, _ = strings.Cut(rules, "-- messages --")
		for line := range strings.Lines(rules) {
			f.Add(line, `<13>Oct 11 22:14:15 host1 app[123]: {"a":[1,{"b":2}]}`)
		}
	}
	deps := fullDeps(f)
	f.Fuzz(func(t *testing.T, script, text string) {
		// Backticks read files, and loops in loops take as long as they say.
		if strings.Contains(script, "`") || len(script) > 500 || strings.Count(script, "foreach") > 2 {
			t.Skip()
		}
		stmts, err := parse("set $.r = parse_json(ltrim($msg), \"\\$!\");\n" + script)
		if err != nil {
			return
		}
		r, err := Compile(deps, "main", stmts)
		if err != nil || r.Link() != nil {
			return
		}
		if err := r.Handle(context.Background(), received(t, []string{text, text}).All()); err != nil {
			t.Fatal(err)
		}
	})
}
