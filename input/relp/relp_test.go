package relp

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

// decode presents a stream in pieces and shows frames and the error as text.
func decode(d Decoder, stream []byte, next func(left int) int) []string {
	var out []string
	var held []byte
	for len(stream) > 0 {
		n := next(len(stream))
		held = append(held, stream[:n]...)
		stream = stream[n:]
		for {
			n, f, ok, err := d.Next(held)
			if err != nil {
				return append(out, "error: "+strings.SplitN(err.Error(), ":", 2)[0])
			}
			held = held[n:]
			if !ok {
				break
			}
			out = append(out, fmt.Sprintf("%d %s %d %q %v", f.Txnr, f.Command, f.Size, f.Data, f.Truncated))
		}
		if len(held) > HeaderMax+d.MaxData {
			return append(out, fmt.Sprintf("keeps %d bytes", len(held)))
		}
		held = bytes.Clone(held)
	}
	return out
}

func whole(left int) int { return left }

func TestDecoder(t *testing.T) {
	long := strings.Repeat("x", 30)
	for _, tt := range []struct {
		stream string
		want   []string
	}{
		{"1 open 3 abc\n2 syslog 5 <13>a\n", []string{`1 open 3 "abc" false`, `2 syslog 5 "<13>a" false`}},
		{"3 close 0\n", []string{`3 close 0 "" false`}},
		{"0 serverclose 0\n", []string{`0 serverclose 0 "" false`}},
		{"000000002 syslog 000000005 <13>z\n", []string{`2 syslog 5 "<13>z" false`}},
		{"999999999 rsp 6 200 OK\n", []string{`999999999 rsp 6 "200 OK" false`}},
		{"2 syslog 5 a\nb\nc\n", []string{`2 syslog 5 "a\nb\nc" false`}},
		{"2 syslog 10 abcdefghij\n", []string{`2 syslog 10 "abcdefghij" false`}},
		{"2 syslog 11 abcdefghijk\n3 close 0\n", []string{`2 syslog 11 "abcdefghij" true`, `3 close 0 "" false`}},
		{"2 syslog 30 " + long + "\n3 syslog 1 q\n", []string{`2 syslog 30 "xxxxxxxxxx" true`, `3 syslog 1 "q" false`}},
		{"2 syslog 12 abcdefghijkl\n2 syslog 12 mnopqrstuvwx\n", []string{`2 syslog 12 "abcdefghij" true`, `2 syslog 12 "mnopqrstuv" true`}},
		// as librelp: what follows is the end of the session.
		{"GET / HTTP/1.1\r\n", []string{"error: not a RELP frame"}},
		{" 1 open 0\n", []string{"error: not a RELP frame"}},
		{"1  open 0\n", []string{"error: not a RELP frame"}},
		{"1234567890 open 0\n", []string{"error: not a RELP frame"}},
		{"-1 open 0\n", []string{"error: not a RELP frame"}},
		{"1 op3n 0\n", []string{"error: not a RELP frame"}},
		{"1 " + strings.Repeat("a", 33) + " 0\n", []string{"error: not a RELP frame"}},
		{"1 " + strings.Repeat("a", 32) + " 0\n", []string{`1 ` + strings.Repeat("a", 32) + ` 0 "" false`}},
		{"1 open x\n", []string{"error: not a RELP frame"}},
		{"1 open 1234567890 x\n", []string{"error: not a RELP frame"}},
		{"1 open 3abc\n", []string{"error: not a RELP frame"}},
		{"1 open 0 \n", []string{"error: not a RELP frame"}},
		{"2 syslog 5 <13>ax\n", []string{"error: not a RELP frame"}},
		{"2 syslog 12 abcdefghijklm\n", []string{"error: not a RELP frame"}},
	} {
		for name, next := range map[string]func(int) int{"whole": whole, "single": func(int) int { return 1 }} {
			if got := decode(Decoder{MaxData: 10, Truncate: true}, []byte(tt.stream), next); !slices.Equal(got, tt.want) {
				t.Errorf("%s %q\ngot  %q\nwant %q", name, tt.stream, got, tt.want)
			}
		}
	}
}

func TestDecoderRefusesLongFrames(t *testing.T) {
	d := Decoder{MaxData: 10}
	_, _, _, err := d.Next([]byte("2 syslog 999999999 x"))
	if !errors.Is(err, ErrTooLong) {
		t.Errorf("error %v", err)
	}
}

