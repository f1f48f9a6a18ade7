package tests

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"
)

// netns NAME [PEER ADDRESS PEERADDRESS] makes a network namespace whose name is
// in $NAME from then on, with its loopback up; the script's end removes it. With
// PEER it is joined to the namespace $PEER by a pair of interfaces with these
// addresses (192.0.2.1/24), each the other's default route.
func netns(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 && len(args) != 4 {
		ts.Fatalf("usage: netns NAME [PEER ADDRESS PEERADDRESS]")
	}
	name := fmt.Sprintf("sr%d%s", os.Getpid(), args[0])
	ip := func(args ...string) {
		if out, err := exec.Command(needs(ts, "ip"), args...).CombinedOutput(); err != nil {
			ts.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	ip("netns", "add", name)
	ts.Defer(func() { exec.Command("ip", "netns", "delete", name).Run() })
	ip("-n", name, "link", "set", "lo", "up")
	ts.Setenv(args[0], name)
	if len(args) == 1 {
		return
	}
	peer := ts.Getenv(args[1])
	ip("link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", "eth0", "netns", peer)
	for ns, addr := range map[string]string{name: args[2], peer: args[3]} {
		ip("-n", ns, "addr", "add", addr, "dev", "eth0")
		ip("-n", ns, "link", "set", "eth0", "up")
		ip("-n", ns, "route", "add", "default", "dev", "eth0")
		// Sources that are made up must not be dropped on the way in.
		out, err := exec.Command("ip", "netns", "exec", ns, "sh", "-c",
			"echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 0 >/proc/sys/net/ipv4/conf/eth0/rp_filter").CombinedOutput()
		if err != nil {
			ts.Fatalf("rp_filter in %s: %v\n%s", ns, err, out)
		}
	}
}
