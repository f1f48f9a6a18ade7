package message

import (
	"fmt"
	"testing"
	"time"
)

// What rsyslogd 8.2302 makes of the same datagrams at a log socket, but for the
// two marked ones.
func TestParseLocal(t *testing.T) {
	env := NewEnv("here")
	env.Location = time.UTC
	for _, c := range []struct {
		in, want string // pri|tag|programname|procid|msg
		pid      int
	}{
		{"<13>Nov 21 10:20:30 app[7]: one", "13|app[7]:|app|7| one", 0},
		{"<13>Nov 21 10:20:30 app: two", "13|app:|app|-| two", 0},
		{"<13>app: no timestamp", "13|app:|app|-| no timestamp", 0},
		{"<13>Nov 21 10:20:30 myhost app[9]: x", "13|myhost|myhost|-| app[9]: x", 0},
		{"<13>2020-11-21T10:20:30.123+02:00 app[1]: iso", "13|app[1]:|app|1| iso", 0}, // rsyslogd cuts it in the middle of the time
		{"<30>1 2003-10-11T22:14:15.003Z m e 77 ID47 - x", "30|1|1|-| 2003-10-11T22:14:15.003Z m e 77 ID47 - x", 0},
		{"<13>Nov 21 10:20:30 app[7] nocolon", "13|app[7]|app|7| nocolon", 0},
		{"<13>Nov 21 10:20:30 a/b[x]: slash", "13|a/b[x]:|a|x| slash", 0},
		{"<13>Nov 21 10:20:30 ", "13|||-|", 0},
		{"<13>", "13|||-|", 0},
		{"", "13|||-|", 0},
		{"no pri", "13|no|no|-| pri", 0}, // rsyslogd drops the first two characters
		{"<13>Nov 21 10:20:30 app[7: unclosed", "13|app[7:|app|-| unclosed", 0},
		{"<13>Nov  1 10:20:30 app:nospace", "13|app:nospace|app|-|", 0},
		{"<13>Nov 21 10:20:30 app[7]: one", "13|app[99]:|app|99| one", 99},
		{"<13>app: two", "13|app[99]:|app|99| two", 99},
		{"<13>app[7] three", "13|app[99]:|app|99| three", 99},
		{"<13>a/b[x]: four", "13|a/b[99]:|a|99| four", 99},
	} {
		m := Message{Text: []byte(c.in), PRI: DefaultPRI, Flags: IgnoreTimestamp, Received: 1}
		env.ParseLocal(&m, c.pid)
		got := fmt.Sprintf("%d|", m.PRI)
		for _, p := range []string{"syslogtag", "programname", "procid", "msg"} {
			prop, err := env.Property(p)
			if err != nil {
				t.Fatal(err)
			}
			got += string(prop.Value(&m, nil)) + "|"
		}
		if got != c.want+"|" {
			t.Errorf("%q: got %s, want %s|", c.in, got, c.want)
		}
		if m.Time != env.Timestamp(1) {
			t.Errorf("%q: time %+v", c.in, m.Time)
		}
	}
	m := Message{Text: []byte("<13>Nov 21 10:20:30 app: x"), PRI: DefaultPRI}
	env.ParseLocal(&m, 0)
	if m.Time.Month != 11 || m.Time.Day != 21 {
		t.Errorf("the message's own time: %+v", m.Time)
	}
}

func FuzzParseLocal(f *testing.F) {
	f.Add([]byte("<13>Nov 21 10:20:30 app[7]: one"), 0)
	f.Add([]byte("<>["), 7)
	env := NewEnv("here")
	f.Fuzz(func(t *testing.T, text []byte, pid int) {
		m := Message{Text: text, PRI: DefaultPRI}
		env.ParseLocal(&m, pid)
		var b Batch
		b.AddMessage(&m)
		if err := b.decode(); err != nil {
			t.Error(err)
		}
	})
}
