package output

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// appendFlags: a terminal does not become ours, a pipe nobody reads does not
// block.
const appendFlags = unix.O_WRONLY | unix.O_APPEND | unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC

// openAppend opens a file the configuration names, creating it and its
// directories as s says.
func (s *fileSpec) openAppend(name string) (fd int, created bool, err error) {
	flags := appendFlags
	if !s.follow {
		flags |= unix.O_NOFOLLOW
	}
	fd, err = openFile(name, flags, 0)
	if !errors.Is(err, unix.ENOENT) {
		return fd, false, err
	}
	if s.createDirs {
		if err := s.makeDirs(path.Dir(name)); err != nil {
			return -1, false, err
		}
	}
	fd, err = openFile(name, flags|unix.O_CREAT, s.fileMode)
	return fd, err == nil, err
}

func openFile(name string, flags, mode int) (int, error) {
	for {
		fd, err := unix.Open(name, flags, uint32(mode))
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// makeDirs creates a directory and those above it that are missing.
func (s *fileSpec) makeDirs(dir string) error {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err == nil || !errors.Is(err, unix.ENOENT) {
		return err
	}
	if parent := path.Dir(dir); parent != dir {
		if err := s.makeDirs(parent); err != nil {
			return err
		}
	}
	return s.makeDir(unix.AT_FDCWD, dir)
}

func (s *fileSpec) makeDir(at int, name string) error {
	switch err := unix.Mkdirat(at, name, uint32(s.dirMode)); {
	case errors.Is(err, unix.EEXIST):
		return nil
	case err != nil:
		return fmt.Errorf("directory %s cannot be created: %w", name, err)
	}
	if s.dirUID < 0 && s.dirGroup < 0 {
		return nil
	}
	err := unix.Fchownat(at, name, s.dirUID, s.dirGroup, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil && s.failOnChown {
		return fmt.Errorf("the owner of directory %s cannot be set: %w", name, err)
	}
	return nil
}

// openBeneath opens base+rel for appending, where rel may come from a message.
// It cannot name anything outside base: the kernel resolves it beneath base, and
// refuses symbolic links on the way.
func (s *fileSpec) openBeneath(base, rel string) (fd int, created bool, err error) {
	dir, err := s.openBase(base)
	if err != nil {
		return -1, false, err
	}
	defer unix.Close(dir)
	fd, err = resolve(dir, rel, appendFlags, 0)
	if errors.Is(err, unix.ENOENT) {
		if s.createDirs {
			if err := s.makeDirsBeneath(dir, path.Dir(rel)); err != nil {
				return -1, false, err
			}
		}
		fd, err = resolve(dir, rel, appendFlags|unix.O_CREAT, s.fileMode)
		created = err == nil
	}
	if err != nil {
		return -1, false, err
	}
	if err := plainFile(fd); err != nil {
		unix.Close(fd)
		return -1, false, err
	}
	return fd, created, nil
}

// openBase opens the directory the configuration names.
func (s *fileSpec) openBase(base string) (int, error) {
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err := openFile(base, flags, 0)
	if !errors.Is(err, unix.ENOENT) || !s.createDirs {
		return fd, err
	}
	if err := s.makeDirs(path.Clean(base)); err != nil {
		return -1, err
	}
	return openFile(base, flags, 0)
}

func (s *fileSpec) makeDirsBeneath(dir int, rel string) error {
	for at := 0; at < len(rel); {
		end := at + strings.IndexByte(rel[at:]+"/", '/')
		part := rel[:end]
		at = end + 1
		fd, err := resolve(dir, part, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			err = s.makeDirIn(dir, part)
		} else if err == nil {
			unix.Close(fd)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// makeDirIn creates one directory whose parent is there.
func (s *fileSpec) makeDirIn(dir int, rel string) error {
	parent, err := resolve(dir, path.Dir(rel), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	return s.makeDir(parent, path.Base(rel))
}

var errNoOpenat2 = errors.New("this kernel has no openat2 (Linux 5.6), which keeps names made from " +
	"messages below their directory; dynafile.dangerousPermitPathEscape=on does without")

func resolve(dir int, rel string, flags, mode int) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags),
		Mode:    uint64(mode),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err := unix.Openat2(dir, rel, &how)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
			// EAGAIN: something was renamed while the kernel looked; see openat2(2).
			continue
		case errors.Is(err, unix.ENOSYS):
			return -1, errNoOpenat2
		}
		return fd, err
	}
}

var errNotPlain = errors.New("it is not a plain file with one name, which a file named by messages must be")

// plainFile refuses what somebody may have planted: devices, pipes, hard links
// to other files.
func plainFile(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink > 1 {
		return errNotPlain
	}
	return nil
}
