package output

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"sysrelay/conf"
	"sysrelay/message"
	"sysrelay/queue"
)

// crashEnv makes the test binary the process that TestKilledWhileWriting kills.
const crashEnv = "OMFILE_CRASH_WRITER"

func TestMain(m *testing.M) {
	if name := os.Getenv(crashEnv); name != "" {
		crashWriter(name)
	}
	goleak.VerifyTestMain(m)
}

func handle(a *Action, texts ...string) error { return a.Handle(context.Background(), batch(texts...)) }

// TestSuspensionMessages pins what rsyslogd says and does with
// resumeRetryCount="0" while the target is down (8.2302, omfwd to a closed port).
func TestSuspensionMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &fakeOutput{}
		o.down()
		a, book := newAction(t, o, func(p *ActionOptions) { p.Params.ResumeInterval = 2 })
		must(t, handle(a, "lost 1", "lost 2"))
		if !a.Suspended() {
			t.Error("the action is not suspended")
		}
		must(t, handle(a, "lost 3"))
		until := time.Now().Add(2 * time.Second).Format(time.ANSIC)
		equal(t, "messages", book.all(), []string{
			"3 action 'test': collector is down",
			"4 action 'test' suspended (module 'builtin:fake'), retry 0. There should be messages before this one giving the reason for suspension.",
			"4 action 'test' suspended (module 'builtin:fake'), next retry is " + until + ", retry nbr 0. There should be messages before this one giving the reason for suspension.",
		})
		if len(o.resumes) != 1 {
			t.Errorf("%d tries to resume, want 1: at once, none while suspended", len(o.resumes))
		}
		time.Sleep(2 * time.Second)
		o.up()
		must(t, handle(a, "delivered"))
		if last := book.all()[len(book.all())-1]; last != "6 action 'test' resumed (module 'builtin:fake')" {
			t.Errorf("last message %q", last)
		}
		equal(t, "delivered", o.received(), []string{"delivered"})
		wantAccounts(t, a, 4, 1, map[message.Reason]uint64{message.Suspended: 3})
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantAccounts(t *testing.T, a *Action, received, delivered uint64, discarded map[message.Reason]uint64) {
	t.Helper()
	got := a.Ledger().Read()
	if got.Received != received || got.Delivered != delivered || got.Queued() != 0 {
		t.Errorf("accounts %+v, want %d received, %d delivered, none queued", got, received, delivered)
	}
	for r, n := range discarded {
		if got.Discarded[r] != n {
			t.Errorf("%d discarded for %v, want %d", got.Discarded[r], r, n)
		}
	}
}

// TestRetryTimes: when the output is asked, in seconds after the first failure.
func TestRetryTimes(t *testing.T) {
	steps := func(n, every int) (s []int) {
		for i := range n {
			s = append(s, i*every)
		}
		return s
	}
	for _, c := range []struct {
		name               string
		count, interval    int
		max                int
		ack                message.Ack
		stop               time.Duration
		want               []int
		lost               uint64
		suspensionReported int
	}{
		{"no retries", 0, 30, 1800, message.Received, time.Hour, []int{0}, 1, 1},
		{"two retries", 2, 30, 1800, message.Received, time.Hour, []int{0, 30, 60}, 1, 1},
		{"for ever", -1, 30, 1800, message.Received, 295 * time.Second, steps(10, 30), 0, 0},
		{"a promise outlasts suspensions, which grow every ten", 0, 10, 1800, message.Stored, 155 * time.Second,
			append(steps(11, 10), 120, 140), 0, 1},
		{"up to the maximum", 0, 10, 10, message.Stored, 145 * time.Second, steps(15, 10), 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &fakeOutput{}
				o.down()
				a, book := newAction(t, o, func(p *ActionOptions) {
					p.Params.ResumeRetryCount, p.Params.ResumeInterval, p.Params.ResumeIntervalMax = tries(c.count), c.interval, c.max
				})
				ctx, cancel := context.WithTimeout(message.WithAck(context.Background(), c.ack), c.stop)
				defer cancel()
				start := time.Now()
				v := batch("m")
				err := a.Handle(ctx, v)
				if kept := message.Rest(v, err).Len(); uint64(kept) != 1-c.lost {
					t.Errorf("%d handed back (%v), want %d", kept, err, 1-c.lost)
				}
				var got []int
				for _, at := range o.resumes {
					got = append(got, int(at.Sub(start)/time.Second))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("asked at %v, want %v", got, c.want)
				}
				if n := count(book.all(), "next retry is"); n != c.suspensionReported {
					t.Errorf("%d suspensions reported, want %d", n, c.suspensionReported)
				}
				wantAccounts(t, a, c.lost, 0, map[message.Reason]uint64{message.Suspended: c.lost})
			})
		})
	}
}

