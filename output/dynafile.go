package output

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// dynaFiles are the files a template names, the most recently used of them open.
type dynaFiles struct {
	tpl    message.Template
	base   string // directory all names must be below; "" is no limit
	spec   *fileSpec
	locks  *FileLocks
	log    func(severity int, text string)
	tidier *tidier
	suffix string // all names have, with rotation
	limit  int    // files open
	strict bool   // suspend for a file that may not be written

	byName     map[string]*dynaFile
	front, end *dynaFile // by time of use, the most recent first
	last       *dynaFile
	name       []byte

	requests, level0, missed, evicted, most, idle atomic.Int64 // for statistics
}

// dynaFile is one of them. A file that is closed is forgotten, unless it holds
// lines that are not written yet.
type dynaFile struct {
	logFile
	prev, next *dynaFile

	first, tail int32 // positions of its messages in the batch at hand; see group
}

var errNoBase = errors.New("the template of dynafile does not begin with a directory; write one in front " +
	"(or set dynafile.dangerousPermitPathEscape=on)")

// constantBase is the directory that every name of a template is in.
func constantBase(t message.Template) string {
	p, ok := t.(message.Prefixed)
	if !ok {
		return "./"
	}
	prefix := p.Prefix()
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		return prefix[:i+1]
	}
	return "./"
}

var errNoSuffix = errors.New("the template of dynafile does not end in constant text with a letter at its end, such as .log, other than .gz, .zst and .tmp; " +
	"with rotation it must, so that no message can name a rotated file")

// constantSuffix is the text that every name of a template ends in.
func constantSuffix(t message.Template) (string, error) {
	s, ok := t.(message.Suffixed)
	if !ok {
		return "", errNoSuffix
	}
	suffix := s.Suffix()
	if suffix == "" || suffix[len(suffix)-1] >= '0' && suffix[len(suffix)-1] <= '9' {
		return "", errNoSuffix
	}
	for _, ext := range []string{extensions[1], extensions[2], unfinished} {
		if strings.HasSuffix(suffix, ext) || strings.HasSuffix(ext, suffix) {
			return "", errNoSuffix
		}
	}
	return suffix, nil
}

// find returns the file of a message, making it known if it is not.
func (d *dynaFiles) find(m *message.Message) *dynaFile {
	d.requests.Add(1)
	d.name = d.tpl.Append(d.name[:0], m)
	// as rsyslog: a name ends where C would end it.
	if i := bytes.IndexByte(d.name, 0); i >= 0 {
		d.name = d.name[:i]
	}
	if d.last != nil && d.last.name == string(d.name) {
		d.level0.Add(1)
		return d.last
	}
	f := d.byName[string(d.name)]
	if f == nil {
		f = d.add(string(d.name))
	} else {
		d.unlink(f)
		d.pushFront(f)
	}
	d.last = f
	return f
}

func (d *dynaFiles) add(name string) *dynaFile {
	f := &dynaFile{logFile: logFile{name: name, spec: d.spec, locks: d.locks, log: d.log}, first: -1, tail: -1}
	f.opener = func() (int, bool, error) { return d.open(name) }
	f.where = func() (place, error) { return d.place(name) }
	f.tidier = d.tidier
	d.byName[name] = f
	d.missed.Add(1)
	d.most.Store(max(d.most.Load(), int64(len(d.byName))))
	d.pushFront(f)
	return f
}

func (d *dynaFiles) open(name string) (int, bool, error) {
	if !strings.HasSuffix(name, d.suffix) {
		return -1, false, fmt.Errorf("%w: its file name %q is not what the template says", ErrUnacceptable, name)
	}
	if d.base == "" {
		return d.spec.openAppend(name)
	}
	rel, err := below(d.base, name)
	if err != nil {
		return -1, false, err
	}
	fd, created, err := d.spec.openBeneath(d.base, rel)
	if err != nil && d.hopeless(err) {
		err = fmt.Errorf("%w: %w", ErrUnacceptable, err)
	}
	return fd, created, err
}

// below returns name relative to base, or why it must not be opened.
func below(base, name string) (string, error) {
	bad := func(why string) error { return fmt.Errorf("%w: its file name %q %s", ErrUnacceptable, name, why) }
	if base == "./" && path.IsAbs(name) {
		return "", fmt.Errorf("%w: %w", ErrUnacceptable, errNoBase)
	}
	rel := strings.TrimLeft(strings.TrimPrefix(name, base), "/")
	if rel == "" || strings.HasSuffix(rel, "/") {
		return "", bad("names no file")
	}
	for part := range strings.SplitSeq(rel, "/") {
		if part == ".." {
			return "", bad("leads out of " + base)
		}
	}
	return rel, nil
}

// hopeless says whether a name will never be opened, so that its messages must
// not hold up those of other files.
func (d *dynaFiles) hopeless(err error) bool {
	for _, e := range []error{unix.EXDEV, unix.ELOOP, unix.ENAMETOOLONG, unix.EISDIR, unix.ENOTDIR, unix.ENXIO, errNotPlain} {
		if errors.Is(err, e) {
			return true
		}
	}
	return !d.strict && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOENT))
}

// trim closes and forgets the files used least until no more than the limit
// are known.
func (d *dynaFiles) trim(now time.Time) (err error) {
	for f := d.end; f != nil && len(d.byName) > d.limit; {
		prev := f.prev
		err = errors.Join(err, d.forget(f, now))
		d.evicted.Add(1)
		f = prev
	}
	return err
}

// forget writes what f holds, closes it and drops it; one that cannot be written
// stays.
func (d *dynaFiles) forget(f *dynaFile, now time.Time) error {
	if err := f.flush(now); err != nil {
		return err
	}
	d.unlink(f)
	delete(d.byName, f.name)
	if d.last == f {
		d.last = nil
	}
	return f.close()
}

func (d *dynaFiles) pushFront(f *dynaFile) {
	f.prev, f.next = nil, d.front
	if d.front != nil {
		d.front.prev = f
	} else {
		d.end = f
	}
	d.front = f
}

func (d *dynaFiles) unlink(f *dynaFile) {
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		d.front = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	} else {
		d.end = f.prev
	}
	f.prev, f.next = nil, nil
}
