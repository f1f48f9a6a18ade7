package message

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// bounded fails if f takes longer than text of that length can take without
// quadratic work, or allocates more than so many times its length.
func bounded(t *testing.T, name string, length, times int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if took > 5*time.Second {
		t.Errorf("%s: %d bytes took %v", name, length, took)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(times*length+1<<20) {
		t.Errorf("%s: %d bytes allocated %d", name, length, got)
	}
}

func parameters(n int) string {
	var b strings.Builder
	b.WriteString("[a")
	for i := range n {
		fmt.Fprintf(&b, ` p%d="v"`, i)
	}
	return b.String()
}

// Megabytes of structured data cost what their length costs.
func TestStructuredDataAttacks(t *testing.T) {
	const n = 1 << 20
	for _, tt := range []struct {
		name, sd string
		msg      string // what follows " text" or the last character, if it does not end
		conforms bool
	}{
		{"many parameters", parameters(100000) + "]", "text", true},
		{"many parameters, no end", parameters(100000), "t", false},
		{"many elements", strings.Repeat("[]", n/2), "text", false},
		{"open brackets", strings.Repeat("[", n), "t", false},
		{"closing brackets", "[" + strings.Repeat("]", n), "text", false},
		{"backslashes", "[a b=\"" + strings.Repeat(`\`, n) + "\"]", "text", true},
		{"backslashes, odd", "[a b=\"" + strings.Repeat(`\`, n+1) + "\"]", "text", false},
		{"escaped quotes", "[a b=\"" + strings.Repeat(`\"`, n) + "\"]", "text", true},
		{"escaped brackets", "[a b=\"" + strings.Repeat(`\]`, n), "t", false},
		{"value without end", "[a b=\"" + strings.Repeat("x", n), "t", false},
		{"quotes", "[a b=" + strings.Repeat(`"`, n) + "]", "text", false},
		{"brackets with spaces escaped", "[a " + strings.Repeat(`\] `, n/3), "t", false},
	} {
		text := "<13>1 2003-10-11T22:14:15Z h a p m " + tt.sd + " text"
		bounded(t, tt.name, len(text), 20, func() {
			m := parsed(DefaultChain(parserEnv(t)), text, 0)
			if got := string(m.Msg.Of(m.Text)); got != tt.msg {
				t.Errorf("%s: MSG is %.30q, want %q", tt.name, got, tt.msg)
			}
		})
		bounded(t, tt.name+", strict", len(text), 100, func() {
			if got := conformsRFC5424([]byte(text)); got != tt.conforms {
				t.Errorf("%s: conforms %v", tt.name, got)
			}
		})
	}
}

// Only what is escaped in values is taken out of a message before it is checked.
func TestWithoutEscapes(t *testing.T) {
	for _, tt := range []struct{ raw, want string }{
		{`<13>1 - h a p m [a b="\"\]\\" c="\""][d e="\""] \"`, `<13>1 - h a p m [a b="xxxxxx" c="xx"][d e="xx"] \"`},
		{`<13>1 - h a p m [a\] b="\""]`, `<13>1 - h a p m [a\] b="\""]`},
		{`<13>1 - h a p m [a b="\"\x\`, `<13>1 - h a p m [a b="xx\x\`},
		{`<13>1 - h a p \"`, `<13>1 - h a p \"`},
	} {
		if got := string(withoutEscapes([]byte(tt.raw))); got != tt.want {
			t.Errorf("%q\ngot  %q\nwant %q", tt.raw, got, tt.want)
		}
	}
}

// Timestamps out of range are text; none becomes another time by overflow.
func TestTimestampOverflows(t *testing.T) {
	for _, tt := range []struct {
		text string
		want string // "" if it is no timestamp
	}{
		{"2003-10-11T22:14:60Z", "2003-10-11T22:14:60Z"}, // a leap second
		{"2003-10-11T22:14:61Z", ""},
		{"2003-10-11T22:60:00Z", ""},
		{"2003-10-11T24:00:00Z", ""},
		{"2003-13-11T22:14:15Z", ""},
		{"2003-00-11T22:14:15Z", ""},
		{"2003-10-32T22:14:15Z", ""},
		{"2003-10-00T22:14:15Z", ""},
		{"2003-10-267T22:14:15Z", ""}, // 11 in eight bits
		{"2003-10-11T278:14:15Z", ""}, // 22
		{"2099-10-11T22:14:15Z", "2099-10-11T22:14:15Z"},
		{"2100-10-11T22:14:15Z", ""},
		{"67539-10-11T22:14:15Z", ""},                // 2003 in 16 bits
		{"4294969299-10-11T22:14:15Z", ""},           // 2003 in 32 bits
		{"18446744073709553619-10-11T22:14:15Z", ""}, // 2003 in 64 bits
		{"-2003-10-11T22:14:15Z", ""},
		{"0000-10-11T22:14:15Z", "0000-10-11T22:14:15Z"},
		{"2003-10-11T22:14:15.123456789Z", "2003-10-11T22:14:15.123456789Z"},
		{"2003-10-11T22:14:15." + strings.Repeat("1", 30) + "Z", ""},
		{"2003-10-11T22:14:15." + strings.Repeat("9", 30) + "Z", ""},
		{"2003-10-11T22:14:15+23:59", "2003-10-11T22:14:15+23:59"},
		{"2003-10-11T22:14:15-23:59", "2003-10-11T22:14:15-23:59"},
		{"2003-10-11T22:14:15-00:00", "2003-10-11T22:14:15-00:00"},
		{"2003-10-11T22:14:15+24:00", ""},
		{"2003-10-11T22:14:15+99:99", ""},
		{"2003-10-11T22:14:15-99:99", ""},
		{"2003-10-11T22:14:15+00:60", ""},
		{"2003-10-11T22:14:15+4294967297:00", ""},
		{"2003-10-11T22:14:15+-1:00", ""},
	} {
		ts := Timestamp{Year: 1}
		n, ok := ParseRFC3339([]byte(tt.text), &ts)
		if ok != (tt.want != "") || !ok && ts != (Timestamp{Year: 1}) {
			t.Errorf("%s: %d %v %+v", tt.text, n, ok, ts)
			continue
		}
		if ok {
			if got := string(AppendRFC3339(nil, &ts)); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
			}
		}
	}
}

// Members and comments without number cost what their length costs.
func TestJSONAttacks(t *testing.T) {
	env := parserEnv(t)
	var members strings.Builder
	for i := range 100000 {
		fmt.Fprintf(&members, `"m%d":1,`, i)
	}
	for name, text := range map[string]string{
		"members":  "{" + members.String() + `"x":1}`,
		"comments": "{" + strings.Repeat("/**/", 1<<19) + "}",
		"lines":    "{" + strings.Repeat("//\n", 1<<19) + "}",
		"brackets": strings.Repeat("[", 1<<20),
	} {
		bounded(t, name, len(text), 100, func() {
			if _, _, err := env.ParseJSON([]byte(text)); (err != nil) != (name == "brackets") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
