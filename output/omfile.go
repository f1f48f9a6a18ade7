package output

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"sysrelay/message"
)

const (
	// writeSize is how many bytes of messages are written at once, about.
	writeSize = 256 << 10
	// closeAfter is rsyslog's closeTimeout of dynamic files, in minutes.
	closeAfter = 10
)

// omfile writes messages to files: to one, or to those a template names. Every
// batch is one write(2) to each file. Under the promise "stored" a message
// counts as delivered once write(2) has returned, with sync=on once it is on the
// disk.
type omfile struct {
	spec   fileSpec
	tpl    message.Template
	env    *message.Env
	log    func(severity int, text string)
	gather int // bytes to gather before writing; 0 writes at the end of every batch
	flush  time.Duration
	idle   time.Duration // after which a file is closed; 0 is never

	mu     sync.Mutex // Hup may come at any time
	tidier *tidier    // of rotated files; nil without rotation
	static *logFile   // one file, or
	dyn    *dynaFiles // many
	out    lines
	groups []*dynaFile // those the batch at hand has messages for
	follow []int32     // position of the next message for the same file, -1 after the last
	rest   []int32
	tidied time.Time // when rotated files of a static file were last looked at
}

// NewOMFile makes the output of action(type="omfile"). It opens no file.
func NewOMFile(m OMFileModule, p OMFileParams, d Deps) (Output, error) {
	if err := p.check(m); err != nil {
		return nil, err
	}
	tpl, err := d.template(p.Template, m.Template, "RSYSLOG_FileFormat")
	if err != nil {
		return nil, err
	}
	spec, err := newFileSpec(m, p, d.Env.Location)
	if err != nil {
		return nil, err
	}
	o := &omfile{spec: spec, tpl: tpl, env: d.Env, log: d.Log}
	locks := d.FileLocks
	if locks == nil {
		locks = new(FileLocks)
	}
	if !p.FlushOnTXEnd {
		o.gather, o.flush = int(p.IOBufferSize), time.Duration(p.FlushInterval)*time.Second
	}
	if spec.rotation != nil {
		o.tidier = newTidier(spec.rotation, locks, d)
	}
	idle := 0
	if p.DynaFile != "" {
		idle = closeAfter
		if o.dyn, err = newDynaFiles(m, p, d, &o.spec, locks); err != nil {
			return nil, err
		}
		o.dyn.tidier = o.tidier
	} else {
		o.static = &logFile{name: p.File, spec: &o.spec, locks: locks, log: d.Log}
		o.static.opener = func() (int, bool, error) { return o.spec.openAppend(p.File) }
		o.static.where = func() (place, error) { return staticPlace(p.File) }
		o.static.tidier = o.tidier
	}
	o.idle = time.Duration(first(idle, p.CloseTimeout)) * time.Minute
	return o, nil
}

func newDynaFiles(m OMFileModule, p OMFileParams, d Deps, spec *fileSpec, locks *FileLocks) (*dynaFiles, error) {
	tpl, err := d.template(p.DynaFile)
	if err != nil {
		return nil, err
	}
	suffix := ""
	if spec.rotation != nil {
		if suffix, err = constantSuffix(tpl); err != nil {
			return nil, err
		}
	}
	base := constantBase(tpl)
	if p.PermitEscape || m.PermitEscape {
		base = ""
	}
	return &dynaFiles{
		tpl: tpl, base: base, suffix: suffix, spec: spec, locks: locks, log: d.Log,
		limit: max(p.CacheSize, 1), strict: !m.DoNotSuspend,
		byName: make(map[string]*dynaFile),
	}, nil
}

// Write implements Output.
func (o *omfile) Write(ctx context.Context, v message.View) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.env.Now()
	if o.dyn != nil {
		return o.writeDynamic(ctx, v, now)
	}
	if o.gathers(ctx) {
		return o.gatherStatic(v, now)
	}
	return o.writeStatic(v, now)
}

// gathers says whether messages may wait in memory: not for a promise.
func (o *omfile) gathers(ctx context.Context) bool {
	return o.gather > 0 && message.AckOf(ctx) < message.Stored
}

