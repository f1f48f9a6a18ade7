package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machine is a root directory with a small Debian in it.
type machine struct {
	t   *testing.T
	dir string
}

// newMachine makes a Debian of the release this one is, with more packages.
func newMachine(t *testing.T, packages string) *machine {
	t.Helper()
	m := &machine{t: t, dir: filepath.Join(t.TempDir(), "root")}
	m.run("mmdebstrap", "--variant=apt", "--include="+packages, m.run("sh", "-c", ". /etc/os-release; printf %s $VERSION_CODENAME"), m.dir)
	return m
}

// run runs a program here, and fails the test if it fails.
func (m *machine) run(program string, args ...string) string {
	m.t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		m.t.Fatalf("%s is missing; `bash tests/run` installs what the tests need", program)
	}
	out, err := exec.Command(path, args...).Output()
	if err != nil {
		text := ""
		if exit, ok := err.(*exec.ExitError); ok {
			text = string(exit.Stderr)
		}
		m.t.Fatalf("%s: %v\n%s%s", program, err, out, text)
	}
	return string(out)
}

// do runs a script in the machine, with a network and mounts of its own.
func (m *machine) do(script string) string {
	m.t.Helper()
	return m.run("unshare", "--mount", "--net", "chroot", m.dir, "/bin/sh", "-ec", script)
}

// put copies a file into the machine's root.
func (m *machine) put(from, to string) {
	m.t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(filepath.Join(m.dir, to), text, 0o644)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// The package takes rsyslog's place: it is installed over it, runs with its
// configuration, is upgraded, removed and purged.
func TestPackage(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a whole Debian; tests/run has a step for it")
	}
	m := newMachine(t, "rsyslog,logrotate")
	packages := t.TempDir()
	for _, v := range []string{"1.0.0", "1.0.1"} {
		dir := filepath.Join(packages, v)
		build := exec.Command("go", "run", "./cmd/package", "-o", dir, "-version", v)
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		found, err := filepath.Glob(filepath.Join(dir, "*.deb"))
		if err != nil || len(found) != 1 {
			t.Fatalf("packages %v: %v", found, err)
		}
		m.put(found[0], v+".deb")
		if rpms, _ := filepath.Glob(filepath.Join(dir, "*.rpm")); len(rpms) != 1 {
			t.Errorf("packages in rpm's format: %v", rpms)
		}
	}
	t.Run("install", func(t *testing.T) { m.t = t; m.install() })
	t.Run("start", func(t *testing.T) { m.t = t; m.start() })
	t.Run("upgrade", func(t *testing.T) { m.t = t; m.upgrade() })
	t.Run("remove", func(t *testing.T) { m.t = t; m.remove() })
}

const apt = "export DEBIAN_FRONTEND=noninteractive; apt-get -qq -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold --allow-downgrades -y "

func (m *machine) install() {
	m.do("echo 'local6.* /var/log/site.log' >/etc/rsyslog.d/site.conf")
	m.do(apt + "install --no-install-recommends /1.0.0.deb")
	status := m.do("dpkg-query -W -f '${Package} ${Status}\n' rsyslog sysrelay")
	if !strings.Contains(status, "rsyslog deinstall ok config-files") || !strings.Contains(status, "sysrelay install ok installed") {
		m.t.Errorf("after the installation:\n%s", status)
	}
	if got := m.do("sysrelay version"); got == "" {
		m.t.Error("it does not say its version")
	}
	if got := m.do("logrotate -d /etc/logrotate.conf 2>&1"); strings.Contains(got, "error:") {
		m.t.Errorf("logrotate: %s", got)
	}
}

// start runs the daemon with rsyslog's configuration, which has stayed.
func (m *machine) start() {
	m.do(`
wait_for() { n=0; until eval "$1"; do n=$((n+1)); [ $n -lt 600 ] || { echo "in vain: $1" >&2; cat /daemon.log >&2; exit 1; }; sleep 0.1; done; }
sysrelay -n -i /run/sysrelay.pid >/daemon.log 2>&1 & daemon=$!
trap 'kill -9 $daemon 2>/dev/null || :' EXIT
wait_for '[ -S /dev/log ]'
logger -p local6.info "for the site"
wait_for 'grep -q "for the site" /var/log/site.log'
wait_for 'grep -q "for the site" /var/log/syslog'
[ "$(stat -c %a:%U:%G /var/log/syslog)" = 640:root:adm ] || { ls -l /var/log >&2; exit 1; }
mv /var/log/syslog /var/log/syslog.1
/usr/lib/sysrelay/reopen
wait_for 'logger after the rotation; grep -q "after the rotation" /var/log/syslog'
kill -TERM $daemon
wait $daemon
`)
}

func (m *machine) upgrade() {
	m.do("echo '# mine' >>/etc/default/sysrelay; mkdir -p /var/spool/sysrelay/queue")
	m.do(apt + "install /1.0.1.deb")
	m.do("grep -q '# mine' /etc/default/sysrelay && test -d /var/spool/sysrelay/queue")
	if got := m.do("dpkg-query -W -f '${Version}' sysrelay"); got != "1.0.1" {
		m.t.Errorf("version %s is installed", got)
	}
}

func (m *machine) remove() {
	m.do(apt + "remove sysrelay")
	m.do("test ! -e /usr/sbin/sysrelay && test -e /etc/default/sysrelay && test -d /var/spool/sysrelay/queue")
	m.do(apt + "purge sysrelay")
	m.do("test ! -e /etc/default/sysrelay && test ! -e /var/spool/sysrelay && test ! -e /etc/logrotate.d/sysrelay")
}
