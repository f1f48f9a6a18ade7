//go:build invariants

package queue

func scribble(b []byte) {
	for i := range b {
		b[i] = 0xdb
	}
}
