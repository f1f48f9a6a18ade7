package input

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"sysrelay/message"
)

// fileKey is what a file is known by, however it is called.
type fileKey struct{ dev, inode uint64 }

func keyOf(info os.FileInfo) fileKey {
	st := info.Sys().(*syscall.Stat_t)
	return fileKey{uint64(st.Dev), st.Ino}
}

// tailedFile is one file that is being read.
type tailedFile struct {
	key       fileKey
	path      string
	file      *os.File
	wd        int32 // its watch; -1 is none
	unwatched bool  // changes have to be looked for
	ready     bool  // there may be something to read
	limit     int64 // how far it is read in this turn

	left   bool      // the pattern does not mean it any more: renamed or removed
	leftAt time.Time // since when

	lines  assembler
	offset int64     // next byte to read
	pos    int64     // everything before has been taken
	head   []byte    // the file's first bytes, up to headMax
	grown  time.Time // when there was something to read last

	state   string // name of its state file; "" if there is none yet
	saved   int64  // pos in it
	savedAt time.Time
	since   int // messages taken since
}

const (
	// saveEvery is how old a state file gets while lines are read.
	saveEvery = 200 * time.Millisecond
	// leftTime is how long a file that was renamed is watched after its last line:
	// who writes to it has to be told to open the new one.
	leftTime = 10 * time.Minute
	// removedTime is the same for a file that has no name any more, and takes room
	// on the disk until it is closed.
	removedTime = 10 * time.Second
	// fairShare is how many bytes of a file are read before others get their turn.
	fairShare = 1 << 20
)

// open opens a file and finds the place to read on; nil if that is not possible.
// If known is true, only a file that has been read before is wanted.
func (in *fileInput) open(path string, known bool) *tailedFile {
	// Not blocking: what was a file a moment ago may be a named pipe now.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		in.unreadable(path, err)
		return nil
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		in.unreadable(path, err)
		file.Close()
		return nil
	}
	delete(in.failed, path)
	f := &tailedFile{key: keyOf(info), path: path, file: file, wd: -1, ready: true, grown: in.deps.Env.Now()}
	if in.files[f.key] != nil {
		file.Close()
		return nil
	}
	f.lines = assembler{lineRules: in.rules, tooLong: in.tooLong,
		emit: func(at, next int64, text []byte) { in.add(f, at, next, text) }}
	if !in.resume(f, info.Size()) && known {
		file.Close()
		return nil
	}
	if f.state == "" {
		// Should the daemon be killed and the file renamed, the next start finds it
		// by its inode.
		in.save(f)
	}
	in.files[f.key] = f
	in.watchFile(f)
	return f
}

// resume finds where to read on, and tells whether a state file says so.
func (in *fileInput) resume(f *tailedFile, size int64) (known bool) {
	f.readHead(size)
	s, name, err := in.states.load(f.key.inode, f.head)
	if err != nil {
		in.faults.add(fmt.Sprintf("imfile: %v; %s is read from its beginning", err, f.path))
	}
	f.state = name
	at := int64(0)
	switch {
	case s != nil && s.offset() <= size:
		at = s.offset()
	case s != nil:
		in.deps.Log(severityWarning, fmt.Sprintf("imfile: %s has %d bytes, its state file says that %d were read: it was truncated and is read from its beginning", f.path, size, s.offset()))
	case err == nil && in.first && in.p.FreshTail:
		at = size
	}
	f.offset, f.pos, f.saved = at, at, at
	f.lines.restart(at)
	if s != nil && at == s.offset() && s.pending() != "" {
		f.lines.open, f.lines.text, f.lines.textAt = true, []byte(s.pending()), at
	}
	return s != nil
}

// readHead reads the file's first bytes. It is called when the file has grown or
// is new; size is the file's.
func (f *tailedFile) readHead(size int64) {
	if int64(len(f.head)) >= min(size, headMax) {
		return
	}
	b := make([]byte, headMax)
	n, _ := f.file.ReadAt(b, 0)
	f.head = b[:n]
}

// replaced tells whether the file was truncated: it is shorter than what was read
// of it, or begins with something else.
func (f *tailedFile) replaced(size int64) bool {
	if size < f.offset || size < int64(len(f.head)) {
		return true
	}
	if size == f.offset || len(f.head) == 0 {
		return false
	}
	var b [headMax]byte
	n, _ := f.file.ReadAt(b[:len(f.head)], 0)
	return !bytes.Equal(b[:n], f.head)
}

// order is the files in the order in which they are to be read: what was renamed
// comes before what took its place. How much there is in the latter is found out
// first: what a program wrote to the old file before that is read before that.
func (in *fileInput) order() []*tailedFile {
	files := make([]*tailedFile, 0, len(in.files))
	for _, f := range in.files {
		files = append(files, f)
		f.ready = f.ready || f.left
		if f.ready && !f.left {
			in.measure(f)
		}
	}
	slices.SortFunc(files, func(a, b *tailedFile) int {
		switch {
		case a.left != b.left && a.left:
			return -1
		case a.left != b.left:
			return 1
		case a.left:
			return a.leftAt.Compare(b.leftAt)
		}
		return cmp.Compare(a.path, b.path)
	})
	return files
}

