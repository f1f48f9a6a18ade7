package output

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sysrelay/message"
)

// TestSplitCommand pins rsyslogd's.
func TestSplitCommand(t *testing.T) {
	for in, want := range map[string][]string{
		`/bin/prog`:      {"/bin/prog"},
		`/bin/prog `:     {"/bin/prog"},
		`/bin/prog a b`:  {"/bin/prog", "a", "b"},
		`/bin/prog a  b`: {"/bin/prog", "a", "", "b"},
		`/bin/prog p1  p2 --p3="value 3" 'a b' a\ b "q" `: {"/bin/prog", "p1", "", "p2", `--p3="value 3"`, "'a", "b'", `a\`, "b", `"q"`},
	} {
		equal(t, in, splitCommand(in), want)
	}
}

// progParams run a shell script that may use $DIR, a directory of its own.
func progParams(t *testing.T, script string) (OMProgParams, string) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/prog", []byte("#!/bin/sh\nDIR="+dir+"\n"+script), 0o700))
	return OMProgParams{
		Binary: dir + "/prog", Template: "lf", ConfirmTimeout: 10000, CloseTimeout: 5000, FileMode: 0o600,
		BeginMark: "BEGIN TRANSACTION", CommitMark: "COMMIT TRANSACTION",
	}, dir
}

func newOMProg(t *testing.T, p OMProgParams) (*omprog, *logBook) {
	t.Helper()
	d, book := deps(map[string]message.Template{"lf": textTemplate{after: "\n"}})
	o, err := NewOMProg(OMProgModule{}, p, d)
	must(t, err)
	t.Cleanup(func() { o.Close() })
	return o.(*omprog), book
}

// waitFile waits until a file holds the text.
func waitFile(t *testing.T, name, want string) {
	t.Helper()
	var b []byte
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if b, _ = os.ReadFile(name); string(b) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s holds %q, want %q", filepath.Base(name), b, want)
		}
	}
}

func TestProgramReads(t *testing.T) {
	p, dir := progParams(t, `echo "$# $1 $2" >$DIR/got; cat >>$DIR/got; echo EOF >>$DIR/got`)
	p.Binary += ` one "two three"`
	o, _ := newOMProg(t, p)
	if _, err := os.Stat(dir + "/got"); err == nil {
		t.Error("started before there is a message")
	}
	write(t, o, "a", "b")
	write(t, o, "c")
	must(t, o.Close())
	waitFile(t, dir+"/got", "2 one \"two three\"\na\nb\nc\nEOF\n")
}

func TestProgramInTransactions(t *testing.T) {
	p, dir := progParams(t, `cat >$DIR/got`)
	p.Transactions, p.BeginMark = true, "<"
	o, _ := newOMProg(t, p)
	write(t, o, "a", "b")
	write(t, o, "c")
	must(t, o.Close())
	waitFile(t, dir+"/got", "<\na\nb\nCOMMIT TRANSACTION\n<\nc\nCOMMIT TRANSACTION\n")
}

// answering is a program that says OK and then, for every line, what the line says.
const answering = `echo OK; while read -r line; do echo "$line" >>$DIR/got; case "$line" in *TRANSACTION) echo OK;; *) echo "$line";; esac; done`

// TestConfirmations: which messages count after which answers.
func TestConfirmations(t *testing.T) {
	for _, c := range []struct {
		name        string
		transaction bool
		messages    string
		n           int
		err         string
	}{
		{"all OK", false, "OK OK OK", 3, ""},
		{"no", false, "OK no OK", 1, `it answered "no" instead of OK`},
		{"deferred without transaction", false, "DEFER_COMMIT DEFER_COMMIT", 2, ""},
		{"transaction", true, "DEFER_COMMIT DEFER_COMMIT", 2, ""},
		{"transaction fails", true, "DEFER_COMMIT DEFER_COMMIT no", 0, `it answered "no"`},
		{"committed before it fails", true, "DEFER_COMMIT DEFER_COMMIT PREVIOUS_COMMITTED no", 2, `it answered "no"`},
		{"OK commits", true, "DEFER_COMMIT OK no", 2, `it answered "no"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := progParams(t, answering)
			p.Confirm, p.Transactions, p.ReportFailures = true, c.transaction, true
			o, book := newOMProg(t, p)
			v := batch(strings.Fields(c.messages)...)
			n, err := o.Write(t.Context(), v)
			if n != c.n || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("Write = %d, %v; want %d, %q", n, err, c.n, c.err)
			}
			if (count(book.all(), `answered "no": the message is sent again later`) == 1) != (c.err != "") {
				t.Errorf("reported %q", book.all())
			}
			// It goes on with the same program.
			pid := o.child.cmd.Process.Pid
			write(t, o, "OK")
			if o.child.cmd.Process.Pid != pid {
				t.Error("the program was started anew")
			}
		})
	}
}

