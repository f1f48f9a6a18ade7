package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// call runs the command as a shell would, without a process.
func call(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(args, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

func TestCompatibilityIsUpToDate(t *testing.T) {
	code, want, _ := call("sysrelay", "help", "--markdown")
	if code != 0 {
		t.Fatalf("help --markdown: exit code %d", code)
	}
	have, err := os.ReadFile("../../COMPATIBILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Error("COMPATIBILITY.md is not what the parameter definitions say; " +
			"run: go run ./cmd/sysrelay help --markdown > COMPATIBILITY.md")
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args string
		want flags
		err  string
	}{
		{"-n", flags{foreground: true}, ""},
		{"-nN1", flags{foreground: true, check: 1}, ""},
		{"-N 1 -f x.conf", flags{config: "x.conf", check: 1}, ""},
		{"-fx.conf -iNONE -C", flags{config: "x.conf", pidFile: "NONE", stay: true}, ""},
		{"-d -u 077 -T /r -v -o -", flags{debug: true, umask: "077", root: "/r", version: true, dump: "-"}, ""},
		{"-4 -M /lib", flags{ignored: []string{"-4", "-M"}}, ""},
		{"-f", flags{}, "option -f needs an argument"},
		{"-N x", flags{}, `option -N needs a level, not "x"`},
		{"-z", flags{}, "unknown option -z"},
		{"extra", flags{}, `unexpected argument "extra"`},
	} {
		got, err := parseFlags(strings.Fields(c.args))
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%s: error %v, want %s", c.args, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
		}
		if strings.Join(got.ignored, " ") != strings.Join(c.want.ignored, " ") {
			t.Errorf("%s: ignored %v, want %v", c.args, got.ignored, c.want.ignored)
		}
		got.ignored, c.want.ignored = nil, nil
		if got.config != c.want.config || got.pidFile != c.want.pidFile || got.foreground != c.want.foreground ||
			got.check != c.want.check || got.dump != c.want.dump || got.stay != c.want.stay || got.debug != c.want.debug ||
			got.umask != c.want.umask || got.root != c.want.root || got.version != c.want.version {
			t.Errorf("%s: %+v, want %+v", c.args, got, c.want)
		}
	}
}

func TestCommands(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string // on either output
	}{
		{[]string{"sysrelay"}, 0, "usage: sysrelay"},
		{[]string{"sysrelay", "version"}, 0, "sysrelay " + version},
		{[]string{"sysrelay", "-v"}, 0, "sysrelay  " + version},
		{[]string{"rsyslogd", "-v"}, 0, "rsyslogd  " + version},
		{[]string{"sysrelay", "help", "imtcp"}, 0, "maxsessions"},
		{[]string{"sysrelay", "help", "imtpc"}, 1, `there is no help for "imtpc"; did you mean "imtcp"`},
		{[]string{"sysrelay", "chekc", "x"}, 1, `there is no command "chekc"`},
		{[]string{"sysrelay", "check"}, 1, "usage: sysrelay check [--json]"},
		{[]string{"sysrelay", "-z"}, 1, "unknown option -z"},
		{[]string{"rsyslogd", "version"}, 1, `unexpected argument "version"`},
	} {
		code, out, err := call(c.args...)
		if code != c.code || !strings.Contains(out+err, c.want) {
			t.Errorf("%v: exit code %d, %q; want %d, %q", c.args, code, out+err, c.code, c.want)
		}
	}
}
