package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"sysrelay/message"
)

// formatVersion is the version of the records below and of how they lie in a
// file. A file of a later version is left alone.
const formatVersion = 1

// Sizes of a record's header and of a state, in bytes.
const (
	headerSize = 88
	stateSize  = 144
	stateSum   = stateSize - 4 // where the checksum of a state is
	headerSum  = headerSize - 4
)

// Both kinds of record begin with seven bytes that no text has and one that
// tells them apart, so that they can be found in the pages of a broken file.
const (
	magicPrefix = "\xf3sysrly"
	chunkMagic  = magicPrefix + "C"
	stateMagic  = magicPrefix + "S"
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

// errRecord is the cause of every error about bytes that are not a record.
var errRecord = errors.New("not a whole record")

// header describes a chunk: the messages of one or more Appends that were
// committed together. On disk (little-endian):
//
//	 0  magic
//	 8  u16 format version
//	10  u16 version of the frame layout
//	12  u32 reserved
//	16  u64 id of the generation
//	24  u64 commit sequence, also the key of the bucket
//	32  u64 sequence of the first message
//	40  u64 acknowledged: sequence of the oldest message wanted at that time
//	48  u32 messages
//	52  u32 sequences they take; more than messages once some were evicted
//	56  i64 time of the commit, nanoseconds since 1970
//	64  i64 time of reception of the first message
//	72  u32 bytes of the chunk
//	76  u32 CRC-32C of the chunk
//	80  u32 reserved
//	84  u32 CRC-32C of the 84 bytes before
type header struct {
	id, commit uint64
	first      uint64
	acked      uint64
	count      uint32
	span       uint32
	time       int64
	received   int64
	size       uint32
	sum        uint32
}

// end is the sequence after the chunk's last.
func (h *header) end() uint64 { return h.first + uint64(h.span) }

// put writes h to the first headerSize bytes of b.
func (h *header) put(b []byte) {
	copy(b, chunkMagic)
	le.PutUint16(b[8:], formatVersion)
	le.PutUint16(b[10:], message.FrameVersion)
	le.PutUint32(b[12:], 0)
	le.PutUint64(b[16:], h.id)
	le.PutUint64(b[24:], h.commit)
	le.PutUint64(b[32:], h.first)
	le.PutUint64(b[40:], h.acked)
	le.PutUint32(b[48:], h.count)
	le.PutUint32(b[52:], h.span)
	le.PutUint64(b[56:], uint64(h.time))
	le.PutUint64(b[64:], uint64(h.received))
	le.PutUint32(b[72:], h.size)
	le.PutUint32(b[76:], h.sum)
	le.PutUint32(b[80:], 0)
	le.PutUint32(b[headerSum:], checksum(b[:headerSum]))
}

// readHeader reads a chunk's header and checks all that can be checked without
// the chunk.
func readHeader(b []byte, id uint64) (header, error) {
	if len(b) < headerSize || string(b[:8]) != chunkMagic {
		return header{}, fmt.Errorf("%w: no chunk header", errRecord)
	}
	if checksum(b[:headerSum]) != le.Uint32(b[headerSum:]) {
		return header{}, fmt.Errorf("%w: checksum of the header", errRecord)
	}
	h := header{
		id: le.Uint64(b[16:]), commit: le.Uint64(b[24:]),
		first: le.Uint64(b[32:]), acked: le.Uint64(b[40:]),
		count: le.Uint32(b[48:]), span: le.Uint32(b[52:]),
		time: int64(le.Uint64(b[56:])), received: int64(le.Uint64(b[64:])),
		size: le.Uint32(b[72:]), sum: le.Uint32(b[76:]),
	}
	if h.id != id {
		return header{}, fmt.Errorf("%w: belongs to another file (%016x)", errRecord, h.id)
	}
	return h, nil
}

// state is what a generation file says about the queue as of one commit. On
// disk (little-endian):
//
//	  0  magic
//	  8  u16 format version
//	 10  u16 version of the frame layout
//	 12  u32 flags: 1 = complete, a later file follows
//	 16  u64 id of the generation
//	 24  u64 commit sequence
//	 32  u64 number of the generation
//	 40  u64 commit sequence at its creation
//	 48  u64 sequence of the first message it may hold
//	 56  u64 sequence after its last message
//	 64  u64 acknowledged: sequence of the oldest message wanted
//	 72  i64 bytes of all messages ever appended
//	 80  i64 bytes of all messages ever acknowledged or evicted
//	 88  u64 messages evicted from this file
//	 96  i64 time of the commit
//	104  u64 sequence of the next message of the queue
//	112  u64 commit sequence of the last file put in front of the queue
//	120  u64 sequence at which that file ends and the older ones go on
//	128  reserved
//	140  u32 CRC-32C of the 140 bytes before
type state struct {
	version uint16
	frames  uint16
	flags   uint32
	id      uint64
	commit  uint64
	number  uint64
	created uint64
	first   uint64
	next    uint64
	acked   uint64
	bytesIn int64
	bytesGo int64
	evicted uint64
	time    int64
	tail    uint64
	front   uint64
	resume  uint64
}

// complete marks a generation after which another one was begun.
const complete = 1

// encode returns s as bytes.
func (s *state) encode() []byte {
	b := make([]byte, stateSize)
	copy(b, stateMagic)
	le.PutUint16(b[8:], formatVersion)
	le.PutUint16(b[10:], message.FrameVersion)
	le.PutUint32(b[12:], s.flags)
	for i, v := range []uint64{s.id, s.commit, s.number, s.created, s.first, s.next,
		s.acked, uint64(s.bytesIn), uint64(s.bytesGo), s.evicted, uint64(s.time), s.tail, s.front, s.resume} {
		le.PutUint64(b[16+8*i:], v)
	}
	le.PutUint32(b[stateSum:], checksum(b[:stateSum]))
	return b
}

// readState reads a state.
func readState(b []byte, id uint64) (state, error) {
	if len(b) < stateSize || string(b[:8]) != stateMagic {
		return state{}, fmt.Errorf("%w: no state", errRecord)
	}
	if checksum(b[:stateSum]) != le.Uint32(b[stateSum:]) {
		return state{}, fmt.Errorf("%w: checksum of the state", errRecord)
	}
	u := func(at int) uint64 { return le.Uint64(b[at:]) }
	s := state{
		version: le.Uint16(b[8:]), frames: le.Uint16(b[10:]), flags: le.Uint32(b[12:]),
		id: u(16), commit: u(24), number: u(32), created: u(40), first: u(48), next: u(56),
		acked: u(64), bytesIn: int64(u(72)), bytesGo: int64(u(80)), evicted: u(88), time: int64(u(96)),
		tail: u(104), front: u(112), resume: u(120),
	}
	if s.id != id {
		return state{}, fmt.Errorf("%w: state of another file (%016x)", errRecord, s.id)
	}
	return s, nil
}

// readable says whether this program can read what the file of s holds.
func (s *state) readable() error {
	switch {
	case s.version > formatVersion:
		return fmt.Errorf("it has format version %d, this program knows up to %d", s.version, formatVersion)
	case s.frames != message.FrameVersion:
		return fmt.Errorf("its messages have layout %d, this program knows %d", s.frames, message.FrameVersion)
	}
	return nil
}

// record is a chunk with its header, as it is written.
type record struct {
	header
	bytes []byte // header and chunk
}

// newRecord makes a record of the messages of some requests. Its header lacks
// what is only known when it is committed.
func newRecord(from []*request, size, n int) record {
	b := make([]byte, headerSize, headerSize+size)
	for _, r := range from {
		b = append(b, r.frames...)
	}
	rec := record{bytes: b}
	rec.count, rec.span, rec.size = uint32(n), uint32(n), uint32(size)
	rec.sum = checksum(b[headerSize:])
	if size >= 16 {
		rec.received = int64(le.Uint64(b[headerSize+8:])) // see message.AppendFrame
	}
	return rec
}

// chunk is the part of r after the header.
func (r *record) chunk() []byte { return r.bytes[headerSize:] }

// checksum is the CRC-32C of b.
func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
