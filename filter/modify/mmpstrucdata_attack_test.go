package modify

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"sysrelay/message"
)

// Megabytes of structured data take time and memory that grow with their length
// alone, and none if there are more than maxStructuredDataSize.
func TestMMPStrucDataAttacks(t *testing.T) {
	var params, elements strings.Builder
	for i := range 100000 {
		fmt.Fprintf(&params, ` p%d="v"`, i)
		fmt.Fprintf(&elements, `[e%d]`, i)
	}
	for _, tt := range []struct {
		name, sd string
		max      int64
		members  int // of the first element, or -1 if nothing is stored
	}{
		{"parameters", "[a" + params.String() + "]", 1 << 24, 100000},
		{"parameters, default size", "[a" + params.String() + "]", 32 << 10, -1},
		{"parameters without end", "[a" + params.String(), 1 << 24, -1},
		{"elements", elements.String(), 1 << 24, 0},
		{"one parameter many times", "[a" + strings.Repeat(` p="v"`, 100000) + "]", 1 << 24, 1},
		{"value without end", `[a b="` + strings.Repeat("x", 1<<21), 1 << 24, -1},
		{"escapes", `[a b="` + strings.Repeat(`\"`, 1<<20) + `"]`, 1 << 24, 1},
		{"backslashes without end", `[a b="` + strings.Repeat(`\`, 1<<21), 1 << 24, -1},
		{"spaces", "[a" + strings.Repeat(" ", 1<<21) + "]", 1 << 24, -1},
		{"brackets", strings.Repeat("[", 1<<21), 1 << 24, -1},
	} {
		m, err := NewMMPStrucData(NoModule{}, MMPStrucDataParams{JSONRoot: "!", MaxSize: tt.max, Lowercase: true}, testDeps(t))
		if err != nil {
			t.Fatal(err)
		}
		x := &message.Message{Text: []byte("<13>1 2003-10-11T22:14:15Z h a p m " + tt.sd + " text")}
		env := message.NewEnv("localhost")
		message.DefaultChain(env).Parse(x)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		if err := m.Modify(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: %d bytes took %v", tt.name, len(tt.sd), took)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > uint64(100*len(tt.sd)+1<<20) {
			t.Errorf("%s: %d bytes allocated %d", tt.name, len(tt.sd), got)
		}
		members := -1
		if path, err := env.Path("$!rfc5424-sd"); err != nil {
			t.Fatal(err)
		} else if all, ok := x.Var(path); ok {
			_, first := all.At(0)
			members = first.Len()
		}
		if members != tt.members {
			t.Errorf("%s: %d members, want %d", tt.name, members, tt.members)
		}
	}
}
