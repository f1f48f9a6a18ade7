package input

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandWords(t *testing.T) {
	for _, c := range []struct {
		in   string
		want string
		ok   bool
	}{
		{"/bin/x -a  b", "/bin/x|-a|b", true}, {`x "a b" 'c "d'`, `x|a b|c "d`, true}, {`x ""`, "x|", true}, {" ", "", true},
		{`x "a`, "", false}, {`a"b c"d`, "ab cd", true},
	} {
		got, err := commandWords(c.in)
		if s := strings.Join(got, "|"); s != c.want || err == nil != c.ok {
			t.Errorf("%q: %q, %v", c.in, s, err)
		}
	}
}

// program starts an input with a shell script as program.
func program(t *testing.T, s *sink, script string, p IMProgParams) (stop func(), dir string, in Input) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "prog"), []byte("#!/bin/sh\ncd "+dir+"\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	p.Binary, p.Tag, p.Facility, p.Severity = filepath.Join(dir, "prog"), "t:", 16, 5
	in, err := NewIMProg(IMProgModule{}, p, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	return start(t, in, s), dir, in
}

// START, a line, ACK, a line, ACK, STOP.
func TestProgramIsTold(t *testing.T) {
	s := newSink()
	stop, dir, in := program(t, s, `read a; echo "$a" >>log; echo one; read a; echo "$a" >>log; echo two; read a; echo "$a" >>log; read a; echo "$a" >>log`,
		IMProgParams{Confirm: true, CloseTimeout: 10000, KillUnresponsive: true})
	s.waitTexts(t, "relayt:one", "relayt:two")
	log := func() string { text, _ := os.ReadFile(filepath.Join(dir, "log")); return string(text) }
	eventually(t, "the second ACK", func() bool { return log() == "START\nACK\nACK\n" })
	stop()
	if got := log(); got != "START\nACK\nACK\nSTOP\n" {
		t.Errorf("the program was told %q", got)
	}
	checkLedger(t, in, 2, 0)
}

func TestProgramIsRestarted(t *testing.T) {
	s := newSink()
	program(t, s, `echo one; printf two; echo trouble >&2; exit 3`, IMProgParams{CloseTimeout: 10})
	s.waitTexts(t, "relayt:one", "relayt:two")
	s.waitLog(t, "ended: exit status 3: it said: trouble; it is started again in 1s")
	s.wait(t, "the second run", func() bool { return len(s.texts) == 4 })
}

func TestUnresponsiveProgramIsKilled(t *testing.T) {
	s := newSink()
	stop, _, _ := program(t, s, `trap 'echo term' TERM; echo one; while :; do sleep 1000; done`,
		IMProgParams{SignalOnClose: true, CloseTimeout: 50, KillUnresponsive: true})
	s.waitTexts(t, "relayt:one")
	stop()
	s.waitLog(t, "did not end within 50 ms; it is killed")
}
