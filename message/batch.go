package message

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Batch is a run of messages in one buffer of frames. The zero value is an
// empty batch. One goroutine owns a batch; a View of it is good until the owner
// adds to it, loads it or resets it.
type Batch struct {
	buf     []byte
	n       int
	msgs    []Message // decoded form of buf, valid while decoded
	decoded bool
	zip     *inflater // nil until a compressed message is received
	Flow    Flow      // how a full queue may treat the input these came from
}

// Flow is the flow-control class of an input.
type Flow uint8

const (
	// NoDelay inputs lose messages when they are held up: UDP, /dev/log.
	NoDelay Flow = iota
	// LightDelay inputs may be held up for a moment at a queue's light delay mark: TCP.
	LightDelay
	// FullDelay inputs may be held up for ever at a queue's full delay mark: files.
	FullDelay
)

// Reset empties the batch and keeps its buffers.
func (b *Batch) Reset() {
	if invariants {
		b.poison()
	}
	b.buf, b.n, b.msgs, b.decoded = b.buf[:0], 0, b.msgs[:0], false
}

// poison overwrites what a Handler may have kept of the batch against the rule.
func (b *Batch) poison() {
	for i := range b.buf {
		b.buf[i] = 0xDB
	}
	clear(b.msgs)
}

// Len is the number of messages.
func (b *Batch) Len() int { return b.n }

// Size is the number of bytes the frames take.
func (b *Batch) Size() int { return len(b.buf) }

// Add appends an unparsed message: the text as it was received, less its framing.
func (b *Batch) Add(text []byte, o Origin, received int64, f Flags) {
	m := Message{Text: text, Origin: o, Received: received, Flags: f &^ Parsed, PRI: DefaultPRI}
	b.AddMessage(&m)
}

// AddMessage appends a copy of m with all that is known about it.
func (b *Batch) AddMessage(m *Message) {
	b.buf = AppendFrame(b.buf, m)
	b.n++
	b.decoded = false
}

// EncodedVars are variables in the form that frames have, so that a connection
// can give all its messages the same without making them anew.
type EncodedVars []byte

// EncodeVars encodes the tree $!.
func EncodeVars(tree Value) EncodedVars { return (&Vars{tree: tree}).appendBinary(nil) }

// SetVars gives variables to the messages received since the batch's Size was at:
// they have none yet. nil changes nothing.
func (b *Batch) SetVars(at int, vars EncodedVars) {
	if vars == nil || at == len(b.buf) {
		return
	}
	for at < len(b.buf) {
		size := int(binary.LittleEndian.Uint32(b.buf[at:]))
		b.buf = slices.Insert(b.buf, at+size, vars...)
		binary.LittleEndian.PutUint32(b.buf[at:], uint32(size+len(vars)))
		binary.LittleEndian.PutUint32(b.buf[at+24:], uint32(len(vars)))
		at += size + len(vars)
	}
	b.decoded = false
}

// Load makes the batch consist of the n messages that frames holds, which it
// adopts without copying. If frames is anything else, Load fails and the batch is
// empty.
func (b *Batch) Load(frames []byte, n int) error {
	b.buf, b.n, b.decoded = frames, n, false
	if err := b.decode(); err != nil {
		b.buf, b.n, b.msgs, b.decoded = nil, 0, b.msgs[:0], false
		return err
	}
	return nil
}

