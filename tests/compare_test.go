package tests

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// same CONF tcp|udp INPUT COUNT runs the configuration under sysrelay and under
// rsyslogd and sends both the same bytes. When COUNT lines are in $OUT, both are
// stopped, and must have left the same files with the same modes and bytes. In the
// configuration are
//
//	$PORTFILE      the port file of the input
//	$DIR           the directory of the files that are compared
//	$OUT           $DIR/out, whose lines are counted
//	$COLLECT       port of a TCP collector that records bytes in $DIR/collected
//	$COLLECTUDP    port of a UDP collector that records datagrams in $DIR/datagrams
//
// $OUT is to be the last action: then all others are done when it is written.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: same CONF tcp|udp INPUT COUNT")
	}
	for _, who := range []string{"ours", "theirs"} {
		sameRun(ts, who, args)
	}
	ours, theirs, different := tree(ts, "ours"), tree(ts, "theirs"), 0
	for name, want := range theirs {
		if got, ok := ours[name]; !ok {
			ts.Fatalf("rsyslogd has written %s, sysrelay has not:\n%s", name, want)
		} else if got != want {
			ts.Logf("%s: sysrelay wrote\n%s\nrsyslogd wrote\n%s", name, got, want)
			different++
		}
	}
	if different > 0 {
		ts.Fatalf("%d files are not the same", different)
	}
	for name, got := range ours {
		if _, ok := theirs[name]; !ok {
			ts.Fatalf("sysrelay has written %s, rsyslogd has not:\n%s", name, got)
		}
	}
}

// sameRun is one of the two runs of same.
func sameRun(ts *testscript.TestScript, who string, args []string) {
	dir, portFile, file := ts.MkAbs(who), ts.MkAbs(who+".port"), who+".conf"
	ts.Check(errors.Join(os.RemoveAll(dir), os.RemoveAll(portFile), os.Mkdir(dir, 0o755)))
	conf := ts.ReadFile(args[0])
	var (
		tcp *collector
		udp *datagrams
		err error
	)
	values := []string{"$DIR", dir, "$OUT", dir + "/out", "$PORTFILE", portFile}
	if strings.Contains(conf, "$COLLECTUDP") {
		udp, err = newDatagrams(dir + "/datagrams")
		ts.Check(err)
		values = append(values, "$COLLECTUDP", udp.port)
	}
	if strings.Contains(strings.ReplaceAll(conf, "$COLLECTUDP", ""), "$COLLECT") {
		tcp, err = newCollector(dir+"/collected", false)
		ts.Check(err)
		values = append(values, "$COLLECT", tcp.port)
	}
	ts.Check(os.WriteFile(ts.MkAbs(file), []byte(strings.NewReplacer(values...).Replace(conf)), 0o644))
	if who == "ours" {
		relay(ts, false, []string{who, file})
	} else {
		rsyslogd(ts, false, []string{who, file})
	}
	port(ts, false, []string{"SAMEPORT", portFile})
	send(ts, false, []string{args[1], ts.Getenv("SAMEPORT"), args[2]})
	lines(ts, false, []string{who + "/out", args[3]})
	shutdown(ts, false, []string{who})
	if tcp != nil {
		tcp.drain()
	}
	if udp != nil {
		ts.Check(udp.drain())
	}
}

// tree are the files and directories below a directory, with what is to be the
// same: mode and content.
func tree(ts *testscript.TestScript, who string) map[string]string {
	all, dir := map[string]string{}, ts.MkAbs(who)
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		if info.Mode().IsRegular() {
			text = ts.ReadFile(path)
		}
		name, err := filepath.Rel(dir, path)
		all[name] = fmt.Sprintf("mode %v, %q", info.Mode(), text)
		return err
	}))
	return all
}
