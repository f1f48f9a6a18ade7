package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/message"
)

// Without room, inputs that can wait do, for others there is none.
func TestMemoryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		used := uint64(0)
		m := newMemory(100<<20, func(_ int, text string) { lines = append(lines, text) })
		m.used = func() uint64 { return used }
		var b message.Batch
		b.Add([]byte("m"), nil, 0, 0)
		ctx := t.Context()
		m.look(time.Now())
		if err := m.admit(ctx, b.All()); err != nil {
			t.Errorf("with room: %v", err)
		}
		used = 81 << 20
		m.look(time.Now())
		m.look(time.Now())
		if err := m.admit(ctx, b.All()); !errors.Is(err, message.ErrMemory) {
			t.Errorf("UDP without room: %v", err)
		}
		b.Flow = message.LightDelay
		done := make(chan error, 1)
		go func() { done <- m.admit(ctx, b.All()) }()
		stored := make(chan error, 1)
		go func() { stored <- m.admit(message.WithAck(ctx, message.Stored), b.All()) }()
		time.Sleep(time.Hour)
		select {
		case err := <-done:
			t.Errorf("TCP did not wait: %v", err)
		case err := <-stored:
			t.Errorf("RELP did not wait: %v", err)
		default:
		}
		used = 10 << 20
		m.look(time.Now())
		if err := errors.Join(<-done, <-stored); err != nil {
			t.Error(err)
		}
		if len(lines) != 1 || !strings.HasPrefix(lines[0], "81 MiB of the 100 MiB of memory.max are in use") {
			t.Errorf("log %q", lines)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		m.full.Store(true)
		if m.admit(ended, b.All()) == nil {
			t.Error("waits on when the input is to stop")
		}
	})
	if m := newMemory(0, nil); m.admit(t.Context(), message.View{}) != nil || m.run(t.Context()) != nil {
		t.Error("without a budget there is a limit")
	}
}

// Senders can fill neither the log nor the file, and end no line of either.
func TestOversizeTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "oversize.json")
	now := time.Now()
	var mu sync.Mutex
	var lines []string
	o := &oversize{file: file, report: true, most: 10, now: func() time.Time { return now },
		log: func(_ int, text string) { mu.Lock(); lines = append(lines, text); mu.Unlock() }}
	from := message.NewOrigin("imrelp", "h", "192.0.2.1", "")
	for range 250 {
		o.tell([]byte("line feed\n\x1b[2J\x00 and more"), from)
	}
	now = now.Add(oversizeEvery)
	o.tell([]byte("again and again"), from)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n != oversizeTold+1 || strings.ContainsAny(string(text), "\x1b\x00") {
		t.Errorf("%d lines in the file, or raw control characters: %.200q", n, text)
	}
	want := "message too long (24) with configured size 10, begin of message is: line feed#012#033[2J#000 and more"
	if len(lines) != oversizeTold+2 || lines[0] != want || lines[oversizeTold] != "150 more messages longer than maxMessageSize were not told of one by one" {
		t.Errorf("%d lines logged: %q", len(lines), lines[:1])
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	os.Remove(file)
	if err := os.Symlink("/etc/passwd", file); err != nil {
		t.Fatal(err)
	}
	if o.keep([]byte("x"), from) == nil {
		t.Error("a symbolic link is followed")
	}
}