// measure finds out how far a file can be read.
func (in *fileInput) measure(f *tailedFile) {
	info, err := f.file.Stat()
	if err != nil {
		in.unreadable(f.path, err)
		f.ready = false
		return
	}
	f.limit = info.Size()
}

// serve reads what there is in a file and does what has become due. again is true
// if there is more.
func (in *fileInput) serve(f *tailedFile) (again bool) {
	if f.left {
		in.measure(f)
	}
	if f.ready {
		f.ready = false
		again = in.read(f)
		f.ready = again
	}
	now := in.deps.Env.Now()
	if t := in.readTimeout(); t > 0 && f.lines.open && now.Sub(f.grown) >= t {
		f.lines.flush(f.lines.lineAt)
		in.submit(f)
	}
	if f.left && f.lines.open && in.succeeded(f) {
		f.lines.finish()
		in.submit(f)
	}
	if f.pos != f.saved && now.Sub(f.savedAt) >= saveEvery {
		in.save(f)
	}
	if f.left && !again && now.Sub(f.lastSign()) >= in.patienceFor(f) {
		in.release(f)
	}
	return again
}

func (in *fileInput) readTimeout() time.Duration {
	return time.Duration(in.p.ReadTimeout.Value) * time.Second
}

// lastSign is when a renamed file was last written to, or renamed.
func (f *tailedFile) lastSign() time.Time {
	if f.grown.After(f.leftAt) {
		return f.grown
	}
	return f.leftAt
}

func (in *fileInput) patienceFor(f *tailedFile) time.Duration {
	if f.removed() {
		return removedTime
	}
	return leftTime
}

// removed tells whether the file has no name any more.
func (f *tailedFile) removed() bool {
	info, err := f.file.Stat()
	return err == nil && info.Sys().(*syscall.Stat_t).Nlink == 0
}

// appointment is when serve has something to do though nothing was written.
func (in *fileInput) appointment(f *tailedFile) (at time.Time, ok bool) {
	sooner := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if t := in.readTimeout(); t > 0 && f.lines.open {
		sooner(f.grown.Add(t))
	}
	if f.pos != f.saved {
		sooner(f.savedAt.Add(saveEvery))
	}
	if f.left {
		sooner(f.lastSign().Add(in.patienceFor(f)))
	}
	return at, ok
}

// read hands over what there is in a file, a fair share at most; a renamed file is
// read to its end, so that what took its place comes after it.
func (in *fileInput) read(f *tailedFile) (again bool) {
	if f.replaced(f.limit) {
		in.startOver(f)
	}
	in.counts.lines = 0
	for share := 0; f.left || share < fairShare; {
		if f.offset >= f.limit {
			return false
		}
		n, err := f.file.ReadAt(in.buf[:min(int64(len(in.buf)), f.limit-f.offset)], f.offset)
		if n > 0 {
			f.grown = in.deps.Env.Now()
			at := f.offset
			f.offset += int64(n)
			f.readHead(f.offset)
			share += n
			f.lines.write(at, in.buf[:n])
			if !in.submit(f) {
				f.offset = f.pos // what was not taken is read again
				f.lines.restart(f.pos)
				return false
			}
		}
		switch {
		case errors.Is(err, io.EOF) || n == 0 && err == nil:
			return false
		case err != nil:
			in.faults.add(fmt.Sprintf("imfile: error reading %s at byte %d: %v; tried again later", f.path, f.offset, err))
			return false
		case in.p.MaxLines > 0 && in.counts.lines >= in.p.MaxLines && !f.left:
			return true
		}
	}
	return true
}

// startOver goes back to the beginning of a file that was truncated. What was a
// message before that is one now: its rest will not come.
func (in *fileInput) startOver(f *tailedFile) {
	in.deps.Log(severityInfo, fmt.Sprintf("imfile: %s was truncated after %d bytes had been read; reading from its beginning", f.path, f.offset))
	f.lines.flush(f.lines.lineAt)
	in.submit(f)
	in.states.remove(f.state)
	f.state, f.head = "", nil
	f.offset, f.pos, f.saved = 0, 0, 0
	f.lines.restart(0)
}

// batchCount is what belongs to the messages in the batch.
type batchCount struct {
	next  int64 // offset behind the last of them
	lines int   // in this turn of the file
	fail  bool  // the handler has not taken some before them
}

