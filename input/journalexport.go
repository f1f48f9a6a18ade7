package input

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// journalEntry is one entry of a journal.
type journalEntry struct {
	fields   []journalField // those that do not belong to the format
	cursor   string
	realtime int64 // microseconds since 1970
}

type journalField struct{ name, value string }

// value is a field's value; as rsyslog, the first one's. "" if it is not there.
func (e *journalEntry) value(name string) string {
	for _, f := range e.fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// exportReader reads the Journal Export Format of systemd
// (https://systemd.io/JOURNAL_EXPORT_FORMATS): fields NAME=value, or NAME, a 64-bit
// length and that many bytes; an empty line ends an entry.
type exportReader struct {
	r     *bufio.Reader
	limit int // of a value; what is longer is cut
}

const (
	// entryMax bounds an entry; fields beyond are left out.
	entryMax = 1 << 20
	// valueMax is more than a journal holds: then the stream is not in the format.
	valueMax = 1 << 32
)

var errExport = errors.New("what journalctl writes is not the journal export format")

// next returns the next entry; io.EOF at the end.
func (x *exportReader) next() (*journalEntry, error) {
	e, size, some := &journalEntry{}, 0, false
	for {
		name, value, err := x.field()
		switch {
		case err != nil:
			return nil, err
		case name == "" && some:
			return e, nil
		case name == "":
			continue
		}
		some = true
		size += len(name) + len(value)
		switch {
		case name == "__CURSOR":
			e.cursor = value
		case name == "__REALTIME_TIMESTAMP":
			e.realtime, _ = strconv.ParseInt(value, 10, 64)
		case len(name) > 1 && name[:2] == "__": // of the format, not of the entry
		case size <= entryMax:
			e.fields = append(e.fields, journalField{name, value})
		}
	}
}

// field reads one field; name is "" for the line between entries.
func (x *exportReader) field() (name, value string, err error) {
	line, err := x.line()
	if err != nil {
		return "", "", err
	}
	if len(line) == 0 {
		return "", "", nil
	}
	if at := bytes.IndexByte(line, '='); at > 0 {
		return string(line[:at]), string(line[at+1:]), nil
	}
	name = string(line) // before it is read over
	value, err = x.binary()
	return name, value, err
}

// line reads a line without its end; what goes over the limit is dropped.
func (x *exportReader) line() ([]byte, error) {
	part, err := x.r.ReadSlice('\n')
	if err == nil && len(part) <= x.limit+1 {
		return part[:len(part)-1], nil
	}
	var line []byte
	for {
		line = append(line, part[:min(len(part), max(x.limit-len(line), 0))]...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(line, []byte("\n")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
		part, err = x.r.ReadSlice('\n')
	}
}

func (x *exportReader) binary() (string, error) {
	var head [8]byte
	if _, err := io.ReadFull(x.r, head[:]); err != nil {
		return "", err
	}
	size := binary.LittleEndian.Uint64(head[:])
	if size > valueMax {
		return "", fmt.Errorf("%w: a value of %d bytes", errExport, size)
	}
	value := make([]byte, min(int(size), x.limit))
	if _, err := io.ReadFull(x.r, value); err != nil {
		return "", err
	}
	if _, err := io.CopyN(io.Discard, x.r, int64(size)-int64(len(value))); err != nil {
		return "", err
	}
	end, err := x.r.ReadByte()
	if err == nil && end != '\n' {
		err = fmt.Errorf("%w: no line feed behind a value", errExport)
	}
	return string(value), err
}
