package engine

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

// shutdownTime is how long stop took in the bubble's time.
func (w *world) shutdownTime(t *testing.T) time.Duration {
	t.Helper()
	start := time.Now()
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	return time.Since(start)
}

// Own messages that nobody can take do not hold up the shutdown.
func TestOwnMessagesDoNotHoldUpShutdown(t *testing.T) {
	for _, c := range []struct{ name, config string }{
		{"full queue", `main_queue(queue.type="LinkedList" queue.size="5" queue.timeoutEnqueue="-1" queue.dequeueBatchSize="1")`},
		{"full queue that discards", `main_queue(queue.type="LinkedList" queue.size="5" queue.timeoutEnqueue="60000" queue.dequeueBatchSize="1")`},
		{"no queue", `main_queue(queue.type="Direct")`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, `global(processInternalMessages="on")`+c.config+
					`action(type="omtest" out="o" action.resumeRetryCount="-1")`, "")
				w.outs["o"].down()
				for range 20 {
					w.log.Log(4, "something happened")
				}
				synctest.Wait()
				if took := w.shutdownTime(t); took > 10*time.Second {
					t.Errorf("the shutdown took %v", took)
				}
				w.balanced(t)
			})
		})
	}
}

// What queues say while they stop reaches the actions.
func TestLastWordsAreDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, `global(processInternalMessages="on")
			main_queue(queue.type="LinkedList" queue.dequeueBatchSize="1")
			if $msg contains "discarded" then action(type="omtest" out="good")
			if $msg contains "stuck" then action(type="omtest" out="o" action.resumeRetryCount="-1")`, "")
		w.outs["o"].down()
		w.input.put(message.Received, message.NoDelay, "a", "stuck 1", "stuck 2")
		synctest.Wait()
		w.shutdownTime(t)
		if got := w.outs["good"].texts(); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "were not processed") }) {
			t.Errorf("delivered: %q", got)
		}
		w.balanced(t)
	})
}

// A queue is stopped after those that feed it, wherever it stands in the
// configuration.
func TestQueuesStopAfterThoseThatFeedThem(t *testing.T) {
	for _, c := range []struct{ name, call string }{
		{"call", `call late`},
		{"by way of a ruleset without queue", `call between`},
		{"call_indirect", `set $.to = "late"; call_indirect $.to;`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, `
					ruleset(name="late" queue.type="LinkedList") { action(type="omtest" out="o") }
					ruleset(name="between") { call late }
					ruleset(name="early" queue.type="LinkedList" queue.dequeueBatchSize="10" queue.dequeueSlowdown="1000"
						queue.timeoutShutdown="60000") { `+c.call+` }
					action(type="omtest" out="main")`, "early")
				w.input.put(message.Received, message.NoDelay, "a", numbers(1, 1000)...)
				w.shutdownTime(t)
				if got := len(w.outs["o"].texts()); got != 1000 {
					t.Errorf("%d messages of 1000 were delivered", got)
				}
				w.balanced(t)
			})
		})
	}
}

// An output that ignores being told to stop does not keep the daemon from ending.
func TestOutputThatNeverReturns(t *testing.T) {
	for _, ack := range []message.Ack{message.Received, message.Stored} {
		synctest.Test(t, func(t *testing.T) { neverReturns(t, ack) })
	}
}

func neverReturns(t *testing.T, ack message.Ack) {
	w := newWorld(t, `action(type="omtest" out="o")`, "")
	hang := make(chan struct{})
	w.outs["o"].set(func(context.Context, message.View) (int, error) { <-hang; return 0, errDown }, nil)
	go w.input.put(ack, message.NoDelay, "a", "1")
	synctest.Wait()
	start := time.Now()
	err := w.stop()
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("the shutdown took %v", took)
	}
	if err == nil || !strings.Contains(err.Error(), "does not return") {
		t.Errorf("error %v", err)
	}
	close(hang)
	synctest.Wait()
}

// When Start fails, nothing stays open.
func TestStartFailsHalfway(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file") // where a queue's directory cannot be
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(`global(net.enableDNS="off" workDirectory="$DIR")
		module(load="imtcp") module(load="imudp") module(load="imrelp") module(load="imptcp")
		input(type="imtcp" address="127.0.0.1" port="0")
		input(type="imptcp" address="127.0.0.1" port="0")
		input(type="imrelp" address="127.0.0.1" port="0")
		input(type="imudp" address="127.0.0.1" port="0")
		main_queue(queue.type="Disk" queue.filename="main")
		action(type="omfile" file="$DIR/a" queue.type="Disk" queue.filename="good")
		action(type="omfile" file="$DIR/b" queue.type="Disk" queue.filename="bad" queue.spoolDirectory="`+file+`")`, "$DIR", dir)
	for range 2 { // the second time shows whether locks were released
		cfg, err := conf.Parse("t.conf", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		e, err := New(cfg, Options{Program: "sysrelay"})
		if err != nil {
			t.Fatal(err)
		}
		err = e.Start()
		if err == nil || !strings.Contains(err.Error(), "not a directory") || strings.Contains(err.Error(), "in use") {
			t.Fatalf("error %v", err)
		}
		for _, in := range e.inputs {
			network := "tcp"
			if strings.HasPrefix(in.Name(), "imudp") {
				network = "udp"
			}
			if err := free(network, in.Addrs()[0]); err != nil {
				t.Errorf("%s is still bound: %v", in.Name(), err)
			}
		}
	}
}

// free tries to bind an address.
func free(network, addr string) error {
	if network == "udp" {
		c, err := net.ListenPacket(network, addr)
		return errors.Join(err, closed(c, err))
	}
	c, err := net.Listen(network, addr)
	return errors.Join(err, closed(c, err))
}

func closed(c interface{ Close() error }, err error) error {
	if err != nil {
		return nil
	}
	return c.Close()
}

// What an action has no time for when the daemon stops is not the failover
// action's: it is kept for the next start where there is a place for it.
func TestFailoverTakesNothingAtShutdown(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, `global(workDirectory="`+dir+`")
			main_queue(queue.type="Disk" queue.filename="main")
			action(type="omtest" out="a")
			action(type="omtest" out="f" action.execOnlyWhenPreviousIsSuspended="on")`, "")
		w.outs["a"].set(func(ctx context.Context, _ message.View) (int, error) { <-ctx.Done(); return 0, ctx.Err() }, nil)
		w.input.put(message.Received, message.NoDelay, "a", "1")
		synctest.Wait()
		w.shutdownTime(t)
		if got := w.outs["f"].texts(); len(got) > 0 || w.order[0].queue.Stats().Size != 1 {
			t.Errorf("the failover action got %v, the queue has %d", got, w.order[0].queue.Stats().Size)
		}
		w.balanced(t)
	})
}
