package message

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func mustPath(t testing.TB, e *Env, name string) Path {
	t.Helper()
	p, err := e.Path(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustJSON(t testing.TB, e *Env, text string) Value {
	t.Helper()
	v, _, err := e.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPath(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"$!", "$!"}, {"!a!b", "$!a!b"}, {"$.x", "$.x"}, {"/y", "$/y"}, {"$!a[3]!b", "$!a[3]!b"}, {"$!5]", "$!5]"}, {"$![5", "$![5"}, {"$!a-b c", "$!a-b c"},
	} {
		if p := mustPath(t, NewEnv("h"), c.in); p.String() != c.want {
			t.Errorf("Path(%q) is %q, want %q", c.in, p, c.want)
		}
	}
	for _, in := range []string{"", "$", "msg", "$msg", "$!a!!b", "$!a!", "$!" + strings.Repeat("a!", maxDepth) + "a"} {
		if p, err := NewEnv("h").Path(in); err == nil {
			t.Errorf("Path(%q) is %q, want an error", in, p)
		}
	}
}

// TestSetVar runs statements of the form "set PATH JSON", "reset PATH JSON",
// "unset PATH" and compares $! with what rsyslogd 8.2302 had then.
func TestSetVar(t *testing.T) {
	for _, c := range []struct {
		script string
		want   string
		err    error // of the last statement
	}{
		{`set $!a "x"`, `{"a":"x"}`, nil},
		{`set $!a!b!c 1;set $!A!B!d 2`, `{"a":{"b":{"c":1,"d":2}}}`, nil},
		{`set $!a 1;set $!A 2`, `{"a":2}`, nil},
		{`set $!a!b 1;set $!a "s"`, `{"a":{"b":1}}`, ErrContainer},
		{`set $!a "s";set $!a!b 1`, `{"a":"s"}`, ErrNotContainer},
		{`set $!a!b 1;reset $!a "s"`, `{"a":"s"}`, nil},
		{`set $!a [1];set $!a 2`, `{"a":2}`, nil},
		{`set $!a [1];set $!a!b 2`, `{"a":[1]}`, ErrNotContainer},
		{`set $!n {"x":null};set $!n!x!y 1`, `{"n":{"x":{"y":1}}}`, nil},
		{`set $!n {"x":null};set $!n!x {"y":1}`, `{"n":{"x":{"y":1}}}`, nil},
		// An object given for a variable that exists goes to the root of the tree.
		{`set $!a!b 1;set $!a {"c":2}`, `{"a":{"b":1},"c":2}`, nil},
		{`set $!a!b 1;reset $!a {"c":2}`, `{"a":{"c":2}}`, nil},
		{`set $!a 1;set $! {"b":2,"A":3}`, `{"a":3,"b":2}`, nil},
		{`set $!a 1;reset $! {"b":2}`, `{"a":1,"b":2}`, nil},
		{`set $! [1];set $!a 1`, `[1]`, ErrNotContainer},
		{`set $!a 1;set $! 5`, `{"a":1}`, ErrContainer},
		// A new member takes the place of the first one removed.
		{`set $! {"a":1,"b":2,"c":3};unset $!a;unset $!c;set $!x 4;set $!y 5;set $!z 6`, `{"x":4,"b":2,"y":5,"z":6}`, nil},
		{`set $! {"a":1,"b":2,"c":3};unset $!c;unset $!b;unset $!a;set $!x 1;set $!y 2`, `{"x":1,"y":2}`, nil},
		{`set $!a 1;unset $!a`, `{}`, nil},
		{`set $!a 1;unset $!`, `null`, nil},
		{`set $!a 1;unset $!b!c;unset $!a!b`, `{"a":1}`, nil},
		// Subscripts read arrays; what is no number, or no array, is a name.
		{`set $!a [{"b":1}];set $!a[0]!b 2`, `{"a":[{"b":2}]}`, nil},
		{`set $!a[x] 1;set $!b[0] 2`, `{"a[x]":1,"b[0]":2}`, nil},
		// Numbers lose the form they were written in when they are copied.
		{`set $!a 1.50`, `{"a":1.5}`, nil},
	} {
		e := NewEnv("h")
		m := new(Message)
		var err error
		for _, s := range strings.Split(c.script, ";") {
			words := strings.SplitN(s, " ", 3)
			p := mustPath(t, e, words[1])
			if words[0] == "unset" {
				m.UnsetVar(p)
				continue
			}
			err = m.SetVar(p, mustJSON(t, e, words[2]+" "), words[0] == "reset")
		}
		if got := string(m.Vars.tree.AppendJSON(nil, JSONPlain)); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s\nis   %s, %v\nwant %s, %v", c.script, got, err, c.want, c.err)
		}
	}
}

