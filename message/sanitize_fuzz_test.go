package message

import (
	"fmt"
	"strings"
	"testing"
)

// slowly cleans text byte by byte without a limit of its size.
func slowly(s *Sanitizer, raw string) string {
	if s.SupportsCompression && isCompressed([]byte(raw)) {
		raw = string(new(Batch).inflate([]byte(raw), s.MaxSize))
	}
	raw = strings.TrimSuffix(raw, "\x00")
	if s.DropTrailingLF {
		raw = strings.TrimSuffix(raw, "\n")
	}
	if s.DropTrailingCR {
		raw = strings.TrimSuffix(raw, "\r")
	}
	letters := map[byte]string{0: "0", 7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 27: "e"}
	var b strings.Builder
	for i := range len(raw) {
		c := raw[i]
		letter, named := letters[c]
		switch {
		case c == '\n' && s.SpaceLF:
			b.WriteByte(' ')
		case c == '\t' && !s.EscapeTab, c >= ' ' && c < 128, c >= 128 && !s.Escape8Bit, c > 0 && c < ' ' && !s.EscapeControl:
			b.WriteByte(c)
		case s.EscapeCStyle && named:
			b.WriteString(`\` + letter)
		case s.EscapeCStyle:
			fmt.Fprintf(&b, `\x%02X`, c)
		default:
			fmt.Fprintf(&b, "%c%03o", s.EscapePrefix, c)
		}
	}
	return b.String()
}

func FuzzReceive(f *testing.F) {
	addOracleInputs(f, func(text string) { f.Add([]byte(text), uint16(0b10010110), uint16(8096), uint8(3)) })
	f.Add([]byte(zipped("<13>a\tb\n")), uint16(0xffff), uint16(64), uint8(9))
	f.Fuzz(func(t *testing.T, raw []byte, options, size uint16, before uint8) {
		bit := func(n int) bool { return options>>n&1 != 0 }
		s := Sanitizer{MaxSize: int(size), SpaceLF: bit(0), DropTrailingLF: bit(1), EscapeControl: bit(2), DropTrailingCR: bit(3),
			EscapeTab: bit(4), EscapeCStyle: bit(5), Escape8Bit: bit(6), SupportsCompression: bit(7), EscapePrefix: '#'}
		original := string(raw)
		// What is in the batch already must not matter.
		var b Batch
		if before > 0 {
			b.Add(make([]byte, before), nil, 0, 0)
		}
		b.Receive(&s, raw, NewOrigin("in", "host", "192.0.2.1", "514"), 7, ParseHostname|Parsed)
		m := b.All().At(b.Len() - 1)
		got, want := string(m.Text), slowly(&s, original)
		if string(raw) != original {
			t.Fatal("the input was written to")
		}
		if m.Flags&^Truncated != ParseHostname || m.Received != 7 || string(m.Origin.FromHost()) != "host" {
			t.Fatalf("%+v", m)
		}
		if cut := m.Flags&Truncated != 0; cut != (got != want) || !strings.HasPrefix(want, got) {
			t.Fatalf("%q with %+v: got %q (cut: %v), want %q", raw, s, got, cut, want)
		}
		if s.MaxSize > 0 && len(got) > s.MaxSize {
			t.Fatalf("%d bytes, limit %d", len(got), s.MaxSize)
		}
		if s.MaxSize > 0 && len(want) <= s.MaxSize-3 && got != want {
			t.Fatalf("%d bytes cut to %d, limit %d", len(want), len(got), s.MaxSize)
		}
	})
}