func count(lines []string, part string) (n int) {
	for _, l := range lines {
		if strings.Contains(l, part) {
			n++
		}
	}
	return n
}

func TestReportContinuation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &fakeOutput{}
		o.down()
		a, book := newAction(t, o, func(p *ActionOptions) {
			p.Params.ReportContinuation.Value = true
		})
		for range 3 {
			must(t, handle(a, "m"))
			time.Sleep(time.Minute)
		}
		if n := count(book.all(), "next retry is"); n != 3 {
			t.Errorf("%d suspensions reported, want all 3", n)
		}
	})
}

// TestFailsAgainAndAgain: an output that resumes and fails in turn is given a
// rest every tenth time.
func TestFailsAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &fakeOutput{write: func(message.View) (int, error) { return 0, errDown }}
		a, _ := newAction(t, o, nil)
		must(t, handle(a, "m"))
		if o.writes != 10 || !a.Suspended() {
			t.Errorf("%d writes, suspended: %v; want 10 and a suspension", o.writes, a.Suspended())
		}
	})
}

func TestPartialWrite(t *testing.T) {
	o := &fakeOutput{}
	failed := false
	o.write = func(v message.View) (int, error) {
		if !failed {
			failed = true
			return 2, errDown
		}
		return v.Len(), nil
	}
	a, _ := newAction(t, o, nil)
	must(t, handle(a, "1", "2", "3", "4"))
	equal(t, "delivered", o.received(), []string{"1", "2", "3", "4"})
	wantAccounts(t, a, 4, 4, nil)
}

// TestUndeliveredWrite: an output may name what it did not deliver.
func TestUndeliveredWrite(t *testing.T) {
	o := &pickyOutput{}
	a, _ := newAction(t, o, nil)
	must(t, handle(a, "1", "2", "3", "4"))
	equal(t, "offered", o.offered, []string{"1,2,3,4", "2,4"})
	wantAccounts(t, a, 4, 4, nil)
}

// pickyOutput first takes every other message, then all.
type pickyOutput struct {
	fakeOutput
	offered []string
}

func (o *pickyOutput) Write(_ context.Context, v message.View) (int, error) {
	o.offered = append(o.offered, strings.Join(texts(v), ","))
	if len(o.offered) > 1 {
		return v.Len(), nil
	}
	return 0, &message.Undelivered{Rest: v.Pick([]int32{1, 3}), Err: errDown}
}

func TestUnacceptable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "errors")
	o := &fakeOutput{write: func(v message.View) (int, error) {
		for i := range v.Len() {
			if strings.HasPrefix(string(v.At(i).Text), "bad") {
				return i, fmt.Errorf("%w: it is bad", ErrUnacceptable)
			}
		}
		return v.Len(), nil
	}}
	a, book := newAction(t, o, func(p *ActionOptions) { p.Params.ErrorFile = file })
	must(t, handle(a, "1", "bad/2", "3", "bad 4"))
	equal(t, "delivered", o.received(), []string{"1", "3"})
	wantAccounts(t, a, 4, 2, map[message.Reason]uint64{message.Unacceptable: 2})
	// As json-c spaces and escapes it; rsyslogd 8.2302 writes the same line.
	wantFile(t, file, `{ "action": "test", "status": -2185, "template0": "bad\/2" }`+"\n"+
		`{ "action": "test", "status": -2185, "template0": "bad 4" }`+"\n")
	if n := count(book.all(), "can never be delivered"); n != 1 {
		t.Errorf("%d messages about it, want one a minute", n)
	}
	must(t, a.Close())
}

