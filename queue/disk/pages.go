package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// This file reads bbolt's file format (version 2) without bbolt: with pread
// instead of a memory map, and trusting nothing. bbolt itself cannot be let near
// a file that may be damaged: it panics on pages that are not what they should
// be, in a goroutine of its own while it rebuilds the list of free pages, and
// follows a cycle of branch pages until the process dies of it. A memory map of
// a file that has become shorter is a SIGBUS. None of that can be caught. So
// bbolt writes files, and only those this process has made itself; this reads.

const (
	pageSize       = 4096
	pageHeaderSize = 16
	branchFlag     = 0x01
	leafFlag       = 0x02
	bucketFlag     = 0x01 // of a leaf element
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	maxDepth       = 16   // of a tree; 4 KiB pages with 8-byte keys need 4 for 2^40 chunks
	maxTreePages   = 1024 // of one tree page with its overflow: inlined buckets are at most 1 KiB
)

// errDamaged is the cause of every error about the structure of a file.
var errDamaged = errors.New("damaged")

// ne is the byte order of bbolt's own structures: that of the machine.
var ne = binary.NativeEndian

// pageFile reads the pages of a bbolt file.
type pageFile struct{ r io.ReaderAt }

// root is a consistent version of the tree: what one meta page refers to.
type root struct {
	txid  uint64
	page  uint64 // root page of the root bucket
	pages uint64 // pages in use; higher numbers are none
	lame  bool   // the other meta page is not valid
}

// root reads both meta pages and returns the later valid one.
func (p *pageFile) root() (root, error) {
	var best root
	valid := 0
	for i := range 2 {
		b := make([]byte, pageSize)
		if _, err := p.r.ReadAt(b, int64(i)*pageSize); err != nil && err != io.EOF {
			return root{}, err
		}
		r, ok := readMeta(b[pageHeaderSize:])
		if !ok {
			continue
		}
		valid++
		if r.txid >= best.txid {
			best = r
		}
	}
	if valid == 0 {
		return root{}, fmt.Errorf("%w: neither meta page is valid", errDamaged)
	}
	best.lame = valid == 1
	return best, nil
}

func readMeta(m []byte) (root, bool) {
	h := fnv.New64a()
	h.Write(m[:56])
	if ne.Uint32(m) != boltMagic || ne.Uint32(m[4:]) != boltVersion ||
		ne.Uint32(m[8:]) != pageSize || ne.Uint64(m[56:]) != h.Sum64() {
		return root{}, false
	}
	return root{page: ne.Uint64(m[16:]), pages: ne.Uint64(m[40:]), txid: ne.Uint64(m[48:])}, true
}

// page is a leaf or branch page, or the page inside an inlined bucket.
type page struct {
	off   int64 // of b in the file
	b     []byte
	leaf  bool
	count int
}

// page reads page n with its overflow, at most maxTreePages of it: of a chunk's
// page only the beginning is wanted, and cut says how much.
func (p *pageFile) page(r root, n uint64, cut int) (page, error) {
	if n < 2 || n >= r.pages {
		return page{}, fmt.Errorf("%w: page %d of %d", errDamaged, n, r.pages)
	}
	b := make([]byte, pageSize)
	off := int64(n) * pageSize
	if _, err := p.r.ReadAt(b, off); err != nil {
		return page{}, p.readError(n, err)
	}
	over := uint64(ne.Uint32(b[12:]))
	if id := ne.Uint64(b); id != n || n+over >= r.pages {
		return page{}, fmt.Errorf("%w: page %d says it is page %d with %d more", errDamaged, n, id, over)
	}
	if want := min(int(over)+1, cut); want > 1 {
		b = make([]byte, want*pageSize)
		if _, err := p.r.ReadAt(b, off); err != nil {
			return page{}, p.readError(n, err)
		}
	}
	return parsePage(b, off)
}

func (p *pageFile) readError(n uint64, err error) error {
	if err == io.EOF {
		return fmt.Errorf("%w: the file ends before page %d", errDamaged, n)
	}
	return fmt.Errorf("page %d: %w", n, err)
}

