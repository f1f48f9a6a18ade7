package input

import (
	"fmt"
	"testing"
)

func newIMUDP(t *testing.T, s *sink, set func(m *IMUDPModule, p *IMUDPParams)) Input {
	t.Helper()
	m := IMUDPModule{BatchSize: 32, Threads: 1}
	p := IMUDPParams{Port: []string{"0"}, Name: "imudp", FreeBind: 2}
	if set != nil {
		set(&m, &p)
	}
	in, err := NewIMUDP(m, p, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestIMUDPReceives(t *testing.T) {
	s := newSink()
	in := newIMUDP(t, s, nil)
	stop := start(t, in, s)
	c := dial(t, "udp", in)
	send(t, c, "<13>one")
	send(t, c, "")
	send(t, c, "<13>two\n")
	s.waitTexts(t, "<13>one", "<13>two")
	stop()
	checkLedger(t, in, 2, 0)
	if s.froms[0] != "imudp|127.0.0.1|127.0.0.1" {
		t.Errorf("origin %s", s.froms[0])
	}
}

func TestIMUDPOrderPerSender(t *testing.T) {
	s := newSink()
	in := newIMUDP(t, s, func(m *IMUDPModule, p *IMUDPParams) { m.Threads = 4; p.ReceiveBuffer = 4 << 20 })
	start(t, in, s)
	const senders, each = 8, 200
	for i := range senders {
		c := dial(t, "udp", in)
		for j := range each {
			send(t, c, fmt.Sprintf("%d %d", i, j))
		}
	}
	s.wait(t, "all datagrams", func() bool { return len(s.texts) == senders*each })
	var next [senders]int
	for _, x := range s.texts {
		var i, j int
		fmt.Sscanf(x, "%d %d", &i, &j)
		if j != next[i] {
			t.Fatalf("sender %d: message %d where %d was due", i, j, next[i])
		}
		next[i]++
	}
}
