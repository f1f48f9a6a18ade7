package message

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The frame form of variables: the tree $!, the tree $., then what is left of
// the frame is the message's uuid, if it has one. A value is its Kind, then
//
//	bool    one byte
//	int     varint
//	float   eight bytes, then the text as of a string
//	string  uvarint length, bytes
//	object  uvarint count, then for each member its name as a string and its value
//	array   uvarint count, then the values
func (v *Vars) appendBinary(dst []byte) []byte {
	dst = v.tree.appendBinary(dst)
	dst = v.local.appendBinary(dst)
	if v.hasUUID {
		dst = append(dst, v.uuid[:]...)
	}
	return dst
}

func (v Value) appendBinary(dst []byte) []byte {
	dst = append(dst, byte(v.kind))
	switch v.kind {
	case KindBool:
		dst = append(dst, byte(v.num))
	case KindInt:
		dst = binary.AppendVarint(dst, v.num)
	case KindFloat:
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.num))
		dst = appendBinaryString(dst, v.str)
	case KindString:
		dst = appendBinaryString(dst, v.str)
	case KindObject, KindArray:
		dst = binary.AppendUvarint(dst, uint64(len(v.kids.vals)))
		for i, e := range v.kids.vals {
			if v.kind == KindObject {
				dst = appendBinaryString(dst, v.kids.keys[i])
			}
			dst = e.appendBinary(dst)
		}
	}
	return dst
}

func appendBinaryString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// decodeVars reads what appendBinary wrote. It trusts nothing: depth is bounded,
// and memory grows with the bytes that are there, not with counts.
func decodeVars(b []byte) (*Vars, error) {
	d := varsDecoder{b: b}
	v := &Vars{tree: d.value(0), local: d.value(0)}
	switch {
	case d.bad:
		return nil, fmt.Errorf("%w: bad variables", ErrFrame)
	case len(d.b) == len(v.uuid):
		v.hasUUID = true
		copy(v.uuid[:], d.b)
	case len(d.b) != 0:
		return nil, fmt.Errorf("%w: %d bytes too many behind the variables", ErrFrame, len(d.b))
	}
	return v, nil
}

type varsDecoder struct {
	b   []byte
	bad bool
}

func (d *varsDecoder) value(depth int) Value {
	k := Kind(d.byte())
	switch k {
	case KindNull:
		return Value{}
	case KindBool:
		return BoolValue(d.byte() != 0)
	case KindInt:
		n, size := binary.Varint(d.b)
		d.skip(size)
		return IntValue(n)
	case KindFloat:
		v := Value{kind: KindFloat}
		if bits := d.take(8); bits != nil {
			v.num = int64(binary.LittleEndian.Uint64(bits))
		}
		v.str = d.str()
		return v
	case KindString:
		return StringValue(d.str())
	case KindObject, KindArray:
		if depth < maxDepth {
			return d.children(k, depth+1)
		}
	}
	d.bad = true
	return Value{}
}

func (d *varsDecoder) children(k Kind, depth int) Value {
	v := Value{kind: k, kids: &children{}}
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		if k == KindObject {
			v.kids.keys = append(v.kids.keys, d.str())
		}
		v.kids.vals = append(v.kids.vals, d.value(depth))
	}
	return v
}

func (d *varsDecoder) str() string {
	n := d.uvarint()
	if n > math.MaxInt32 {
		d.bad = true
		return ""
	}
	return string(d.take(int(n)))
}

func (d *varsDecoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.b)
	d.skip(size)
	return n
}

// skip takes a number of the given size; a size of 0 or less is how package
// binary says that it is cut short or too large.
func (d *varsDecoder) skip(size int) {
	if size <= 0 {
		d.bad = true
	}
	d.take(size)
}

func (d *varsDecoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// take removes the first n bytes.
func (d *varsDecoder) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.b) {
		d.bad = true
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}
