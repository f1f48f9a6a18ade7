package engine

import (
	"net"
	"path/filepath"
	"testing"

	"sysrelay/message"
)

// Nobody reads the system log: waiting for one message is enough, not for each
// of a thousand.
func TestSystemLogThatNobodyReads(t *testing.T) {
	l := newOwnLog(Options{Program: "sysrelay"}, message.NewEnv("here"))
	l.system = filepath.Join(t.TempDir(), "log")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: l.system, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range ownWaiting {
		l.Log(4, "something happened")
	}
	l.last(nil)
	a := l.ledger.Read()
	if a.Delivered == 0 || a.Discarded[message.Stopped] == 0 || a.Queued() != 0 {
		t.Errorf("accounts %+v", a)
	}
}
