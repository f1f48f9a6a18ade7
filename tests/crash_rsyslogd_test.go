package tests

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sysrelay/input/relp"
)

// relpTap stands between a RELP client and the daemon under test and notes which
// numbered messages the daemon has acknowledged.
type relpTap struct {
	ln     net.Listener
	server func() string // port of the daemon; it changes with every start

	mu      sync.Mutex
	acked   map[int]bool
	waiting map[*relpAsked]bool // by connection that is open
}

// relpAsked are the transactions of a connection that have no answer, with the
// numbers of their messages; -1 if they have none.
type relpAsked struct {
	mu      sync.Mutex
	numbers map[uint32]int
}

func (a *relpAsked) ask(txnr uint32, number int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.numbers[txnr] = number
}

func (a *relpAsked) answered(txnr uint32) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, ok := a.numbers[txnr]
	if !ok {
		return -1
	}
	delete(a.numbers, txnr)
	return n
}

func (a *relpAsked) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.numbers)
}

func (k *relpTap) run() {
	for {
		c, err := k.ln.Accept()
		if err != nil {
			return
		}
		go k.serve(c)
	}
}

func (k *relpTap) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", "127.0.0.1:"+k.server())
	if err != nil {
		return
	}
	defer server.Close()
	asked := &relpAsked{numbers: map[uint32]int{}}
	k.track(asked, true)
	defer k.track(asked, false)
	go func() {
		defer client.Close()
		frames(server, 1<<16, func(f relp.Frame) error {
			if n := asked.answered(f.Txnr); n >= 0 && bytes.HasPrefix(f.Data, []byte("200")) {
				k.note(n)
			}
			return pass(client, f)
		})
	}()
	frames(client, 1<<20, func(f relp.Frame) error {
		_, n, ok := numbered(string(f.Data))
		if !ok {
			n = -1
		}
		asked.ask(f.Txnr, n)
		return pass(server, f)
	})
}

func (k *relpTap) track(asked *relpAsked, open bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if open {
		k.waiting[asked] = true
	} else {
		delete(k.waiting, asked)
	}
}

// unanswered counts what the daemon has been asked over open connections and has
// not answered.
func (k *relpTap) unanswered() (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for asked := range k.waiting {
		n += asked.count()
	}
	return n
}

func pass(to net.Conn, f relp.Frame) error {
	_, err := to.Write(relp.AppendFrame(nil, f.Txnr, string(f.Command), f.Data))
	return err
}

func (k *relpTap) note(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acked[n] = true
}

func (k *relpTap) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.acked)
}

// missing counts the acknowledged messages that are not in a file.
func (k *relpTap) missing(file string) (lost, twice int) {
	text, _ := os.ReadFile(file)
	arrived := map[int]int{}
	for line := range strings.Lines(string(text)) {
		if _, n, ok := numbered(line); ok {
			arrived[n]++
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for n := range k.acked {
		if arrived[n] == 0 {
			lost++
		}
	}
	for _, times := range arrived {
		twice += times - 1
	}
	return lost, twice
}

// The real rsyslogds: the sender has a disk queue, the receiver acknowledges what
// it has written.
const (
	crashSender = `global(net.enableDNS="off" workDirectory="$DIR")
module(load="imtcp")
module(load="omrelp")
input(type="imtcp" address="127.0.0.1" port="$IN")
main_queue(queue.type="Direct")
action(type="omrelp" target="127.0.0.1" port="$TAP" queue.type="Disk" queue.filename="sender"
    action.resumeRetryCount="-1" action.resumeInterval="1")
`
	crashReceiver = `global(net.enableDNS="off" workDirectory="$DIR")
main_queue(queue.type="Direct")
module(load="imrelp")
input(type="imrelp" address="127.0.0.1" port="$SINK")
action(type="omfile" file="$DIR/out.log")
`
)

// TestCrashRoundsWithRsyslogd kills the sending rsyslogd, sysrelay and the
// receiving rsyslogd, in every combination, while messages flow. What sysrelay
// has acknowledged to the sender must arrive at the receiver; what the sender
// loses by itself is its own affair.
func TestCrashRoundsWithRsyslogd(t *testing.T) {
	if _, err := exec.LookPath("rsyslogd"); err != nil {
		t.Fatal("rsyslogd is missing; `bash tests/run` installs what the tests need")
	}
	for name, actions := range crashConfigs {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) { newCrashChain(t, actions).rounds(crashRoundsWanted(t, 2)) })
	}
}

// crashChain is sender, tap, sysrelay and receiver.
type crashChain struct {
	t      *testing.T
	b      *bench
	tap    *relpTap
	random *rand.Rand
	dir    string
	conf   map[string]string // by process
	in     string            // the sender's port

	mu   sync.Mutex
	port string // sysrelay's
}

