package modify

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sysrelay/message"
)

// script writes a program.
func script(t *testing.T, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+lines+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// newExternal makes an mmexternal whose clock the test sets.
func newExternal(t *testing.T, p MMExternalParams, now *atomic.Int64) *external {
	t.Helper()
	d := testDeps(t)
	d.Env.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	if p.ResponseTimeout == 0 {
		p.ResponseTimeout = 10_000
	}
	m, err := NewMMExternal(NoModule{}, p, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.(*external).Close() })
	return m.(*external)
}

func externally(t *testing.T, e *external, msg string) (string, error) {
	t.Helper()
	var b message.Batch
	b.Add([]byte("<13>Oct 11 22:14:15 host tag: "+msg), message.NewOrigin("imudp", "h", "127.0.0.1", ""), 0, message.ParseHostname)
	x := b.All().At(0)
	message.DefaultChain(e.env).Parse(x)
	err := e.Modify(context.Background(), x)
	return msgOf(x), err
}

const echo = `while IFS= read -r l; do printf '{"msg":"<%s>"}\n' "$l"; done`

func TestMMExternalRestarts(t *testing.T) {
	var now atomic.Int64
	e := newExternal(t, MMExternalParams{Binary: script(t, `IFS= read -r l; printf '{"msg":"<%s>"}\n' "$l"`)}, &now)
	for _, want := range []string{"< a>", "< a>", "< a>"} { // a program answers once, then ends
		if got, err := externally(t, e, "a"); got != want || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

func TestMMExternalHangs(t *testing.T) {
	var now atomic.Int64
	e := newExternal(t, MMExternalParams{Binary: script(t, `sleep 1000 & wait`), ResponseTimeout: 50}, &now)
	if got, err := externally(t, e, "a"); got != "a" || err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Fatalf("got %q, %v", got, err)
	}
	if got, err := externally(t, e, "a"); got != "a" || err == nil || !strings.Contains(err.Error(), "later") {
		t.Fatalf("at once again: got %q, %v", got, err)
	}
	now.Add(2)
	if _, err := externally(t, e, "a"); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Fatalf("later: %v", err)
	}
}

func TestMMExternalMissing(t *testing.T) {
	var now atomic.Int64
	e := newExternal(t, MMExternalParams{Binary: "/nowhere/program"}, &now)
	if got, err := externally(t, e, "a"); got != "a" || err == nil {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestMMExternalStops(t *testing.T) {
	var now atomic.Int64
	e := newExternal(t, MMExternalParams{Binary: script(t, `sleep 1000`)}, &now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- e.Modify(ctx, &message.Message{Text: []byte("x")}) }()
	cancel()
	if err := <-done; err == nil {
		t.Fatal("no error")
	}
}

func TestMMExternalOutput(t *testing.T) {
	var now atomic.Int64
	file := filepath.Join(t.TempDir(), "out")
	e := newExternal(t, MMExternalParams{Binary: script(t, echo), Input: "rawmsg", Output: file, Single: true}, &now)
	for range 2 {
		if got, err := externally(t, e, "a"); got != "<<13>Oct 11 22:14:15 host tag: a>" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil || strings.Count(string(kept), "{\"msg\":\"<<13>Oct") != 2 {
		t.Fatalf("kept %q, %v", kept, err)
	}
}

func TestSplitCommand(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		got, err := splitCommand(in)
		if strings.Join(got, "|") != strings.Join(want, "|") || (err != nil) != (want == nil) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	f("/bin/x", "/bin/x")
	f(` /bin/x  -a "b c" 'd"e' f`, "/bin/x", "-a", "b c", `d"e`, "f")
	f(`/bin/x "a`)
	f("  ")
}
