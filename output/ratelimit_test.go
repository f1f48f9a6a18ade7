package output

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/message"
	"sysrelay/queue"
)

// limitOf is a ratelimit() object.
type limitOf struct {
	burst, seconds int64
	mode           string
}

func (l limitOf) Limit() (int64, int64) { return l.burst, l.seconds }
func (l limitOf) Mode() (string, bool)  { return l.mode, l.mode != "" }

// limitedOutput is an output with a rate limit of its own.
type limitedOutput struct {
	fakeOutput
	limit RateLimit
}

func (o *limitedOutput) RateLimit() RateLimit { return o.limit }

// An output's own rate limit discards what is too much, says so and counts it.
func TestOutputRateLimitDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &limitedOutput{limit: fixedLimit{3, 10}}
		a, book := newAction(t, o, nil)
		must(t, handle(a, "1", "2"))
		must(t, handle(a, "3", "4", "5"))
		time.Sleep(10*time.Second + time.Millisecond)
		must(t, handle(a, "6"))
		must(t, handle(a, "7", "8", "9"))
		must(t, a.Close())
		equal(t, "delivered", o.received(), []string{"1", "2", "3", "6", "7", "8"})
		equal(t, "messages", book.all(), []string{
			"6 test: begin to drop messages due to rate-limiting",
			"6 test: 2 messages lost due to rate-limiting (3 allowed within 10 seconds)",
			"6 test: begin to drop messages due to rate-limiting",
			"6 test: 1 messages lost due to rate-limiting (3 allowed within 10 seconds)",
		})
		if acc := a.Ledger().Read(); acc.Delivered != 6 || acc.Discarded[message.RateLimited] != 3 || acc.Queued() != 0 {
			t.Errorf("account %+v", acc)
		}
	})
}

// mode: pace delivers everything, later.
func TestOutputRateLimitPaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &fakeOutput{}
		var when []time.Duration
		start := time.Now()
		o.write = func(v message.View) (int, error) {
			for range v.Len() {
				when = append(when, time.Since(start).Round(time.Second))
			}
			return v.Len(), nil
		}
		a, book := newAction(t, o, func(p *ActionOptions) {
			p.Params.RateLimitName = "slow"
			p.Queue.Params.Type = queue.LinkedList
			p.Deps.RateLimit = func(string) (RateLimit, bool) { return limitOf{2, 5, "pace"}, true }
		})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		must(t, handle(a, "1", "2", "3", "4", "5"))
		time.Sleep(time.Minute)
		cancel()
		must(t, <-done)
		must(t, a.Close())
		equal(t, "delivered", o.received(), []string{"1", "2", "3", "4", "5"})
		if got := fmt.Sprint(when); got != "[0s 0s 5s 5s 10s]" {
			t.Errorf("delivered after %s", got)
		}
		equal(t, "messages", book.all(), nil)
	})
}

// What could not be delivered before a limit made it wait is handed back with the rest.
func TestOutputRateLimitHandsBack(t *testing.T) {
	o := &limitedOutput{limit: limitOf{2, 3600, "pace"}}
	o.write = func(v message.View) (int, error) { return 1, context.Canceled }
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	a, _ := newAction(t, o, func(p *ActionOptions) { p.Queue.Params.Type = queue.LinkedList })
	v := batch("1", "2", "3", "4")
	equal(t, "left", texts(message.Rest(v, a.deliver(ctx, v))), []string{"2", "3", "4"})
	must(t, a.Close())
}

func TestOutputRateLimitErrors(t *testing.T) {
	for want, change := range map[string]func(*ActionOptions){
		`no ratelimit() object "none"`: func(p *ActionOptions) { p.Params.RateLimitName = "none" },
		"needs scope: output":          func(p *ActionOptions) { p.Params.RateLimitName = "input" },
		"needs a queue":                func(p *ActionOptions) { p.Params.RateLimitName = "pace" },
		"exclude each other": func(p *ActionOptions) {
			p.Params.RateLimitName, p.Output = "drop", &limitedOutput{limit: fixedLimit{1, 1}}
		},
	} {
		d, _ := deps(nil)
		d.RateLimit = func(name string) (RateLimit, bool) {
			mode := map[string]string{"pace": "pace", "drop": "drop"}[name]
			return limitOf{1, 1, mode}, name != "none"
		}
		o := ActionOptions{Name: "test", Params: defaultParams(), Output: &fakeOutput{}, Deps: d}
		change(&o)
		if _, err := NewAction(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if _, err := (RateParams{RateLimitName: "x", RateLimitInterval: 1}).limit(Deps{}); err == nil {
		t.Error("name and interval go together")
	}
}
