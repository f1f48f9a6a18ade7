//go:build invariants

package message

// invariants says whether owners of batches check, at some cost, that nobody
// breaks the rules of this package.
const invariants = true
