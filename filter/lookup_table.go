package filter

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"sysrelay/message"
)

// LookupTable is one lookup_table(): values by key, read from a JSON file. Its
// methods may be called from any goroutine.
type LookupTable struct {
	name, file string
	log        func(severity int, text string)
	data       atomic.Pointer[tableData]

	mu        sync.Mutex
	reloading bool
	again     *string // the stub of a reload asked for during one
}

// maxTableFile bounds the size of a table's file.
const maxTableFile = 1 << 30

// tableData is what a file says; it never changes.
type tableData struct {
	noMatch string
	texts   map[string]string // type string
	numbers []tableEntry      // types array and sparseArray, by key
	numeric bool
	floor   bool // sparseArray: the entry with the next smaller key counts, too
	regexes []tableRegex
}

// tableRegex is an entry of type regex. The first that matches counts.
type tableRegex struct {
	match func([]byte) bool
	tag   string
}

type tableEntry struct {
	key   int64
	value string
}

// OpenLookupTable reads a table's file. log takes what a Reload has to say.
func OpenLookupTable(name, file string, log func(severity int, text string)) (*LookupTable, error) {
	t := &LookupTable{name: name, file: file, log: log}
	d, err := readTable(file)
	if err != nil {
		return nil, fmt.Errorf("lookup table %q: %w", name, err)
	}
	t.data.Store(d)
	return t, nil
}

// Reload reads the file anew. as rsyslog: if that fails the old table stays in
// use or, if there is a stub, every key has the value stub from then on.
func (t *LookupTable) Reload(stub string) {
	d, err := readTable(t.file)
	switch {
	case err == nil:
		t.data.Store(d)
		t.log(severityInfo, fmt.Sprintf("lookup table '%s' reloaded from file '%s'", t.name, t.file))
		return
	case stub != "":
		t.data.Store(&tableData{noMatch: stub})
		t.log(severityError, fmt.Sprintf("lookup table '%s' could not be reloaded: %v; every key has the value '%s' "+
			"until a reload succeeds", t.name, err, stub))
		return
	}
	t.log(severityError, fmt.Sprintf("lookup table '%s' could not be reloaded: %v; the old one stays in use",
		t.name, err))
}

// ReloadSoon is Reload in the background: messages go on with the old table. What is
// asked for while a reload is under way is one more reload after it.
func (t *LookupTable) ReloadSoon(stub string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reloading {
		t.again = &stub
		return
	}
	t.reloading = true
	go t.reload(stub)
}

func (t *LookupTable) reload(stub string) {
	for {
		t.Reload(stub)
		t.mu.Lock()
		if t.again == nil {
			t.reloading = false
			t.mu.Unlock()
			return
		}
		stub, t.again = *t.again, nil
		t.mu.Unlock()
	}
}

// find is the value of a key.
func (t *LookupTable) find(e *eval, key *value) string {
	d := t.data.Load()
	if d.regexes != nil {
		return d.firstMatch(key.string(e))
	}
	if !d.numeric {
		if v, ok := d.texts[string(key.string(e))]; ok {
			return v
		}
		return d.noMatch
	}
	n, _ := key.number()
	i, found := slices.BinarySearchFunc(d.numbers, n, func(e tableEntry, n int64) int { return cmp.Compare(e.key, n) })
	switch {
	case found:
		return d.numbers[i].value
	case d.floor && i > 0:
		return d.numbers[i-1].value
	}
	return d.noMatch
}

func (d *tableData) firstMatch(key []byte) string {
	for _, r := range d.regexes {
		if r.match(key) {
			return r.tag
		}
	}
	return d.noMatch
}

// tableFile is a table's file.
type tableFile struct {
	Version int    `json:"version"`
	NoMatch string `json:"nomatch"`
	Type    string `json:"type"`
	Table   []struct {
		Index json.RawMessage `json:"index"`
		Value *string         `json:"value"`
		Regex *string         `json:"regex"`
		Tag   *string         `json:"tag"`
	} `json:"table"`
}

func readTable(file string) (*tableData, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxTableFile {
		return nil, fmt.Errorf("file %s is larger than %d bytes", file, maxTableFile)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	f := tableFile{Version: 1, Type: "string"}
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("file %s: %w", file, err)
	}
	d, err := f.data()
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", file, err)
	}
	return d, nil
}

func (f *tableFile) data() (*tableData, error) {
	if f.Version != 1 {
		return nil, fmt.Errorf("version %d is not 1", f.Version)
	}
	d := &tableData{noMatch: f.NoMatch}
	switch f.Type {
	case "string":
		d.texts = make(map[string]string, len(f.Table))
	case "array":
		d.numeric = true
	case "sparseArray":
		d.numeric, d.floor = true, true
	case "regex":
		return d, f.readRegexes(d)
	default:
		return nil, fmt.Errorf("type %q is not string, array, sparseArray or regex", f.Type)
	}
	for i, entry := range f.Table {
		key := indexText(entry.Index)
		if entry.Value == nil || entry.Index == nil {
			return nil, fmt.Errorf("entry %d lacks its index or its value", i+1)
		}
		if !d.numeric {
			d.texts[key] = *entry.Value
			continue
		}
		n, err := strconv.ParseInt(key, 10, 64)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("entry %d: index %s is not a number", i+1, key)
		}
		d.numbers = append(d.numbers, tableEntry{n, *entry.Value})
	}
	slices.SortStableFunc(d.numbers, func(a, b tableEntry) int { return cmp.Compare(a.key, b.key) })
	return d, d.check()
}

func (f *tableFile) readRegexes(d *tableData) error {
	d.regexes = []tableRegex{}
	for i, entry := range f.Table {
		if entry.Regex == nil || entry.Tag == nil {
			return fmt.Errorf("entry %d lacks its regex or its tag", i+1)
		}
		re, err := message.CompileERE(*entry.Regex)
		if err != nil {
			return fmt.Errorf("entry %d: %w", i+1, err)
		}
		d.regexes = append(d.regexes, tableRegex{matchRegex(re), *entry.Tag})
	}
	return nil
}

// check: an array has no gaps, and no key stands there twice.
func (d *tableData) check() error {
	for i := 1; i < len(d.numbers); i++ {
		a, b := d.numbers[i-1].key, d.numbers[i].key
		switch {
		case a == b:
			return fmt.Errorf("index %d stands there twice", a)
		case !d.floor && b != a+1:
			return fmt.Errorf("an array has no gaps: there is nothing between index %d and %d; use sparseArray", a, b)
		}
	}
	return nil
}

// indexText is an index, which may be a JSON string or a number.
func indexText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