func parsePage(b []byte, off int64) (page, error) {
	if len(b) < pageHeaderSize {
		return page{}, fmt.Errorf("%w: %d bytes where a page should be", errDamaged, len(b))
	}
	flags := ne.Uint16(b[8:])
	pg := page{off: off, b: b, leaf: flags == leafFlag, count: int(ne.Uint16(b[10:]))}
	if flags != leafFlag && flags != branchFlag {
		return page{}, fmt.Errorf("%w: page at %d has flags %#x", errDamaged, off, flags)
	}
	if pageHeaderSize+16*pg.count > len(b) {
		return page{}, fmt.Errorf("%w: page at %d claims %d elements", errDamaged, off, pg.count)
	}
	return pg, nil
}

// element is an entry of a page: of a branch the key and child, of a leaf the
// key and where the value is in the file. value is what of it was read.
type element struct {
	key    []byte
	child  uint64
	bucket bool
	value  []byte
	off    int64
	size   int
}

// element returns entry i of the page.
func (pg *page) element(i int) (element, error) {
	at := pageHeaderSize + 16*i
	e := pg.b[at:]
	if !pg.leaf {
		pos, size := at+int(ne.Uint32(e)), int(ne.Uint32(e[4:]))
		if pos > len(pg.b) || size > len(pg.b)-pos {
			return element{}, fmt.Errorf("%w: key %d of page at %d is outside of it", errDamaged, i, pg.off)
		}
		return element{key: pg.b[pos : pos+size], child: ne.Uint64(e[8:])}, nil
	}
	pos, ksize, vsize := at+int(ne.Uint32(e[4:])), int(ne.Uint32(e[8:])), int(ne.Uint32(e[12:]))
	if pos > len(pg.b) || ksize > len(pg.b)-pos {
		return element{}, fmt.Errorf("%w: key %d of page at %d is outside of it", errDamaged, i, pg.off)
	}
	v := pg.b[pos+ksize:]
	if vsize < len(v) {
		v = v[:vsize]
	}
	return element{key: pg.b[pos : pos+ksize], bucket: ne.Uint32(e)&bucketFlag != 0,
		value: v, off: pg.off + int64(pos+ksize), size: vsize}, nil
}

// search returns the index of the first element whose key is at least key; of a
// branch, of the child that may hold it.
func (pg *page) search(key []byte) (int, error) {
	lo, hi := 0, pg.count
	for lo < hi {
		mid := (lo + hi) / 2
		e, err := pg.element(mid)
		if err != nil {
			return 0, err
		}
		if bytes.Compare(e.key, key) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if pg.leaf || lo == 0 {
		return lo, nil
	}
	if lo < pg.count {
		e, err := pg.element(lo)
		if err != nil || bytes.Equal(e.key, key) {
			return lo, err
		}
	}
	return lo - 1, nil
}

// open returns the root page of the bucket that element e is.
func (p *pageFile) open(r root, e element, cut int) (page, error) {
	if !e.bucket || len(e.value) < 16 {
		return page{}, fmt.Errorf("%w: %q is not a bucket", errDamaged, e.key)
	}
	if n := ne.Uint64(e.value); n != 0 {
		return p.page(r, n, cut)
	}
	return parsePage(e.value[16:], e.off+16)
}

// bucket returns the root page of the bucket with that name in the root bucket.
func (p *pageFile) bucket(r root, name string) (page, error) {
	pg, err := p.page(r, r.page, maxTreePages)
	if err != nil {
		return page{}, err
	}
	e, err := p.find(pg, []byte(name))
	if err != nil {
		return page{}, err
	}
	return p.open(r, e, maxTreePages)
}

// find returns the element of a leaf with that key.
func (p *pageFile) find(pg page, key []byte) (element, error) {
	if !pg.leaf {
		return element{}, fmt.Errorf("%w: branch page at %d where a leaf should be", errDamaged, pg.off)
	}
	i, err := pg.search(key)
	if err != nil {
		return element{}, err
	}
	if i < pg.count {
		e, err := pg.element(i)
		if err != nil {
			return element{}, err
		}
		if bytes.Equal(e.key, key) {
			return e, nil
		}
	}
	return element{}, fmt.Errorf("%w: no key %q in page at %d", errDamaged, key, pg.off)
}