func (o *omfile) writeStatic(v message.View, now time.Time) (n int, err error) {
	if err := o.static.flush(now); err != nil {
		return 0, err
	}
	for i := range v.Len() {
		o.render(v.At(i))
		if len(o.out.buf) < writeSize && i+1 < v.Len() {
			continue
		}
		written, err := o.static.write(&o.out, now)
		o.out.reset()
		n += written
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (o *omfile) gatherStatic(v message.View, now time.Time) (n int, err error) {
	for i := range v.Len() {
		o.render(v.At(i))
	}
	defer o.out.reset()
	return o.static.gather(&o.out, o.gather, now)
}

func (o *omfile) render(m *message.Message) {
	o.out.buf = o.tpl.Append(o.out.buf, m)
	o.out.end(o.spec.addLF)
}

// Render shows what would be written, for the error file.
func (o *omfile) Render(dst []byte, m *message.Message) []byte { return o.tpl.Append(dst, m) }

// writeDynamic groups the batch by file and writes to each of them once. What one
// file does not take is not the other files' loss.
func (o *omfile) writeDynamic(ctx context.Context, v message.View, now time.Time) (int, error) {
	o.group(v)
	var failure, unacceptable error
	for _, f := range o.groups {
		err := o.writeGroup(ctx, v, f, now)
		switch {
		case err == nil:
		case errors.Is(err, ErrUnacceptable):
			unacceptable = err
		case failure == nil:
			failure = err
		}
	}
	if failure == nil {
		failure = unacceptable
	}
	err := o.unwritten(v, failure)
	if terr := o.dyn.trim(now); terr != nil {
		// The lines stay in memory, and the file open, for the next attempt.
		o.log(severityError, terr.Error())
	}
	if err != nil {
		return 0, err
	}
	return v.Len(), nil
}

// group finds the file of every message and links the messages of each file.
func (o *omfile) group(v message.View) {
	o.groups = o.groups[:0]
	o.follow = slices.Grow(o.follow[:0], v.Len())[:v.Len()]
	for i := range v.Len() {
		f := o.dyn.find(v.At(i))
		o.follow[i] = -1
		if f.first < 0 {
			f.first = int32(i)
			o.groups = append(o.groups, f)
		} else {
			o.follow[f.tail] = int32(i)
		}
		f.tail = int32(i)
	}
}

// writeGroup writes the messages of one file. Those that are not written stay
// linked to it.
func (o *omfile) writeGroup(ctx context.Context, v message.View, f *dynaFile, now time.Time) error {
	for i := f.first; i >= 0; i = o.follow[i] {
		o.render(v.At(int(i)))
	}
	defer o.out.reset()
	n, err := 0, error(nil)
	if o.gathers(ctx) {
		n, err = f.gather(&o.out, o.gather, now)
	} else if err = f.flush(now); err == nil {
		n, err = f.write(&o.out, now)
	}
	for range n {
		f.first = o.follow[f.first]
	}
	return err
}

// unwritten collects what is still linked to the files of the batch.
func (o *omfile) unwritten(v message.View, cause error) error {
	o.rest = o.rest[:0]
	for _, f := range o.groups {
		for i := f.first; i >= 0; i = o.follow[i] {
			o.rest = append(o.rest, i)
		}
		f.first = -1
	}
	if cause == nil {
		return nil
	}
	slices.Sort(o.rest)
	// The view outlives this call, o.rest must not.
	return &message.Undelivered{Rest: v.Pick(slices.Clone(o.rest)), Err: cause}
}

// TryResume tries to open a static file, or to write what is held.
func (o *omfile) TryResume(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.static == nil {
		return nil
	}
	now := o.env.Now()
	if err := o.static.open(now); err != nil {
		return err
	}
	return errors.Join(o.static.flush(now), o.static.room())
}

// tidyEvery is how often rotated files are looked at for their age.
const tidyEvery = time.Hour

// Held implements holder.
func (o *omfile) Held() (n int) {
	if o.gather == 0 {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.each(func(f *logFile) error { n += len(f.held.ends); return nil })
	return n
}

// TickEvery implements ticker.
func (o *omfile) TickEvery() time.Duration {
	every := time.Duration(0)
	sooner := func(wanted bool, d time.Duration) {
		if wanted && (every == 0 || d < every) {
			every = d
		}
	}
	sooner(o.flush > 0, o.flush)
	sooner(o.idle > 0, time.Minute)
	if r := o.spec.rotation; r != nil {
		sooner(r.schedule != nil, time.Second)
		sooner(true, time.Minute) // for rotated files of a run that was cut short, and for their age
	}
	return every
}

// Tick writes what has been gathered, rotates files whose time has come and
// closes files that are not used.
func (o *omfile) Tick(context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.env.Now()
	o.each(func(f *logFile) error {
		if o.flush == 0 || now.Sub(f.since) < o.flush {
			return nil
		}
		return f.news(f.flush(now))
	})
	o.each(func(f *logFile) error {
		if f.file == nil || !f.due(now) {
			return nil
		}
		return f.turnOver(now)
	})
	if o.static != nil && o.tidier != nil && now.Sub(o.tidied) >= tidyEvery {
		o.tidied = now
		o.tidier.add(o.static.name, o.static.where)
	}
	if o.idle > 0 {
		o.closeFiles(now, o.idle)
	}
}

// Hup closes all files; the next message opens them anew.
func (o *omfile) Hup() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closeFiles(o.env.Now(), 0)
}

// closeFiles writes what is held and closes the files not used for that long.
func (o *omfile) closeFiles(now time.Time, idle time.Duration) {
	if o.static != nil {
		o.each(func(f *logFile) error {
			if f.file == nil || now.Sub(f.used) < idle {
				return nil
			}
			return errors.Join(f.flush(now), f.close())
		})
		return
	}
	for f := o.dyn.front; f != nil; {
		next := f.next
		if now.Sub(f.used) >= idle {
			o.dyn.idle.Add(1)
			if err := o.dyn.forget(f, now); err != nil {
				o.log(severityError, err.Error())
			}
		}
		f = next
	}
}

func (o *omfile) each(do func(*logFile) error) {
	report := func(err error) {
		if err != nil {
			o.log(severityError, err.Error())
		}
	}
	if o.static != nil {
		report(do(o.static))
		return
	}
	for f := o.dyn.front; f != nil; f = f.next {
		report(do(&f.logFile))
	}
}

// Close writes what is held and closes all files.
func (o *omfile) Close() (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.env.Now()
	o.each(func(f *logFile) error {
		err = errors.Join(err, f.flush(now), f.close())
		return nil
	})
	if o.tidier != nil {
		o.tidier.close()
	}
	return err
}
