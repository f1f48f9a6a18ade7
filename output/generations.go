package output

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// place is where a file's rotated files are: beside it.
type place struct {
	dir   int // descriptor of the directory
	base  string
	dates bool // files are named by date; those with numbers are from before, and older
}

func (p place) close() { unix.Close(p.dir) }

// generation is one rotated file.
type generation struct {
	name  string // in the directory
	ext   string // "", ".gz" or ".zst"
	key   [2]int64
	size  int64
	mtime time.Time
	id    fileID
}

// extensions are those of compressed generations.
var extensions = []string{"", ".gz", ".zst"}

// unfinished ends the name of what the compressor is writing.
const unfinished = ".tmp"

const dateNames = "20060102-150405"

// makeWay gives the name that the current file is to get. With numbers, older
// files move up by one, the oldest first, into the first number that is free:
// whatever happens in between, none is ever replaced.
func (p place) makeWay(now time.Time) (string, error) {
	if p.dates {
		return p.dateName(now)
	}
	type move struct{ from, to string }
	var moves []move
	for n, before := 1, -1; before < len(moves); n++ {
		before = len(moves)
		for _, ext := range extensions {
			from := p.numbered(n) + ext
			taken, err := p.exists(from)
			if err != nil {
				return "", err
			}
			if taken {
				moves = append(moves, move{from, p.numbered(n+1) + ext})
			}
		}
	}
	for _, m := range slices.Backward(moves) {
		if err := p.rename(m.from, m.to); err != nil {
			return "", err
		}
	}
	return p.numbered(1), nil
}

func (p place) numbered(n int) string { return p.base + "." + strconv.Itoa(n) }

// dateName is the present time; what is rotated more than once in a second is
// counted. It comes after all names there are, also when the clock was set back:
// which file is the newest must be seen from the names.
func (p place) dateName(now time.Time) (string, error) {
	all, _, err := p.list()
	if err != nil {
		return "", err
	}
	at, err := time.Parse(dateNames, now.Format(dateNames))
	if err != nil {
		return "", err
	}
	if len(all) == 0 || all[0].key[0] < at.Unix() {
		return p.base + "-" + at.Format(dateNames), nil
	}
	newest := time.Unix(all[0].key[0], 0).UTC()
	return fmt.Sprintf("%s-%s-%03d", p.base, newest.Format(dateNames), all[0].key[1]+1), nil
}

func (p place) exists(name string) (bool, error) {
	var st unix.Stat_t
	err := unix.Fstatat(p.dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil, err
}

// rename never replaces a file.
func (p place) rename(from, to string) error {
	err := unix.Renameat2(p.dir, from, p.dir, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		// File systems that do not know the flag; that nothing is there was seen before.
		err = unix.Renameat(p.dir, from, p.dir, to)
	}
	return err
}

// list gives the generations, the newest first, and files the compressor did not
// finish.
func (p place) list() (all []generation, tmp []string, err error) {
	fd, err := unix.Openat(p.dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	d := os.NewFile(uintptr(fd), "directory")
	defer d.Close()
	for {
		names, err := d.Readdirnames(500)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		for _, name := range names {
			if whole, is := strings.CutSuffix(name, unfinished); is && p.parse(whole, &generation{}) {
				tmp = append(tmp, name)
			} else if g := (generation{name: name}); p.parse(name, &g) && p.stat(&g) {
				all = append(all, g)
			}
		}
	}
	slices.SortFunc(all, func(a, b generation) int {
		return cmp.Or(cmp.Compare(b.key[0], a.key[0]), cmp.Compare(b.key[1], a.key[1]), cmp.Compare(a.ext, b.ext))
	})
	return all, tmp, nil
}

// parse reads the name of a generation: base.N or base-DATE-TIME[-NNN], with
// what compressing adds. Keys grow with time.
func (p place) parse(name string, g *generation) bool {
	rest, is := strings.CutPrefix(name, p.base)
	if !is || len(rest) < 2 {
		return false
	}
	for _, ext := range extensions[1:] {
		if r, is := strings.CutSuffix(rest, ext); is {
			rest, g.ext = r, ext
		}
	}
	switch {
	case rest == "":
		return false
	case rest[0] == '.':
		n, ok := digits(rest[1:])
		// Names of the other kind are from before the configuration was changed.
		g.key[0] = -n
		if !p.dates {
			g.key[0] = math.MaxInt64 - n
		}
		return ok && n > 0 && rest[1] != '0'
	case rest[0] == '-' && len(rest) > len(dateNames):
		at, err := time.Parse(dateNames, rest[1:len(dateNames)+1])
		if err != nil {
			return false
		}
		g.key[0] = at.Unix()
		rest = rest[len(dateNames)+1:]
		if rest == "" {
			return true
		}
		n, ok := digits(strings.TrimPrefix(rest, "-"))
		g.key[1] = n
		return ok && rest[0] == '-' && len(rest) >= 4
	}
	return false
}

func digits(s string) (int64, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 32)
	return n, err == nil
}

// stat fills in a generation; only plain files are any.
func (p place) stat(g *generation) bool {
	var st unix.Stat_t
	if unix.Fstatat(p.dir, g.name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	g.size, g.mtime, g.id = st.Size, time.Unix(st.Mtim.Unix()), fileID{st.Dev, st.Ino}
	return true
}

// sync has the names on the disk.
func (p place) sync() error {
	fd, err := unix.Openat(p.dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Fsync(fd)
}
