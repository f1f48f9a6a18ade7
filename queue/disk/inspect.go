package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// Report is what is in a queue's directory.
type Report struct {
	Dir       string       `json:"dir"`
	InUse     string       `json:"inUse,omitempty"` // by whom; empty if by nobody
	Messages  int          `json:"messages"`        // not acknowledged
	Bytes     int64        `json:"bytes"`           // of those
	DiskBytes int64        `json:"diskBytes"`
	First     uint64       `json:"first"` // sequence of the oldest message wanted
	Next      uint64       `json:"next"`  // sequence of the next message
	Oldest    time.Time    `json:"oldest,omitzero"`
	Files     []FileReport `json:"files"`
	Problems  []string     `json:"problems,omitempty"`
	Lost      int          `json:"lost,omitempty"` // messages that are missing; only Verify finds out
}

// FileReport is about one file.
type FileReport struct {
	Name     string `json:"name"`
	Status   Status `json:"status"`
	First    uint64 `json:"first,omitempty"` // sequence of its first message
	End      uint64 `json:"end,omitempty"`   // sequence after its last one
	Messages int    `json:"messages"`        // in it and not acknowledged
	Bytes    int64  `json:"bytes"`           // on disk
}

// Status says what a file is to the queue.
type Status string

// The statuses of files.
const (
	Active     Status = "active"     // the newest
	Complete   Status = "complete"   // a newer one follows
	Damaged    Status = "damaged"    // read from what a search found
	Unreadable Status = "unreadable" // left alone
	Replaced   Status = "replaced"   // by another file, and about to be removed
	Kept       Status = "set aside"  // what it held has been delivered or is lost
	Foreign    Status = "foreign"    // none of the queue's
)

// inspectTries is how often a directory that is in use is looked at again when
// what was seen does not fit together.
const inspectTries = 20

// Inspect says what is in the directory of a queue. It changes nothing and may be
// used while the queue is in use.
func Inspect(dir string) (Report, error) {
	v, err := look(dir)
	if err != nil {
		return Report{}, err
	}
	defer v.release()
	return v.report(), nil
}

// look takes a survey of a directory that may be in use.
func look(dir string) (*survey, error) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("queue directory: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("queue directory %s is not a directory", dir)
	}
	d := &directory{path: dir}
	for try := 1; ; try++ {
		v, err := take(d)
		if err != nil {
			return nil, fmt.Errorf("queue directory: %w", err)
		}
		if v.sound() || try == inspectTries || d.inUse() == "" {
			for _, g := range v.gens {
				g.src.moving = true
			}
			return v, nil
		}
		v.release()
	}
}

// sound reports that nothing is wrong, as far as can be seen.
func (v *survey) sound() bool {
	return len(v.faults) == 0 && v.missing == "" &&
		!slices.ContainsFunc(v.gens, func(g *generation) bool { return g.missing != "" })
}

// inUse says who has the lock; it is empty if nobody has.
func (d *directory) inUse() string {
	f, err := os.OpenFile(d.join(lockName), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		return ""
	}
	return d.owner()
}

// report makes a Report of v.
func (v *survey) report() Report {
	r := Report{Dir: v.dir.path, InUse: v.dir.inUse(), Messages: v.messages,
		Bytes: v.pos.bytesIn - v.pos.bytesGo, First: v.pos.acked, Next: v.pos.next}
	for i, g := range v.gens {
		f := FileReport{Name: g.name, Status: Complete, First: g.first, End: g.end, Bytes: g.bytes,
			Messages: g.held()}
		switch {
		case g.damaged:
			f.Status = Damaged
		case i == len(v.gens)-1:
			f.Status = Active
		}
		r.Files = append(r.Files, f)
		if g.missing != "" && g.end > v.pos.acked {
			r.Problems = append(r.Problems, fmt.Sprintf("%s: %d messages", g.missing, g.end-max(g.known, v.pos.acked)))
		}
	}
	for _, g := range v.replaced {
		r.Files = append(r.Files, FileReport{Name: g.name, Status: Replaced, Bytes: g.bytes})
	}
	for _, f := range v.faults {
		if !f.salvaged {
			r.Files = append(r.Files, v.other(f.name, Unreadable))
		}
		r.Problems = append(r.Problems, f.says())
	}
	if v.missing != "" {
		r.Problems = append(r.Problems, "the file that came after "+v.missing+" is missing; how many messages it held is not known")
	}
	for _, name := range v.setAside() {
		r.Files = append(r.Files, v.other(name, Kept))
	}
	for _, name := range v.foreign {
		r.Files = append(r.Files, v.other(name, Foreign))
	}
	for _, f := range r.Files {
		r.DiskBytes += f.Bytes
	}
	if p, err := v.first(); err == nil && p.received > 0 {
		r.Oldest = time.Unix(0, p.received)
	}
	return r
}

