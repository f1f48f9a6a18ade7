package modify

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"sysrelay/message"
)

func testDeps(t testing.TB) Deps {
	return Deps{Env: message.NewEnv("localhost"), Sequences: &Sequences{}, Log: func(_ int, text string) { t.Log(text) }}
}

// modified is the MSG of a message after a modifier.
func modified(t testing.TB, m Modifier, msg string) *message.Message {
	t.Helper()
	d := message.NewEnv("localhost")
	var b message.Batch
	b.Add([]byte("<13>Oct 11 22:14:15 host tag: "+msg), message.NewOrigin("imudp", "h", "127.0.0.1", ""), 0, message.ParseHostname)
	x := b.All().At(0)
	message.DefaultChain(d).Parse(x)
	if err := m.Modify(context.Background(), x); err != nil {
		t.Fatal(err)
	}
	return x
}

func msgOf(x *message.Message) string { return strings.TrimPrefix(string(x.Msg.Of(x.Text)), " ") }

func TestMMAnonRandom(t *testing.T) {
	f := func(mode string, bits int, want string) {
		t.Helper()
		a, err := NewMMAnon(NoModule{}, MMAnonParams{V4Enable: true, V4Mode: mode, V4Bits: bits, V4Char: "x", V6Mode: "zero", V6Bits: 96}, testDeps(t))
		if err != nil {
			t.Fatal(err)
		}
		got := msgOf(modified(t, a, "10.20.30.40 10.20.30.40 10.20.30.41"))
		if !regexp.MustCompile("^" + want + "$").MatchString(got) {
			t.Errorf("%s with %d bits: %s", mode, bits, got)
		}
	}
	f("random", 8, `10\.20\.30\.\d+ 10\.20\.30\.\d+ 10\.20\.30\.\d+`)
	f("random-consistent", 8, `10\.20\.30\.\d+ 10\.20\.30\.\d+ 10\.20\.30\.\d+`)
	a, _ := NewMMAnon(NoModule{}, MMAnonParams{V4Enable: true, V4Mode: "random-consistent", V4Bits: 32, V4Char: "x"}, testDeps(t))
	w := strings.Fields(msgOf(modified(t, a, "10.20.30.40 10.20.30.40 10.20.30.41")))
	if w[0] != w[1] || w[0] == w[2] {
		t.Errorf("not consistent: %s", w)
	}
	if again := strings.Fields(msgOf(modified(t, a, "10.20.30.41 10.20.30.40 x"))); again[0] != w[2] || again[1] != w[0] {
		t.Errorf("not consistent between messages: %s, then %s", w, again)
	}
	r, _ := NewMMAnon(NoModule{}, MMAnonParams{V4Enable: true, V4Mode: "random", V4Bits: 32, V4Char: "x"}, testDeps(t))
	if w := strings.Fields(msgOf(modified(t, r, "10.20.30.40 10.20.30.40 x"))); w[0] == w[1] {
		t.Errorf("random, but twice the same: %s", w)
	}
}

// A permutation never makes two addresses the same, whatever the number of bits.
func TestScramblerPermutes(t *testing.T) {
	for bits := 1; bits <= 12; bits++ {
		s := newScrambler("random-consistent", bits)
		seen := map[uint64]bool{}
		for n := range uint64(1) << bits {
			got := s.change(ipv6{low: 0xabc0000 + n}).low
			if got>>bits != (0xabc0000+n)>>bits {
				t.Fatalf("%d bits: %x became %x: other bits changed", bits, 0xabc0000+n, got)
			}
			if seen[got] {
				t.Fatalf("%d bits: %x twice", bits, got)
			}
			seen[got] = true
		}
	}
	for _, bits := range []int{63, 64, 65, 96, 127, 128} {
		s := newScrambler("random-consistent", bits)
		a, b := s.change(ipv6{1, 2}), s.change(ipv6{1, 3})
		if a == b || a != s.change(ipv6{1, 2}) {
			t.Errorf("%d bits: %x and %x", bits, a, b)
		}
		mask := lowMask(bits)
		if a.high&^mask.high != 1&^mask.high || a.low&^mask.low != 2&^mask.low {
			t.Errorf("%d bits: %x changes more", bits, a)
		}
	}
}

func FuzzMMAnon(f *testing.F) {
	for _, s := range []string{"10.1.2.3", "::1 2001:db8::1: x", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8:9", "1.2.3.4.5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := NewMMAnon(NoModule{}, MMAnonParams{V4Enable: true, V4Mode: "zero", V4Bits: 32, V4Char: "x",
			V6Enable: true, V6Mode: "zero", V6Bits: 128, EmbeddedEnable: true, EmbeddedMode: "zero", EmbeddedBits: 128}, testDeps(t))
		if err != nil {
			t.Fatal(err)
		}
		m := modified(t, a, s)
		if string(m.Raw.Of(m.Text)[m.Msg.Start:]) != string(m.Msg.Of(m.Text)) {
			t.Fatalf("rawmsg %q does not end with MSG %q", m.Raw.Of(m.Text), m.Msg.Of(m.Text))
		}
		if got := msgOf(m); len(got) > 16*len(s)+16 {
			t.Fatalf("%q became %q", s, got)
		}
	})
}
