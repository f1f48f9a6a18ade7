package input

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// checkPattern is nil if every part of the path is a name or a pattern.
func checkPattern(path string) error {
	for _, part := range strings.Split(path, "/") {
		if _, err := filepath.Match(globPart(part), ""); err != nil {
			return err
		}
	}
	return nil
}

// globPart makes of fnmatch(3)'s [!a] what filepath.Match understands.
func globPart(part string) string { return strings.ReplaceAll(part, "[!", "[^") }

// matchPart tells whether a name is meant by a part of a pattern.
// as fnmatch(3) with FNM_PERIOD: a leading dot has to be written.
func matchPart(part, name string) bool {
	if strings.HasPrefix(name, ".") && !strings.HasPrefix(part, ".") {
		return false
	}
	ok, err := filepath.Match(globPart(part), name)
	return ok && err == nil
}

// matchPath tells whether a path is one that the pattern means.
func matchPath(pattern, path string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if !matchPart(want[i], have[i]) {
			return false
		}
	}
	return true
}

// expansion is what a pattern means at the moment.
type expansion struct {
	files []string
	// dirs are the directories in which names that matter can appear, with the
	// part of the pattern that such a name matches.
	dirs map[string]string
}

// expand finds the files of an absolute pattern. Directories that cannot be read
// hold none.
func expand(pattern string) expansion {
	e := expansion{dirs: map[string]string{}}
	e.below("/", strings.Split(strings.TrimPrefix(pattern, "/"), "/"))
	slices.Sort(e.files)
	return e
}

func (e *expansion) below(dir string, parts []string) {
	part, rest := parts[0], parts[1:]
	if len(rest) == 0 || hasWildcard(part) || !isDir(filepath.Join(dir, part)) {
		e.dirs[dir] = part
	}
	for _, name := range names(dir, part) {
		path := filepath.Join(dir, name)
		switch info, err := os.Stat(path); {
		case err != nil:
		case len(rest) > 0 && info.IsDir():
			e.below(path, rest)
		case len(rest) == 0 && info.Mode().IsRegular():
			e.files = append(e.files, path)
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// names are the names in dir that match part.
func names(dir, part string) (found []string) {
	if !hasWildcard(part) {
		return []string{part}
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	for {
		some, err := d.Readdirnames(1024)
		for _, name := range some {
			if matchPart(part, name) {
				found = append(found, name)
			}
		}
		if err != nil {
			slices.Sort(found)
			return found
		}
	}
}

// scan brings the files that are open in line with those the pattern means.
func (in *fileInput) scan() {
	// Watches come first: what appears after the look at a directory is reported.
	e := expand(in.p.File)
	for in.watchDirs(e.dirs) {
		e = expand(in.p.File)
	}
	if in.first {
		in.openMoved(e.files)
	}
	at := map[fileKey]string{}
	for _, path := range e.files {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		key := keyOf(info)
		if _, twice := at[key]; twice {
			continue // a second name of the same file
		}
		at[key] = path
		if f := in.files[key]; f != nil {
			f.path, f.left = path, false
			continue
		}
		if in.tooOld(info) {
			continue
		}
		in.open(path, false)
	}
	for key, f := range in.files {
		if _, ok := at[key]; !ok && !f.left {
			f.left, f.leftAt, f.ready = true, in.deps.Env.Now(), true
		}
	}
	if in.first && in.p.NotFound && !hasWildcard(in.p.File) && len(e.files) == 0 {
		in.deps.Log(severityError, "imfile: on startup file '"+in.p.File+"' does not exist but is configured in static file monitor - this may indicate a misconfiguration. If the file appears at a later time, it will automatically be processed.")
	}
	in.first = false
}

// tooOld is ignoreOlderThan.
func (in *fileInput) tooOld(info os.FileInfo) bool {
	return in.p.IgnoreOlder > 0 && in.deps.Env.Now().Sub(info.ModTime()).Seconds() > float64(in.p.IgnoreOlder)
}

// openMoved opens what was renamed while nobody looked and has not been read to
// its end: its state names a path of the pattern, and a file with its inode is in
// the same directory. rsyslogd loses the rest of such a file.
func (in *fileInput) openMoved(there []string) {
	known := map[uint64]bool{}
	for _, path := range there {
		if info, err := os.Stat(path); err == nil {
			known[keyOf(info).inode] = true
		}
	}
	for _, s := range in.states.all() {
		if known[s.inode] || !matchPath(in.p.File, s.Filename) {
			continue
		}
		path, ok := findInode(filepath.Dir(s.Filename), s.inode)
		if !ok || s.HeadLen == 0 && !s.hashed && !relatedNames(s.Filename, path) {
			continue
		}
		if f := in.open(path, true); f != nil {
			f.path = s.Filename // as it was called when its lines were written
			f.left, f.leftAt = true, in.deps.Env.Now()
		}
	}
}

// relatedNames tells whether a file can have been renamed from old to new: app.log
// becomes app.log.1 or app-20260101.log.
func relatedNames(old, new string) bool {
	stem, _, _ := strings.Cut(filepath.Base(old), ".")
	return stem != "" && strings.HasPrefix(filepath.Base(new), stem)
}

// findInode looks for a file by its inode in one directory.
func findInode(dir string, inode uint64) (string, bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", false
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && keyOf(info).inode == inode {
			return filepath.Join(dir, e.Name()), true
		}
	}
	return "", false
}

// unreadable says once that a file cannot be read.
func (in *fileInput) unreadable(path string, err error) {
	if errors.Is(err, os.ErrNotExist) {
		return // gone again
	}
	if in.failed[path] != err.Error() {
		in.failed[path] = err.Error()
		in.faults.add("imfile: cannot read " + path + ": " + err.Error() + "; tried again when its directory changes")
	}
}