func (v *survey) other(name string, s Status) FileReport {
	return FileReport{Name: name, Status: s, Bytes: diskBytes(v.dir.join(name))}
}

// held is how many messages of g are not acknowledged.
func (g *generation) held() int {
	end := g.end
	if g.missing != "" {
		end = g.known
	}
	if end <= g.from {
		return 0
	}
	n := end - g.from
	return int(n - min(n, g.holes))
}

// first is the oldest chunk wanted.
func (v *survey) first() (place, error) {
	for _, g := range v.gens {
		if g.end <= g.from {
			continue
		}
		p, err := g.src.next(0)
		for ; err == nil; p, err = g.src.next(p.commit) {
			if p.end() > v.pos.acked {
				return p, nil
			}
		}
		if err != io.EOF {
			return p, err
		}
	}
	return place{}, io.EOF
}

// setAside lists the files that were set aside.
func (v *survey) setAside() (names []string) {
	entries, err := os.ReadDir(v.dir.path)
	if err != nil {
		return nil // it has been read a moment ago
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), badInfix) {
			names = append(names, e.Name())
		}
	}
	return names
}

// Each calls f for every message that is not acknowledged, in order, with its
// sequence number, until f returns an error, which Each returns then. It changes
// nothing and may be used while the queue is in use; messages that are delivered
// meanwhile may be among those f sees, or not. The message belongs to f only
// while it runs. What is damaged is left out; see Verify.
func Each(dir string, f func(seq uint64, m *message.Message) error) error {
	v, err := look(dir)
	if err != nil {
		return err
	}
	defer v.release()
	return v.each(func(h held, _ place) error {
		var b message.Batch
		if err := b.Load(h.frames, h.n); err != nil {
			return nil // Verify tells
		}
		for i := range h.n {
			if err := f(h.first+uint64(i), b.All().At(i)); err != nil {
				return err
			}
		}
		return nil
	}, func(string, int) {})
}

// ackedNow is up to where messages are acknowledged by now; 0 if the queue is not in
// use.
func (v *survey) ackedNow() uint64 {
	if v.dir.inUse() == "" {
		return 0
	}
	now, err := take(v.dir)
	if err != nil {
		return 0
	}
	defer now.release()
	return now.pos.acked
}

// Verify reads every chunk that is not acknowledged and checks all of it. The
// report says what is wrong and how many messages are lost. It changes nothing.
func Verify(dir string) (Report, error) {
	v, err := look(dir)
	if err != nil {
		return Report{}, err
	}
	defer v.release()
	r := v.report()
	bad := func(what string, lost int) {
		r.Problems = append(r.Problems, what)
		r.Lost += lost
	}
	err = v.each(func(h held, p place) error {
		var b message.Batch
		if err := b.Load(h.frames, h.n); err != nil {
			bad(fmt.Sprintf("commit %d: %d messages are not what they should be: %v", p.commit, h.n, err), h.n)
		}
		return nil
	}, bad)
	r.Messages -= min(r.Messages, r.Lost)
	return r, err
}

// each calls f for every chunk, and bad for what is wrong.
func (v *survey) each(f func(held, place) error, bad func(what string, lost int)) error {
	at := v.pos.acked
	for _, g := range v.gens {
		for at < g.end {
			h, p, err := g.want(g.src, at, g.end)
			if err == nil {
				if err := f(h, p); err != nil {
					return err
				}
				at = h.end
				continue
			}
			gap, isGap := err.(*gapError)
			if now := v.ackedNow(); now > at {
				at = now // delivered and deleted while this was reading
				continue
			}
			if g.src.found == nil && !(isGap && at >= g.known && g.missing != "") {
				bad(fmt.Sprintf("%s is damaged (%v); what follows is from a search of all of it", g.name, err), 0)
				if err := g.src.salvage(); err != nil {
					return err
				}
				continue
			}
			next := g.end
			if isGap {
				next = gap.next
			}
			bad(fmt.Sprintf("%s: %d messages from %d on are missing", g.name, next-at, at), int(next-at))
			at = next
		}
	}
	return nil
}