func (b *Batch) decode() error {
	if b.n < 0 || b.n > len(b.buf)/frameHeader {
		return fmt.Errorf("%w: %d bytes cannot be %d frames", ErrFrame, len(b.buf), b.n)
	}
	if cap(b.msgs) < b.n {
		b.msgs = make([]Message, b.n)
	}
	b.msgs = b.msgs[:b.n]
	rest, err := b.buf, error(nil)
	for i := range b.msgs {
		if rest, err = decodeFrame(rest, &b.msgs[i]); err != nil {
			return fmt.Errorf("message %d of %d: %w", i+1, b.n, err)
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes behind the last of %d frames", ErrFrame, len(rest), b.n)
	}
	b.decoded = true
	return nil
}

// All returns a view of every message.
func (b *Batch) All() View { return View{b: b, to: int32(b.n)} }

// View is a selection of a Batch's messages, in their order. It is a small
// value; pass it by value. The zero View is empty.
type View struct {
	b        *Batch
	sel      []int32 // indices into the batch; nil selects from..to
	from, to int32
}

// Len is the number of messages selected.
func (v View) Len() int {
	if v.sel != nil {
		return len(v.sel)
	}
	return int(v.to - v.from)
}

// At returns the i-th selected message, which belongs to the batch.
func (v View) At(i int) *Message {
	if !v.b.decoded {
		v.b.mustDecode()
	}
	return &v.b.msgs[v.index(i)]
}

// Index tells which message of its batch the i-th selected one is. It grows with
// i, and does not depend on what else is selected.
func (v View) Index(i int) int { return int(v.index(i)) }

// Messages returns all messages of v's batch: the one that At(i) returns is at
// Index(i).
func (v View) Messages() []Message {
	if !v.b.decoded {
		v.b.mustDecode()
	}
	return v.b.msgs
}

// Select returns the messages of v's batch with the given indices, which must
// ascend. The slice belongs to the View from then on.
func (v View) Select(indices []int32) View { return View{b: v.b, sel: indices} }

// Flow is the flow-control class of the input the messages came from.
func (v View) Flow() Flow {
	if v.b == nil {
		return NoDelay
	}
	return v.b.Flow
}

// Restore makes the messages selected again what their frames hold: unparsed if
// they came unparsed, and without what rules have changed since.
func (v View) Restore() {
	if v.Len() == 0 || !v.b.decoded {
		return
	}
	rest, k := v.b.buf, 0
	for i := 0; k < v.Len(); i++ {
		size, _ := FrameSize(rest)
		if i == v.Index(k) {
			if _, err := decodeFrame(rest[:size], &v.b.msgs[i]); err != nil {
				panic(err) // it has been decoded before
			}
			k++
		}
		rest = rest[size:]
	}
}

// Slice returns the messages from the i-th up to but not including the j-th.
func (v View) Slice(i, j int) View {
	if v.sel != nil {
		return View{b: v.b, sel: v.sel[i:j:j]}
	}
	return View{b: v.b, from: v.from + int32(i), to: v.from + int32(j)}
}

// Filter returns the messages for which keep is true. The selection is appended
// to buf[:0]; the returned slice is buf, grown if need be, for the next call
// once this View is no longer used.
func (v View) Filter(buf []int32, keep func(*Message) bool) (View, []int32) {
	buf = buf[:0]
	for i := range v.Len() {
		if keep(v.At(i)) {
			buf = append(buf, v.index(i))
		}
	}
	if len(buf) == v.Len() {
		return v, buf
	}
	return View{b: v.b, sel: buf}, buf
}

// Pick returns the messages of v at the given positions of v, in that order.
// It writes to positions, which then belongs to the View.
func (v View) Pick(positions []int32) View {
	for i, p := range positions {
		positions[i] = v.index(int(p))
	}
	return View{b: v.b, sel: positions}
}

// CopyTo appends the selected messages to dst.
func (v View) CopyTo(dst *Batch) {
	dst.Flow = v.Flow()
	if v.Len() == 0 {
		return
	}
	if v.whole() && !v.b.decoded {
		dst.buf = append(dst.buf, v.b.buf...)
		dst.n += v.b.n
		dst.decoded = false
		return
	}
	for i := range v.Len() {
		dst.AddMessage(v.At(i))
	}
}

// AppendFrames appends the selected messages as frames.
func (v View) AppendFrames(dst []byte) []byte {
	if v.Len() > 0 && v.whole() && !v.b.decoded {
		return append(dst, v.b.buf...)
	}
	for i := range v.Len() {
		dst = AppendFrame(dst, v.At(i))
	}
	return dst
}

func (v View) whole() bool { return v.sel == nil && v.from == 0 && int(v.to) == v.b.n }

func (v View) index(i int) int32 {
	if v.sel != nil {
		return v.sel[i]
	}
	return v.from + int32(i)
}

func (b *Batch) mustDecode() {
	if err := b.decode(); err != nil {
		// Frames come from Add, which wrote them, or Load, which checked them.
		panic(err)
	}
}
