package input

import (
	"slices"
	"testing"
	"time"

	"sysrelay/message"
)

func TestRateLimit(t *testing.T) {
	s := newSink()
	var ledger message.Ledger
	l := newLimiter("imtcp(514)", 2, 3, s.deps(), &ledger)
	from := message.NewOrigin("imtcp", "localhost", "127.0.0.1", "")
	at := func(second int) int64 { return int64(1_700_000_000+second) * int64(time.Second) }
	for i, tt := range []struct {
		second int
		want   bool
	}{{0, true}, {0, true}, {1, true}, {1, false}, {2, false}, {2, false},
		{3, true}, {3, true}, {3, true}, {4, false}, // as rsyslog: the new interval begins with the first message after the old
		{100, true},
		{50, true}, {50, true}, {50, true}, {50, false}, // the clock was set back
	} {
		if got := l.allow(at(tt.second), from); got != tt.want {
			t.Errorf("message %d, second %d: %v", i, tt.second, got)
		}
	}
	l.close()
	want := []string{
		"imtcp(514) from <localhost>: begin to drop messages due to rate-limiting",
		"imtcp(514): 3 messages lost due to rate-limiting (3 allowed within 2 seconds)",
		"imtcp(514) from <localhost>: begin to drop messages due to rate-limiting",
		"imtcp(514): 1 messages lost due to rate-limiting (3 allowed within 2 seconds)",
		"imtcp(514) from <localhost>: begin to drop messages due to rate-limiting",
		"imtcp(514): 1 messages lost due to rate-limiting (3 allowed within 2 seconds)",
	}
	if !slices.Equal(s.log, want) {
		t.Errorf("log %q", s.log)
	}
	if a := ledger.Read(); a.Received != 5 || a.Discarded[message.RateLimited] != 5 {
		t.Errorf("ledger %+v", a)
	}
}

func TestIMTCPRateLimit(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) { p.RateInterval, p.RateBurst = 3600, 2 })
	stop := start(t, in, s)
	send(t, dial(t, "tcp", in), "a\nb\nc\nd\n")
	awaitLedger(t, in, 4)
	stop()
	s.waitTexts(t, "a", "b")
	checkLedger(t, in, 2, 2)
}
