package message

import (
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// anyMessage generates messages as they may be found anywhere in the relay.
func anyMessage(t *rapid.T) *Message {
	text := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "text")
	str := rapid.StringN(0, 40, 255)
	m := &Message{
		Text:     text,
		Received: rapid.Int64().Draw(t, "received"),
		Flags:    Flags(rapid.Uint32().Draw(t, "flags")),
		PRI:      rapid.Uint16Range(0, maxPRI).Draw(t, "pri"),
	}
	if rapid.Bool().Draw(t, "has origin") {
		m.Origin = NewOrigin(str.Draw(t, "input"), str.Draw(t, "host"), str.Draw(t, "ip"), str.Draw(t, "port"))
	}
	if m.Flags&Parsed == 0 {
		m.setUnparsed()
		return m
	}
	if rapid.Bool().Draw(t, "invalid PRI") {
		m.PRI = InvalidPRIValue
	}
	m.Time = Timestamp{
		Year:  rapid.Uint16().Draw(t, "year"),
		Month: rapid.Uint8Range(0, 12).Draw(t, "month"), Day: rapid.Uint8Range(0, 31).Draw(t, "day"),
		Hour: rapid.Uint8Range(0, 23).Draw(t, "hour"), Minute: rapid.Uint8Range(0, 59).Draw(t, "minute"),
		Second: rapid.Uint8Range(0, 60).Draw(t, "second"), Precision: rapid.Uint8Range(0, 9).Draw(t, "precision"),
		Frac:         rapid.Uint32().Draw(t, "frac"),
		OffsetMinute: rapid.Int16Range(-1439, 1439).Draw(t, "offset"),
		OffsetZ:      rapid.Bool().Draw(t, "z"), OffsetMinus: rapid.Bool().Draw(t, "minus"),
	}
	var spans [10]Span
	for i := range spans {
		end := rapid.Uint32Range(0, uint32(len(text))).Draw(t, "end")
		spans[i] = Span{rapid.Uint32Range(0, end).Draw(t, "start"), end}
	}
	m.setSpans(&spans)
	return m
}

func TestFrameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b Batch
		want := rapid.SliceOfN(rapid.Custom(anyMessage), 0, 5).Draw(t, "messages")
		for _, m := range want {
			b.AddMessage(m)
		}
		frames := b.All().AppendFrames(nil)
		if len(frames) != b.Size() {
			t.Fatalf("%d bytes of frames, Size is %d", len(frames), b.Size())
		}
		var loaded Batch
		if err := loaded.Load(frames, len(want)); err != nil {
			t.Fatal(err)
		}
		for i, m := range want {
			if got := loaded.All().At(i); !equalMessages(got, m) {
				t.Fatalf("message %d:\ngot  %+v\nwant %+v", i, got, m)
			}
		}
	})
}

func equalMessages(a, b *Message) bool {
	x, y := *a, *b
	x.Text, y.Text, x.Origin, y.Origin = nil, nil, nil, nil
	return string(a.Text) == string(b.Text) && string(a.Origin) == string(b.Origin) && reflect.DeepEqual(x, y)
}

func TestFrameLayout(t *testing.T) {
	var b Batch
	b.Add([]byte("text"), NewOrigin("i", "h", "p", "o"), 0x0102030405060708, ParseHostname)
	want := "\x28\x00\x00\x00" + "\x02\x00\x00\x00" + "\x08\x07\x06\x05\x04\x03\x02\x01" +
		"\x08\x00" + "\x0d\x00" + "\x04\x00\x00\x00" + "\x00\x00\x00\x00" + "\x01\x01\x01\x01ihpo" + "text"
	if got := string(b.All().AppendFrames(nil)); got != want {
		t.Errorf("got %q, want %q: a change of the layout needs a new FrameVersion", got, want)
	}
}

func TestLoadRejects(t *testing.T) {
	parsed := &Message{Text: []byte("0123456789"), Origin: NewOrigin("i", "h", "p", "o"), Flags: Parsed,
		Time: Timestamp{Year: 2026, Month: 1, Day: 1}}
	parsed.setSpans(&[10]Span{0: {0, 10}, 9: {10, 10}})
	good := AppendFrame(nil, parsed)
	var b Batch
	if err := b.Load(good, 1); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	f := func(name string, n int, change func(f []byte) []byte) {
		t.Helper()
		frame := change(append([]byte(nil), good...))
		err := b.Load(frame, n)
		if !errors.Is(err, ErrFrame) {
			t.Errorf("%s: error %v", name, err)
		}
		if b.Len() != 0 || b.Size() != 0 || b.All().Len() != 0 {
			t.Errorf("%s: the batch is not empty", name)
		}
	}
	same := func(f []byte) []byte { return f }
	f("nothing", 1, func([]byte) []byte { return nil })
	f("negative count", -1, same)
	f("no message but bytes", 0, same)
	f("huge count", 1<<62, same)
	f("one missing", 2, func(f []byte) []byte { return append(f, make([]byte, frameHeader)...) })
	f("bytes behind", 1, func(f []byte) []byte { return append(f, 0) })
	f("two instead of one", 1, func(f []byte) []byte { return append(f, f...) })
	for cut := range len(good) {
		f("cut short", 1, func(f []byte) []byte { return f[:cut] })
	}
	put32 := func(at int, v uint32) func([]byte) []byte {
		return func(f []byte) []byte { le.PutUint32(f[at:], v); return f }
	}
	f("size 0", 1, put32(0, 0))
	f("size below header", 1, put32(0, frameHeader-1))
	f("huge size", 1, put32(0, 1<<32-1))
	f("huge text", 1, put32(20, 1<<32-1))
	f("huge vars", 1, put32(24, 1<<32-1))
	f("text and vars that overflow together", 1, func(f []byte) []byte {
		le.PutUint32(f[20:], 1<<31)
		le.PutUint32(f[24:], 1<<31+10)
		return f
	})
	f("not parsed but parsed size", 1, put32(4, 0))
	f("PRI 192", 1, func(f []byte) []byte { le.PutUint16(f[18:], 192); return f })
	f("PRI 65535", 1, func(f []byte) []byte { le.PutUint16(f[18:], 65535); return f })
	f("origin length", 1, func(f []byte) []byte { f[frameHeader+frameParsed] = 200; return f })
	f("span beyond the text", 1, put32(frameHeader+16+4, 11))
	f("span backwards", 1, put32(frameHeader+16+9*8, 11))
	for at, bad := range map[int]byte{2: 13, 3: 32, 4: 24, 5: 60, 6: 61, 7: 10} {
		f("timestamp", 1, func(f []byte) []byte { f[frameHeader+at] = bad; return f })
	}
	f("offset", 1, func(f []byte) []byte { le.PutUint16(f[frameHeader+12:], 1440); return f })
}

