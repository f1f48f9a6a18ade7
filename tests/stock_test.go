package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// stock are configurations as distributions ship them, by the names they have in
// the collection of real configurations beside the repository.
var stock = []struct {
	name    string
	file    string // becomes /etc/rsyslog.conf
	more    string // becomes /etc/rsyslog.d/50-default.conf
	journal bool   // messages come from the journal
}{
	{name: "Debian", file: "007-stock.conf"},
	{name: "Debian-8", file: "051-stock.conf"},
	{name: "Ubuntu", file: "056-stock.conf", more: "055-stock.conf"},
	{name: "RHEL", file: "048-stock.conf", journal: true},
	{name: "CentOS-7", file: "070-stock.conf", journal: true},
	{name: "Arch-with-news", file: "003-stock.conf"},
}

// TestStockConfigurations runs distributions' configurations, unchanged, in a
// Debian with mounts and a network of its own: first under rsyslogd, then under
// sysrelay. Both must leave the same files with the same owners, modes and lines.
func TestStockConfigurations(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a whole Debian; tests/run has a step for it")
	}
	dir := "../../shared/rsyslog-confs"
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("the collection of configurations is not here")
	}
	m := newMachine(t, "rsyslog,mount,systemd")
	m.put(sysrelay, "usr/sbin/sysrelay")
	m.compile("usr/bin/says", `#include <syslog.h>
int main(int n, char **a) { openlog("says", LOG_PID, LOG_DAEMON); syslog(LOG_WARNING, "%s", a[1]); syslog(LOG_MAIL | LOG_ERR, "%s\n", a[1]); return 0; }`)
	m.do(`chmod 755 /usr/sbin/sysrelay; useradd --system syslog; usermod -aG adm syslog; mkdir -p /var/lib/rsyslog /etc/rsyslog.d
		cp -a /var/log /var/log.empty; chgrp syslog /var/log.empty; chmod 775 /var/log.empty`)
	for _, s := range stock {
		t.Run(s.name, func(t *testing.T) {
			m.t = t
			m.do("rm -f /etc/rsyslog.d/*")
			m.put(filepath.Join(dir, s.file), "etc/rsyslog.conf")
			if s.more != "" {
				m.put(filepath.Join(dir, s.more), "etc/rsyslog.d/50-default.conf")
			}
			theirs, ours := m.log("rsyslogd", s.journal), m.log("sysrelay", s.journal)
			if strings.Count(theirs, "\n") < 20 {
				t.Errorf("rsyslogd has logged too little to compare:\n%s", theirs)
			}
			if ours != theirs {
				t.Errorf("sysrelay and rsyslogd left\n%s", difference(ours, theirs))
			}
		})
	}
}

// difference are the lines from the first to the last that is not the same.
func difference(ours, theirs string) string {
	a, b := strings.Split(ours, "\n"), strings.Split(theirs, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return strings.Join(a, "\n") + "\n--- and\n" + strings.Join(b, "\n")
}

// compile puts a static program into the machine.
func (m *machine) compile(to, source string) {
	m.t.Helper()
	c := exec.Command("gcc", "-static", "-x", "c", "-o", filepath.Join(m.dir, to), "-")
	c.Stdin = strings.NewReader(source)
	if out, err := c.CombinedOutput(); err != nil {
		m.t.Fatalf("gcc: %v\n%s", err, out)
	}
}

// stockScript logs in all the ways programs do. The last message is "the end", in
// every file that a message of facility user or auth goes to.
const stockScript = `
wait_for() { n=0; until eval "$1"; do n=$((n+1)); [ $n -lt 600 ] || { echo "in vain: $1" >&2; ls -lR /var/log >&2; cat /daemon.log >&2; exit 1; }; sleep 0.05; done; }
rm -rf /var/log /dev/log /var/spool/rsyslog /var/lib/rsyslog; cp -a /var/log.empty /var/log
install -d -m 700 -o syslog /var/spool/rsyslog; mkdir /var/lib/rsyslog
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
run=$(cat /proc/sys/kernel/random/uuid) # what the kernel said before is there again
[ -e /dev/kmsg ] || mknod /dev/kmsg c 1 11
if [ $JOURNAL = true ]; then
	mount -t sysfs sysfs /sys
	mount -t cgroup2 none /sys/fs/cgroup # journald does not start without
	mkdir -p /run/systemd/journal /run/log/journal
	echo 0123456789abcdef0123456789abcdef >/etc/machine-id
	ln -s /run/systemd/journal/dev-log /dev/log
	/lib/systemd/systemd-journald 2>/journald.log & journald=$!
	trap 'kill -9 $journald' EXIT
fi
$DAEMON -n -i /run/daemon.pid >/daemon.log 2>&1 & daemon=$!
trap 'kill -9 $daemon $journald 2>/dev/null || :' EXIT
wait_for '[ -S /dev/log ]'
wait_for 'logger -p user.notice marker up; grep -rqs "marker up" /var/log'
for f in user mail daemon auth lpr news cron authpriv local0 local7; do
	for s in debug info notice warning err crit; do logger -t "tag[7]" -p $f.$s "marker $f $s"; done
done
printf '<13>%s' "raw marker  with  blanks	and a tab" | logger --socket-errors=off -t raw -p user.info
says "marker of syslog(3)"
wait_for 'grep -rqs "marker of syslog" /var/log' # order is kept within a socket, not between them
echo "<4>marker-$run of a program in the kernel's log" >/dev/kmsg
mount -t tmpfs -o "marker-$run" none /mnt 2>/dev/null || : # makes the kernel itself say something
wait_for 'grep -rqs "Unknown parameter .marker-$run" /var/log'
logger -p user.emerg "marker: emergency"
logger -p user.notice "marker: the end"
logger -p auth.notice "marker: the end, too"
wait_for '[ "$(cat /var/log/* 2>/dev/null | grep -c "marker: the end")" -ge 2 ]'
kill -TERM $daemon
wait $daemon
cd /var/log
find . | sort | while read -r f; do
	stat -c '%n %A %U:%G' "$f"
	if [ -f "$f" ]; then grep -E "marker[: ]|marker-$run" "$f" | grep -v "marker up" || :; fi
done
`

// times are what is not the same when the same is logged twice.
var times = regexp.MustCompile(`(?m)^([A-Z][a-z]{2} [ \d]\d [\d:]{8}|\d{4}-\d\d-\d\dT[\d:.]+[+-][\d:]+) \S+ |\[ *\d+\.\d+\]|(?:says|root|raw)\[\d+\]|marker-[\w-]+`)

// log runs a daemon and returns what it has left in /var/log.
func (m *machine) log(daemon string, journal bool) string {
	m.t.Helper()
	out := m.do(fmt.Sprintf("DAEMON=%s JOURNAL=%v\n%s", daemon, journal, stockScript))
	return times.ReplaceAllString(out, "")
}
