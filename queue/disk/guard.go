package disk

import (
	"fmt"
	"runtime/debug"
)

// guard calls f, and makes an error of a panic: bbolt's about a page that is not
// what it should be, or the fault of reading a memory-mapped file that somebody
// has cut short.
func guard(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return f()
}
