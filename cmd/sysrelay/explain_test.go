package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// callWith is call with a standard input.
func callWith(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(args, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

// config writes a configuration and returns its name.
func config(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "t.conf")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExplainCommand(t *testing.T) {
	file := config(t, "mail.* /var/log/mail\n")
	for _, c := range []struct {
		stdin, args, wantOut, wantErr string
		code                          int
	}{
		{"<22>a b\n", "", "->        file /var/log/mail", "", 0},
		{"<22>a b", "--json", `"kind":"file","to":"/var/log/mail"`, "", 0},
		{"5 <22>a\n6 <23>bb", "--framing=octet-counted", "<23>bb\n", "", 0},
		{"<22>a\nb\x00<23>c", "--framing nul", `<22>a\nb` + "\n", "", 0},
		{"9 <22>a", "--framing octet-counted", "", "unexpected EOF", 1},
		{"<22>a", "--input imxx", "", `there is no input "imxx"`, 1},
		{"<22>a", "--from host", "", `"host" is no address`, 1},
		{"<22>a", "--framing lines", "", "--framing is line, octet-counted or nul", 1},
		{"<22>a", "--nix", "", "unknown flag --nix", 1},
		{"<22>a", "--ruleset x", "", `there is no ruleset "x"`, 1},
		{"<22>a", "-f /does/not/exist", "", "no such file", 1},
	} {
		args := append([]string{"sysrelay", "explain", "-f", file}, strings.Fields(c.args)...)
		code, out, errs := callWith(c.stdin, args...)
		if code != c.code || !strings.Contains(out, c.wantOut) || !strings.Contains(errs, c.wantErr) {
			t.Errorf("%s: exit code %d, %s%s", c.args, code, out, errs)
		}
	}
	code, out, errs := callWith("<22>a\n", "sysrelay", "explain", "-f", config(t, "nonsense here\nmail.* /m\n"))
	if code != 1 || !strings.Contains(out, "file /m") || !strings.Contains(errs, "t.conf:1:1") {
		t.Errorf("with an error in the configuration: exit code %d, %s%s", code, out, errs)
	}
}

// TestExplainedJSON: every line is an object of its own.
func TestExplainedJSON(t *testing.T) {
	_, out, _ := callWith("<22>a\n<13>b\n", "sysrelay", "explain", "--json", "-f", config(t, "*.* /m\n"))
	lines := bufio.NewScanner(strings.NewReader(out))
	n := 0
	for ; lines.Scan(); n++ {
		if !json.Valid(lines.Bytes()) {
			t.Errorf("no JSON: %s", lines.Text())
		}
	}
	if n != 2 {
		t.Errorf("%d lines for 2 messages", n)
	}
}

// TestUsage: every command is described, and every flag of it.
func TestUsage(t *testing.T) {
	_, out, _ := call("sysrelay", "help")
	for _, c := range commands() {
		if !strings.Contains(out, "sysrelay "+c.name) || c.summary == "" {
			t.Errorf("command %s is not in the usage", c.name)
		}
		_, page, _ := call("sysrelay", "help", c.name)
		for _, f := range c.flags {
			if !strings.Contains(page, f.name) || f.text == "" {
				t.Errorf("flag %s of %s is not described", f.name, c.name)
			}
		}
	}
}

func FuzzSplitCounted(f *testing.F) {
	f.Add("5 <22>a\n6 <23>bb")
	f.Add("99999999999999999999 x")
	f.Fuzz(func(t *testing.T, text string) {
		s := bufio.NewScanner(strings.NewReader(text))
		s.Split(splitCounted)
		total := 0
		for s.Scan() {
			total += len(s.Bytes())
		}
		if total > len(text) {
			t.Errorf("%d bytes out of %d", total, len(text))
		}
	})
}
