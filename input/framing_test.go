package input

import (
	"bytes"
	"fmt"
	"math/rand"
	"regexp"
	"slices"
	"testing"
)

// split runs a Framer as a session does: the stream comes in pieces whose sizes
// next tells.
func split(cfg *Framing, stream []byte, next func(left int) int) []string {
	var out []string
	f := NewFramer(cfg, func(f Fault) { out = append(out, faultText(f)) })
	var held []byte
	for len(stream) > 0 {
		n := next(len(stream))
		held = append(held, stream[:n]...)
		stream = stream[n:]
		for {
			n, msg, _, err := f.Next(held)
			if err != nil {
				return append(out, faultText(err.(Fault)))
			}
			if msg != nil {
				out = append(out, string(msg))
			}
			held = held[n:]
			if msg == nil {
				break
			}
		}
		if len(held) > cfg.Bound() {
			return append(out, fmt.Sprintf("keeps %d bytes, more than %d", len(held), cfg.Bound()))
		}
		held = bytes.Clone(held) // nothing may depend on bytes once consumed
	}
	for {
		n, msg, err := f.Close(held)
		if err != nil {
			out = append(out, faultText(err.(Fault)))
		}
		if len(msg) > 0 {
			out = append(out, string(msg))
		}
		if n == 0 {
			return out
		}
		held = held[n:]
	}
}

func faultText(f Fault) string {
	switch f.Kind {
	case LongLine, Incomplete:
		f.Value = 0
	}
	return fmt.Sprintf("fault %d %d", f.Kind, f.Value)
}

func whole(left int) int { return left }
func single(int) int     { return 1 }

// framingOf makes a configuration out of bits, with limits small enough for
// short streams to reach them.
func framingOf(bits uint16) *Framing {
	c := &Framing{
		OctetCounting:    bits&1 == 0,
		LF:               bits&2 == 0,
		Delimiter:        -1,
		SkipSpace:        bits&8 != 0,
		MultiLine:        bits&16 != 0,
		DiscardTruncated: bits&32 != 0,
		SplitCounted:     bits&64 != 0,
		Strict:           bits&128 != 0,
		MaxMessage:       12,
		MaxFrame:         30,
	}
	if bits&4 != 0 {
		c.Delimiter = 'D'
	}
	if bits&(256|512) == 256|512 {
		c.Start = regexp.MustCompile("^<[0-9]+>")
	}
	return c
}

func checkFraming(t *testing.T, bits uint16, stream []byte, seed int64) {
	t.Helper()
	cfg := framingOf(bits)
	want := referenceSplit(cfg, stream)
	rnd := rand.New(rand.NewSource(seed))
	for name, next := range map[string]func(int) int{
		"whole":  whole,
		"single": single,
		"random": func(left int) int { return 1 + rnd.Intn(left) },
		"small":  func(left int) int { return 1 + rnd.Intn(min(left, 4)) },
	} {
		if got := split(cfg, stream, next); !slices.Equal(got, want) {
			t.Fatalf("%s %+v\nstream %q\ngot  %q\nwant %q", name, *cfg, stream, got, want)
		}
	}
}

func TestFramingAgainstReference(t *testing.T) {
	const alphabet = "0123456789 \n<>aD\x00"
	rnd := rand.New(rand.NewSource(1))
	for i := range 10000 {
		stream := make([]byte, rnd.Intn(80))
		for j := range stream {
			stream[j] = alphabet[rnd.Intn(len(alphabet))]
			if rnd.Intn(3) == 0 {
				stream[j] = 'a'
			}
		}
		checkFraming(t, uint16(i), stream, int64(i))
	}
}

func FuzzFraming(f *testing.F) {
	for i, s := range []string{"<13>a\n<13>b\n", "5 <13>a5 <13>b", "5abcdef\nq\n", "0 abc\n", "31 abc\nq\n",
		"99999999999999999999 a\nb", "20 aaaaaaaaaaaaaaaaaaaab\n", "\n\n a\n <1>b", "<1>a\nb\n<2>c\nd", "aDbD\nDD",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nb\n", "12345678901234567890", "1 ", "1"} {
		f.Add(uint16(1<<(i%10)), []byte(s), int64(i))
	}
	f.Fuzz(func(t *testing.T, bits uint16, stream []byte, seed int64) { checkFraming(t, bits, stream, seed) })
}

func TestFramingBoundsMemory(t *testing.T) {
	// 2 MiB of what is hardest to make messages of; Bound is checked in split.
	const size = 2 << 20
	for name, stream := range map[string][]byte{
		"digits":   bytes.Repeat([]byte("1"), size),
		"line":     bytes.Repeat([]byte("x"), size),
		"oversize": append([]byte("200000 "), bytes.Repeat([]byte("x"), size)...),
		"newlines": bytes.Repeat([]byte("\n"), size),
		"nothing":  bytes.Repeat([]byte("0 \n"), size/3),
	} {
		for _, strict := range []bool{false, true} {
			cfg := &Framing{OctetCounting: true, LF: true, Delimiter: -1, MaxMessage: 8096, MaxFrame: 200000, Strict: strict}
			got := split(cfg, stream, func(left int) int { return min(left, 64<<10) })
			if i := slices.IndexFunc(got, func(s string) bool { return len(s) > 8096 || s[0] == 'k' }); i >= 0 {
				t.Errorf("%s, strict %v: %.100q", name, strict, got[i])
			}
		}
	}
}

func TestFramingDoesNotAllocate(t *testing.T) {
	cfg := &Framing{OctetCounting: true, LF: true, Delimiter: -1, MaxMessage: 8096, MaxFrame: 200000}
	stream := bytes.Repeat([]byte("<13>hello world\n20 <13>octet counted it"), 100)
	f := NewFramer(cfg, func(Fault) {})
	n := testing.AllocsPerRun(10, func() {
		for b := stream; len(b) > 0; {
			n, msg, _, err := f.Next(b)
			if err != nil || msg == nil {
				t.Fatal("no message", err)
			}
			b = b[n:]
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for 200 messages", n)
	}
}