func newCrashChain(t *testing.T, actions string) *crashChain {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dir := t.TempDir()
	c := &crashChain{t: t, dir: dir, random: rand.New(rand.NewPCG(seed, 1)), in: freePort(t), conf: map[string]string{}}
	c.b = &bench{processes: map[string]*process{}, dir: dir}
	t.Cleanup(c.b.killAll)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	c.tap = &relpTap{ln: ln, server: c.relayPort, acked: map[int]bool{}, waiting: map[*relpAsked]bool{}}
	go c.tap.run()
	ports := strings.NewReplacer("$DIR", dir, "$SINK", freePort(t), "$IN", c.in, "$TAP", fmt.Sprint(ln.Addr().(*net.TCPAddr).Port))
	for name, text := range map[string]string{"sender": crashSender, "receiver": crashReceiver, "relay": crashRelay + actions} {
		c.conf[name] = filepath.Join(dir, name+".conf")
		if err := os.WriteFile(c.conf[name], []byte(ports.Replace(text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// freePort is a port that the system gives nobody else: one below the range of
// ephemeral ports.
func freePort(t *testing.T) string {
	for range 100 {
		port := fmt.Sprint(10000 + rand.IntN(20000))
		if ln, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

func (c *crashChain) relayPort() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.port
}

func (c *crashChain) setPort(port string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.port = port
}

func (c *crashChain) start(name string) {
	if name == "relay" {
		p := startRelay(c.t, c.b, c.dir, c.conf[name])
		c.setPort(readPort(c.t, p, c.dir))
		return
	}
	pid := filepath.Join(c.dir, name+".pid")
	os.Remove(pid)
	if _, err := c.b.start(name, "rsyslogd", "-n", "-C", "-i", pid, "-f", c.conf[name]); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crashChain) kill(name string) {
	p := c.b.processes[name]
	p.cmd.Process.Kill()
	<-p.done
}

func (c *crashChain) rounds(n int) {
	t, names := c.t, []string{"sender", "relay", "receiver"}
	for _, name := range names {
		c.start(name)
	}
	stop := make(chan struct{})
	var feeder sync.WaitGroup
	feeder.Go(func() { c.feed(stop) })
	for round := range n {
		c.flowing(round)
		which := 1 + c.random.IntN(7)
		for i, name := range names {
			if which&(1<<i) != 0 {
				napUpTo(c.random, 100)
				c.kill(name)
			}
		}
		for i, name := range names {
			if which&(1<<i) != 0 {
				c.start(name)
			}
		}
	}
	close(stop)
	feeder.Wait()
	out := filepath.Join(c.dir, "out.log")
	lost, twice := 0, 0
	if !until(func() bool { lost, twice = c.tap.missing(out); return lost == 0 }) {
		t.Fatalf("%d of %d acknowledged messages are lost\n%s", lost, c.tap.count(), c.b.output())
	}
	p := c.b.processes["relay"]
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	if p.err != nil {
		t.Fatalf("it did not stop cleanly: %v\n%s", p.err, c.b.output())
	}
	t.Logf("%d rounds: %d acknowledged, none lost, %d arrived twice", n, c.tap.count(), twice)
}

// flowing waits until something is acknowledged: every round needs something to
// lose. A sender that sends nothing any more is started anew without its queue:
// kill -9 leaves rsyslogd's disk queue in a state, at times, from which it sends
// nothing ("qDeqDisk error"). It is not sysrelay that is silent if it owes no answer
// and answers us.
func (c *crashChain) flowing(round int) {
	const patience = 10 * time.Second
	before := c.tap.count()
	flows := func() bool { return c.tap.count() > before }
	if within(patience, flows) {
		return
	}
	if n := c.tap.unanswered(); n > 0 {
		c.t.Fatalf("round %d: sysrelay leaves %d commands without answer\n%s", round, n, c.b.output())
	}
	if err := c.probe(); err != nil {
		c.t.Fatalf("round %d: sysrelay acknowledges nothing any more: %v\n%s", round, err, c.b.output())
	}
	c.t.Logf("round %d: the sender sends nothing any more and is started without its queue\n%s", round, c.b.processes["sender"].stderr.String())
	c.kill("sender")
	old, err := filepath.Glob(filepath.Join(c.dir, "sender.[0q]*"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, file := range old {
		os.Remove(file)
	}
	c.start("sender")
	if before = c.tap.count(); !until(flows) {
		c.t.Fatalf("round %d: nothing is acknowledged any more\n%s", round, c.b.output())
	}
}

// probe sends one message and waits for its answer.
func (c *crashChain) probe() error {
	conn, err := net.Dial("tcp", "127.0.0.1:"+c.relayPort())
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	out := relp.AppendFrame(nil, 1, relp.Open, relp.Offers{Version: "0", Software: "test", Commands: []string{"syslog"}}.Append(nil))
	out = relp.AppendFrame(out, 2, relp.Syslog, []byte("<13>Nov 21 10:20:30 host app: are you there?"))
	if _, err := conn.Write(out); err != nil {
		return err
	}
	answered := errors.New("answered")
	err = frames(conn, 1<<16, func(f relp.Frame) error {
		if f.Txnr == 2 && bytes.HasPrefix(f.Data, []byte("200")) {
			return answered
		}
		return nil
	})
	if err == answered {
		return nil
	}
	return err
}

// feed sends numbers to the sender whenever it is there, in small portions so
// that its queue does not grow without end.
func (c *crashChain) feed(stop <-chan struct{}) {
	for n := 0; ; {
		conn, err := net.Dial("tcp", "127.0.0.1:"+c.in)
		for err == nil {
			var text []byte
			for range 50 {
				text = fmt.Appendf(text, "<13>Nov 21 10:20:30 host app: c=0 n=%d some text to make it as long as messages are\n", n)
				n++
			}
			_, err = conn.Write(text)
			select {
			case <-stop:
				conn.Close()
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
		if conn != nil {
			conn.Close()
		}
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}