// add makes a message of text, which stood at the offset at.
func (in *fileInput) add(f *tailedFile, at, next int64, text []byte) {
	if in.counts.fail {
		return
	}
	in.counts.next = next
	in.counts.lines++
	now := in.deps.Env.Now()
	ok, tell := in.limits.allow(now, len(text))
	if tell {
		in.deps.Log(severityInfo, fmt.Sprintf("imfile: %s: begin to drop messages due to rate-limiting", in.p.File))
	}
	if !ok {
		in.ledger.Receive(1)
		in.ledger.Discard(message.RateLimited, 1)
		return
	}
	if in.p.AddCEE {
		text = append([]byte("@cee:"), text...)
	}
	m := in.message(text, now)
	if in.p.AddMetadata {
		data := message.NewObject()
		data.SetMember("filename", message.StringValue(f.path), true)
		data.SetMember("fileoffset", message.StringValue(strconv.FormatInt(at, 10)), true)
		m.AddVar(in.meta, data)
	}
	in.batch.AddMessage(m)
	if in.p.Delay > 0 {
		pause(in.ctx, time.Duration(in.p.Delay)*time.Microsecond)
	}
	if in.batch.Len() >= in.p.MaxSubmit || in.batch.Size() >= batchBytes {
		in.counts.fail = !in.hand(f)
	}
}

// message is a line as a message: parsed, unless parsers are to read it.
func (in *fileInput) message(text []byte, now time.Time) *message.Message {
	env := in.deps.Env
	if !in.p.NeedParse {
		return message.Local{Origin: in.origin, Host: env.Hostname(), Tag: in.p.Tag, Text: string(text), Bare: true,
			PRI: in.p.Facility<<3 | in.p.Severity, At: now}.Message()
	}
	m := &message.Message{Origin: in.origin, Received: now.UnixNano(), PRI: message.DefaultPRI}
	m.Text, _ = env.Sanitize.Append(nil, text)
	return m
}

// submit hands over what is in the batch and remembers how far that is.
func (in *fileInput) submit(f *tailedFile) bool {
	ok := !in.counts.fail && in.hand(f)
	in.counts.fail = false
	if ok && !f.lines.open && !f.lines.inLine && f.lines.lineAt > f.pos {
		f.pos = f.lines.lineAt // empty lines
	}
	return ok
}

// hand gives the batch to the handler until it has taken it: the rest of the file
// waits meanwhile. It returns false if the input is told to stop before.
func (in *fileInput) hand(f *tailedFile) bool {
	n := in.batch.Len()
	v := in.batch.All()
	for wait := firstPause; n > 0; wait = min(2*wait, lastPause) {
		err := in.to(in.work, v)
		if err == nil {
			break
		}
		v = message.Rest(v, err)
		if !pause(in.ctx, wait) {
			in.batch.Reset()
			return false
		}
	}
	in.ledger.Receive(n)
	in.ledger.Deliver(n)
	in.batch.Reset()
	f.pos = max(f.pos, in.counts.next)
	in.counts.next = 0
	if n == 0 {
		return true
	}
	f.since += n
	if in.p.PersistSubmit || in.p.PersistInterval > 0 && f.since >= in.p.PersistInterval {
		in.save(f)
	}
	return true
}

// tooLong: as rsyslog words it.
func (in *fileInput) tooLong(text []byte) {
	if !in.p.DiscardError {
		return
	}
	then := "message will be split and processed as another message"
	if in.p.DiscardRest {
		then = "rest of message will not be processed"
	}
	in.faults.add(fmt.Sprintf("imfile error: message received is larger than max msg size; %s, begin of message is: %.80q", then, text))
}

// save writes a file's state.
func (in *fileInput) save(f *tailedFile) {
	name := in.states.name(f.key.inode, f.head)
	f.savedAt = in.deps.Env.Now()
	f.since = 0
	if err := in.states.save(name, f.path, f.pos, f.head); err != nil {
		in.faults.add(fmt.Sprintf("imfile: cannot write the state of %s: %v; lines are read again after the next start", f.path, err))
		return
	}
	f.saved = f.pos
	if f.state != name && f.state != "" {
		in.states.remove(f.state)
	}
	f.state = name
}

// release closes a file that is no longer read. Nothing is added to what it ends
// with, so that is a message. Its state is of no use any more, unless the file is
// gone and the configuration wants to keep it.
func (in *fileInput) release(f *tailedFile) {
	f.lines.finish()
	if !in.submit(f) {
		return
	}
	if !f.removed() || in.p.DeleteOnDelete {
		in.states.remove(f.state)
	}
	in.drop(f)
}

// succeeded tells whether lines are being written to the file that has taken f's
// place: who wrote to f has opened it, and f is complete.
func (in *fileInput) succeeded(f *tailedFile) bool {
	for _, g := range in.files {
		if g != f && !g.left && g.path == f.path && g.offset > 0 {
			return true
		}
	}
	return false
}

func (in *fileInput) drop(f *tailedFile) {
	in.unwatchFile(f)
	f.file.Close()
	delete(in.files, f.key)
}

// closeAll keeps what was read for the next start.
func (in *fileInput) closeAll() {
	for _, f := range in.files {
		if in.p.DeleteOnDelete && f.removed() {
			in.states.remove(f.state)
		} else if f.pos != f.saved || f.state == "" || f.state != in.states.name(f.key.inode, f.head) {
			in.save(f)
		}
		in.drop(f)
	}
}
