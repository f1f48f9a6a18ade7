package modify

import (
	"testing"
	"unicode/utf8"

	"sysrelay/message"
)

// fuzzed is what becomes of a message whose whole text is raw.
func fuzzed(t *testing.T, m Modifier, raw string) *message.Message {
	t.Helper()
	env := message.NewEnv("localhost")
	var b, again message.Batch
	b.Add([]byte(raw), message.NewOrigin("imudp", "h", "127.0.0.1", ""), 0, message.ParseHostname)
	x := b.All().At(0)
	message.DefaultChain(env).Parse(x)
	if err := m.Modify(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	again.AddMessage(x)
	if got := again.All().At(0); string(got.Text) != string(x.Text) || got.Msg != x.Msg { // panics if it is no frame
		t.Fatalf("%q: the frame differs", raw)
	}
	return x
}

func FuzzMMJSONParse(f *testing.F) {
	for _, s := range []string{"<13>Oct 11 22:14:15 h t: @cee: {\"a\":1}", "{\"a\":{\"b\":[1,2]}} x", "<13>x {", "@cee:", "t: x {\"a\":\"}\"}"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, raw string, find bool) {
		p := MMJSONParseParams{Cookie: "@cee:", Container: "!", MaxScanBytes: 1000, UseRawMsg: !find}
		if find {
			p.Mode = "find-json"
		}
		m, err := NewMMJSONParse(NoModule{}, p, testDeps(t))
		if err != nil {
			t.Fatal(err)
		}
		fuzzed(t, m, raw)
	})
}

func FuzzMMPStrucData(f *testing.F) {
	for _, s := range []string{`[a@1 x="1"]`, `[a][b y="\"\]\\"]`, `[`, `[a x="`, `[a x=]`} {
		f.Add("<13>1 2003-10-11T22:14:15Z h a p m " + s + " text")
	}
	f.Fuzz(func(t *testing.T, raw string) {
		m, err := NewMMPStrucData(NoModule{}, MMPStrucDataParams{JSONRoot: "!", MaxSize: 1 << 15, Lowercase: true}, testDeps(t))
		if err != nil {
			t.Fatal(err)
		}
		fuzzed(t, m, raw)
	})
}

func FuzzMMUTF8Fix(f *testing.F) {
	for _, s := range []string{"\xe9", "\xf0\x9f\x98", "\xed\xa0\x80", "<13>t: \xc3\xa9\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		m, err := NewMMUTF8Fix(NoModule{}, MMUTF8FixParams{ReplacementChar: "?"}, testDeps(t))
		if err != nil {
			t.Fatal(err)
		}
		if x := fuzzed(t, m, raw); !utf8.Valid(x.Msg.Of(x.Text)) {
			t.Fatalf("%q became %q", raw, x.Msg.Of(x.Text))
		}
	})
}
