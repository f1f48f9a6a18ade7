package filter

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

func TestLookupTableErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{`nonsense`, "invalid character"},
		{`{"version":2,"table":[]}`, "version 2 is not 1"},
		{`{"type":"tree","table":[]}`, `type "tree" is not string, array, sparseArray or regex`},
		{`{"type":"regex","table":[{"index":"a","value":"b"}]}`, "entry 1 lacks its regex or its tag"},
		{`{"type":"regex","table":[{"regex":"a(","tag":"b"}]}`, "entry 1: regular expression"},
		{`{"table":[{"index":"a"}]}`, "entry 1 lacks its index or its value"},
		{`{"table":[{"value":"a"}]}`, "entry 1 lacks its index or its value"},
		{`{"type":"array","table":[{"index":"a","value":"x"}]}`, "entry 1: index a is not a number"},
		{`{"type":"array","table":[{"index":-1,"value":"x"}]}`, "entry 1: index -1 is not a number"},
		{`{"type":"array","table":[{"index":1,"value":"x"},{"index":3,"value":"y"}]}`, "nothing between index 1 and 3"},
		{`{"type":"sparseArray","table":[{"index":1,"value":"x"},{"index":"1","value":"y"}]}`, "index 1 stands there twice"},
	}
	for _, tt := range tests {
		file := filepath.Join(t.TempDir(), "table")
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenLookupTable("t", file, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v, want %s", tt.text, err, tt.want)
		}
	}
	if _, err := OpenLookupTable("t", filepath.Join(t.TempDir(), "nope"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestLookupTableReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "table")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"nomatch":"no","table":[{"index":"a","value":"1"}]}`)
	var logged []string
	table, err := OpenLookupTable("t", file, func(_ int, text string) { logged = append(logged, text) })
	if err != nil {
		t.Fatal(err)
	}
	check := func(step, want string) {
		t.Helper()
		deps := testDeps()
		deps.Lookup = func(string) (*LookupTable, bool) { return table, true }
		got, err := valueOf(t, deps, "", `lookup("t", "a") & lookup("t", "5")`, received(t, []string{"<13>x"}))
		if err != nil || got != `{ "r": "`+want+`" }` {
			t.Errorf("%s: got %s (%v), want %s", step, got, err, want)
		}
	}
	check("first", "1no")
	write(`{"nomatch":"-","type":"array","table":[{"index":5,"value":"five"}]}`)
	check("before the reload", "1no")
	table.Reload("")
	check("type changed", "-five")
	write(`broken`)
	table.Reload("")
	check("broken, no stub", "-five")
	table.Reload("stub")
	check("broken, stub", "stubstub")
	write(`{"table":[]}`)
	table.Reload("stub")
	check("repaired", "")
	want := []string{"reloaded", "stays in use", "has the value 'stub'", "reloaded"}
	if len(logged) != len(want) {
		t.Fatalf("logged %q", logged)
	}
	for i, w := range want {
		if !strings.Contains(logged[i], w) {
			t.Errorf("logged %q, want %q", logged[i], w)
		}
	}
}

// TestReloadStatement: messages go on with the old table while the new one is read;
// then the stub of the statement holds.
func TestReloadStatement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "table")
		if err := os.WriteFile(file, []byte(`{"table":[{"index":"a","value":"1"}]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		hold, logged := make(chan struct{}), 0
		table, err := OpenLookupTable("t", file, func(int, string) { <-hold; logged++ })
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		stmts, err := parse(`set $.r = lookup("t", "a");` + "\n" + `if $msg contains "reload" then { reload_lookup_table("t", "gone") }`)
		if err != nil {
			t.Fatal(err)
		}
		deps := testDeps()
		deps.Lookup = func(string) (*LookupTable, bool) { return table, true }
		r, err := Compile(deps, "main", stmts)
		if err != nil {
			t.Fatal(err)
		}
		looked := func() string {
			t.Helper()
			v := received(t, []string{"<13>Oct 11 22:14:15 h a: reload"}).All()
			if err := r.Handle(t.Context(), v); err != nil {
				t.Fatal(err)
			}
			p, err := deps.Env.Property("$.r")
			if err != nil {
				t.Fatal(err)
			}
			return string(p.Value(v.At(0), nil))
		}
		if got := looked(); got != "1" {
			t.Errorf("at first: %s", got)
		}
		synctest.Wait() // the first reload has failed, and waits to say so
		for range 3 {
			if got := looked(); got != "gone" {
				t.Errorf("after the reload: %s", got)
			}
		}
		close(hold)
		synctest.Wait()
		if logged != 2 {
			t.Errorf("%d reloads; one, and one for all that were asked for meanwhile are right", logged)
		}
	})
}

func TestRegexTable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "table")
	text := `{"nomatch":"none","type":"regex","table":[{"regex":"^error","tag":"err"},{"regex":"^error.*crit","tag":"crit"},{"regex":"[0-9]{3}$","tag":"number"}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := OpenLookupTable("t", file, nil)
	if err != nil {
		t.Fatal(err)
	}
	deps := testDeps()
	deps.Lookup = func(string) (*LookupTable, bool) { return table, true }
	for key, want := range map[string]string{"error1": "err", "errorcritical": "err", "warning": "none", "no 123": "number", "": "none"} {
		got, err := valueOf(t, deps, "", `lookup("t", "`+key+`")`, received(t, []string{"<13>x"}))
		if err != nil || got != `{ "r": "`+want+`" }` {
			t.Errorf("%s: got %s (%v), want %s", key, got, err, want)
		}
	}
}
