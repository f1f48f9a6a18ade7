package engine

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sysrelay/conf"
)

// TestExplain reads testdata/explain.txt: a configuration; how messages are
// received, and messages; what is explained.
func TestExplain(t *testing.T) {
	golden(t, "testdata/explain.txt", func(t *testing.T, parts []string) string {
		cfg, err := conf.Parse("t.conf", []byte("global(localHostname=\"relay\") module(load=\"omrelp\")\n"+parts[0]))
		if err != nil {
			t.Fatal(err)
		}
		e, err := New(cfg, Options{Program: "sysrelay", Version: "1", Explain: true})
		if err != nil {
			t.Fatal(err)
		}
		e.env.Now = func() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }
		e.env.Location = time.UTC
		how, messages, _ := strings.Cut(parts[1], "\n")
		words := strings.Fields(how + " . . .")
		x, err := e.Explainer(Reception{From: words[0], Input: words[1]})
		if err != nil {
			return err.Error()
		}
		var out strings.Builder
		for raw := range strings.Lines(messages) {
			ex := x.Explain([]byte(strings.TrimSuffix(raw, "\n")))
			if words[2] != "json" {
				ex.Properties = ex.Properties[:4]
				if err := ex.Write(&out); err != nil {
					t.Fatal(err)
				}
				continue
			}
			b, err := json.MarshalIndent(ex, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%s\n", b)
		}
		return out.String()
	})
}

// TestExplainTouchesNothing: what would be written is not.
func TestExplainTouchesNothing(t *testing.T) {
	file := t.TempDir() + "/out"
	cfg, err := conf.Parse("t.conf", []byte(`action(type="omfile" file="`+file+`")`))
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(cfg, Options{Program: "sysrelay", Explain: true})
	if err != nil {
		t.Fatal(err)
	}
	x, err := e.Explainer(Reception{})
	if err != nil {
		t.Fatal(err)
	}
	if ex := x.Explain([]byte("<13>text")); ex.Actions != 1 || ex.Steps[0].Action.To != file {
		t.Errorf("explained as %+v", ex)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the file was written")
	}
	if n := e.order[0].Ledger.Read().Received; n != 0 {
		t.Errorf("%d messages were counted", n)
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ümlaut":     "plain ümlaut",
		"a\tb\nc\rd\x00\\": `a\tb\nc\rd\x00\\`,
		"\xff\x1b[0m\x7f":  `\xff\x1b[0m\x7f`,
		"\u202eevil":       `\u202eevil`,
	} {
		if got := visible([]byte(in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// FuzzExplain: no configuration and no message makes it fail, and what it says is
// valid for JSON.
func FuzzExplain(f *testing.F) {
	f.Add("*.* /x\n& ?D\nif $msg contains 'a' and not ($!x > 1) then { set $!x = $msg; stop }\n", "<13>a b: c")
	f.Add("foreach ($.i in $!a) do { call r }\nruleset(name=\"r\" queue.type=\"LinkedList\") { unset $.i; call_indirect $.i; }\n", "<13>1 - - - - - - x")
	f.Fuzz(func(t *testing.T, text, raw string) {
		if low := strings.ToLower(text); strings.Contains(low, "`") || strings.Contains(low, "include") || strings.Contains(low, "file=") ||
			strings.Contains(low, "http_request") || len(text) > 2000 {
			t.Skip() // they read files
		}
		cfg, _ := conf.Parse("t.conf", []byte(text))
		e, _ := New(cfg, Options{Program: "sysrelay", Explain: true})
		x, err := e.Explainer(Reception{})
		if err != nil {
			t.Fatal(err)
		}
		ex := x.Explain([]byte(raw))
		if _, err := json.Marshal(ex); err != nil {
			t.Error(err)
		}
		if err := ex.Write(io.Discard); err != nil {
			t.Error(err)
		}
	})
}
