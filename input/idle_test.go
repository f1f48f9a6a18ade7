package input

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Sessions fall asleep and wake up again and again, hot ones only after a while;
// nothing is lost or out of order, and asleep they have no goroutine.
func TestSessionsSleep(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, nil)
	stop := start(t, in, s)
	base := runtime.NumGoroutine()
	const conns, rounds = 50, 20
	var want [conns]int
	for i := range conns {
		c := dial(t, "tcp", in)
		for r := range rounds {
			send(t, c, fmt.Sprintf("<13>%d %d\n", i, r))
		}
		defer closes(t, c)
		for r := range rounds {
			send(t, c, fmt.Sprintf("<13>%d %d\n", i, rounds+r))
		}
	}
	s.wait(t, "all messages", func() bool { return len(s.texts) == conns*rounds*2 })
	for _, x := range s.texts {
		var i, n int
		fmt.Sscanf(x, "<13>%d %d", &i, &n)
		if n != want[i] {
			t.Fatalf("connection %d: message %d where %d is due", i, n, want[i])
		}
		want[i]++
	}
	waitUntil(t, "all to sleep", func() bool { return asleep(in) == conns })
	if n := runtime.NumGoroutine() - base; n > 2 {
		t.Errorf("%d goroutines for sleeping connections", n)
	}
	// One that is busy stays awake for a while, falls asleep, and wakes up.
	busy := dial(t, "tcp", in)
	send(t, busy, strings.Repeat("x", 1<<20)+"\n")
	waitUntil(t, "the busy one to sleep", func() bool { return asleep(in) == conns+1 })
	send(t, busy, "end\n")
	s.wait(t, "the last line", func() bool { return s.texts[len(s.texts)-1] == "end" })
	stop()
	if len(s.log) > 0 {
		t.Errorf("log %q", s.log)
	}
}

// A session that was busy, and cannot be put to sleep, waits without a deadline.
func TestCoolLetsReadsWait(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	a.SetReadDeadline(time.Unix(1, 0))
	r := reader{c: &conn{Conn: a, stopping: context.Background()}}
	r.cool()
	go b.Write([]byte("x"))
	if _, err := a.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func asleep(in Input) int {
	i := in.(*streamInput).idlers
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.asleep)
}

// A session the kernel cannot watch keeps its goroutine.
func TestSessionCannotSleep(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, nil).(*streamInput)
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	in.idlers.epoll.Close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); in.Run(ctx, s.handle) }()
	c := dial(t, "tcp", in)
	send(t, c, "one\n")
	s.waitTexts(t, "one")
	send(t, c, "two\n")
	s.waitTexts(t, "one", "two")
	cancel()
	<-done
}

// Sleeping sessions are finished in good order when the input stops.
func TestStopWakesSleepers(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, nil)
	stop := start(t, in, s)
	const conns = 200
	for i := range conns {
		send(t, dial(t, "tcp", in), fmt.Sprintf("whole\nrest%d", i))
	}
	s.wait(t, "the whole lines", func() bool { return len(s.texts) == conns })
	waitUntil(t, "all to sleep", func() bool { return asleep(in) == conns })
	stop()
	rests := 0
	for _, x := range s.texts {
		if strings.HasPrefix(x, "rest") {
			rests++
		}
	}
	if rests != conns {
		t.Errorf("%d of %d rests", rests, conns)
	}
	checkLedger(t, in, 2*conns, 0)
}
