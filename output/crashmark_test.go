package output

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAfterACrash: what is done with the end of a file that a writer left.
func TestAfterACrash(t *testing.T) {
	long := strings.Repeat("l", tailSize+10)
	for _, c := range []struct {
		name, there string
		mark, busy  bool
		want        string
	}{
		{"half a line of ours", "whole\nhalf", true, false, "whole\nnew\n"},
		{"nothing but half a line", "half", true, false, "new\n"},
		{"no half line", "whole\n", true, false, "whole\nnew\n"},
		{"half a line of somebody else", "whole\nhalf", false, false, "whole\nhalf\nnew\n"},
		{"half a line, another writer alive", "whole\nhalf", true, true, "whole\nhalf\nnew\n"},
		{"no line feed far and wide", "whole\n" + long, true, false, "whole\n" + long + "\nnew\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := fileParams()
			p.File = filepath.Join(t.TempDir(), "log")
			must(t, os.WriteFile(p.File, []byte(c.there), 0o600))
			if c.mark {
				if err := unix.Setxattr(p.File, crashMark, []byte("0"), 0); err != nil {
					t.Skipf("no extended attributes here: %v", err)
				}
			}
			if c.busy {
				f, err := os.Open(p.File)
				must(t, err)
				defer f.Close()
				must(t, unix.Flock(int(f.Fd()), unix.LOCK_SH))
			}
			o, book := newOMFile(t, p, nil)
			write(t, o, "new")
			wantFile(t, p.File, c.want)
			removed := strings.HasSuffix(c.there, "half") && c.mark && !c.busy
			if (count(book.all(), "4 bytes of a message that was being written when the daemon died were removed") == 1) != removed {
				t.Errorf("reported: %q", book.all())
			}
			must(t, o.Close())
			if _, err := unix.Getxattr(p.File, crashMark, nil); (err == nil) != c.busy {
				t.Errorf("after closing, the mark is there: %v", err == nil)
			}
		})
	}
}

func TestZipAfterACrash(t *testing.T) {
	p := fileParams()
	p.File, p.ZipLevel = filepath.Join(t.TempDir(), "log.gz"), 1
	o, _ := newOMFile(t, p, nil)
	write(t, o, "one")
	write(t, o, "two")
	// As a crash would: no orderly end, and half a member.
	f := o.static
	_, err := f.file.Write([]byte("\x1f\x8bhalf"))
	must(t, err)
	must(t, f.file.Close())
	o, _ = newOMFile(t, p, nil)
	write(t, o, "three")
	out, err := exec.Command("gzip", "-dc", p.File).CombinedOutput()
	if err != nil || string(out) != "one\ntwo\nthree\n" {
		t.Errorf("gzip reads %q, %v", out, err)
	}
}

// crashWriter is what the process that is killed does: it writes numbered lines
// for ever, and says when it has begun.
func crashWriter(name string) {
	p := fileParams()
	p.File = name
	d, _ := deps(nil)
	o, err := NewOMFile(OMFileModule{}, p, d)
	if err != nil {
		panic(err)
	}
	var texts []string
	for i := range 1000 {
		texts = append(texts, fmt.Sprintf("%04d %s", i, strings.Repeat("x", 200)))
	}
	v := batch(texts...)
	for n := 0; ; n++ {
		if _, err := o.Write(context.Background(), v); err != nil {
			panic(err)
		}
		if n == 3 {
			fmt.Println("writing")
		}
	}
}

// TestKilledWhileWriting: kill -9 in the middle of writing, again and again; the
// file has whole lines only.
func TestKilledWhileWriting(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	must(t, os.WriteFile(name, nil, 0o600))
	if err := unix.Setxattr(name, crashMark, []byte("0"), 0); err != nil {
		t.Skipf("no extended attributes here: %v", err)
	}
	self, err := os.Executable()
	must(t, err)
	for range 8 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), crashEnv+"="+name)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		_, err = bufio.NewReader(out).ReadString('\n')
		must(t, err)
		must(t, cmd.Process.Kill())
		cmd.Wait()
	}
	p := fileParams()
	p.File = name
	o, _ := newOMFile(t, p, nil)
	write(t, o, strings.Repeat("end", 68)+"!")
	b, err := os.ReadFile(name)
	must(t, err)
	for line := range bytes.Lines(b) {
		if len(line) != 206 {
			t.Fatalf("a line of %d bytes: %.60q", len(line), line)
		}
	}
}
