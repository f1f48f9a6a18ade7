package filter

import (
	"context"
	"fmt"
	"strings"
	"testing"

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
	setup := strings.Join(section(lines, "setup"), "\n")
	f.Fuzz(func(t *testing.T, cond, text string) {
		if strings.Contains(cond, "random") || strings.Contains(cond, "`") || len(cond) > 500 {
			t.Skip() // backticks read files
		}
		stmts, err := parse(setup + "\nif " + cond + " then /file")
		if err != nil {
			return
		}
		deps := testDeps()
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