func FuzzFrameDecode(f *testing.F) {
	var b Batch
	b.Add([]byte("text"), NewOrigin("in", "host", "192.0.2.1", "514"), 1, ParseHostname)
	b.Add(nil, nil, 0, 0)
	f.Add(b.All().AppendFrames(nil), 2)
	for _, o := range ordinary {
		b.Reset()
		b.Add([]byte(o.text), NewOrigin("in", "host", "192.0.2.1", "514"), 1, ParseHostname)
		DefaultChain(NewEnv("h")).Parse(b.All().At(0))
		f.Add(b.All().AppendFrames(nil), 1)
	}
	f.Fuzz(func(t *testing.T, frames []byte, n int) {
		var b, again Batch
		if err := b.Load(frames, n); err != nil {
			if !errors.Is(err, ErrFrame) || b.Len() != 0 {
				t.Fatalf("error %v, %d messages", err, b.Len())
			}
			return
		}
		v := b.All()
		if err := again.Load(v.Slice(0, n).AppendFrames(nil), n); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			m := v.At(i)
			for _, s := range m.spans() {
				s.Of(m.Text)
			}
			_ = string(m.Origin.Input()) + string(m.Origin.FromHostPort())
			if m.Facility() > 24 || m.Severity() > 7 {
				t.Fatalf("facility %d", m.Facility())
			}
			if m.Vars == nil && !equalMessages(m, again.All().At(i)) {
				t.Fatalf("message %d: %+v became %+v", i, m, again.All().At(i))
			}
		}
	})
}

func TestBatch(t *testing.T) {
	var b Batch
	for i := range 10 {
		b.Add([]byte{'a' + byte(i)}, nil, int64(i), 0)
	}
	text := func(v View) string {
		var s strings.Builder
		for i := range v.Len() {
			s.Write(v.At(i).Text)
		}
		return s.String()
	}
	f := func(v View, want string) {
		t.Helper()
		if got := text(v); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		var c Batch
		v.CopyTo(&c)
		if got := text(c.All()); got != want || c.Len() != len(want) {
			t.Errorf("copy: got %q (%d), want %q", got, c.Len(), want)
		}
		var l Batch
		if err := l.Load(v.AppendFrames(nil), v.Len()); err != nil || text(l.All()) != want {
			t.Errorf("frames: %v, %q", err, text(l.All()))
		}
	}
	all := b.All()
	f(View{}, "")
	f(all, "abcdefghij")
	f(all.Slice(0, 0), "")
	f(all.Slice(10, 10), "")
	f(all.Slice(2, 5), "cde")
	f(all.Slice(2, 9).Slice(1, 3), "de")
	even, buf := all.Filter(nil, func(m *Message) bool { return m.Received%2 == 0 })
	f(even, "acegi")
	f(even.Slice(1, 4), "ceg")
	f(even.Pick([]int32{0, 4}), "ai")
	f(all.Slice(3, 9).Pick([]int32{0, 5}), "di")
	f(even.Select([]int32{1, 2}), "bc")
	if even.Index(2) != 4 {
		t.Errorf("Index(2) = %d", even.Index(2))
	}
	none, buf := all.Filter(buf, func(*Message) bool { return false })
	f(none, "")
	everything, _ := all.Slice(1, 3).Filter(buf, func(*Message) bool { return true })
	f(everything, "bc")

	b.Reset()
	f(b.All(), "")
	b.Add([]byte("x"), nil, 0, 0)
	f(b.All(), "x")
}

func TestBatchKeepsWhatIsKnown(t *testing.T) {
	env := NewEnv("localhost")
	chain := DefaultChain(env)
	var b, c Batch
	b.Add([]byte("<34>Oct 11 22:14:15 host tag: text"), nil, 0, ParseHostname)
	b.Flow = FullDelay
	chain.Parse(b.All().At(0))
	b.All().CopyTo(&c)
	m := c.All().At(0)
	if m.Flags&Parsed == 0 || string(m.Hostname.Of(m.Text)) != "host" || m.PRI != 34 || c.Flow != FullDelay {
		t.Errorf("got %+v, flow %d", m, c.Flow)
	}
	if name := chain.Parse(m); name != "" {
		t.Errorf("parsed again by %s", name)
	}
}
