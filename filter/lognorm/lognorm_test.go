package lognorm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sysrelay/message"
)

// What liblognorm makes of messages is in the engine's golden files; these are the
// things around it.

func normalized(t *testing.T, b *Rulebase, text string) string {
	t.Helper()
	v, _ := b.Normalize([]byte(text))
	return string(v.AppendJSON(nil, message.JSONPlain))
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.rb":  "version=2\nprefix=p \ninclude=other.rb\nrule=:a %n:number%\n",
		"other.rb": "version=2\nrule=:b %n:word%\n",
		"loop.rb":  "version=2\ninclude=loop.rb\n",
		"none.rb":  "version=2\ninclude=nothing.rb\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := message.NewEnv("localhost")
	b, err := Load(env, filepath.Join(dir, "main.rb"))
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{"p a 5": `{"n":"5"}`, "p b x": `{"n":"x"}`} {
		if got := normalized(t, b, in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	for _, name := range []string{"loop.rb", "none.rb", "missing.rb"} {
		if _, err := Load(env, filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestErrors(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		_, err := Compile(message.NewEnv("localhost"), []string{line})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", line, err, want)
		}
	}
	f(`nonsense`, "no line of a rule base")
	f(`rules=:x`, `there is no "rules="`)
	f(`rule=x`, "needs a colon")
	f(`rule=:%a%`, "has no type")
	f(`rule=:%a:nothing%`, `there is no type "nothing"`)
	f(`rule=:%a:number`, "no closing %")
	f(`rule=:%a:char-to%`, "where to end")
	f(`rule=:%a:number{"maxval":"x"}%`, "maxval")
	f(`rule=:%{"name":"a"}%`, "needs a type")
	f(`rule=:%{"type":"repeat","parser":{"type":"number"}}%`, `needs the parameter "while"`)
	f(`rule=:%a:@none%`, "there is no type @none")
	f(`annotate=x:field="y"`, "annotation is written as")
	f(`type=x:y`, "a type is defined as")
}

// The work for one message is bounded, however many ways there are.
func TestManyWays(t *testing.T) {
	var rule strings.Builder
	rule.WriteString("rule=:")
	for range 24 {
		rule.WriteString(`%-:char-sep:x%%-:string{"matching.permitted":"a","matching.mode":"lazy"}%`)
	}
	rule.WriteString("end")
	b, err := Compile(message.NewEnv("localhost"), []string{rule.String(), `type=@r:a%-:@r%`, `type=@r:b`, `rule=:%x:@r%`})
	if err != nil {
		t.Fatal(err)
	}
	b.Normalize([]byte(strings.Repeat("a", 4000)))
}

func FuzzNormalize(f *testing.F) {
	f.Add("version=2\nrule=t:%a:word% %b:number%\nannotate=t:+x=\"y\"", "abc 12")
	f.Add("rule=:%a:char-to:,%,%b:rest%", "a,b")
	f.Add("version=2\ntype=@n:%..:number%\nrule=:%v:@n%%{\"type\":\"repeat\",\"name\":\"r\",\"parser\":{\"type\":\"word\",\"name\":\".\"},\"while\":{\"type\":\"whitespace\"}}%", "5a b c")
	f.Add("version=2\nrule=:%c:cef%", "CEF:0|V|P|1|2|n|10|src=1 dst=a b msg=x\\=y")
	f.Add("version=2\nrule=:%c:checkpoint-lea%%d:v2-iptables%%e:name-value-list%%f:cisco-interface-spec%", "a: 1; b: 2;IN=a DF")
	f.Add("version=2\nrule=:%a:ipv6%%b:mac48%%c:duration%%d:kernel-timestamp%%e:float%%f:hexnumber%%g:json%%h:string%", "::100:11:22:33:44:55")
	f.Add("version=2\nrule=:%a:date-rfc3164%%b:date-rfc5424{\"format\":\"timestamp-unix\"}%%c:op-quoted-string%", "Oct 11 22:14:15 2003-10-11T22:14:15.003Z")
	env := message.NewEnv("localhost")
	f.Fuzz(func(t *testing.T, rules, text string) {
		if strings.Contains(rules, "include=") {
			return // no files of the machine
		}
		b, err := compile(env, "fuzz", rules)
		if err != nil {
			return
		}
		if v, ok := b.Normalize([]byte(text)); v.Kind() != message.KindObject {
			t.Fatalf("%v %v", v, ok)
		}
	})
}
