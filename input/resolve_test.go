package input

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestResolverNames(t *testing.T) {
	for _, tt := range []struct {
		ptr  []string
		err  error
		drop bool
		want string
		log  string
	}{
		{ptr: []string{"Host.example.net."}, want: "Host.example.net"},
		{ptr: []string{"a.local.domain."}, want: "a"},
		{ptr: []string{"local.domain."}, want: "local.domain"},
		{ptr: []string{"xlocal.domain."}, want: "xlocal.domain"},
		{ptr: []string{"first.net.", "second.net."}, want: "first.net"},
		{ptr: nil, want: "192.0.2.9"},
		{ptr: []string{"."}, want: "192.0.2.9"},
		{err: errors.New("no such host"), want: "192.0.2.9"},
		{ptr: []string{"198.51.100.1."}, want: "192.0.2.9", log: `Malicious PTR record (message accepted, but used IP instead of PTR name: IP = "192.0.2.9" HOST = "198.51.100.1"`},
		{ptr: []string{"::1"}, want: "192.0.2.9", log: `Malicious PTR record (message accepted, but used IP instead of PTR name: IP = "192.0.2.9" HOST = "::1"`},
		{ptr: []string{"127.1"}, want: "192.0.2.9", log: `Malicious PTR record (message accepted, but used IP instead of PTR name: IP = "192.0.2.9" HOST = "127.1"`},
		{ptr: []string{"0x7f000001"}, drop: true, want: "", log: `Malicious PTR record, message dropped IP = "192.0.2.9" HOST = "0x7f000001"`},
		{ptr: []string{"127.0.0.1.."}, want: "192.0.2.9", log: `Malicious PTR record (message accepted, but used IP instead of PTR name: IP = "192.0.2.9" HOST = "127.0.0.1."`},
		{ptr: []string{"::ffff:127.0.0.1"}, want: "192.0.2.9", log: `Malicious PTR record (message accepted, but used IP instead of PTR name: IP = "192.0.2.9" HOST = "::ffff:127.0.0.1"`},
		{ptr: []string{"0X7F.1"}, want: "192.0.2.9", log: `Malicious PTR record (message accepted, but used IP instead of PTR name: IP = "192.0.2.9" HOST = "0X7F.1"`},
		{ptr: []string{"good.example.\x00.evil.example."}, want: "192.0.2.9", log: `Malicious PTR record (message accepted, but used IP instead of PTR name: IP = "192.0.2.9" HOST = "good.example.\x00.evil.example"`},
		{ptr: []string{"good.example\n"}, drop: true, want: "", log: `Malicious PTR record, message dropped IP = "192.0.2.9" HOST = "good.example\n"`},
		{ptr: []string{"\x00"}, drop: true, want: "", log: `Malicious PTR record, message dropped IP = "192.0.2.9" HOST = "\x00"`},
		{ptr: []string{".."}, want: "192.0.2.9", log: `Malicious PTR record (message accepted, but used IP instead of PTR name: IP = "192.0.2.9" HOST = "."`},
		{ptr: []string{"1and1.example."}, want: "1and1.example"},
	} {
		t.Run(fmt.Sprint(tt.ptr, tt.drop), func(t *testing.T) {
			s := newSink()
			r := NewResolver(ResolverOptions{LocalDomain: "Local.Domain", DropMalicious: tt.drop, Log: s.logf,
				Lookup: func(context.Context, string) ([]string, error) { return tt.ptr, tt.err }})
			if got := r.Name(context.Background(), "192.0.2.9"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.log != "" && s.logged(tt.log) != 1 || tt.log == "" && len(s.log) != 0 {
				t.Errorf("log %q, want %q", s.log, tt.log)
			}
		})
	}
}

func TestResolverDisabled(t *testing.T) {
	r := NewResolver(ResolverOptions{Disabled: true, Lookup: func(context.Context, string) ([]string, error) {
		t.Error("looked up")
		return nil, nil
	}})
	if got := r.Name(context.Background(), "192.0.2.9"); got != "192.0.2.9" {
		t.Errorf("got %q", got)
	}
}

func TestResolverRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		names := []string{"a.example."}
		r := NewResolver(ResolverOptions{TTL: time.Hour, Lookup: func(context.Context, string) ([]string, error) {
			asked.Add(1)
			return names, nil
		}})
		ask := func(want string, lookups int32) {
			t.Helper()
			if got := r.Name(context.Background(), "192.0.2.9"); got != want || asked.Load() != lookups {
				t.Errorf("got %q after %d look-ups, want %q after %d", got, asked.Load(), want, lookups)
			}
		}
		ask("a.example", 1)
		time.Sleep(59 * time.Minute)
		ask("a.example", 1)
		names = nil
		time.Sleep(2 * time.Minute)
		ask("192.0.2.9", 2)
		time.Sleep(59 * time.Second)
		ask("192.0.2.9", 2)
		names = []string{"b.example."}
		time.Sleep(2 * time.Second)
		ask("b.example", 3)
	})
}

// A name server that does not answer holds nobody up for long.
func TestResolverPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		r := NewResolver(ResolverOptions{Lookup: func(ctx context.Context, _ string) ([]string, error) {
			select {
			case <-answer:
				return []string{"late.example."}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}})
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), udpPatience)
		defer cancel()
		if got := r.Name(ctx, "192.0.2.1"); got != "192.0.2.1" || time.Since(begin) != udpPatience {
			t.Errorf("got %q after %v", got, time.Since(begin))
		}
		if got := r.Name(context.Background(), "192.0.2.1"); got != "192.0.2.1" || time.Since(begin) != udpPatience+resolverPatience {
			t.Errorf("got %q after %v", got, time.Since(begin))
		}
		short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		for i := range 2 * resolverLookups {
			r.Name(short, fmt.Sprintf("198.51.100.%d", i))
		}
		begin = time.Now()
		if got := r.Name(context.Background(), "203.0.113.1"); got != "203.0.113.1" || time.Since(begin) != 0 {
			t.Errorf("with all look-ups busy: got %q after %v", got, time.Since(begin))
		}
		close(answer)
		synctest.Wait()
		if got := r.Name(context.Background(), "192.0.2.1"); got != "late.example" {
			t.Errorf("once answered: got %q", got)
		}
	})
}

func TestResolverIsBounded(t *testing.T) {
	r := NewResolver(ResolverOptions{Lookup: func(context.Context, string) ([]string, error) { return []string{"x."}, nil }})
	for i := range 2 * resolverEntries {
		r.Name(context.Background(), fmt.Sprint(i))
	}
	if len(r.entries) > resolverEntries {
		t.Errorf("%d entries", len(r.entries))
	}
}
