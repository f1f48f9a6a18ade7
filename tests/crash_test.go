package tests

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// crashConfigs are the configurations under which nothing acknowledged may be
// lost, whatever is killed when.
var crashConfigs = map[string]string{
	"disk main queue": `
main_queue(queue.type="Disk" queue.filename="main")
action(type="omrelp" target="127.0.0.1" port="$SINK" action.resumeRetryCount="-1" action.resumeInterval="1")`,
	"disk action queue": `
action(type="omrelp" target="127.0.0.1" port="$SINK" queue.type="Disk" queue.filename="act" action.resumeRetryCount="-1" action.resumeInterval="1")`,
	"disk-assisted action queue": `
action(type="omrelp" target="127.0.0.1" port="$SINK" queue.type="LinkedList" queue.filename="act" queue.size="2000"
    action.resumeRetryCount="-1" action.resumeInterval="1")`,
	"direct": `
action(type="omrelp" target="127.0.0.1" port="$SINK" action.resumeRetryCount="-1" action.resumeInterval="1")`,
}

// crashRelay is the configuration in front of the actions.
const crashRelay = `global(net.enableDNS="off" workDirectory="$DIR")
module(load="imrelp")
module(load="omrelp")
input(type="imrelp" address="127.0.0.1" port="0" listenPortFileName="$DIR/port")`

// crashRoundsWanted is the number of rounds for each configuration:
// SYSRELAY_CRASH_ROUNDS if it is set.
func crashRoundsWanted(t *testing.T, rounds int) int {
	if s := os.Getenv("SYSRELAY_CRASH_ROUNDS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	return rounds
}

// TestCrashRounds kills sysrelay at random moments under RELP load while the
// collector goes up and down. Every acknowledged message must arrive.
func TestCrashRounds(t *testing.T) {
	for name, actions := range crashConfigs {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) { crashRounds(t, crashRoundsWanted(t, 8), actions) })
	}
}

func crashRounds(t *testing.T, rounds int, actions string) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	sink, err := newRELPCollector()
	if err != nil {
		t.Fatal(err)
	}
	defer sink.down()
	dir := t.TempDir()
	b := &bench{processes: map[string]*process{}, dir: dir}
	defer b.killAll()
	conf := filepath.Join(dir, "r.conf")
	text := strings.NewReplacer("$DIR", dir, "$SINK", sink.port).Replace(crashRelay + actions)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &relpSender{acked: map[int]bool{}}
	for round := range rounds {
		p := startRelay(t, b, dir, conf)
		stop, senders := make(chan struct{}), sync.WaitGroup{}
		port := readPort(t, p, dir)
		for range 3 {
			senders.Go(func() { s.run(port, stop) })
		}
		if round == 0 && !until(func() bool { return s.count() > 0 }) {
			t.Fatalf("nothing is acknowledged\n%s", b.output())
		}
		for range random.IntN(3) {
			sink.down()
			napUpTo(random, 100)
			if err := sink.up(); err != nil {
				t.Fatal(err)
			}
			napUpTo(random, 100)
		}
		napUpTo(random, 300)
		p.cmd.Process.Kill()
		<-p.done
		close(stop)
		senders.Wait()
	}
	if err := sink.up(); err != nil {
		t.Fatal(err)
	}
	p := startRelay(t, b, dir, conf)
	readPort(t, p, dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	began := time.Now()
	if !sink.complete(s.acked) {
		t.Fatalf("%d of %d acknowledged messages are lost\n%s", sink.missing(s.acked), len(s.acked), b.output())
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	if p.err != nil {
		t.Fatalf("it did not stop cleanly: %v\n%s", p.err, b.output())
	}
	t.Logf("%d rounds: %d sent, %d acknowledged, none lost, %d arrived twice; the rest came in %v", rounds, s.next, len(s.acked), sink.repeated(), time.Since(began).Round(time.Millisecond))
}

// napUpTo lets the daemon work for a random time: when it is killed is what is
// being varied.
func napUpTo(random *rand.Rand, ms int) {
	time.Sleep(time.Duration(random.IntN(ms)) * time.Millisecond)
}

func startRelay(t *testing.T, b *bench, dir, conf string) *process {
	t.Helper()
	os.Remove(filepath.Join(dir, "port"))
	p, err := b.start("relay", sysrelay, "-n", "-C", "-i", "NONE", "-f", conf)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func readPort(t *testing.T, p *process, dir string) (port string) {
	t.Helper()
	ok := until(func() bool {
		select {
		case <-p.done:
			t.Fatalf("it did not start: %v\n%s", p.err, p.stderr.String())
		default:
		}
		text, err := os.ReadFile(filepath.Join(dir, "port"))
		port = string(bytes.TrimSpace(text))
		return err == nil && port != ""
	})
	if !ok {
		t.Fatal(fmt.Errorf("no port file\n%s", p.stderr.String()))
	}
	return port
}