func TestErrorFileMaxSize(t *testing.T) {
	file := filepath.Join(t.TempDir(), "errors")
	o := &fakeOutput{}
	o.down()
	const line = `{ "action": "test", "status": -2007, "template0": "1" }` + "\n"
	a, book := newAction(t, o, func(p *ActionOptions) {
		p.Params.ErrorFile, p.Params.ErrorFileMaxSize = file, int64(len(line)+5)
	})
	must(t, handle(a, "1", "2"))
	must(t, a.Close())
	wantFile(t, file, line)
	if n := count(book.all(), "has reached action.errorfile.maxsize"); n != 1 {
		t.Errorf("told %d times that a message is not kept, want 1", n)
	}
}

func TestFailoverHandsBack(t *testing.T) {
	for _, ack := range []message.Ack{message.Received, message.Stored} {
		o := &fakeOutput{}
		o.write = func(v message.View) (int, error) {
			if o.writes == 1 {
				return 1, errDown
			}
			return 0, errDown
		}
		o.resume = func() error { return errDown }
		a, _ := newAction(t, o, nil)
		a.HasFailover()
		v := batch("1", "2", "3")
		err := a.Handle(message.WithAck(context.Background(), ack), v)
		if !errors.Is(err, ErrSuspended) {
			t.Errorf("error %v, want ErrSuspended", err)
		}
		equal(t, "handed back", texts(message.Rest(v, err)), []string{"2", "3"})
		if a.Suspended() || !a.Stats().Now {
			t.Error("what it has delivered goes to the failover action, too")
		}
		wantAccounts(t, a, 1, 1, nil)
	}
}

// TestWaitingHoldsUpNobody: while a caller with a promise waits, others get
// their answer at once.
func TestWaitingHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &fakeOutput{}
		o.down()
		a, _ := newAction(t, o, nil)
		done := make(chan error, 1)
		go func() {
			done <- a.Handle(message.WithAck(context.Background(), message.Stored), batch("promised"))
		}()
		synctest.Wait()
		start := time.Now()
		must(t, handle(a, "not promised"))
		if d := time.Since(start); d != 0 {
			t.Errorf("waited %v", d)
		}
		o.up()
		must(t, <-done)
		equal(t, "delivered", o.received(), []string{"promised"})
	})
}

func TestJitter(t *testing.T) {
	differ := false
	for range 100 {
		d := Jitter(10 * time.Second)
		if d < 10*time.Second || d > 11*time.Second {
			t.Fatalf("10 s became %v", d)
		}
		differ = differ || d != Jitter(10*time.Second)
	}
	if !differ {
		t.Error("all waits are the same")
	}
}

func TestExternalStateFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	o := &fakeOutput{}
	synctest.Test(t, func(t *testing.T) {
		a, book := newAction(t, o, func(p *ActionOptions) { p.Params.ExternalStateFile = file })
		must(t, handle(a, "no file"))
		for _, state := range []string{"SUSPENDED\n", "READY\n"} {
			must(t, os.WriteFile(file, []byte(state), 0o600))
			must(t, handle(a, state))
			time.Sleep(time.Minute)
		}
		equal(t, "delivered", o.received(), []string{"no file", "READY\n"})
		if count(book.all(), file+" says SUSPENDED") != 1 {
			t.Errorf("the reason is not reported: %q", book.all())
		}
	})
}

