package engine

import (
	"sysrelay/conf"
	"sysrelay/filter"
)

// lookupParams are the parameters of lookup_table().
type lookupParams struct {
	Name        string `conf:"name,required" doc:"Name that lookup() knows the table by."`
	File        string `conf:"file,required" doc:"JSON file that holds the table."`
	ReloadOnHUP bool   `conf:"reloadonhup" default:"on" doc:"Read the file again on HUP."`
}

// lookupTable is a table and whether HUP reads it again.
type lookupTable struct {
	*filter.LookupTable
	reloads bool
}

// readTables opens the lookup_table() objects. as rsyslog: a table whose file
// cannot be read is an error and does not exist.
func (b *builder) readTables() {
	b.tables = map[string]lookupTable{}
	for _, o := range b.objects("lookup_table") {
		var p lookupParams
		if !b.decode(o, &p) {
			continue
		}
		t, err := filter.OpenLookupTable(p.Name, p.File, b.log.Log)
		if err != nil {
			b.failed(b.cfg.Errorf(lookupFile(o), "", "%v", err))
			continue
		}
		b.tables[p.Name] = lookupTable{t, p.ReloadOnHUP}
	}
}

func lookupFile(o *conf.Object) conf.Pos {
	if p := o.Param("file"); p != nil {
		return p.ValuePos
	}
	return o.Pos
}

func (e *Engine) lookupTable(name string) (*filter.LookupTable, bool) {
	t, ok := e.tables[name]
	return t.LookupTable, ok
}
