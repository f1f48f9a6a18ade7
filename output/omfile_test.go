package output

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"sysrelay/message"
)

// fileParams are omfile's defaults with the template "text".
func fileParams() OMFileParams {
	return OMFileParams{Template: "text", CreateDirs: true, FailOnChown: true, FlushOnTXEnd: true,
		IOBufferSize: 4096, FlushInterval: 1, CacheSize: 512}
}

func newOMFile(t *testing.T, p OMFileParams, templates map[string]message.Template) (*omfile, *logBook) {
	t.Helper()
	d, book := deps(templates)
	o, err := NewOMFile(OMFileModule{DoNotSuspend: true}, p, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o.(*omfile), book
}

func write(t *testing.T, o Output, texts ...string) {
	t.Helper()
	if n, err := o.Write(context.Background(), batch(texts...)); err != nil || n != len(texts) {
		t.Fatalf("Write = %d, %v; want %d", n, err, len(texts))
	}
}

func wantFile(t *testing.T, name, want string) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %q, want %q", name, got, want)
	}
}

func TestStaticFile(t *testing.T) {
	p := fileParams()
	p.File = filepath.Join(t.TempDir(), "a/b/log")
	o, _ := newOMFile(t, p, nil)
	write(t, o, "one", "two\n", "", "\n")
	write(t, o, "three")
	wantFile(t, p.File, "one\ntwo\n\n\nthree\n")
	for name, want := range map[string]os.FileMode{p.File: 0o644, filepath.Dir(p.File): os.ModeDir | 0o700} {
		if st, err := os.Stat(name); err != nil || st.Mode() != want {
			t.Errorf("%s: mode %v, %v; want %v", name, st.Mode(), err, want)
		}
	}
}

func TestDynaFile(t *testing.T) {
	dir := t.TempDir() + "/"
	p := fileParams()
	p.DynaFile = "name"
	o, _ := newOMFile(t, p, map[string]message.Template{"name": textTemplate{dir, ".log"}})
	write(t, o, "a", "b/c", "a", "b/c", "a")
	wantFile(t, dir+"a.log", "a\na\na\n")
	wantFile(t, dir+"b/c.log", "b/c\nb/c\n")
}