// TestGate: which of ten messages, one a second, an action takes.
func TestGate(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*ActionParams)
		marks  bool
		want   string
	}{
		{"every third", func(p *ActionParams) { p.EveryNthTime = 3 }, false, "2 5 8"},
		{"every third, counting anew after 4 s", func(p *ActionParams) { p.EveryNthTime, p.EveryNthTimeTimeout = 3, 4 }, false, "2 7"},
		{"once in 4 s", func(p *ActionParams) { p.OnceEveryInterval = 4 }, false, "0 4 8"},
		{"marks when something was written", func(p *ActionParams) { p.WriteAllMarks = false }, true, "0 6"},
		{"all marks", func(*ActionParams) {}, true, "0 1 2 3 4 5 6 7 8 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &fakeOutput{}
				a, _ := newAction(t, o, func(p *ActionOptions) { c.change(&p.Params); p.MarkInterval = 12 * time.Second })
				for i := range 10 {
					b := new(message.Batch)
					var f message.Flags
					if c.marks {
						f = message.Mark
					}
					b.Add(fmt.Append(nil, i), nil, 0, f)
					must(t, a.Handle(context.Background(), b.All()))
					time.Sleep(time.Second)
				}
				if got := strings.Join(o.received(), " "); got != c.want {
					t.Errorf("took %q, want %q", got, c.want)
				}
				if r := a.Ledger().Read(); r.Received != 10 || r.Queued() != 0 {
					t.Errorf("accounts %+v, want 10 received, none queued", r)
				}
			})
		})
	}
}

func TestCancelledWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &fakeOutput{}
		o.down()
		a, _ := newAction(t, o, func(p *ActionOptions) { p.Params.ResumeRetryCount = tries(-1) })
		ctx, cancel := context.WithCancel(context.Background())
		v := batch("1", "2")
		done := make(chan error, 1)
		go func() { done <- a.Handle(ctx, v) }()
		synctest.Wait()
		cancel()
		if err := <-done; message.Rest(v, err).Len() != 2 {
			t.Errorf("handed back %d (%v), want both", message.Rest(v, err).Len(), err)
		}
		wantAccounts(t, a, 0, 0, nil)
	})
}

// TestQueuedAction: with a queue, Handle does not wait for the output.
func TestQueuedAction(t *testing.T) {
	o := &fakeOutput{}
	a, _ := newAction(t, o, func(p *ActionOptions) {
		p.Queue.Params = queue.Params{Type: queue.LinkedList, TimeoutShutdown: queue.Opt[int]{Value: 5000, Given: true}}
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	must(t, handle(a, "1", "2", "3"))
	cancel()
	must(t, <-done)
	must(t, a.Close())
	equal(t, "delivered", o.received(), []string{"1", "2", "3"})
}

// What is on disk has been promised to be kept: only an explicit
// resumeRetryCount discards it.
func TestRetriesByDefault(t *testing.T) {
	for _, c := range []struct {
		given  conf.Opt[int]
		onDisk bool
		want   int
	}{
		{conf.Opt[int]{}, false, 0},
		{conf.Opt[int]{}, true, -1},
		{tries(3), true, 3},
		{tries(0), true, 0},
		{tries(-1), false, -1},
	} {
		p := ActionParams{ResumeRetryCount: c.given}
		if got := p.retries(c.onDisk); got != c.want {
			t.Errorf("given %+v, on disk %v: %d tries, want %d", c.given, c.onDisk, got, c.want)
		}
	}
}

// What the configuration keeps from an action is done with, also when its queue
// does not take the rest.
func TestSkippedIsNotHandedBack(t *testing.T) {
	o := &fakeOutput{}
	o.down()
	a, _ := newAction(t, o, func(p *ActionOptions) {
		p.Params.EveryNthTime = 2
		p.Queue.Params = queue.Params{Type: queue.LinkedList, Size: 1, TimeoutEnqueue: queue.Given(-1)}
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	must(t, a.Handle(ctx, batch("1", "2"))) // fills the queue
	v := batch("3", "4")
	equal(t, "handed back", texts(message.Rest(v, a.Handle(ctx, v))), []string{"4"})
	wantAccounts(t, a, 2, 0, map[message.Reason]uint64{message.Stopped: 2})
}