func TestVar(t *testing.T) {
	e := NewEnv("h")
	m := new(Message)
	if err := m.AddVar(mustPath(t, e, "$!"), mustJSON(t, e, `{"a":{"b":[10,{"c":"x"},null]},"a[0]":"name","f":1.50}`)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, want string
		ok         bool
	}{
		{"$!a!b[0]", "10", true}, {"$!A!B[1]!C", `"x"`, true}, {"$!a!b[2]", "null", true}, {"$!a!b[3]", "null", false},
		{"$!a!b[-1]", "null", false}, {"$!a!b!c", "null", false}, {"$!nope", "null", false}, {"$!a[0]", `"name"`, true},
		{"$!f", "1.50", true}, {"$.x", "null", false}, {"$.", "null", false}, {"$/", "null", false},
	} {
		v, ok := m.Var(mustPath(t, e, c.path))
		if got := string(v.AppendJSON(nil, JSONPlain)); got != c.want || ok != c.ok {
			t.Errorf("%s is %s, %v, want %s, %v", c.path, got, ok, c.want, c.ok)
		}
	}
}

func TestValueAt(t *testing.T) {
	v := mustJSON(t, NewEnv("h"), `{"o":{"a":1,"b":2},"l":[3,4]}`)
	got := ""
	for i := range v.Len() {
		name, inner := v.At(i)
		for j := range inner.Len() {
			below, elem := inner.At(j)
			got += fmt.Sprintf("%s.%s=%d ", name, below, elem.Int())
		}
	}
	if want := "o.a=1 o.b=2 l.=3 l.=4 "; got != want {
		t.Errorf("is %q, want %q", got, want)
	}
}

func TestValueKinds(t *testing.T) {
	for _, c := range []struct {
		v     Value
		kind  Kind
		i     int64
		f     float64
		b     bool
		s     string
		depth int
	}{
		{Value{}, KindNull, 0, 0, false, "", 0}, {BoolValue(true), KindBool, 1, 1, true, "", 0}, {BoolValue(false), KindBool, 0, 0, false, "", 0},
		{IntValue(-3), KindInt, -3, -3, false, "", 0}, {FloatValue(2.75), KindFloat, 2, 2.75, false, "", 0}, {StringValue("7"), KindString, 0, 0, false, "7", 0},
		{NewObject(), KindObject, 0, 0, false, "", 1}, {NewArray(NewArray(IntValue(1)), IntValue(2)), KindArray, 0, 0, false, "", 2},
	} {
		if c.v.Kind() != c.kind || c.v.Int() != c.i || c.v.Float() != c.f || c.v.Bool() != c.b || c.v.Str() != c.s || c.v.depth(9) != c.depth {
			t.Errorf("%+v is kind %d, %d, %v, %v, %q, depth %d", c.v, c.v.Kind(), c.v.Int(), c.v.Float(), c.v.Bool(), c.v.Str(), c.v.depth(9))
		}
	}
}

// TestSetVarCopies: a variable set to another one does not change with it, and
// a tree can be set below itself.
func TestSetVarCopies(t *testing.T) {
	e := NewEnv("h")
	m := new(Message)
	root, a := mustPath(t, e, "$!"), mustPath(t, e, "$!a")
	m.SetVar(mustPath(t, e, "$!b"), IntValue(1), false)
	for range 2 {
		v, _ := m.Var(root)
		if err := m.SetVar(a, v, true); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := string(m.Vars.tree.AppendJSON(nil, JSONPlain)), `{"b":1,"a":{"b":1,"a":{"b":1}}}`; got != want {
		t.Errorf("is %s, want %s", got, want)
	}
}

func TestSetVarDepth(t *testing.T) {
	e := NewEnv("h")
	m := new(Message)
	root, a := mustPath(t, e, "$!"), mustPath(t, e, "$!a")
	m.SetVar(a, IntValue(1), false)
	var err error
	levels := 1
	for ; err == nil && levels < 2*maxDepth; levels++ {
		v, _ := m.Var(root)
		err = m.SetVar(a, v, true)
	}
	if !errors.Is(err, ErrDepth) || levels != maxDepth+1 {
		t.Fatalf("after %d levels: %v", levels, err)
	}
	if _, err := decodeVars(m.Vars.appendBinary(nil)); err != nil {
		t.Errorf("the deepest tree cannot be read back: %v", err)
	}
}

func TestVarsCaseSensitive(t *testing.T) {
	e := NewEnv("h")
	e.VarsCaseSensitive = true
	m := new(Message)
	m.SetVar(mustPath(t, e, "$!Aa"), IntValue(1), false)
	m.SetVar(mustPath(t, e, "$!aa"), IntValue(2), false)
	for _, c := range []struct{ path, opts, want string }{
		{"%$!Aa%", "casesensitive", "1"}, {"%$!aa%", "casesensitive", "2"},
		{"%$!Aa%", "", "2"}, // as rsyslog: templates take names in lower case unless told
	} {
		tpl, err := e.ParseTemplate("t", c.path, TemplateOptions{CaseSensitive: c.opts != ""})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(tpl.Append(nil, m)); got != c.want {
			t.Errorf("%s %s is %q, want %q", c.path, c.opts, got, c.want)
		}
	}
}

// TestGlobalVars: $/ is shared by messages and safe to use from many goroutines,
// and what Var returns does not change any more.
func TestGlobalVars(t *testing.T) {
	e := NewEnv("h")
	tree := mustPath(t, e, "$/")
	tpl, err := e.ParseTemplate("t", "%$/%", TemplateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			m := new(Message)
			own := mustPath(t, e, fmt.Sprintf("$/n%d", i))
			for n := range 100 {
				m.SetVar(own, IntValue(int64(n)), false)
				all, _ := m.Var(tree)
				before := string(all.AppendJSON(nil, JSONSpaced))
				m.SetVar(own, IntValue(-1), false)
				if after := string(all.AppendJSON(nil, JSONSpaced)); after != before {
					t.Errorf("%s became %s", before, after)
				}
				tpl.Append(nil, m)
				m.UnsetVar(own)
			}
		})
	}
	wg.Wait()
	if v, _ := new(Message).Var(tree); v.Len() != 0 {
		t.Errorf("left: %s", v.AppendJSON(nil, JSONPlain))
	}
}

