package modify

import (
	"crypto/aes"
	"crypto/cipher"
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"strings"
)

// scrambler makes the low bits of an address anonymous.
type scrambler struct {
	bits   int
	random bool
	// block permutes the low bits; nil if every address is to be different each
	// time. The key is made when the daemon starts and never leaves it.
	block cipher.Block
}

func newScrambler(mode string, bits int) *scrambler {
	s := &scrambler{bits: bits, random: mode == "random"}
	if strings.HasPrefix(mode, "random-consistent") {
		var key [16]byte
		crand.Read(key[:]) // never fails
		s.block, _ = aes.NewCipher(key[:])
	}
	return s
}

// change returns a with its low bits changed.
func (s *scrambler) change(a ipv6) ipv6 {
	mask := lowMask(s.bits)
	keep := ipv6{a.high &^ mask.high, a.low &^ mask.low}
	var low ipv6
	switch {
	case s.random:
		low = ipv6{rand.Uint64(), rand.Uint64()}
	case s.block != nil:
		low = s.permute(ipv6{a.high & mask.high, a.low & mask.low}, keep)
	}
	return ipv6{keep.high | low.high&mask.high, keep.low | low.low&mask.low}
}

// rounds of the Feistel network. Each uses AES as its round function, so that
// even addresses of a few bits give nothing away but that they are different.
const rounds = 10

// permute maps the low bits one to one to others, differently for every tweak:
// a Feistel network over two parts, whose lengths differ by a bit if the number
// of bits is odd. Two addresses never become the same, and nothing has to be
// remembered.
func (s *scrambler) permute(low, tweak ipv6) ipv6 {
	leftBits := s.bits / 2
	rightBits := s.bits - leftBits
	left, right := low.shiftRight(rightBits).low, low.low
	leftMask, rightMask := lowMask(leftBits).low, lowMask(rightBits).low
	right &= rightMask
	for round := range rounds {
		if round%2 == 0 {
			left = (left ^ s.mix(round, right, tweak)) & leftMask
		} else {
			right = (right ^ s.mix(round, left, tweak)) & rightMask
		}
	}
	r := ipv6{low: left}.shiftLeft(rightBits)
	r.low |= right
	return r
}

// mix is the round function.
func (s *scrambler) mix(round int, part uint64, tweak ipv6) uint64 {
	var in, out [16]byte
	binary.LittleEndian.PutUint64(in[:], part)
	binary.LittleEndian.PutUint64(in[8:], tweak.low^uint64(round)<<56)
	s.block.Encrypt(out[:], in[:])
	binary.LittleEndian.PutUint64(in[:], tweak.high)
	for i := range in {
		in[i] ^= out[i]
	}
	s.block.Encrypt(out[:], in[:])
	return binary.LittleEndian.Uint64(out[:])
}

func lowMask(bits int) ipv6 {
	switch {
	case bits >= 128:
		return ipv6{^uint64(0), ^uint64(0)}
	case bits > 64:
		return ipv6{1<<(bits-64) - 1, ^uint64(0)}
	case bits == 64:
		return ipv6{0, ^uint64(0)}
	}
	return ipv6{0, 1<<bits - 1}
}

func (a ipv6) shiftRight(n int) ipv6 {
	if n >= 64 {
		return ipv6{0, a.high >> (n - 64)}
	}
	return ipv6{a.high >> n, a.low>>n | a.high<<(64-n)}
}

func (a ipv6) shiftLeft(n int) ipv6 {
	if n >= 64 {
		return ipv6{a.low << (n - 64), 0}
	}
	return ipv6{a.high<<n | a.low>>(64-n), a.low << n}
}
