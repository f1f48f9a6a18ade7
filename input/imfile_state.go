package input

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dchest/siphash"

	"sysrelay/message"
)

// fileState is a state file in rsyslog's format: one JSON object, named after the
// file's inode and, once the file has that many bytes, a hash of its first 512.
// Either daemon goes on where the other has stopped.
type fileState struct {
	Filename string `json:"filename"`
	WasNL    int    `json:"prev_was_nl"`
	Current  int64  `json:"curr_offs"` // rsyslog: behind what has been read
	Start    *int64 `json:"strt_offs"` // rsyslog: where the message that has not ended begins
	Segment  string `json:"prev_msg_segment"`
	// Ours: a hash of the file's first bytes, because inodes are used again.
	HeadLen int    `json:"sysrelay_head"`
	HeadSum string `json:"sysrelay_hash"`

	inode  uint64
	hashed bool // its name holds a hash
}

// headMax is how many bytes identify a file. as rsyslog.
const headMax = 512

// headSum is rsyslog's hash of a file's beginning: SipHash-2-4 with the key of
// the reference implementation, its bytes in little-endian order.
func headSum(b []byte) string {
	sum := siphash.Hash(0x0706050403020100, 0x0f0e0d0c0b0a0908, b)
	var text strings.Builder
	for range 8 {
		fmt.Fprintf(&text, "%02x", byte(sum))
		sum >>= 8
	}
	return text.String()
}

// offset is where to read on.
func (s *fileState) offset() int64 {
	if s.Start != nil && *s.Start <= s.Current {
		return *s.Start
	}
	return s.Current
}

// pending is the part of a message that lies before the offset. as rsyslog: with
// a regex it keeps the text, not the place where it began.
func (s *fileState) pending() string {
	if s.Start != nil && *s.Start < s.Current {
		return "" // it is read again
	}
	return s.Segment
}

const statePrefix = "imfile-state:"

// stateDir is where an input keeps its state files.
type stateDir struct {
	path string
	sync bool
}

// name is the name of a file's state file, given its first bytes.
func (d *stateDir) name(inode uint64, head []byte) string {
	if len(head) < headMax {
		return statePrefix + strconv.FormatUint(inode, 10)
	}
	return statePrefix + strconv.FormatUint(inode, 10) + ":" + headSum(head)
}

func (d *stateDir) file(name string) string { return filepath.Join(d.path, name) }

// load returns a file's state and the name of its state file, or nil if there is
// none. as rsyslog: a file that has grown may have its state under the inode alone.
func (d *stateDir) load(inode uint64, head []byte) (*fileState, string, error) {
	for _, name := range []string{d.name(inode, head), d.name(inode, nil)} {
		s, err := d.read(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, name, fmt.Errorf("state file %s: %w", d.file(name), err)
		}
		if s.HeadLen > len(head) || s.HeadLen > 0 && headSum(head[:s.HeadLen]) != s.HeadSum {
			continue // of a file that had this inode before
		}
		return s, name, nil
	}
	return nil, "", nil
}

func (d *stateDir) read(name string) (*fileState, error) {
	text, err := os.ReadFile(d.file(name))
	if err != nil {
		return nil, err
	}
	s := &fileState{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, err
	}
	if s.Current < 0 || s.Start != nil && *s.Start < 0 {
		return nil, errors.New("negative offset")
	}
	return s, nil
}

// all are the states of all files, those of other inputs included. What cannot
// be read is left out.
func (d *stateDir) all() (found []*fileState) {
	entries, _ := os.ReadDir(d.path)
	for _, e := range entries {
		id, ok := strings.CutPrefix(e.Name(), statePrefix)
		if !ok {
			continue
		}
		id, _, hashed := strings.Cut(id, ":")
		inode, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			continue
		}
		if s, err := d.read(e.Name()); err == nil {
			s.inode, s.hashed = inode, hashed
			found = append(found, s)
		}
	}
	return found
}

// save writes a state. The file is complete at any time.
func (d *stateDir) save(name, filename string, offset int64, head []byte) error {
	text := append([]byte(`{ "filename": `), message.StringValue(filename).AppendJSON(nil, message.JSONSpaced)...)
	text = fmt.Appendf(text, `, "prev_was_nl": 0, "curr_offs": %d, "strt_offs": %d, "sysrelay_head": %d, "sysrelay_hash": "%s" }`,
		offset, offset, len(head), headSum(head))
	return replaceFile(d.file(name), text, 0o600, d.sync)
}

// replaceFile writes a small file that is whole at any time, and on disk if sync
// is true.
func replaceFile(path string, text []byte, mode os.FileMode, sync bool) (err error) {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && sync {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}

func (d *stateDir) remove(name string) {
	if name != "" {
		os.Remove(d.file(name))
	}
}