// reference reads the frames of a complete stream in the plainest way.
func reference(d Decoder, stream []byte) []string {
	var out []string
	for len(stream) > 0 {
		head, f, err := parseHeader(stream)
		if err != nil {
			return append(out, "error: "+strings.SplitN(err.Error(), ":", 2)[0])
		}
		if head == 0 {
			break
		}
		if f.Size > d.MaxData && !d.Truncate {
			return append(out, "error: frame too long")
		}
		if len(stream) < head+f.Size+1 {
			break
		}
		if stream[head+f.Size] != '\n' {
			return append(out, "error: not a RELP frame")
		}
		data := stream[head : head+min(f.Size, d.MaxData)]
		out = append(out, fmt.Sprintf("%d %s %d %q %v", f.Txnr, f.Command, f.Size, data, f.Size > d.MaxData))
		stream = stream[head+f.Size+1:]
	}
	return out
}

func FuzzDecoder(f *testing.F) {
	for _, s := range []string{"1 open 3 abc\n2 syslog 5 <13>a\n", "2 syslog 30 " + strings.Repeat("x", 30) + "\n3 close 0\n",
		"2 syslog 11 abcdefghijk\n", "1 rsp 6 200 OK\n", "1 open 0 \n", "9999999999 a 1 b\n", "0 a 0\n0 a 0\n"} {
		f.Add([]byte(s), true, int64(1))
	}
	f.Fuzz(func(t *testing.T, stream []byte, truncate bool, seed int64) {
		d := Decoder{MaxData: 10, Truncate: truncate}
		want := reference(d, stream)
		rnd := rand.New(rand.NewSource(seed))
		for name, next := range map[string]func(int) int{
			"whole":  whole,
			"single": func(int) int { return 1 },
			"random": func(left int) int { return 1 + rnd.Intn(left) },
		} {
			if got := decode(d, stream, next); !slices.Equal(got, want) {
				t.Fatalf("%s %q\ngot  %q\nwant %q", name, stream, got, want)
			}
		}
	})
}

func TestAppend(t *testing.T) {
	for want, got := range map[string][]byte{
		"1 open 3 abc\n":           AppendFrame(nil, 1, Open, []byte("abc")),
		"0 serverclose 0\n":        AppendFrame(nil, 0, ServerClose, nil),
		"7 rsp 6 200 OK\n":         AppendOK(nil, 7),
		"8 rsp 13 500 not today\n": AppendResponse(nil, 8, 500, "not today", nil),
		"9 rsp 10 200 OK\na=b\n":   AppendResponse(nil, 9, 200, "OK", []byte("a=b")),
		"12 syslog 10 ":            AppendHeader(nil, 12, Syslog, 10),
		"relp_version=0\nrelp_software=x,1\ncommands=syslog,foo": Offers{"0", "x,1", []string{"syslog", "foo"}}.Append(nil),
	} {
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestParseResponse(t *testing.T) {
	for _, tt := range []struct {
		data, text, rest string
		status           int
		fails            bool
	}{
		{"200 OK", "OK", "", 200, false},
		{"200 OK\nrelp_version=0\ncommands=syslog", "OK", "relp_version=0\ncommands=syslog", 200, false},
		{"500 command disabled", "command disabled", "", 500, false},
		{"200", "", "", 200, false},
		{"", "", "", 0, true},
		{"20 OK", "", "", 0, true},
		{"2000 OK", "", "", 0, true},
		{"abc OK", "", "", 0, true},
	} {
		status, text, rest, err := ParseResponse([]byte(tt.data))
		if status != tt.status || string(text) != tt.text || string(rest) != tt.rest || (err != nil) != tt.fails {
			t.Errorf("%q: %d %q %q %v", tt.data, status, text, rest, err)
		}
	}
}

func TestParseOffers(t *testing.T) {
	o, err := ParseOffers([]byte("relp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\nfuture=1\ncommands=eventlog,syslog"))
	if err != nil || o.Version != "0" || o.Software != "librelp,1.11.0,http://librelp.adiscon.com" || !o.Supports(Syslog) || o.Supports("sys") {
		t.Errorf("%+v %v", o, err)
	}
	if _, err := ParseOffers(make([]byte, OffersMax+1)); err == nil {
		t.Error("long offers are accepted")
	}
}

func TestNextTxnr(t *testing.T) {
	for in, want := range map[uint32]uint32{0: 1, 1: 2, MaxTxnr - 1: MaxTxnr, MaxTxnr: 1} {
		if got := NextTxnr(in); got != want {
			t.Errorf("%d: %d, want %d", in, got, want)
		}
	}
}
