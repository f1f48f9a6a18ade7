package output

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"sysrelay/message"
)

// Syslog severities of own messages (RFC 5424 §6.2.1).
const (
	severityError   = 3
	severityWarning = 4
	severityInfo    = 6
)

// minInterval keeps resumeInterval=0 from trying all the time.
const minInterval = 100 * time.Millisecond

// phase is where an action is in rsyslog's state machine: ready (RDY) until a
// delivery fails, retrying (RTRY) while resumeRetryCount lasts, suspended (SUSP)
// for a time after that.
type phase uint8

const (
	ready phase = iota
	retrying
	suspended
)

// retry is the state of an action whose output fails. Who has the action's turn
// owns it.
type retry struct {
	count         int           // resumeRetryCount
	interval, max time.Duration // resumeInterval, resumeIntervalMax
	jitter        func(time.Duration) time.Duration
	report, again bool // reportSuspension, reportSuspensionContinuation

	phase phase
	tries int       // refused in this retrying phase
	nbr   int       // suspensions since the last delivery, at most 20
	inRow int       // times it was resumed and failed at once
	told  bool      // the failure has been reported; nothing has been delivered since
	until time.Time // when the next try is due
	since time.Time // when the failure began; zero while the output works
}

// spells are the statistics of suspension.
type spells struct {
	suspended, resumed, failed atomic.Uint64
	duration                   atomic.Int64 // nanoseconds of all that have ended
}

// Jitter makes a wait up to a tenth longer. This is our addition: relays that
// lost a collector together do not return to it together.
func Jitter(d time.Duration) time.Duration { return d + rand.N(d/10+1) }

func newRetry(p ActionParams, onDisk bool, jitter func(time.Duration) time.Duration) retry {
	if jitter == nil {
		jitter = func(d time.Duration) time.Duration { return d }
	}
	return retry{
		count:    p.retries(onDisk),
		interval: max(time.Duration(p.ResumeInterval)*time.Second, minInterval),
		max:      time.Duration(p.ResumeIntervalMax) * time.Second,
		jitter:   jitter,
		report:   p.ReportSuspension.Value,
		again:    p.ReportContinuation.Value,
	}
}

// failed enters the retrying phase.
func (a *Action) failed(err error) {
	r := &a.retry
	now := a.opts.Deps.Env.Now()
	if r.since.IsZero() {
		r.since = now
	}
	r.phase, r.tries, r.until = retrying, 0, now
	a.spells.failed.Add(1)
	if (!r.told || r.again) && a.quota.allows() {
		a.log(severityError, "action '%s': %v", a.opts.Name, err)
	}
	if r.report && (!r.told || r.again) {
		a.log(severityWarning, "action '%s' suspended (module '%s'), retry %d. There should be "+
			"messages before this one giving the reason for suspension.", a.opts.Name, a.opts.Module, r.nbr)
	}
	r.told = true
	r.inRow++
}

// errorQuota limits how often failures are reported at all.
type errorQuota struct {
	skip, most   int // every skip-th, most in all; 0 is no limit
	seen, passed int
}

// allows counts a failure and says whether it is reported.
func (q *errorQuota) allows() bool {
	q.seen++
	if q.skip > 1 && q.seen%q.skip != 0 || q.most > 0 && q.passed >= q.most {
		return false
	}
	q.passed++
	return true
}

// quiet is an output with a quota of its own (omfwd's conErrSkip and maxErrorMessages).
type quiet interface{ errorQuota() errorQuota }

// works notes a delivery. An output that says it could be used again and fails at
// once, as a file on a full disk, has not been resumed for whom reads the log.
func (a *Action) works() {
	r := &a.retry
	r.inRow, r.nbr = 0, 0
	if r.told && r.report {
		a.log(severityInfo, "action '%s' resumed (module '%s')", a.opts.Name, a.opts.Module)
	}
	r.told = false
}

// resume says whether the output may be used, and if not, how long to wait.
// as rsyslog: the first try comes at once after the failure, then one every
// resumeInterval; when resumeRetryCount of them were refused, the action is
// suspended.
func (a *Action) resume(ctx context.Context) (wait time.Duration, ok bool) {
	r := &a.retry
	for r.phase != ready {
		now := a.opts.Deps.Env.Now()
		if wait := r.until.Sub(now); wait > 0 {
			return wait, false
		}
		if r.phase == suspended {
			r.phase, r.tries = retrying, 0
		}
		switch err := a.tryResume(ctx); {
		case err == nil:
			a.isReady(now)
		case ctx.Err() != nil:
			return 0, false
		case r.count >= 0 && r.tries >= r.count:
			a.suspend(now)
		default:
			r.tries++
			r.until = now.Add(r.jitter(r.interval))
		}
	}
	return 0, true
}

var errUnstable = errors.New("works again and again, but never for long")

// tryResume asks the output.
// as rsyslog: every tenth time in a row that it says yes and fails at once does
// not count, so that such an output does not keep the processor busy.
func (a *Action) tryResume(ctx context.Context) error {
	err := a.externalState()
	if err == nil {
		err = a.out.TryResume(ctx)
	}
	if r := &a.retry; err == nil && r.inRow > 9 && r.inRow%10 == 0 {
		r.inRow = 0
		return errUnstable
	}
	return err
}

func (a *Action) isReady(now time.Time) {
	r := &a.retry
	r.phase = ready
	a.suspended.Store(false)
	a.spells.resumed.Add(1)
	a.spells.duration.Add(int64(now.Sub(r.since)))
	r.since = time.Time{}
}

// suspend gives the output up for a time that grows with every ten suspensions
// in a row.
func (a *Action) suspend(now time.Time) {
	r := &a.retry
	d := r.interval * time.Duration(r.nbr/10+1)
	if r.max > 0 {
		d = min(d, r.max)
	}
	r.phase, r.until = suspended, now.Add(r.jitter(d))
	a.suspended.Store(true)
	if r.nbr == 0 {
		a.spells.suspended.Add(1)
	}
	if r.again || r.report && r.nbr == 0 {
		a.log(severityWarning, "action '%s' suspended (module '%s'), next retry is %s, retry nbr %d. "+
			"There should be messages before this one giving the reason for suspension.",
			a.opts.Name, a.opts.Module, r.until.Format(time.ANSIC), r.nbr)
	}
	r.nbr = min(r.nbr+1, 20)
}

// externalState reads action.externalstate.file.
// as rsyslog: a file that is not there, or holds anything else, suspends nothing.
func (a *Action) externalState() error {
	file := a.opts.Params.ExternalStateFile
	if file == "" {
		return nil
	}
	b, err := os.ReadFile(file)
	if err == nil && strings.HasPrefix(string(b), "SUSPENDED") {
		return fmt.Errorf("%s says SUSPENDED", file)
	}
	return nil
}

// ActionStats is a reading of an action.
type ActionStats struct {
	Name      string
	Accounts  message.Account
	Failed    uint64        // deliveries that failed
	Suspended uint64        // times it was suspended
	Resumed   uint64        // times it worked again
	Duration  time.Duration // of all failures that have ended
	Now       bool          // suspended now
}

// Stats returns the action's figures.
func (a *Action) Stats() ActionStats {
	return ActionStats{
		Name: a.opts.Name, Accounts: a.ledger.Read(),
		Failed: a.spells.failed.Load(), Suspended: a.spells.suspended.Load(),
		Resumed: a.spells.resumed.Load(), Duration: time.Duration(a.spells.duration.Load()),
		Now: a.suspended.Load(),
	}
}
