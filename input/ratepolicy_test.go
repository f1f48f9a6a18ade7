package input

import (
	"context"
	"fmt"
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

func rateDeps(s *sink) RateLimitDeps {
	env := message.NewEnv("relay")
	templates := map[string]message.Template{}
	for _, t := range message.BuiltinTemplates(env) {
		templates[t.Name()] = t
	}
	ip, err := env.NewTemplate(&message.TemplateParams{Name: "ip", Type: "string", String: "%fromhost-ip%"}, nil)
	if err != nil {
		panic(err)
	}
	templates["ip"] = ip
	return RateLimitDeps{Env: env, Log: s.logf, Parsers: message.DefaultChain(env),
		Template: func(name string) (message.Template, bool) { t, ok := templates[name]; return t, ok }}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func rateLimitParams(file string) RateLimitParams {
	return RateLimitParams{Name: "r", Burst: 10000, PolicyDebounce: "5s", Policy: file,
		PerSourceStates: conf.Opt[int]{Value: 10000}, PerSourceTopN: conf.Opt[int]{Value: 10}}
}

const sourcePolicyText = `
interval: 60
burst: 1000
perSource:
  keyTemplate: ip
  maxStates: 3
  topN: 2
  default:
    max: 2
    window: 10s
  overrides:
    - key: "192.0.2.9"
      max: 4
`

// Each sender has a limit of its own, the talkative are named, and those who
// have been silent for longest are forgotten.
func TestRateLimitPerSource(t *testing.T) {
	s := newSink()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	writeFile(t, file, sourcePolicyText)
	r, err := OpenRateLimit(rateLimitParams(file), rateDeps(s))
	if err != nil {
		t.Fatal(err)
	}
	var ledger message.Ledger
	l := newLimiterOf("imtcp(514)", r, s.deps(), &ledger)
	now := int64(1_700_000_000) * int64(time.Second)
	passed := func(ip string, n int) (k int) {
		from := message.NewOrigin("imtcp", ip, ip, "")
		for range n {
			if l.allowText(now, from, []byte("<13>made-up host: x")) {
				k++
			}
		}
		return k
	}
	for _, c := range []struct {
		ip      string
		n, want int
	}{{"192.0.2.1", 5, 2}, {"192.0.2.9", 10, 4}, {"192.0.2.2", 1, 1}} {
		if got := passed(c.ip, c.n); got != c.want {
			t.Errorf("%s: %d of %d let through, want %d", c.ip, got, c.n, c.want)
		}
	}
	if got := fmt.Sprint(r.Top()); got != "[{192.0.2.9 6} {192.0.2.1 3}]" {
		t.Errorf("top talkers %s", got)
	}
	now += 10*int64(time.Second) + 1
	if got := passed("192.0.2.1", 5); got != 2 {
		t.Errorf("after the window %d let through, want 2", got)
	}
	for i := range 100 {
		passed(fmt.Sprintf("198.51.100.%d", i), 1)
	}
	if n := len(r.sources.byKey); n != 3 || r.sources.recent.Len() != 3 {
		t.Errorf("%d senders remembered, want 3", n)
	}
	l.close()
	want := []string{
		`ratelimit "r": begin to drop messages of "192.0.2.1" due to rate-limiting per source (2 allowed within 10s)`,
		`ratelimit "r": 12 messages lost due to rate-limiting per source`, // those who lost them have been forgotten
	}
	if !slices.Equal(s.log, want) {
		t.Errorf("log %q", s.log)
	}
	if a := ledger.Read(); a.Received != 12 || a.Discarded[message.RateLimited] != 12 {
		t.Errorf("ledger %+v", a)
	}
}

// A made-up host name of any length takes little memory.
func TestRateLimitLongKeys(t *testing.T) {
	s := newSink()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	writeFile(t, file, "perSource:\n  default: {max: 1, window: 1s}\n")
	r, err := OpenRateLimit(rateLimitParams(file), rateDeps(s))
	if err != nil {
		t.Fatal(err)
	}
	l := newLimiterOf("imudp(514)", r, s.deps(), &message.Ledger{})
	l.allowText(1, message.NewOrigin("imudp", "h", "192.0.2.1", ""), []byte("<13>1 - "+strings.Repeat("h", 8000)+" a - - - x"))
	for key := range r.sources.byKey {
		if len(key) != sourceKeyMax {
			t.Errorf("key of %d bytes", len(key))
		}
	}
}

func TestRateLimitSeverity(t *testing.T) {
	s := newSink()
	l, err := RateParams{RateInterval: 60, RateBurst: 1, RateSeverity: 6}.limiter("imtcp(514)", s.deps(), &message.Ledger{})
	if err != nil {
		t.Fatal(err)
	}
	from := message.NewOrigin("imtcp", "h", "192.0.2.1", "")
	var got []bool
	for _, text := range []string{"<14>info", "<14>info", "<13>notice", "<15>debug", "<11>error", "no PRI: notice"} {
		got = append(got, l.allowText(1e9, from, []byte(text)))
	}
	if want := []bool{true, false, true, false, true, true}; !slices.Equal(got, want) {
		t.Errorf("let through %v, want %v", got, want)
	}
}

func TestRateLimitErrors(t *testing.T) {
	for text, want := range map[string]string{
		"interval: x":                        "line 1",
		"intervall: 1":                       "line 1: field intervall not found",
		"burst: -1":                          "cannot be negative",
		"severity: loud":                     `severity`,
		"scope: output":                      "not drop or pace",
		"scope: both":                        "not input or output",
		"mode: drop":                         "scope: output",
		"perSource: {}":                      "default: with max and window",
		"perSource: {default: {max: 1}}":     "default: with max and window",
		"perSource: {default: {window: 1q}}": "is no time",
		"perSource: {keyTemplate: none, default: {max: 1, window: 1}}":         `no template "none"`,
		"perSource: {default: {max: 1, window: 1}, overrides: [{max: 2}]}":     "has no key",
		"scope: output\nmode: drop\nperSource: {default: {max: 1, window: 1}}": "leave perSource out",
		"scope: output\nmode: drop\nseverity: info":                            "no severity",
		"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c,*c]":             "not found",
	} {
		file := filepath.Join(t.TempDir(), "policy.yaml")
		writeFile(t, file, text)
		if _, err := OpenRateLimit(rateLimitParams(file), rateDeps(newSink())); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	p := rateLimitParams("")
	p.PerSource.Value = true
	if _, err := OpenRateLimit(p, rateDeps(newSink())); err == nil || !strings.Contains(err.Error(), "perSourcePolicy") {
		t.Errorf("error %v", err)
	}
	for _, p := range []RateParams{{RateName: "none"}, {RateName: "x", RateInterval: 1}} {
		if _, err := p.limiter("x", newSink().deps(), nil); err == nil {
			t.Errorf("no error for %+v", p)
		}
	}
}

// A policy file that changes is read again once it is left alone; a wrong one
// changes nothing.
func TestRateLimitWatch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		writeFile(t, file, "interval: 1\nburst: 2\n")
		p := rateLimitParams(file)
		p.PolicyWatch = true
		r, err := OpenRateLimit(p, rateDeps(s))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go r.Watch(ctx)
		synctest.Wait()
		burst := func() int64 { b, _ := r.Limit(); return b }
		writeFile(t, file, "interval: 1\nburst: 345\n")
		time.Sleep(4 * time.Second)
		if burst() != 2 {
			t.Error("read again before it was left alone for 5 s")
		}
		time.Sleep(4 * time.Second)
		if burst() != 345 {
			t.Errorf("burst %d", burst())
		}
		writeFile(t, file, "scope: nowhere\n")
		time.Sleep(10 * time.Second)
		if burst() != 345 || s.count("stay as they were") != 1 {
			t.Errorf("burst %d, log %q", burst(), s.lines())
		}
	})
}