func TestProgramThatDoesNotAnswer(t *testing.T) {
	p, _ := progParams(t, `echo OK; while read -r line; do :; done`)
	p.Confirm, p.ConfirmTimeout = true, 50
	o, _ := newOMProg(t, p)
	n, err := o.Write(t.Context(), batch("m"))
	if n != 0 || err == nil || !strings.Contains(err.Error(), "does not answer within confirmTimeout") {
		t.Errorf("Write = %d, %v", n, err)
	}
	if o.child != nil {
		t.Error("the program is not started anew")
	}
}

func TestProgramThatIsNotReady(t *testing.T) {
	p, _ := progParams(t, `echo cannot open the database; sleep 100`)
	p.Confirm, p.SignalOnClose = true, true
	o, _ := newOMProg(t, p)
	_, err := o.Write(t.Context(), batch("m"))
	if want := `has started but is not ready: it answered "cannot open the database" instead of OK`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestProgramWithEndlessAnswer(t *testing.T) {
	p, _ := progParams(t, `exec cat /dev/zero`)
	p.Confirm, p.SignalOnClose = true, true
	o, _ := newOMProg(t, p)
	if _, err := o.Write(t.Context(), batch("m")); err == nil || !strings.Contains(err.Error(), "more than 4096 bytes") {
		t.Errorf("error %v", err)
	}
}

// TestProgramEnds: a program that ends is started anew, but not all the time.
func TestProgramEnds(t *testing.T) {
	p, dir := progParams(t, `read -r line; echo "$line" >>$DIR/got; exit 3`)
	o, book := newOMProg(t, p)
	now := &clock{time.Unix(1e9, 0)}
	o.now = now.Now
	write(t, o, "1")
	<-o.child.done
	now.advance(quickEnd)
	write(t, o, "2") // it ran long enough
	if n := count(book.all(), "has ended: exit status 3; it is started anew"); n != 1 {
		t.Errorf("reported %q", book.all())
	}
	for i := range 4 {
		<-o.child.done
		_, err := o.Write(t.Context(), batch("m"))
		want := fmt.Sprintf("ended soon after it was started, %d times in a row; it is started again in %v", i+1, time.Second<<i)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		now.advance(time.Second<<i - 1)
		if o.TryResume(t.Context()) == nil {
			t.Error("started too early")
		}
		now.advance(1)
		write(t, o, "m")
	}
	<-o.child.done
	waitFile(t, dir+"/got", "1\n2\nm\nm\nm\nm\n")
}

func TestProgramThatIsNotThere(t *testing.T) {
	p, _ := progParams(t, "")
	p.Binary = "/nonexistent/prog"
	o, _ := newOMProg(t, p)
	_, err := o.Write(t.Context(), batch("m"))
	if want := "cannot start program /nonexistent/prog: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	if errors.Is(err, ErrUnacceptable) {
		t.Error("the message is blamed")
	}
}

