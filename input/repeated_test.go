package input

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"sysrelay/message"
)

// repeatsRig is a Repeats whose Handler records PRI-less texts and takes what its
// test lets it.
type repeatsRig struct {
	*Repeats
	got  []string
	take func(n int) int // how many of n messages are taken; nil is all
}

func newRepeatsRig() *repeatsRig {
	r := &repeatsRig{}
	env := message.NewEnv("here")
	r.Repeats = NewRepeats(env, message.DefaultChain(env), func(_ context.Context, v message.View) error {
		n := v.Len()
		if r.take != nil {
			n = r.take(n)
		}
		for i := range n {
			m := v.At(i)
			r.got = append(r.got, string(m.Raw.Of(m.Text)))
		}
		if n < v.Len() {
			return &message.Undelivered{Rest: v.Slice(n, v.Len()), Err: errors.New("no room")}
		}
		return nil
	})
	return r
}

// put hands lines in as one batch and returns those that were not taken.
func (r *repeatsRig) put(t *testing.T, lines ...string) (rest []string) {
	t.Helper()
	var b message.Batch
	for _, l := range lines {
		b.Add([]byte(l), message.NewOrigin("imtcp", "peer", "127.0.0.1", "1"), 1, message.ParseHostname)
	}
	v := b.All()
	left := message.Rest(v, r.Handle(t.Context(), v))
	for i := range left.Len() {
		rest = append(rest, string(left.At(i).Text))
	}
	return rest
}

const (
	head  = "<13>Nov 21 10:20:30 alpha "
	other = "<13>Nov 21 10:20:31 alpha "
)

func TestRepeats(t *testing.T) {
	for _, c := range []struct {
		name, in, want string // messages are separated by |, batches by ||
	}{
		{"nothing repeats", "a: 1|a: 2||a: 1", "a: 1|a: 2|a: 1"},
		{"one repetition is given out as it came", "a: 1|a: 1|a: 2", "a: 1|a: 1|a: 2"},
		{"more are counted", "a: 1|a: 1|a: 1|a: 2", "a: 1|a: message repeated 2 times: [ 1]|a: 2"},
		{"over batches", "a: 1||a: 1||a: 1||a: 1||a: 2", "a: 1|a: message repeated 3 times: [ 1]|a: 2"},
		{"another program", "a: 1|b: 1|a: 1", "a: 1|b: 1|a: 1"},
		{"another process", "a[1]: x|a[2]: x", "a[1]: x|a[2]: x"},
		{"the end", "a: 1|a: 1|a: 1", "a: 1|a: message repeated 2 times: [ 1]"},
		{"800 bytes are shown", "a: " + strings.Repeat("x", 900) + "|a: " + strings.Repeat("x", 900) + "|a: " + strings.Repeat("x", 900),
			"a: " + strings.Repeat("x", 900) + "|a: message repeated 2 times: [ " + strings.Repeat("x", 799) + "]"},
	} {
		r := newRepeatsRig()
		for batch := range strings.SplitSeq(c.in, "||") {
			var lines []string
			for l := range strings.SplitSeq(batch, "|") {
				lines = append(lines, head+l)
			}
			if rest := r.put(t, lines...); rest != nil {
				t.Errorf("%s: %q not taken", c.name, rest)
			}
		}
		if err := r.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		got := strings.Join(r.got, "|")
		if got = strings.ReplaceAll(got, head, ""); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if a := r.Ledger().Read(); a.Queued() != 0 || int(a.Delivered) != len(r.got) {
			t.Errorf("%s: %d handed on, accounts are %+v", c.name, len(r.got), a)
		}
	}
}

// The line has the time of the newest of the messages.
func TestRepeatsShowTheNewestTime(t *testing.T) {
	r := newRepeatsRig()
	r.put(t, head+"a: 1", head+"a: 1", other+"a: 1", head+"a: 2")
	if want := other + "a: message repeated 2 times: [ 1]"; len(r.got) != 3 || r.got[1] != want {
		t.Errorf("got %q, want %q in the middle", r.got, want)
	}
}

// What is not taken is handed back, and a line about repetitions comes with what
// is handed in next.
func TestRepeatsNotTaken(t *testing.T) {
	r := newRepeatsRig()
	r.put(t, head+"a: 1", head+"a: 1", head+"a: 1")
	r.take = func(int) int { return 0 }
	if rest := r.put(t, head+"a: 1", head+"a: 2"); !slices.Equal(rest, []string{head + "a: 2"}) {
		t.Fatalf("left %q: a repetition is done with, the other message is not", rest)
	}
	if a := r.Ledger().Read(); a.Delivered != 1 || a.Discarded[message.Repeated] != 3 {
		t.Errorf("accounts %+v", a)
	}
	r.take = nil
	r.put(t, head+"a: 3")
	want := []string{head + "a: 1", head + "a: message repeated 3 times: [ 1]", head + "a: 3"}
	if !slices.Equal(r.got, want) {
		t.Errorf("got %q, want %q", r.got, want)
	}
}

func TestRepeatsLeavesMarksAlone(t *testing.T) {
	r := newRepeatsRig()
	var b message.Batch
	for range 3 {
		b.Add([]byte("<46>-- MARK --"), message.NewOrigin("immark", "here", "127.0.0.1", ""), 1, message.Mark)
	}
	if err := r.Handle(t.Context(), b.All()); err != nil || len(r.got) != 3 {
		t.Errorf("%v, %q", err, r.got)
	}
}
