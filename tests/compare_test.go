package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// same CONF tcp|udp INPUT COUNT runs the configuration under sysrelay and under
// rsyslogd and sends both the same bytes. When COUNT lines are in the files they
// write, both are stopped, and must have left the same files with the same modes and
// bytes. In the configuration are
//
//	$PORTFILE      the port file of the input
//	$DIR           the directory of the files that are compared
//	$OUT           $DIR/out
//	$COLLECT       port of a TCP collector that records bytes in $DIR/collected
//	$COLLECTUDP    port of a UDP collector that records datagrams in $DIR/datagrams
//
// What the collectors record does not count as lines; an omfile action after the
// forwarding one says when forwarding is done.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: same CONF tcp|udp INPUT COUNT")
	}
	for _, who := range []string{"ours", "theirs"} {
		sameRun(ts, who, args)
	}
	ours, theirs := tree(ts, "ours"), tree(ts, "theirs")
	for name, want := range theirs {
		if got, ok := ours[name]; !ok {
			ts.Fatalf("rsyslogd has written %s, sysrelay has not:\n%s", name, want)
		} else if got != want {
			ts.Fatalf("%s: sysrelay wrote\n%s\nrsyslogd wrote\n%s", name, got, want)
		}
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
	want, have := number(ts, args[3]), 0
	wait(ts, fmt.Sprintf("%d lines in %s", want, dir), func() bool {
		have = linesBelow(dir)
		return have >= want
	})
	stop(ts, false, []string{who})
	if have = linesBelow(dir); have != want {
		ts.Fatalf("%s have written %d lines, not %d", who, have, want)
	}
	if tcp != nil {
		tcp.drain()
	}
	if udp != nil {
		ts.Check(udp.drain())
	}
}

// linesBelow counts the lines in all files of a directory but what collectors have
// recorded.
func linesBelow(dir string) (n int) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "collected" && d.Name() != "datagrams" {
			text, _ := os.ReadFile(path)
			n += bytes.Count(text, []byte{'\n'})
		}
		return nil
	})
	return n
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
