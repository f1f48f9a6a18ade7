package conf

import (
	"reflect"
	"strings"
	"testing"
)

// sample has a field of every kind.
type sample struct {
	embedded
	On       bool          `conf:"on" default:"on" doc:"A switch."`
	Number   int           `conf:"number,min=1,max=10" default:"5"`
	Big      int64         `conf:"big,type=size"`
	Small    uint8         `conf:"small"`
	Mode     uint32        `conf:"mode,type=mode" default:"0644"`
	User     int           `conf:"user,type=uid" default:"-1"`
	Group    int           `conf:"group,type=gid"`
	Severity int           `conf:"severity,type=severity" default:"notice"`
	Facility int           `conf:"facility,type=facility"`
	Wait     int           `conf:"wait,type=ms"`
	Text     string        `conf:"text"`
	Word     string        `conf:"word,type=word"`
	Choice   choice        `conf:"choice,enum=Direct|LinkedList" default:"Direct"`
	Many     []string      `conf:"many" alias:"lots,plenty"`
	Numbers  []int         `conf:"numbers"`
	Maybe    Opt[bool]     `conf:"maybe" default:"on"`
	Number2  Opt[int64]    `conf:"number2,type=size"`
	List     Opt[[]string] `conf:"list"`
	Nothing  string        `conf:"nothing" doc:"Nothing waits for it." status:"none"`
}

type choice string

type embedded struct {
	Name string `conf:"name,required" doc:"Its name." status:"partial"`
}

