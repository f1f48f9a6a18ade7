package engine

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"sysrelay/conf"
)

// actionWarnings are about actions and queues.
func actionWarnings() []WarningKind {
	return []WarningKind{
		{ID: "forward-without-queue", Severity: conf.Warning,
			About: "TCP or RELP forwarding without a queue",
			Why:   "while the target does not answer, whatever comes behind this action waits for it, and what is not acknowledged is lost",
			Fix:   `give it a queue: queue.type="LinkedList" queue.filename="NAME" action.resumeRetryCount="-1"`,
			find:  forwardWithoutQueue},
		{ID: "forward-without-retry", Severity: conf.Warning,
			About: "remote target that is given up after one failure",
			Why:   "when the target does not answer, the messages of the queue are discarded",
			Fix:   `write action.resumeRetryCount="-1"`,
			find:  forwardWithoutRetry},
		{ID: "queue-not-durable", Severity: conf.Warning,
			About: "disk-assisted queue with parameters that ask for durability",
			Why:   "a queue of type LinkedList or FixedArray is on the disk only as far as memory is full: kill -9 or a power cut loses the part in memory",
			Fix:   `write queue.type="Disk" if nothing may be lost; what RELP acknowledges is on the disk in either case`,
			find:  queueNotDurable},
		{ID: "queue-in-memory", Severity: conf.Note,
			About: "disk-assisted queue, whose memory part a crash loses",
			Why:   "it outlasts an outage of the target and a clean restart; kill -9 loses what is in memory",
			Fix:   `write queue.type="Disk" if that must not be lost`},
		{ID: "queue-parameters-unused", Severity: conf.Warning,
			About: "queue parameters of an action that has no queue",
			Why:   "without queue.type an action delivers directly; its queue parameters mean nothing",
			Fix:   `write queue.type="LinkedList", or remove them`,
			find:  queueParametersUnused},
		{ID: "queue-file-twice", Severity: conf.Warning,
			About: "two queues with the same queue.filename",
			Why:   "both would be in the same directory; the second one cannot be opened",
			Fix:   "give each queue a name of its own",
			find:  queueFileTwice},
		{ID: "queue-without-work-directory", Severity: conf.Warning,
			About: "queue on disk without workDirectory or queue.spoolDirectory",
			Why:   "its directory is then relative to the directory the daemon happens to be in",
			Fix:   `write global(workDirectory="/var/spool/sysrelay")`,
			find:  queueWithoutWorkDirectory},
		{ID: "tls-anonymous", Severity: conf.Warning,
			About: "TLS that does not check who the peer is",
			Why:   "whoever is in between can read and change everything: anon encrypts, but does not authenticate",
			Fix:   `use x509/name (RELP: tls.authMode="name") with the names of permitted peers`,
			find:  tlsAnonymous},
		{ID: "sender-names-file", Severity: conf.Warning,
			About: "file name made of what the sender wrote",
			Why:   "a sender chooses which file below the constant directory is written: a/b makes a directory, another host's name writes its file",
			Fix:   "use fromhost-ip, or add secpath-replace (securePath=\"replace\") to the property",
			find:  senderNamesFile},
		{ID: "forward-to-self", Severity: conf.Warning,
			About: "forwarding to a port of this host that an input listens on",
			Why:   "every message comes back and is sent again, for ever",
			Fix:   "forward to another host, or exclude what came from 127.0.0.1",
			find:  forwardToSelf},
		{ID: "file-writable-by-all", Severity: conf.Warning,
			About: "files or directories that anybody may write to",
			Why:   "any user of the host can change the log",
			Fix:   "use mode 0640 or 0644 for files, 0755 for directories",
			find:  fileWritableByAll},
		{ID: "action-twice", Severity: conf.Warning,
			About: "the same action twice under the same condition",
			Why:   "every message is written or sent twice",
			Fix:   "remove one of them",
			find:  actionTwice},
	}
}

func forwardWithoutQueue(l *linter) {
	for _, a := range l.actions {
		if a.remote() && !queued(a.Object) && !a.hasFailover() {
			l.warn("forward-without-queue", a.Pos, "messages are sent to %s without a queue", a.target())
		}
	}
}

func forwardWithoutRetry(l *linter) {
	for _, a := range l.actions {
		if !a.remote() || a.hasFailover() {
			continue
		}
		given := a.Value("action.resumeRetryCount")
		n, err := strconv.Atoi(given)
		if given != "" && (err != nil || n != 0) || given == "" && (!queued(a.Object) || a.Value("queue.filename") != "") {
			continue // without a queue the other warning says it
		}
		l.warn("forward-without-retry", at(a.Object, "action.resumeRetryCount"),
			"messages for %s are not tried again: action.resumeRetryCount is 0", a.target())
	}
}

// queues are all objects with a queue of their own.
func (l *linter) queues() (all []*conf.Object) {
	for _, s := range l.cfg.Stmts {
		if o, ok := s.(*conf.Object); ok && (o.Kind == "main_queue" || o.Kind == "ruleset") {
			all = append(all, o)
		}
	}
	for _, a := range l.actions {
		all = append(all, a.Object)
	}
	return all
}

// onDisk says whether a queue is on disk in part or as a whole.
func onDisk(o *conf.Object) bool {
	return o.Value("queue.filename") != "" && (queued(o) || o.Kind != "action" && o.Value("queue.type") == "")
}

