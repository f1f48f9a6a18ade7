package input

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is in the pipe when the input stops is not lost.
func TestPipeIsDrained(t *testing.T) {
	s := newSink()
	var p IMFIFOParams
	decode(t, &p, "file", filepath.Join(t.TempDir(), "pipe"), "tag", "t:")
	in, err := NewIMFIFO(IMFIFOModule{}, p, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	write(t, p.File, "one\ntwo")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := in.Run(ctx, s.handle); err != nil {
		t.Fatal(err)
	}
	s.waitTexts(t, "relayt:one", "relayt:two")
	checkLedger(t, in, 2, 0)
}

// fifo starts an input that reads from a pipe in a new directory.
func fifo(t *testing.T, s *sink, set func(name string)) (stop func(), name string, in *pipeInput) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "pipe")
	if set != nil {
		set(name)
	}
	var p IMFIFOParams
	decode(t, &p, "file", name, "tag", "t:", "filecreatemode", "0622")
	made, err := NewIMFIFO(IMFIFOModule{}, p, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	in = made.(*pipeInput)
	in.look = 20 * time.Millisecond
	return start(t, in, s), name, in
}

// write is what a program does that comes, writes and goes.
func write(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0) // fails if nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestPipeIsMadeAndOutlivesItsWriters(t *testing.T) {
	s := newSink()
	stop, name, in := fifo(t, s, nil)
	if fi, err := os.Stat(name); err != nil || fi.Mode() != os.ModeNamedPipe|0o622 {
		t.Fatalf("the pipe: %v, %v", fi, err)
	}
	write(t, name, "one\n\ntw")
	s.waitTexts(t, "relayt:one")
	write(t, name, "o\n")
	s.waitTexts(t, "relayt:one", "relayt:two")
	write(t, name, "three")
	stop()
	s.waitTexts(t, "relayt:one", "relayt:two", "relayt:three")
	checkLedger(t, in, 3, 0)
	if s.from(0) != "imfifo|relay|127.0.0.1" {
		t.Errorf("origin %s", s.from(0))
	}
}

func TestPipeLongLinesAreSplit(t *testing.T) {
	s := newSink()
	_, name, in := fifo(t, s, nil)
	most := in.split.max
	write(t, name, strings.Repeat("a", most)+"b\n")
	s.waitTexts(t, "relayt:"+strings.Repeat("a", most), "relayt:b")
}

func TestPipeIsReplaced(t *testing.T) {
	s := newSink()
	_, name, _ := fifo(t, s, nil)
	write(t, name, "one\n")
	s.waitTexts(t, "relayt:one")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "was removed or replaced; it is opened again")
	eventually(t, "a new pipe", func() bool { _, err := os.Stat(name); return err == nil })
	eventually(t, "a reader", func() bool {
		f, err := os.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			f.Close()
		}
		return err == nil
	})
	write(t, name, "two\n")
	s.waitTexts(t, "relayt:one", "relayt:two")
}

// A file that is no pipe is left alone and told once.
func TestPipeIsAFile(t *testing.T) {
	s := newSink()
	_, name, _ := fifo(t, s, func(name string) {
		if err := os.WriteFile(name, []byte("keep\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	s.waitLog(t, "is not a named pipe; it is tried again every")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a pipe", func() bool { fi, err := os.Stat(name); return err == nil && fi.Mode().Type() == os.ModeNamedPipe })
	if n := s.count("is not a named pipe"); n != 1 {
		t.Errorf("said %d times", n)
	}
}
