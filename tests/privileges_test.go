package tests

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the daemon makes once it has dropped its privileges belongs to the user
// it has become, queues' files, too: it could not add to them otherwise.
func TestQueuesBelongToTheUserPrivilegesAreDroppedTo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can drop privileges")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "sysrelay-privileges-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, processes: map[string]*process{}}
	defer b.killAll()
	config := strings.ReplaceAll(`global(net.enableDNS="off" workDirectory="$DIR/spool" privDrop.user.name="nobody" privDrop.group.name="nogroup")
		module(load="imtcp")
		input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="$DIR/port")
		action(type="omfile" file="$DIR/spool/out" queue.type="Disk" queue.filename="q")`, "$DIR", dir)
	for _, err := range []error{
		os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "spool"), 0o755), os.Chown(filepath.Join(dir, "spool"), nobody, nobody),
		os.WriteFile(filepath.Join(dir, "r.conf"), []byte(config), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := b.start("r", sysrelay, "-n", "-i", "NONE", "-f", filepath.Join(dir, "r.conf"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", content(t, p, filepath.Join(dir, "port"))))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("<13>Nov 21 10:20:30 host a: one\n")); err != nil {
		t.Fatal(err)
	}
	content(t, p, filepath.Join(dir, "spool", "out"))
	err = filepath.WalkDir(filepath.Join(dir, "spool"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var info fs.FileInfo
		if err == nil {
			info, err = d.Info()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the queue has done with it
		}
		if err == nil && info.Sys().(*syscall.Stat_t).Uid != nobody {
			t.Errorf("%s belongs to user %d", path, info.Sys().(*syscall.Stat_t).Uid)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// content waits until a file is not empty.
func content(t *testing.T, p *process, name string) string {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) { // between two looks
		if b, err := os.ReadFile(name); err == nil && len(b) > 0 {
			return string(b)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s stays empty\n%s", name, p.stderr.String())
		}
	}
}
