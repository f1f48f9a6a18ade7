package input

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sysrelay/input/relp"
)

// pieceConn is a connection that yields b in pieces and keeps what is written.
type pieceConn struct {
	pieces
	out bytes.Buffer
}

func (c *pieceConn) Read(b []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	return c.pieces.Read(b)
}

func (c *pieceConn) Write(b []byte) (int, error)      { return c.out.Write(b) }
func (c *pieceConn) Close() error                     { return nil }
func (c *pieceConn) LocalAddr() net.Addr              { return nil }
func (c *pieceConn) RemoteAddr() net.Addr             { return nil }
func (c *pieceConn) SetDeadline(time.Time) error      { return nil }
func (c *pieceConn) SetReadDeadline(time.Time) error  { return nil }
func (c *pieceConn) SetWriteDeadline(time.Time) error { return nil }

// relpSessionOn serves one connection and returns the answers and the messages.
func relpSessionOn(t *testing.T, stream []byte, piece int, mode string) (string, []string) {
	s := newSink()
	in := newIMRELP(t, s, func(p *IMRELPParams) { p.OversizeMode = mode }).(*relpInput)
	in.to = s.handle
	c := &pieceConn{pieces: pieces{stream, piece}}
	in.sessions.Add(1)
	in.wg.Add(1)
	in.serveConn(t.Context(), &conn{Conn: c, host: "h", ip: "127.0.0.1", stopping: context.Background(), listener: &in.streamListener})
	in.wg.Wait()
	if n := in.sessions.Load(); n != 0 {
		t.Fatalf("%d sessions left", n)
	}
	return c.out.String(), s.texts
}

// FuzzRELPSession: whatever a client sends in whatever pieces, each message that is
// taken is answered 200 once, in order, and nothing else is but the open.
func FuzzRELPSession(f *testing.F) {
	open := frame(1, "open", librelpOffers)
	for _, s := range []string{
		open + frame(2, "syslog", "<13>a") + frame(3, "syslog", "<13>b\n") + frame(4, "close", ""),
		open + frame(2, "syslog", "a") + frame(2, "syslog", "b"),
		open + frame(2, "open", librelpOffers),
		open + "2 syslog 0\n3 syslog 5 <13>ax\n",
		open + frame(2, "syslog", strings.Repeat("x", 9000)) + frame(3, "syslog", "b"),
		open + "2 syslog 999999999 x",
		frame(1, "syslog", "x"), frame(1, "open", "commands=a"), frame(0, "rsp", "200 OK"), "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01",
	} {
		f.Add([]byte(s), uint8(0), true)
		f.Add([]byte(s), uint8(6), false)
	}
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8, cut bool) {
		mode := "abort"
		if cut {
			mode = "truncate"
		}
		answers, texts := relpSessionOn(t, stream, len(stream)+1, mode)
		again, texts2 := relpSessionOn(t, stream, int(piece)%64+1, mode)
		if answers != again || strings.Join(texts, "\x00") != strings.Join(texts2, "\x00") {
			t.Errorf("whole: %q %q, in pieces: %q %q", answers, texts, again, texts2)
		}
		d := relp.Decoder{MaxData: relp.OffersMax}
		last, taken := uint32(0), 0
		for b := []byte(answers); len(b) > 0; {
			n, r, ok, err := d.Next(b)
			if err != nil || !ok {
				t.Fatalf("answers %q: %v", answers, err)
			}
			b = b[n:]
			switch {
			case string(r.Command) == relp.ServerClose:
				if len(b) > 0 {
					t.Errorf("%q follows the end", b)
				}
				continue
			case string(r.Command) != relp.Response || r.Txnr != last+1:
				t.Errorf("answers %q: %s to %d after %d", answers, r.Command, r.Txnr, last)
			}
			if last = r.Txnr; last > 1 && bytes.HasPrefix(r.Data, []byte("200 ")) {
				taken++
			}
		}
		if taken != len(texts) {
			t.Errorf("%d messages, %d answers: %q", len(texts), taken, answers)
		}
	})
}
