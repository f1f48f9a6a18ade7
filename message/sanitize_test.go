package message

import (
	"bytes"
	"compress/zlib"
	"strings"
	"testing"
)

func received(t testing.TB, s *Sanitizer, raw string) *Message {
	t.Helper()
	var b Batch
	b.Receive(s, []byte(raw), NewOrigin("in", "host", "192.0.2.1", "514"), 42, ParseHostname)
	if b.Len() != 1 || b.All().Len() != 1 {
		t.Fatalf("%d messages, want 1", b.Len())
	}
	return b.All().At(0)
}

// zipped is text as senders with the compression extension write it.
func zipped(text string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return "z" + b.String()
}

func TestReceive(t *testing.T) {
	f := func(change func(*Sanitizer), raw, want string) {
		t.Helper()
		s := DefaultSanitizer()
		if change != nil {
			change(&s)
		}
		if got := string(received(t, &s, raw).Text); got != want {
			t.Errorf("Receive(%.60q) = %.60q, want %.60q", raw, got, want)
		}
	}
	f(nil, "", "")
	f(nil, "<13>a b", "<13>a b")
	f(nil, "\x00", "")
	f(nil, "\n", "")
	f(nil, "\n\x00", "")
	f(nil, "a\x00", "a")
	f(nil, "a\n", "a")
	f(nil, "a\n\x00", "a")
	f(nil, "a\x00\n", "a#000")
	f(nil, "a\x00\x00", "a#000")
	f(nil, "a\n\n", "a#012")
	f(nil, "a\r\n", "a#015")
	f(nil, "a\tb\x01\x1b\x1f\x7f\x80\xff", "a#011b#001#033#037\x7f\x80\xff")
	f(nil, "01234567\x01", "01234567#001")
	f(nil, "0123456\x01", "0123456#001")
	f(nil, "\x010123456789abcdef\x02", "#0010123456789abcdef#002")

	cr := func(s *Sanitizer) { s.DropTrailingCR = true }
	f(cr, "a\r\n", "a")
	f(cr, "a\r", "a")
	f(cr, "a\n\r", "a#012")
	keepLF := func(s *Sanitizer) { s.DropTrailingLF = false }
	f(keepLF, "a\n", "a#012")
	f(keepLF, "a\n\x00", "a#012")

	noEscape := func(s *Sanitizer) { s.EscapeControl = false }
	f(noEscape, "a\tb\nc\x01\n", "a\tb\nc\x01")
	f(noEscape, "a\x00b\x01", "a#000b\x01")
	f(func(s *Sanitizer) { s.EscapeTab = false }, "a\tb\nc", "a\tb#012c")
	f(func(s *Sanitizer) { s.SpaceLF = true }, "a\nb\tc\n", "a b#011c")
	f(func(s *Sanitizer) { s.EscapePrefix = '\\' }, "a\nb", "a\\012b")
	f(func(s *Sanitizer) { s.Escape8Bit = true }, "0123456789\xc3\xa4\n!", "0123456789#303#244#012!")

	c := func(s *Sanitizer) { s.EscapeCStyle = true }
	f(c, "\x00\a\b\t\n\v\f\r\x1b!", `\0\a\b\t\n\v\f\r\e!`)
	f(c, "\x01\x1f\x80!", "\\x01\\x1F\x80!")
	f(func(s *Sanitizer) { s.EscapeCStyle, s.Escape8Bit = true, true }, "\xfe!", `\xFE!`)
}

func TestReceiveMaxSize(t *testing.T) {
	s := DefaultSanitizer()
	s.MaxSize = 128
	x := func(n int) string { return strings.Repeat("x", n) }
	f := func(raw, want string, cut bool) {
		t.Helper()
		m := received(t, &s, raw)
		if string(m.Text) != want || m.Flags&Truncated != 0 != cut {
			t.Errorf("%q (%d bytes): got %q (%d bytes), flags %b", raw, len(raw), m.Text, len(m.Text), m.Flags)
		}
	}
	f(x(128), x(128), false)
	f(x(129), x(128), true)
	f(x(128)+"\n", x(128), false)
	f(x(127)+"\nyy", x(127), true)
	f("\t"+x(121)+"\t", "#011"+x(121), true)
	f("\t"+x(120)+"\t", "#011"+x(120)+"#011", false)
	f("\t"+x(127), "#011"+x(121), true)
	f(x(124)+"\ty", x(124)+"#011", true)
	f(x(125)+"\ty", x(125), true)
	f(x(127)+"\t", x(126), true)
	f(strings.Repeat("\x00", 128), strings.Repeat("#000", 32), true)

	s.MaxSize = 0
	f(x(1<<20)+"\t!", x(1<<20)+"#011!", false)
}

func TestReceiveCompressed(t *testing.T) {
	s := DefaultSanitizer()
	plain := "<13>Nov 21 10:00:00 host tag: text\tmore"
	f := func(raw, want string) {
		t.Helper()
		if got := string(received(t, &s, raw).Text); got != want {
			t.Errorf("%.40q: got %.80q, want %.80q", raw, got, want)
		}
	}
	z := zipped(plain)
	f(z, "<13>Nov 21 10:00:00 host tag: text#011more")
	f(z+"trailing", "<13>Nov 21 10:00:00 host tag: text#011more")
	f(zipped(""), "")
	f(zipped(z), clean(z)) // once only
	f("zebra: not compressed", "zebra: not compressed")
	f("z", "z")
	f("zx", "zx")
	f(z[:len(z)-5], clean(z[:len(z)-5]))
	broken := []byte(z)
	broken[10] ^= 0x55
	f(string(broken), clean(string(broken)))

	big := zipped(strings.Repeat("a", s.MaxSize))
	f(big, strings.Repeat("a", s.MaxSize))
	bomb := zipped(strings.Repeat("a", s.MaxSize+1))
	f(bomb, clean(bomb))

	s.SupportsCompression = false
	f(z, clean(z))
}

// clean is the default sanitiser, written to be obviously right.
func clean(raw string) string {
	raw = strings.TrimSuffix(strings.TrimSuffix(raw, "\x00"), "\n")
	var b strings.Builder
	for i := range len(raw) {
		if c := raw[i]; c < 32 {
			b.Write([]byte{'#', '0', '0' + c/8, '0' + c%8})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func TestReceiveAllocates(t *testing.T) {
	s := DefaultSanitizer()
	o := NewOrigin("imtcp", "host", "192.0.2.1", "514")
	for _, raw := range []string{"<13>plain", "<13>tab\tand\nmore\x00", zipped("<13>compressed text")} {
		var b Batch
		raw := []byte(raw)
		b.Receive(&s, raw, o, 1, 0)
		n := testing.AllocsPerRun(100, func() {
			b.Reset()
			b.Receive(&s, raw, o, 1, 0)
		})
		if n != 0 {
			t.Errorf("%q: %v allocations", raw, n)
		}
	}
}
