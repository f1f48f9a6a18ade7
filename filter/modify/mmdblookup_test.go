package modify

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// writeDB writes a database in which 192.0.2.0/24 is in the city given.
func writeDB(t *testing.T, path, city string) {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "test", RecordSize: 24, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	_, n, err := net.ParseCIDR("192.0.2.0/24")
	if err != nil {
		t.Fatal(err)
	}
	err = w.Insert(n, mmdbtype.Map{
		"city":     mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(city), "de": mmdbtype.String("X")}, "id": mmdbtype.Uint32(7)},
		"location": mmdbtype.Map{"latitude": mmdbtype.Float64(1.5), "eu": mmdbtype.Bool(true)},
		"list":     mmdbtype.Slice{mmdbtype.String("a"), mmdbtype.String("b")},
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path + ".new")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestMMDBLookup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.mmdb")
	writeDB(t, path, "Town")
	d := testDeps(t)
	j, err := NewMMJSONParse(NoModule{}, MMJSONParseParams{Container: "!", MaxScanBytes: 1}, d)
	if err != nil {
		t.Fatal(err)
	}
	f := func(containerName string, fields []string, in, want string) Modifier {
		t.Helper()
		l, err := NewMMDBLookup(MMDBLookupModule{containerName}, MMDBLookupParams{Key: "!ip", File: path, Fields: fields, ReloadOnHup: true}, d)
		if err != nil {
			t.Fatal(err)
		}
		if got := tree(t, modified(t, both{j, l}, in)); got != want {
			t.Errorf("%s %v: got %s, want %s", in, fields, got, want)
		}
		t.Cleanup(func() {
			if err := l.(*dbLookup).Close(); err != nil {
				t.Error(err)
			}
		})
		return l
	}
	l := f("!iplocation", []string{"!city!names!en", "!location"}, `{"ip":"192.0.2.9"}`,
		`{"ip":"192.0.2.9","iplocation":{"city":{"names":{"en":"Town"}},"location":{"eu":true,"latitude":1.5}}}`)
	f("!geo", []string{":city:!city!names!en", ":id:!city!id", "!list!1", "!nothing"}, `{"ip":"192.0.2.9"}`,
		`{"ip":"192.0.2.9","geo":{"city":"Town","id":7,"list":{"1":"b"}}}`)
	f("!geo", []string{"!city"}, `{"ip":"198.51.100.1"}`, `{"ip":"198.51.100.1"}`)
	f("!geo", []string{"!city"}, `{"ip":"nonsense"}`, `{"ip":"nonsense"}`)
	f("!geo", []string{"!city"}, `{"other":"192.0.2.9"}`, `{"other":"192.0.2.9"}`)

	writeDB(t, path, "City")
	l.(*dbLookup).Hup()
	m := modified(t, both{j, l}, `{"ip":"192.0.2.9"}`)
	if got, want := tree(t, m), `{"ip":"192.0.2.9","iplocation":{"city":{"names":{"en":"City"}},"location":{"eu":true,"latitude":1.5}}}`; got != want {
		t.Errorf("after HUP: %s, want %s", got, want)
	}
	if err := os.WriteFile(path, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewMMDBLookup(MMDBLookupModule{"!x"}, MMDBLookupParams{Key: "!ip", File: path, Fields: []string{"!a"}}, d); err == nil {
		t.Error("a file that is no database was accepted")
	}
	for _, bad := range []string{"", "!", ":x", "::!a", ":x:"} {
		if _, err := parseDBField(bad); err == nil {
			t.Errorf("field %q was accepted", bad)
		}
	}
}
