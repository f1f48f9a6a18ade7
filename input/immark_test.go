package input

import (
	"context"
	"net"
	"path/filepath"
	"regexp"
	"testing"
)

func TestMarksToSyslog(t *testing.T) {
	s := newSink()
	d := s.deps()
	d.Program = "relayd"
	made, err := NewIMMark(IMMarkModule{Text: "-- MARK --", Syslog: true}, d)
	if err != nil {
		t.Fatal(err)
	}
	in := made.(*marks)
	in.socket = filepath.Join(t.TempDir(), "log")
	in.mark(context.Background(), s.handle)
	s.waitTexts(t, "relayrelayd: -- MARK --") // nobody listens
	s.waitLog(t, "the mark goes through the rules")

	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: in.socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	in.mark(context.Background(), s.handle)
	b := make([]byte, 200)
	n, err := l.Read(b)
	if err != nil || !regexp.MustCompile(`^<46>\w{3} [ \d]\d \d\d:\d\d:\d\d relayd: -- MARK --$`).Match(b[:n]) {
		t.Errorf("%q, %v", b[:n], err)
	}
	checkLedger(t, in, 1, 0)

	made, err = NewIMMark(IMMarkModule{Syslog: true, Ruleset: "r"}, d)
	if err != nil || made.(*marks).m.Syslog {
		t.Errorf("with a ruleset: %v, %v", made, err)
	}
	s.waitLog(t, "use.syslogCall is off")
}
