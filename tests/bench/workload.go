package main

import (
	"bytes"
	"embed"
	"fmt"
	"text/template"

	"sysrelay/input/relp"
)

//go:embed conf
var confFiles embed.FS

// workload is one thing to measure. conf names the files below conf/: NAME.conf
// for sysrelay and rsyslogd, NAME.syslog-ng for syslog-ng; {{.Port}}, {{.Out}}
// and {{.Sink}} are filled in.
type workload struct {
	name, about string
	conf        string
	messages    int
	size        int // bytes of one message, about
	conns       int // connections that send
	idle        int // connections that only stay open
	udp         bool
	octets      bool // RFC 5424, octet-counted
	toTCP       bool // the sink is a collector, not a file
	noFloor     bool // a plain copier says nothing here
	tls         bool // sent over TLS, with certificates on both sides
	relp        bool // sent over RELP; done when everything is answered
	outage      bool // the collector comes up when everything is answered
	ramp        bool // the rate is raised until something is lost
	rate        int  // messages a second to send; 0 is as fast as possible
}

func workloads() []workload {
	return []workload{
		{name: "tcp1", about: "TCP to file, 1 connection", conf: "file", messages: 1_000_000, size: 250, conns: 1},
		{name: "tcp8", about: "TCP to file, 8 connections", conf: "file", messages: 1_600_000, size: 250, conns: 8},
		{name: "tls8", about: "TLS 1.3 to file, rsyslogd's by GnuTLS, 8 connections", conf: "tlsfile", messages: 800_000, size: 250, conns: 8, tls: true, noFloor: true},
		{name: "octet", about: "RFC 5424, octet-counted, to file, 8 connections", conf: "file", messages: 1_600_000,
			size: 250, conns: 8, octets: true, noFloor: true},
		{name: "forward", about: "TCP to TCP, 8 connections", conf: "forward", messages: 1_000_000, size: 250, conns: 8, toTCP: true},
		{name: "udp", about: "UDP to file at full speed", conf: "file", messages: 500_000, size: 250, conns: 1, udp: true, noFloor: true},
		{name: "udprate", about: "UDP to file, the highest rate without loss over a second (up to what one sender manages)", conf: "file", messages: 2_000,
			size: 250, conns: 1, udp: true, ramp: true, noFloor: true},
		{name: "rules", about: "50 rules and a JSON template, 8 connections", conf: "rules", messages: 800_000, size: 250, conns: 8, noFloor: true},
		{name: "relp8", about: "RELP to file, 8 connections", conf: "relpfile", messages: 400_000, size: 250, conns: 8, relp: true, noFloor: true},
		{name: "relpdisk8", about: "RELP to a disk queue to file, 8 connections", conf: "relpdisk", messages: 300_000, size: 250, conns: 8, relp: true, noFloor: true},
		{name: "outage", about: "RELP to a disk queue, rsyslogd's unsynced, collector down, then up; 8 connections", conf: "outage-off", messages: 300_000,
			size: 250, conns: 8, relp: true, outage: true, toTCP: true, noFloor: true},
		{name: "outagesync", about: "the same, rsyslogd's synced", conf: "outage-on", messages: 8_000,
			size: 250, conns: 8, relp: true, outage: true, toTCP: true, noFloor: true},
		{name: "tlsidle", about: "1,000 TLS connections, 50 of them sending", conf: "tlsfile", messages: 200_000, size: 250, conns: 50, idle: 950, tls: true, noFloor: true},
		{name: "idle", about: "5,000 connections, 50 of them sending", conf: "file", messages: 500_000, size: 250, conns: 50, idle: 4950},
	}
}

func (w workload) runsOn(s system) bool {
	switch s.name {
	case "copier":
		return !w.noFloor
	case "syslog-ng": // it knows no RELP, and there is no configuration for TLS
		return !w.relp && !w.tls
	}
	return true
}

// config is the configuration for a system.
func (w workload) config(ending string, values map[string]any) ([]byte, error) {
	name := fmt.Sprintf("conf/%s.%s", w.conf, ending)
	t, err := template.ParseFS(confFiles, name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, values)
	return b.Bytes(), err
}

// block is the bytes of a run of messages of one connection, and how many.
type block struct {
	bytes []byte
	n     int
	cuts  []int // for datagrams: the end of each message
}

// blocks makes the messages of one connection, in writes of about 64 KiB.
func (w workload) blocks(conn, from, to int) []block {
	var all []block
	var b block
	pad := bytes.Repeat([]byte("lorem ipsum "), w.size/12+1)
	for n := from; n < to; n++ {
		b.bytes = w.append(b.bytes, conn, n, pad)
		b.cuts = append(b.cuts, len(b.bytes))
		if b.n++; len(b.bytes) > 64<<10 {
			all = append(all, b)
			b = block{}
		}
	}
	if b.n > 0 {
		all = append(all, b)
	}
	return all
}

func (w workload) append(dst []byte, conn, n int, pad []byte) []byte {
	pri := (n%24)<<3 | n%8
	head := fmt.Sprintf("<%d>Nov 21 10:20:30 host%d app%d[%d]: c=%d n=%d ", pri, conn, n%40, 1000+conn, conn, n)
	if w.octets {
		head = fmt.Sprintf("<%d>1 2026-11-21T10:20:30.123456Z host%d app%d %d ID%d [x@1 a=\"b\"] c=%d n=%d ",
			pri, conn, n%40, 1000+conn, n%10, conn, n)
	}
	fill := pad[:max(w.size-len(head), 0)]
	if w.relp {
		dst = relp.AppendHeader(dst, uint32(n+2), relp.Syslog, len(head)+len(fill))
	}
	if w.octets {
		dst = fmt.Appendf(dst, "%d ", len(head)+len(fill))
	}
	dst = append(append(dst, head...), fill...)
	if !w.octets && !w.udp {
		dst = append(dst, '\n')
	}
	return dst
}
