package conf

import (
	"os"
	"strings"
	"testing"
)

// TestAllDirectives: testdata/directives.list holds every directive that
// rsyslogd and its modules register. All are known.
func TestAllDirectives(t *testing.T) {
	text, err := os.ReadFile("testdata/directives.list")
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(text))
	if len(names) < 249 {
		t.Fatalf("only %d directives in the list", len(names))
	}
	for _, name := range names {
		p := newParser()
		for _, d := range p.known {
			if d.module != "" {
				p.legacy.modules[d.module] = &Object{Kind: "module", Legacy: true}
			}
		}
		p.expand = func(string) ([]string, error) { return nil, nil }
		p.push(includer{}, []*Source{{Name: "t", Text: []byte("$" + strings.ToUpper(name) + " 0001 x\n")}})
		_, err := p.parse()
		for _, e := range errorsOf(err) {
			if strings.Contains(e.Msg, "unknown directive") || strings.Contains(e.Msg, "not loaded") {
				t.Errorf("$%s: %s", name, e.Msg)
			}
		}
	}
}

// TestDirectivesSayWhatTheySet: a directive that sets something names it, and
// none is there twice.
func TestDirectivesSayWhatTheySet(t *testing.T) {
	seen := map[string]bool{}
	for _, table := range directiveTables() {
		for _, d := range table {
			if d.do == nil && d.param == "" {
				t.Errorf("$%s sets nothing", d.name)
			}
			if low := strings.ToLower(d.name); seen[low] {
				t.Errorf("$%s is there twice", d.name)
			} else {
				seen[low] = true
			}
		}
	}
}
