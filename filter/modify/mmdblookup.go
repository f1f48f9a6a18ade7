package modify

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/oschwald/maxminddb-golang"

	"sysrelay/message"
)

// MMDBLookupModule are mmdblookup's parameters at module().
type MMDBLookupModule struct {
	Container string `conf:"container" default:"!iplocation" doc:"Variable that gets the fields." status:"full"`
}

// MMDBLookupParams are mmdblookup's parameters.
type MMDBLookupParams struct {
	Key         string   `conf:"key,required" doc:"Variable that holds the address." status:"full"`
	File        string   `conf:"mmdbfile,required" doc:"MaxMind database." status:"full"`
	Fields      []string `conf:"fields,required" doc:"What to look up, such as !city!names!en; a name between colons before it is the name of the variable." status:"full"`
	ReloadOnHup bool     `conf:"reloadonhup" default:"on" doc:"Read the database again on HUP." status:"full"`
}

type dbLookup struct {
	params    MMDBLookupParams
	log       func(severity int, text string)
	key       message.Path
	container message.Path
	fields    []dbField

	mu sync.RWMutex // held for reading while the database is used
	db *maxminddb.Reader
}

// dbField is what to look up, and the variable below the container for it.
type dbField struct {
	path, name []string
}

// NewMMDBLookup returns what adds to a message what a database knows about an
// address in it.
func NewMMDBLookup(mod MMDBLookupModule, p MMDBLookupParams, d Deps) (Modifier, error) {
	l := &dbLookup{params: p, log: d.Log}
	var err error
	if l.key, err = container(d.Env, "key", p.Key); err != nil {
		return nil, err
	}
	if l.container, err = container(d.Env, "container", mod.Container); err != nil {
		return nil, err
	}
	for _, text := range p.Fields {
		f, err := parseDBField(text)
		if err != nil {
			return nil, err
		}
		l.fields = append(l.fields, f)
	}
	if l.db, err = openDB(p.File); err != nil {
		return nil, fmt.Errorf("mmdbfile %s: %w", p.File, err)
	}
	return l, nil
}

// openDB reads a database into memory: a file that is mapped ends the daemon when
// it is cut while in use.
func openDB(path string) (*maxminddb.Reader, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return maxminddb.FromBytes(b)
}

// parseDBField reads "!city!names!en" and ":cityname:!city!names!en".
func parseDBField(text string) (f dbField, err error) {
	path, name := text, text
	if strings.HasPrefix(text, ":") {
		var ok bool
		if name, path, ok = strings.Cut(text[1:], ":"); !ok || name == "" {
			return f, fmt.Errorf(`fields: %q: a name stands between colons, as in ":city:!city!names!en"`, text)
		}
	}
	f.path, f.name = strings.Split(strings.Trim(path, "!"), "!"), strings.Split(strings.Trim(name, "!"), "!")
	if f.path[0] == "" || f.name[0] == "" {
		return f, fmt.Errorf("fields: %q names nothing", text)
	}
	return f, nil
}

// Modify looks the address up. What is no address, and what the database does not
// know, adds nothing.
func (l *dbLookup) Modify(_ context.Context, m *message.Message) error {
	key, ok := m.Var(l.key)
	if !ok {
		return nil
	}
	ip := net.ParseIP(strings.TrimSpace(string(key.AppendText(nil))))
	if ip == nil {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.db == nil {
		return nil // closed
	}
	var record any
	if err := l.db.Lookup(ip, &record); err != nil || record == nil {
		return nil
	}
	found := message.NewObject()
	for _, f := range l.fields {
		if v, ok := lookIn(record, f.path); ok {
			setIn(found, f.name, jsonOf(v))
		}
	}
	if found.Len() > 0 {
		_ = m.AddVar(l.container, found) // a tree that cannot take it stays as it is
	}
	return nil
}

// lookIn follows a path of names and positions.
func lookIn(v any, path []string) (any, bool) {
	for _, name := range path {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[name]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			var i int
			if _, err := fmt.Sscanf(name, "%d", &i); err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// setIn sets a member of an object in objects.
func setIn(v message.Value, name []string, elem message.Value) {
	for _, n := range name[:len(name)-1] {
		next, ok := v.Member(n, true)
		if !ok || next.Kind() != message.KindObject {
			next = message.NewObject()
			v.SetMember(n, next, true)
		}
		v = next
	}
	v.SetMember(name[len(name)-1], elem, true)
}

// jsonOf is a value of the database as JSON. Members are in the order of their
// names.
func jsonOf(v any) message.Value {
	switch v := v.(type) {
	case string:
		return message.StringValue(v)
	case bool:
		return message.BoolValue(v)
	case float64:
		return message.FloatValue(v)
	case float32:
		return message.FloatValue(float64(v))
	case int:
		return message.IntValue(int64(v))
	case uint64:
		if int64(v) >= 0 {
			return message.IntValue(int64(v))
		}
	case map[string]any:
		o := message.NewObject()
		for _, name := range slices.Sorted(maps.Keys(v)) {
			o.SetMember(name, jsonOf(v[name]), true)
		}
		return o
	case []any:
		a := message.NewArray()
		for _, e := range v {
			a.Append(jsonOf(e))
		}
		return a
	}
	return message.StringValue(fmt.Sprint(v))
}

// Hup reads the database again; if that fails the old one is used on.
func (l *dbLookup) Hup() {
	if !l.params.ReloadOnHup {
		return
	}
	db, err := openDB(l.params.File)
	if err != nil {
		l.log(severityError, fmt.Sprintf("mmdblookup: open %s: %v; the database that was read before is used on", l.params.File, err))
		return
	}
	l.mu.Lock()
	old := l.db
	l.db = db
	l.mu.Unlock()
	_ = old.Close() // it was only read
}

// Close closes the database.
func (l *dbLookup) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.db == nil {
		return nil
	}
	db := l.db
	l.db = nil
	return db.Close()
}