// genValue draws any value of at most the given depth.
func genValue(depth int) *rapid.Generator[Value] {
	return rapid.Custom(func(t *rapid.T) Value {
		kinds := 5
		if depth > 0 {
			kinds = 7
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return Value{}
		case 1:
			return BoolValue(rapid.Bool().Draw(t, "bool"))
		case 2:
			return IntValue(rapid.Int64().Draw(t, "int"))
		case 3:
			v := FloatValue(rapid.Float64().Draw(t, "float"))
			v.str = rapid.SampledFrom([]string{"", "1.50", "1e3"}).Draw(t, "written")
			return v
		case 4:
			return StringValue(rapid.String().Draw(t, "string"))
		case 5:
			return NewArray(rapid.SliceOfN(genValue(depth-1), 0, 4).Draw(t, "array")...)
		}
		v := NewObject()
		for range rapid.IntRange(0, 4).Draw(t, "members") {
			v.SetMember(rapid.String().Draw(t, "name"), genValue(depth-1).Draw(t, "member"), true)
		}
		return v
	})
}

// TestVarsBinary: variables come back from a frame as they went into it.
func TestVarsBinary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := &Vars{local: NewObject(), hasUUID: rapid.Bool().Draw(t, "uuid")}
		v.local.SetMember("x", genValue(4).Draw(t, "value"), true)
		if v.hasUUID {
			copy(v.uuid[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		}
		back, err := decodeVars(v.appendBinary(nil))
		if err != nil {
			t.Fatal(err)
		}
		is, want := string(back.local.AppendJSON(nil, JSONSpaced)), string(v.local.AppendJSON(nil, JSONSpaced))
		if is != want || back.uuid != v.uuid || back.hasUUID != v.hasUUID || back.tree.Kind() != KindNull {
			t.Fatalf("is   %s\nwant %s", is, want)
		}
	})
}

func TestDecodeVarsRejects(t *testing.T) {
	deep := make([]byte, 0, 3*maxDepth+5)
	for range maxDepth + 1 {
		deep = append(deep, byte(KindObject), 1, 0)
	}
	for _, b := range [][]byte{
		nil, {0}, {99, 0}, {byte(KindInt)}, {byte(KindString), 5, 'x'}, {byte(KindString), 0},
		{byte(KindObject), 1, 1, 'a', 0}, {byte(KindObject), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		{byte(KindArray), 1, 0}, {0, 0, 1}, {0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, append(deep, 0, 0),
		{0, byte(KindObject), 1, 1, 'a', byte(KindInt)}, {byte(KindFloat), 1, 2, 3}, {byte(KindObject), 1, 0xff, 0xff, 0xff, 0xff, 0xf, 0, 0},
	} {
		if v, err := decodeVars(b); !errors.Is(err, ErrFrame) {
			t.Errorf("decodeVars(%v) = %v, %v, want an error", b, v, err)
		}
	}
}

// TestFrameVars: a message's variables and uuid survive its frame.
func TestFrameVars(t *testing.T) {
	e := NewEnv("h")
	m := Message{Text: []byte("x"), Flags: Parsed}
	m.AddVar(mustPath(t, e, "$!"), mustJSON(t, e, `{"a":[1,2.50,"x"]}`))
	m.SetVar(mustPath(t, e, "$.l"), StringValue("local"), false)
	uuid := string(m.appendUUID(nil))
	var b Batch
	b.AddMessage(&m)
	back := b.All().At(0)
	tpl, err := e.ParseTemplate("t", "%$!%|%$.%|%uuid%", TemplateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(tpl.Append(nil, back)), `{ "a": [ 1, 2.50, "x" ] }|{ "l": "local" }|`+uuid; got != want {
		t.Errorf("is   %s\nwant %s", got, want)
	}
}
