package modify

import (
	"context"
	"testing"

	"sysrelay/message"
)

// both runs two modifiers.
type both struct{ first, second Modifier }

func (b both) Modify(ctx context.Context, m *message.Message) error {
	if err := b.first.Modify(ctx, m); err != nil {
		return err
	}
	return b.second.Modify(ctx, m)
}

// tree is what $! is after a modifier.
func tree(t testing.TB, m *message.Message) string {
	t.Helper()
	p, err := message.NewEnv("localhost").Property("$!all-json-plain")
	if err != nil {
		t.Fatal(err)
	}
	return string(p.Value(m, nil))
}

// rsyslogd 8.2302 has no find-json.
func TestMMJSONParseFindJSON(t *testing.T) {
	f := func(p MMJSONParseParams, in, want string, ok bool) {
		t.Helper()
		p.Mode, p.Container = "find-json", "!"
		if p.MaxScanBytes == 0 {
			p.MaxScanBytes = 65536
		}
		m, err := NewMMJSONParse(NoModule{}, p, testDeps(t))
		if err != nil {
			t.Fatal(err)
		}
		x := modified(t, m, in)
		if got := tree(t, x); got != want || (x.Flags&message.ParseSuccess != 0) != ok {
			t.Errorf("%q: got %s, parsesuccess %v; want %s, %v", in, got, !ok, want, ok)
		}
	}
	trailing := MMJSONParseParams{AllowTrailing: true}
	f(trailing, `prefix {"a":1} suffix`, `{"a":1}`, true)
	f(trailing, `prefix {"a":1}`, `{"a":1}`, true)
	f(trailing, `{"a":{"b":2}}`, `{"a":{"b":2}}`, true)
	f(trailing, `no json`, `{"msg":" no json"}`, false)
	f(trailing, `broken {"a":`, `{"msg":" broken {\"a\":"}`, false)
	f(MMJSONParseParams{}, `prefix {"a":1} suffix`, `{"msg":" prefix {\"a\":1} suffix"}`, false)
	f(MMJSONParseParams{}, `prefix {"a":1}  `, `{"a":1}`, true)
	f(MMJSONParseParams{AllowTrailing: true, MaxScanBytes: 8}, `far away {"a":1}`, `{"msg":" far away {\"a\":1}"}`, false)
}

// rsyslogd on Debian has no mmcount.
func TestMMCount(t *testing.T) {
	f := func(p MMCountParams, set string, want ...string) {
		t.Helper()
		d := testDeps(t)
		c, err := NewMMCount(NoModule{}, p, d)
		if err != nil {
			t.Fatal(err)
		}
		j, err := NewMMJSONParse(NoModule{}, MMJSONParseParams{Container: "!", MaxScanBytes: 1}, d)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			x := modified(t, both{j, c}, set)
			if got := tree(t, x); got != w {
				t.Errorf("%+v: message %d: got %s, want %s", p, i, got, w)
			}
		}
	}
	f(MMCountParams{AppName: "tag"}, `{"a":1}`, `{"a":1,"mmcount":1}`, `{"a":1,"mmcount":2}`)
	f(MMCountParams{AppName: "other"}, `{"a":1}`, `{"a":1}`)
	f(MMCountParams{AppName: "tag", Key: "!a"}, `{"a":1}`, `{"a":1,"mmcount":1}`, `{"a":1,"mmcount":2}`)
	f(MMCountParams{AppName: "tag", Key: "!b"}, `{"a":1}`, `{"a":1}`)
	f(MMCountParams{AppName: "tag", Key: "!a", Value: "1"}, `{"a":1}`, `{"a":1,"mmcount":1}`, `{"a":1,"mmcount":2}`)
	f(MMCountParams{AppName: "tag", Key: "!a", Value: "2"}, `{"a":1}`, `{"a":1}`)
}

func TestBadParameters(t *testing.T) {
	f := func(_ Modifier, err error) {
		t.Helper()
		if err == nil {
			t.Error("accepted")
		}
	}
	d := testDeps(t)
	f(NewMMFields(NoModule{}, MMFieldsParams{Separator: "ab", JSONRoot: "!"}, d))
	f(NewMMFields(NoModule{}, MMFieldsParams{Separator: ",", JSONRoot: "x"}, d))
	f(NewMMJSONParse(NoModule{}, MMJSONParseParams{Container: "json", MaxScanBytes: 1}, d))
	f(NewMMUTF8Fix(NoModule{}, MMUTF8FixParams{ReplacementChar: "\t"}, d))
	f(NewMMUTF8Fix(NoModule{}, MMUTF8FixParams{ReplacementSequence: "\xff"}, d))
	f(NewMMSequence(NoModule{}, MMSequenceParams{From: 5, To: 5, Var: "$!x"}, d))
	f(NewMMSequence(NoModule{}, MMSequenceParams{To: 5, Step: 6, Var: "$!x"}, d))
	f(NewMMSequence(NoModule{}, MMSequenceParams{To: 5, Var: "!x"}, d))
}
