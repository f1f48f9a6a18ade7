package message

import (
	"strings"
	"testing"
)

// What is longer than MaxSize is cut, split or accepted; a line feed behind it
// makes nothing oversize.
func TestOversize(t *testing.T) {
	text := strings.Repeat("0123456789", 3)
	for _, c := range []struct {
		mode  Oversize
		text  string
		want  []string
		told  int
		flags Flags
	}{
		{Truncate, text[:12] + "\n", []string{text[:12]}, 0, 0},
		{Truncate, text, []string{text[:12]}, 1, Truncated},
		{Split, text, []string{text[:12], text[12:24], text[24:]}, 1, 0},
		{Split, text[:24] + "\n", []string{text[:12], text[12:24], ""}, 1, 0},
		{Accept, text, []string{text}, 1, 0},
	} {
		s := DefaultSanitizer()
		told := 0
		s.MaxSize, s.Oversize = 12, c.mode
		s.OnOversize = func(raw []byte, from Origin) {
			if told++; string(raw) != c.text || string(from.Input()) != "imudp" {
				t.Errorf("told of %q from %s", raw, from.Input())
			}
		}
		var b Batch
		b.Receive(&s, []byte(c.text), NewOrigin("imudp", "h", "192.0.2.1", ""), 1, 0)
		var got []string
		for i := range b.Len() {
			got = append(got, string(b.All().At(i).Text))
		}
		if strings.Join(got, "|") != strings.Join(c.want, "|") || told != c.told || b.All().At(0).Flags&Truncated != c.flags {
			t.Errorf("mode %d: got %q, told %d times; want %q", c.mode, got, told, c.want)
		}
	}
}