func TestDecodeValues(t *testing.T) {
	base := sample{On: true, Number: 5, Mode: 0o644, User: -1, Severity: 5, Choice: "Direct", Maybe: Opt[bool]{Value: true}}
	base.Name = "n"
	for _, c := range []struct {
		params string
		want   func(*sample)
	}{
		{``, func(*sample) {}},
		{`NAME="n"`, func(*sample) {}},
		{`on="off"`, func(s *sample) { s.On = false }},
		{`on="ON"`, func(*sample) {}},
		{`number="10"`, func(s *sample) { s.Number = 10 }},
		{`big="10"`, func(s *sample) { s.Big = 10 }},
		{`big="2k"`, func(s *sample) { s.Big = 2048 }},
		{`big="2K"`, func(s *sample) { s.Big = 2000 }},
		{`big="1g"`, func(s *sample) { s.Big = 1 << 30 }},
		{`big="1E"`, func(s *sample) { s.Big = 1e18 }},
		{`big="-1"`, func(s *sample) { s.Big = -1 }},
		{`mode="0600"`, func(s *sample) { s.Mode = 0o600 }},
		{`mode="01777"`, func(s *sample) { s.Mode = 0o1777 }},
		{`user="root" group="root"`, func(s *sample) { s.User, s.Group = 0, 0 }},
		{`user="1234"`, func(s *sample) { s.User = 1234 }},
		{`severity="Err"`, func(s *sample) { s.Severity = 3 }},
		{`severity="7"`, func(s *sample) { s.Severity = 7 }},
		{`severity="8"`, func(s *sample) { s.Severity = 8 }},
		{`facility="local7"`, func(s *sample) { s.Facility = 23 }},
		{`facility="security"`, func(s *sample) { s.Facility = 4 }},
		{`facility="16"`, func(s *sample) { s.Facility = 16 }},
		{`wait="1500"`, func(s *sample) { s.Wait = 1500 }},
		{`text="a b" word="ab"`, func(s *sample) { s.Text, s.Word = "a b", "ab" }},
		{`choice="linkedlist"`, func(s *sample) { s.Choice = "LinkedList" }},
		{`many="one"`, func(s *sample) { s.Many = []string{"one"} }},
		{`many=["one", "two"]`, func(s *sample) { s.Many = []string{"one", "two"} }},
		{`plenty="one"`, func(s *sample) { s.Many = []string{"one"} }},
		{`numbers=["1", "2"]`, func(s *sample) { s.Numbers = []int{1, 2} }},
		{`maybe="on"`, func(s *sample) { s.Maybe = Opt[bool]{true, true} }},
		{`number2="1k"`, func(s *sample) { s.Number2 = Opt[int64]{1024, true} }},
		{`list=["a"]`, func(s *sample) { s.List = Opt[[]string]{[]string{"a"}, true} }},
		{`type="anything" config.enabled="on"`, func(*sample) {}},
	} {
		want := base
		c.want(&want)
		params := c.params
		if !strings.Contains(params, "NAME") {
			params += ` name="n"`
		}
		var got sample
		cfg, o := object(t, `action(`+params+`)`)
		if err := cfg.Decode(o, &got); err != nil {
			t.Errorf("%s: %v", c.params, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.params, got, want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	for _, c := range []struct{ params, want, suggest string }{
		{`naem="x"`, "t:1:17: parameter naem not known in action(name=\"n\")", `did you mean "name"?`},
		{`lost="x"`, "t:1:17: parameter lost not known in action(name=\"n\")", `did you mean "list"?`},
		{`zzzzzz="x"`, "t:1:17: parameter zzzzzz not known in action(name=\"n\")", ""},
		{`load="x"`, "t:1:17: parameter load not known in action(load=\"x\")", ""},
		{`on="yes"`, `t:1:20: parameter on: "yes" is neither on nor off`, `write "on"`},
		{`on="maybe"`, `t:1:20: parameter on: "maybe" is neither on nor off`, `write "on" or "off"`},
		{`number="x"`, `t:1:24: parameter number: "x" is not a number`, ""},
		{`number="1k"`, `t:1:24: parameter number: "1k" is not a number`, ""},
		{`number="0"`, `t:1:24: parameter number: 0 is out of range`, "write a number from 1 to 10"},
		{`small="256"`, `t:1:23: parameter small: 256 is out of range`, ""},
		{`small="-1"`, `t:1:23: parameter small: -1 is out of range`, ""},
		{`big="10q"`, `t:1:21: parameter big: "10q" is not a size`, "sizes are numbers with k, m, g (1024 and so on) or K, M, G (1000 and so on)"},
		{`big="9e"`, `t:1:21: parameter big: 9e is too large`, ""},
		{`mode="644"`, `t:1:22: parameter mode: "644" is not a file mode`, "modes are four octal digits, such as 0644"},
		{`mode="0888"`, `t:1:22: parameter mode: "0888" is not a file mode`, "modes are four octal digits, such as 0644"},
		{`user="no-such-user"`, `t:1:22: parameter user: there is no user "no-such-user" on this system`, ""},
		{`severity="warnin"`, `t:1:26: parameter severity: "warnin" is not a severity`, `did you mean "warning"?`},
		{`severity="9"`, `t:1:26: parameter severity: there is no severity 9`, "the largest is 8"},
		{`facility="locla0"`, `t:1:26: parameter facility: "locla0" is not a facility`, `did you mean "local0"?`},
		{`word="a b"`, `t:1:22: parameter word: "a b" contains blanks`, "remove the blanks"},
		{`choice="Linked"`, `t:1:24: parameter choice: "Linked" is not a value it can have`, "possible are Direct, LinkedList"},
		{`text=["a", "b"]`, `t:1:22: parameter text takes one value, not an array`, `write text="value"`},
		{`numbers=["1", "x"]`, `t:1:25: parameter numbers: "x" is not a number`, ""},
		{`text="a" Text="b"`, `t:1:26: parameter Text is given more than once, first in line 1`, "remove one of them"},
		{`lots="a" many="b"`, `t:1:26: parameter many is given more than once, first in line 1`, "remove one of them"},
	} {
		var got sample
		cfg, o := object(t, `action(name="n" `+c.params+`)`)
		errs := errorsOf(cfg.Decode(o, &got))
		if len(errs) != 1 {
			t.Errorf("%s: %d errors, want one: %v", c.params, len(errs), errs)
			continue
		}
		if first, _, _ := strings.Cut(errs[0].Error(), "\n"); first != c.want || errs[0].Suggest != c.suggest {
			t.Errorf("%s:\n got %s\n     %s\nwant %s\n     %s", c.params, first, errs[0].Suggest, c.want, c.suggest)
		}
	}
}

// TestDecodeAllErrors: every error is reported, and what is right is set.
func TestDecodeAllErrors(t *testing.T) {
	var got sample
	cfg, o := object(t, `action(number="x" text="good" nosuch="1")`)
	err := cfg.Decode(o, &got)
	if errs := errorsOf(err); len(errs) != 3 || !strings.Contains(errs[2].Msg, "action() needs the parameter name") {
		t.Errorf("got %v", err)
	}
	if got.Text != "good" || got.Number != 5 {
		t.Errorf("got %+v", got)
	}
}

func TestDecodeNotices(t *testing.T) {
	var got sample
	cfg, o := object(t, `action(name="n" nothing="x")`)
	if err := cfg.Decode(o, &got); err != nil || got.Nothing != "x" {
		t.Errorf("%v, %+v", err, got)
	}
	if len(cfg.Notices) != 1 || cfg.Notices[0].Severity != Note || cfg.Notices[0].Col != 17 {
		t.Errorf("notices %v", cfg.Notices)
	}
}

// TestDecodeOver: an object's own parameters come before the module's, these
// before the defaults.
func TestDecodeOver(t *testing.T) {
	cfg, err := Parse("t", []byte(`module(load="m" number="7" text="module" unknown="here" maybe="off")
action(name="n" text="action")`))
	if err != nil {
		t.Fatal(err)
	}
	var got sample
	if err := cfg.DecodeOver(cfg.Stmts[0].(*Object), cfg.Stmts[1].(*Object), &got); err != nil {
		t.Fatal(err)
	}
	if got.Number != 7 || got.Text != "action" || got.Severity != 5 || got.Maybe != (Opt[bool]{false, true}) {
		t.Errorf("got %+v", got)
	}
}

// TestDecodeSeveral: several structs are decoded as one.
func TestDecodeSeveral(t *testing.T) {
	var name embedded
	var other struct {
		Port []string `conf:"port,required"`
	}
	cfg, o := object(t, `action(name="n" port="514")`)
	if err := cfg.Decode(o, &name, &other); err != nil || name.Name != "n" || len(other.Port) != 1 {
		t.Errorf("%v, %+v, %+v", err, name, other)
	}
	if err := cfg.Decode(o, &name); err == nil {
		t.Error("port is known where it is not")
	}
}

// TestDecodeKeepsPreset: a default is only for what is zero.
func TestDecodeKeepsPreset(t *testing.T) {
	got := sample{Number: 3}
	cfg, o := object(t, `action(name="n")`)
	if err := cfg.Decode(o, &got); err != nil || got.Number != 3 {
		t.Errorf("%v, %+v", err, got)
	}
}

// TestDecodeLegacy: an object made of directives is decoded like any other.
func TestDecodeLegacy(t *testing.T) {
	cfg, err := Parse("t", []byte("$ActionQueueSize 10k\n$ActionQueueSaveOnShutdown yes\n*.* /x;tpl\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		File     string `conf:"file"`
		Template string `conf:"template"`
		Size     int    `conf:"queue.size,type=size"`
		Save     bool   `conf:"queue.saveOnShutdown"`
	}
	o := cfg.Stmts[0].(*PRIFilter).Then[0].(*Object)
	if err := cfg.Decode(o, &got); err != nil || got.File != "/x" || got.Template != "tpl" || got.Size != 10240 || !got.Save {
		t.Errorf("%v, %+v", err, got)
	}
}

// TestDecodeWrongTags: mistakes in tags are found when the program is tested.
func TestDecodeWrongTags(t *testing.T) {
	for name, into := range map[string]any{
		"no pointer": sample{},
		"no struct":  new(int),
		"unknown option": &struct {
			A int `conf:"a,tpye=size"`
		}{},
		"wrong bound": &struct {
			A int `conf:"a,min=x"`
		}{},
		"no type": &struct {
			A float64 `conf:"a"`
		}{},
		"unknown type": &struct {
			A int `conf:"a,type=length"`
		}{},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is not noticed", name)
				}
			}()
			Describe(into)
		}()
	}
}

func TestDescribe(t *testing.T) {
	docs := Describe(&sample{})
	byName := map[string]ParamDoc{}
	for _, d := range docs {
		byName[d.Name] = d
	}
	for _, want := range []ParamDoc{
		{Name: "name", Type: "string", Required: true, Doc: "Its name.", Status: "partial"},
		{Name: "on", Type: "on/off", Default: "on", Doc: "A switch.", Status: "full"},
		{Name: "big", Type: "size", Status: "full"},
		{Name: "mode", Type: "file mode", Default: "0644", Status: "full"},
		{Name: "choice", Type: "word", Values: []string{"Direct", "LinkedList"}, Default: "Direct", Status: "full"},
		{Name: "many", Aliases: []string{"lots", "plenty"}, Type: "array of string", Status: "full"},
		{Name: "numbers", Type: "array of integer", Status: "full"},
		{Name: "maybe", Type: "on/off", Default: "on", Status: "full"},
		{Name: "nothing", Type: "string", Doc: "Nothing waits for it.", Status: "none"},
	} {
		if got := byName[want.Name]; !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
	if docs[0].Name != "name" || len(docs) != 20 {
		t.Errorf("%d parameters, the first is %s", len(docs), docs[0].Name)
	}
}

// object parses one object.
func object(t *testing.T, text string) (*Config, *Object) {
	t.Helper()
	cfg, err := Parse("t", []byte(text))
	if err != nil || len(cfg.Stmts) != 1 {
		t.Fatalf("%s: %v", text, err)
	}
	return cfg, cfg.Stmts[0].(*Object)
}