func queueNotDurable(l *linter) {
	for _, o := range l.queues() {
		if !onDisk(o) || strings.EqualFold(o.Value("queue.type"), "Disk") {
			continue
		}
		checkpoint := o.Value("queue.checkpointInterval")
		switch {
		case on(o, "queue.syncQueueFiles"):
			l.warn("queue-not-durable", at(o, "queue.syncQueueFiles"), "queue %s syncs its files, but keeps messages in memory first", o.Value("queue.filename"))
		case checkpoint == "1":
			l.warn("queue-not-durable", at(o, "queue.checkpointInterval"), "queue %s has a checkpointInterval, but keeps messages in memory first", o.Value("queue.filename"))
		default:
			l.warn("queue-in-memory", at(o, "queue.filename"), "queue %s keeps messages in memory first", o.Value("queue.filename"))
		}
	}
}

func queueParametersUnused(l *linter) {
	for _, a := range l.actions {
		if queued(a.Object) {
			continue
		}
		for _, p := range a.Params {
			name := strings.ToLower(p.Name)
			if strings.HasPrefix(name, "queue.") && name != "queue.type" {
				l.warn("queue-parameters-unused", p.Pos, "%s has no effect: the action has no queue", p.Name)
				break
			}
		}
	}
}

func queueFileTwice(l *linter) {
	first := map[string]conf.Pos{}
	for _, o := range l.queues() {
		if !onDisk(o) {
			continue
		}
		dir := value(o, "queue.spoolDirectory")
		if dir == "" {
			dir = value(l.globals, "workDirectory")
		}
		file := filepath.Join(dir, o.Value("queue.filename"))
		if p, taken := first[file]; taken {
			l.warn("queue-file-twice", at(o, "queue.filename"), "the queue in line %d has queue.filename %q already", p.Line, o.Value("queue.filename"))
			continue
		}
		first[file] = at(o, "queue.filename")
	}
}

func queueWithoutWorkDirectory(l *linter) {
	if value(l.globals, "workDirectory") != "" {
		return
	}
	for _, o := range l.queues() {
		if onDisk(o) && o.Value("queue.spoolDirectory") == "" {
			l.warn("queue-without-work-directory", at(o, "queue.filename"), "there is no directory for queue %s", o.Value("queue.filename"))
		}
	}
}

func tlsAnonymous(l *linter) {
	objects := append([]*conf.Object{}, l.inputs...)
	for _, m := range l.modules {
		objects = append(objects, m)
	}
	for _, a := range l.actions {
		objects = append(objects, a.Object)
	}
	for _, o := range objects {
		for _, name := range []string{"streamDriver.authMode", "streamDriverAuthMode", "tls.authMode"} {
			if strings.EqualFold(o.Value(name), "anon") {
				l.warn("tls-anonymous", at(o, name), "%s of %s is anon", name, o)
			}
		}
		// as rsyslog: RELP checks nobody unless it is told to.
		if on(o, "tls") && o.Value("tls.authMode") == "" {
			l.warn("tls-anonymous", at(o, "tls"), "%s uses TLS without tls.authMode", o)
		}
	}
}

func fileWritableByAll(l *linter) {
	objects := []*conf.Object{}
	for _, m := range l.modules {
		objects = append(objects, m)
	}
	for _, a := range l.actions {
		objects = append(objects, a.Object)
	}
	seen := map[conf.Pos]bool{} // a directive holds for many actions
	for _, o := range objects {
		for _, name := range []string{"fileCreateMode", "dirCreateMode"} {
			mode, err := strconv.ParseUint(o.Value(name), 8, 32)
			if p := at(o, name); err == nil && mode&0o002 != 0 && mode&0o1000 == 0 && !seen[p] {
				seen[p] = true
				l.warn("file-writable-by-all", p, "%s %s lets anybody write", name, o.Value(name))
			}
		}
	}
}

func actionTwice(l *linter) {
	first := map[string]conf.Pos{}
	for _, a := range l.actions {
		var b strings.Builder
		fmt.Fprintf(&b, "%s\x00%s", a.ruleset, a.under)
		for _, p := range a.Params {
			fmt.Fprintf(&b, "\x00%s=%q", strings.ToLower(p.Name), p.Values)
		}
		if strings.HasPrefix(a.module, "mm") || strings.Contains(a.under, "\x00else") {
			continue
		}
		if p, taken := first[b.String()]; taken {
			l.warn("action-twice", a.Pos, "the action in line %d does the same already", p.Line)
			continue
		}
		first[b.String()] = a.Pos
	}
}

// forwardToSelf finds targets that are an input of this configuration.
func forwardToSelf(l *linter) {
	type port struct{ protocol, port string }
	listens := map[port]bool{}
	for _, o := range l.inputs {
		if p := o.Param("port"); p != nil {
			for _, v := range p.Values {
				listens[port{transport(conf.ModuleName(o.Value("type"))), v}] = true
			}
		}
	}
	local := map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}
	if name := value(l.globals, "localHostname"); name != "" {
		local[strings.ToLower(name)] = true
	}
	for _, a := range l.actions {
		protocol := transport(a.module)
		if a.module == "omfwd" && a.remote() {
			protocol = "tcp"
		}
		p := a.Value("port")
		if p == "" {
			p = "514"
		}
		if protocol != "" && local[strings.ToLower(a.Value("target"))] && listens[port{protocol, p}] {
			l.warn("forward-to-self", at(a.Object, "target"), "messages are sent to %s port %s of this host, where an input of this configuration listens", protocol, p)
		}
	}
}

// transport is what a module sends or receives over.
func transport(module string) string {
	switch module {
	case "imudp", "omfwd":
		return "udp"
	case "imtcp", "imptcp":
		return "tcp"
	case "imrelp", "omrelp":
		return "relp"
	}
	return ""
}