// TestProgramThatHangs: it can neither hold up shutdown, nor a caller that gives up.
func TestProgramThatHangs(t *testing.T) {
	p, dir := progParams(t, `trap "" TERM; echo up >>$DIR/got; while :; do sleep 0.1; done`)
	p.CloseTimeout, p.SignalOnClose = 50, true
	o, book := newOMProg(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		waitFile(t, dir+"/got", "up\n")
		cancel()
	}()
	n, err := o.Write(ctx, batch("fits", strings.Repeat("x", 1<<20)))
	if n != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("Write = %d, %v", n, err)
	}
	if o.child != nil {
		t.Error("a program that has half a message is kept")
	}
	if all := book.all(); all != nil {
		t.Errorf("killed, but reported %q", all)
	}
	p.KillUnresponsive = given(false)
	o, book = newOMProg(t, p)
	write(t, o, "m")
	waitFile(t, dir+"/got", "up\nup\n")
	c := o.child
	must(t, o.Close())
	if n := count(book.all(), "has not ended within closeTimeout (50ms); it is left behind"); n != 1 {
		t.Errorf("reported %q", book.all())
	}
	must(t, c.cmd.Process.Kill())
	<-c.done
}

func TestProgramOutput(t *testing.T) {
	p, dir := progParams(t, `echo to out; echo to err >&2; while read -r line; do echo "got $line"; done`)
	p.Output, p.FileMode = dir+"/output", 0o640
	o, _ := newOMProg(t, p)
	write(t, o, "1")
	waitFile(t, p.Output, "to out\nto err\ngot 1\n")
	must(t, os.Rename(p.Output, p.Output+".1"))
	o.Hup()
	write(t, o, "2")
	waitFile(t, p.Output, "got 2\n")
	if st, err := os.Stat(p.Output); err != nil || st.Mode() != 0o640 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	p.Confirm = true
	p, dir = progParams(t, `echo OK; echo to err >&2; while read -r line; do echo OK; done`)
	p.Output, p.Confirm = dir+"/output", true
	o, _ = newOMProg(t, p)
	write(t, o, "1")
	must(t, o.Close())
	waitFile(t, p.Output, "to err\n")
}

func TestProgramSignals(t *testing.T) {
	p, dir := progParams(t, `trap "echo hup >>$DIR/got" USR1; trap "echo term >>$DIR/got; exit" TERM; echo up >>$DIR/got
while :; do sleep 0.01; done`)
	p.HupSignal, p.SignalOnClose = "USR1", true
	o, _ := newOMProg(t, p)
	write(t, o, "1")
	waitFile(t, dir+"/got", "up\n")
	o.Hup()
	waitFile(t, dir+"/got", "up\nhup\n")
	must(t, o.Close())
	waitFile(t, dir+"/got", "up\nhup\nterm\n")
}

func TestShell(t *testing.T) {
	dir := t.TempDir()
	prog := dir + "/prog"
	must(t, os.WriteFile(prog, []byte("#!/bin/sh\necho \"$# $1\" >>"+dir+"/got\ncase $1 in hang) exec sleep 100;; bad) exit 3;; esac\n"), 0o700))
	d, book := deps(nil)
	o, err := NewOMShell(OMShellModule{}, OMShellParams{Program: prog, Template: "text"}, d)
	must(t, err)
	write(t, o, "one two", "$(three)", "cut\x00off", "bad", "bad")
	waitFile(t, dir+"/got", "1 one two\n1 $(three)\n1 cut\n1 bad\n1 bad\n")
	if n := count(book.all(), "failed for 1 messages; the last time: exit status 3"); n != 1 || len(book.all()) != 1 {
		t.Errorf("reported %q", book.all())
	}
	s := o.(*omshell)
	s.limit, s.told = 50*time.Millisecond, time.Time{}
	write(t, o, "hang")
	if n := count(book.all(), "was killed, because it took longer"); n != 1 {
		t.Errorf("reported %q", book.all())
	}
	if _, err := o.Write(t.Context(), batch(strings.Repeat("x", 200<<10))); !errors.Is(err, ErrUnacceptable) {
		t.Errorf("a parameter that is too long: %v", err)
	}
	s.program = "/nonexistent"
	if _, err := o.Write(t.Context(), batch("m")); err == nil || err.Error() != "cannot run program /nonexistent: no such file or directory" {
		t.Errorf("error %v", err)
	}
}
