package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestCheckCommand(t *testing.T) {
	bad := config(t, "*.* @@host\n$ModLoad imudp\nnonsense here\naction(type=\"omkafka\" topic=\"x\")\n")
	warned := config(t, "*.* @@host\n$ModLoad immark\n$OptimizeForUniprocessor on\n")
	for _, c := range []struct {
		file, args string
		code       int
		want       []string
	}{
		{bad, "", 1, []string{
			"t.conf:1:5: warning: messages are sent to host without a queue [forward-without-queue]",
			"t.conf:3:1: error: unknown object, statement or selector \"nonsense\" [invalid]\n    nonsense here\n    ^\n",
			"t.conf: 1 error, 1 unsupported, 2 warnings\n"}},
		{bad, "--quiet", 1, []string{"t.conf: 1 error, 1 unsupported\n"}},
		{warned, "", 0, []string{"t.conf: good, 1 warning, 1 note\n", "[obsolete-directive]"}},
		{warned, "--all", 0, []string{`t.conf:1:7: supported   action(type="omfwd") target`, `t.conf:2:1: supported   module(load="immark")`}},
		{config(t, "*.* /x\n"), "", 0, []string{"t.conf: good\n"}},
		{config(t, ""), "", 1, []string{"error: there are no active actions", ": 1 error\n"}},
		{"/does/not/exist", "", 1, []string{"[unreadable]", "no such file"}},
	} {
		code, out, errs := call(append([]string{"sysrelay", "check", c.file}, strings.Fields(c.args)...)...)
		if code != c.code || errs != "" {
			t.Errorf("%s: exit code %d, want %d; %s", c.args, code, c.code, errs)
		}
		for _, w := range c.want {
			if !strings.Contains(out, w) {
				t.Errorf("check %s %s: no %q in\n%s", c.file, c.args, w, out)
			}
		}
	}
}

func TestCheckedJSON(t *testing.T) {
	code, out, _ := call("sysrelay", "check", "--json", "--all", config(t, "*.* @@host\nnonsense here\n"))
	var r struct {
		Findings []map[string]any
		Uses     []map[string]any
		Summary  map[string]int
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 1 {
		t.Fatalf("exit code %d, %v: %s", code, err, out)
	}
	if len(r.Findings) != 2 || r.Findings[0]["severity"] != "warning" || r.Findings[0]["id"] != "forward-without-queue" || r.Findings[1]["line"] != 2.0 {
		t.Errorf("findings %v", r.Findings)
	}
	if len(r.Uses) != 2 || r.Uses[0]["status"] != "supported" || r.Summary["errors"] != 1 {
		t.Errorf("uses %v, summary %v", r.Uses, r.Summary)
	}
}

// TestCheckByName: -N1 is our check under our name, rsyslogd's under its.
func TestCheckByName(t *testing.T) {
	file := config(t, "*.* /x\n")
	if code, out, errs := call("sysrelay", "-N1", "-f", file); code != 0 || !strings.HasSuffix(out, "t.conf: good\n") || errs != "" {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	code, out, errs := call("rsyslogd", "-N1", "-f", file)
	if code != 0 || out != "" || !strings.Contains(errs, "End of config validation run. Bye.") {
		t.Errorf("as rsyslogd: exit code %d, %s%s", code, out, errs)
	}
}
