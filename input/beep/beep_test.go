package beep

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func show(f Frame) string {
	if f.Kind == SEQ {
		return fmt.Sprintf("SEQ %d %d %d", f.Channel, f.Ackno, f.Window)
	}
	return fmt.Sprintf("%s %d %d %v %d %d %q", f.Kind, f.Channel, f.Msgno, f.More, f.Seqno, f.Ansno, f.Payload)
}

func TestNext(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string // "" is not whole yet, "!" an error
	}{
		{"MSG 0 1 . 52 3\r\nabcEND\r\nMSG", 24, `MSG 0 1 false 52 0 "abc"`},
		{"ANS 1 0 * 4294967295 2 7\r\n\r\nEND\r\n", 33, `ANS 1 0 true 4294967295 7 "\r\n"`},
		{"NUL 1 0 . 119 0\r\nEND\r\n", 22, `NUL 1 0 false 119 0 ""`},
		{"RPY 0 0 . 0 5\r\nEND\r\nEND\r\n", 25, `RPY 0 0 false 0 0 "END\r\n"`},
		{"ERR 2147483647 0 . 0 0\r\nEND\r\n", 29, `ERR 2147483647 0 false 0 0 ""`},
		{"SEQ 1 4294967295 4096\r\nx", 23, "SEQ 1 4294967295 4096"},
		{"", 0, ""}, {"M", 0, ""}, {"MSG", 0, ""}, {"MSG 0 1 . 52 3\r", 0, ""}, {"MSG 0 1 . 52 3\r\nabcEND\r", 0, ""},
		{"X", 0, "!"}, {"MSX", 0, "!"}, {"GET / HTTP/1.0\r\n", 0, "!"}, {"<13>x\r\n", 0, "!"}, {"\r\n", 0, "!"}, {"msg 0 1 . 0 0\r\n", 0, "!"},
		{"MSG 0 1 . 52 3\r\nabcdEND\r\n", 0, "!"}, {"MSG 0 1 . 52 11\r\n", 0, "!"}, {"MSG 0 1 - 52 3\r\n", 0, "!"},
		{"MSG 0 1 . 52\r\n", 0, "!"}, {"MSG 0 1 . 52 3 4\r\n", 0, "!"}, {"MSG  0 1 . 52 3\r\n", 0, "!"}, {"MSG -1 1 . 52 3\r\n", 0, "!"},
		{"MSG +1 1 . 52 3\r\n", 0, "!"}, {"MSG 2147483648 1 . 52 3\r\n", 0, "!"}, {"MSG 0 1 . 4294967296 3\r\n", 0, "!"},
		{"ANS 1 0 . 0 2\r\n", 0, "!"}, {"NUL 1 0 . 0 1\r\n", 0, "!"}, {"NUL 1 0 * 0 0\r\n", 0, "!"}, {"SEQ 1 0\r\n", 0, "!"},
		{"MSG " + strings.Repeat("0", 100), 0, "!"},
	} {
		n, f, err := Next([]byte(c.in), 10)
		got := ""
		switch {
		case err != nil:
			got = "!"
			if !errors.Is(err, ErrFrame) {
				t.Errorf("%q: error %v", c.in, err)
			}
		case n > 0:
			got = show(f)
		}
		if got != c.want || n != c.n {
			t.Errorf("%q: %d, %s (%v); want %d, %s", c.in, n, got, err, c.n, c.want)
		}
	}
}

// What is read is what was written, and no prefix of it is a frame or an error.
func FuzzNext(f *testing.F) {
	f.Add([]byte("MSG 0 1 . 52 3\r\nabcEND\r\n"))
	f.Add([]byte("ANS 1 0 * 4294967295 2 7\r\n\r\nEND\r\n"))
	f.Add([]byte("NUL 1 0 . 119 0\r\nEND\r\n"))
	f.Add([]byte("SEQ 1 4294967295 4096\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		n, frame, err := Next(in, 1000)
		if err != nil || n == 0 {
			return
		}
		var out []byte
		if frame.Kind == SEQ {
			out = AppendSEQ(nil, frame.Channel, frame.Ackno, frame.Window)
		} else {
			out = Append(nil, frame)
		}
		m, again, err := Next(out, 1000)
		if err != nil || m != len(out) || show(again) != show(frame) {
			t.Fatalf("%q: %s; written and read: %q, %s, %v", in, show(frame), out, show(again), err)
		}
		for i := range n {
			if k, _, err := Next(in[:i], 1000); k != 0 || err != nil {
				t.Fatalf("%q: the first %d octets: %d, %v", in, i, k, err)
			}
		}
	})
}
