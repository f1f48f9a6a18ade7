package engine

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sysrelay/message"
)

// The model of a relay: what each sender was promised, and what its outputs were
// given. Outputs fail, hang and take a part; the daemon is restarted.
type relayModel struct {
	config  string
	w       *world
	senders []*sender
	rng     *lockedRand
}

// sender is one connection: it puts one batch after the other.
type sender struct {
	name string
	ack  message.Ack
	flow message.Flow

	mu       sync.Mutex
	next     int
	busy     bool
	promised []string // acknowledged as stored
}

// lockedRand decides what outputs do.
type lockedRand struct {
	mu sync.Mutex
	x  uint32
}

func (r *lockedRand) upTo(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.x = r.x*1664525 + 1013904223
	return int(r.x>>16) % (n + 1)
}

// relayConfig draws a configuration: every message goes to out a (or its failover
// f), c and d, and those with an even number to b.
func relayConfig(t *rapid.T, dir string) string {
	of := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	timeout := of("enqueue", "", ` queue.timeoutEnqueue="-1"`, ` queue.timeoutEnqueue="0"`, ` queue.timeoutEnqueue="10"`)
	small := ` queue.size="` + of("size", "3", "20", "1000") + `" queue.dequeueBatchSize="` + of("batch", "1", "7") + `"` + timeout
	memory := ` queue.type="LinkedList"` + small
	assisted := func(name string) string { return memory + ` queue.filename="` + name + `"` }
	disk := func(name string) string { return ` queue.type="Disk" queue.filename="` + name + `"` + timeout }
	tries := func(of string) string {
		return fmt.Sprintf(` action.resumeInterval="1" action.resumeRetryCount="%d"`, rapid.SampledFrom([]int{0, 2, -1}).Draw(t, of+"'s retries"))
	}
	sub := of("sub queue", "", memory, disk("sub"), assisted("sub"))
	text := `global(workDirectory="` + dir + `")
		main_queue(` + of("main queue", memory, ` queue.type="Direct"`, disk("main"), assisted("main")) +
		` queue.workerThreads="` + of("workers", "1", "3") + `" queue.timeoutShutdown="` + of("shutdown", "0", "50", "5000") + `")
		ruleset(name="sub"` + sub + `) { action(name="c" type="omtest" out="c"` + tries("c") + of("c queue", "", memory, disk("c"), assisted("c")) + `) }
		action(name="a" type="omtest" out="a"` + tries("a") + `)
		action(name="f" type="omtest" out="f" action.execOnlyWhenPreviousIsSuspended="on"` + tries("f") + `)
		if re_match($msg, '[02468]$') then action(name="b" type="omtest" out="b"` + tries("b") + memory + `)
		call sub
		action(name="d" type="omtest" out="d"` + tries("d") + of("d queue", "", memory, disk("d"), assisted("d")) + `)`
	return text
}

// stop ends it; that takes no longer than the configured times.
func (m *relayModel) stop(t *rapid.T) {
	start := time.Now()
	if err := m.w.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("the shutdown took %v", took)
	}
	m.w.balanced(t)
}

func (m *relayModel) send(t *rapid.T) {
	s := rapid.SampledFrom(m.senders).Draw(t, "sender")
	n := rapid.IntRange(1, 12).Draw(t, "n")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		return
	}
	s.busy = true
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprintf("%s %d", s.name, s.next+i))
	}
	s.next += n
	in := m.w.input
	go func() {
		taken := in.put(s.ack, s.flow, s.name, texts...)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy = false
		if s.ack == message.Stored {
			s.promised = append(s.promised, taken...)
		}
	}()
}

// behave changes what an output does.
func (m *relayModel) behave(t *rapid.T) {
	o := m.w.outs[rapid.SampledFrom([]string{"a", "b", "c", "d", "f"}).Draw(t, "output")]
	switch rapid.SampledFrom([]string{"up", "up", "down", "some", "slow", "hang"}).Draw(t, "behaviour") {
	case "up":
		o.up()
	case "down":
		o.down()
	case "some":
		o.set(func(_ context.Context, v message.View) (int, error) {
			if n := m.rng.upTo(v.Len()); n < v.Len() {
				return n, errDown
			}
			return v.Len(), nil
		}, nil)
	case "slow":
		o.set(func(_ context.Context, v message.View) (int, error) {
			time.Sleep(20 * time.Millisecond)
			return v.Len(), nil
		}, nil)
	case "hang":
		o.set(func(ctx context.Context, _ message.View) (int, error) { <-ctx.Done(); return 0, ctx.Err() }, nil)
	}
}

// finish lets everything arrive that can, and compares.
func (m *relayModel) finish(t *rapid.T) {
	m.stop(t)
	for _, o := range m.w.outs {
		o.up()
	}
	m.w.begin(t, m.config, "")
	time.Sleep(time.Hour)
	synctest.Wait()
	m.stop(t)
	for _, s := range m.senders {
		for _, text := range s.promised {
			even := (text[len(text)-1]-'0')%2 == 0
			for _, where := range []string{"af", "c", "d", "b"} {
				count := 0
				for _, o := range strings.Split(where, "") {
					count += m.w.outs[o].count(text)
				}
				if count == 0 && (where != "b" || even) {
					t.Errorf("%s was acknowledged as stored and did not arrive at %s", text, where)
				}
			}
		}
	}
	for _, where := range []string{"af", "b", "c", "d"} {
		m.inOrder(t, where)
	}
}

// inOrder checks that the messages of each sender came to some outputs in its
// order, repetitions left out.
func (m *relayModel) inOrder(t *rapid.T, outs string) {
	last, seen := map[string]int{}, map[string]bool{}
	for _, d := range m.w.seen {
		if seen[d.text] || !strings.Contains(outs, d.out) {
			continue
		}
		seen[d.text] = true
		var name string
		var n int
		fmt.Sscan(d.text, &name, &n)
		if n < last[name] {
			t.Errorf("%s got %s after %d", outs, d.text, last[name])
		}
		last[name] = n
	}
}

// TestPromises: whatever is configured and whatever happens, what was
// acknowledged as stored arrives, each sender's messages arrive in order, all
// accounts add up, and the daemon ends in time.
func TestPromises(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		var failed any // what rapid panics with must leave the bubble
		synctest.Test(t, func(*testing.T) {
			defer func() { failed = recover() }()
			spool, err := os.MkdirTemp(dir, "")
			if err != nil {
				rt.Fatal(err)
			}
			m := &relayModel{config: relayConfig(rt, spool), w: &world{outs: map[string]*testOut{}}, rng: &lockedRand{x: 1}, senders: []*sender{
				{name: "relp", ack: message.Stored, flow: message.LightDelay, next: 1},
				{name: "tcp", flow: message.LightDelay, next: 1},
				{name: "udp", flow: message.NoDelay, next: 1},
			}}
			m.w.begin(rt, m.config, "")
			running := true
			defer func() {
				if running {
					_ = m.w.stop()
				}
			}()
			rt.Repeat(map[string]func(*rapid.T){
				"send":    m.send,
				"behave":  m.behave,
				"wait":    func(t *rapid.T) { time.Sleep(time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond) },
				"restart": func(t *rapid.T) { m.stop(t); m.w.begin(t, m.config, "") },
				"":        func(*rapid.T) { synctest.Wait() },
			})
			m.finish(rt)
			running = false
		})
		if failed != nil {
			panic(failed)
		}
	})
}
