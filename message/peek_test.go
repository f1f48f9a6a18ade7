package message

import (
	"bytes"
	"testing"
)

func TestFrameSeverity(t *testing.T) {
	for _, c := range []struct {
		name string
		m    Message
		want int
	}{
		{"from the text", Message{Text: []byte("<11>x"), PRI: DefaultPRI}, 3},
		{"three digits", Message{Text: []byte("<191>x"), PRI: DefaultPRI}, 7},
		{"no PRI is user.notice", Message{Text: []byte("x"), PRI: DefaultPRI}, 5},
		{"no text", Message{PRI: DefaultPRI}, 5},
		{"too large", Message{Text: []byte("<192>x"), PRI: DefaultPRI}, 7},
		{"no digits", Message{Text: []byte("<>x"), PRI: DefaultPRI}, 7},
		{"cut short", Message{Text: []byte("<1"), PRI: DefaultPRI}, 7},
		{"four digits", Message{Text: []byte("<0001>x"), PRI: DefaultPRI}, 7},
		{"parsed", Message{Text: []byte("<11>x"), PRI: 2, Flags: Parsed}, 2},
	} {
		c.m.Origin = NewOrigin("imtcp", "host", "192.0.2.1", "514")
		f := AppendFrame(nil, &c.m)
		if got := FrameSeverity(f); got != c.want {
			t.Errorf("%s: severity %d, want %d", c.name, got, c.want)
		}
		if got := FrameOrigin(f); !bytes.Equal(got, c.m.Origin) {
			t.Errorf("%s: origin %q, want %q", c.name, got, c.m.Origin)
		}
	}
}

func TestViewFrames(t *testing.T) {
	var b Batch
	b.Add([]byte("one"), nil, 1, 0)
	b.Add([]byte("two"), nil, 2, 0)
	frames, ok := b.All().Frames()
	if !ok || !bytes.Equal(frames, b.All().AppendFrames(nil)) {
		t.Fatalf("Frames() = %q, %v", frames, ok)
	}
	if _, ok := b.All().Slice(0, 1).Frames(); ok {
		t.Error("a part of a batch is not the batch's frames")
	}
	b.All().At(0)
	if _, ok := b.All().Frames(); ok {
		t.Error("decoded messages may have been changed and must be encoded")
	}
	if _, ok := (View{}).Frames(); ok {
		t.Error("the zero View has no frames")
	}
}
