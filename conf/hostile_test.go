package conf

import (
	"strings"
	"testing"
)

// TestHostile: what is too much is refused with an error, and soon.
func TestHostile(t *testing.T) {
	const many = 100000
	for name, text := range map[string]string{
		"parentheses":  "if " + strings.Repeat("(", many) + " then stop",
		"nots":         "if " + strings.Repeat("not ", many) + "$a then stop",
		"calls":        "if " + strings.Repeat("f(", many) + " then stop",
		"operators":    "if $a" + strings.Repeat(" and $a", many) + " then stop",
		"blocks":       strings.Repeat("if $a then {\n", many),
		"else if":      strings.Repeat("if $a then stop else ", many) + "stop",
		"filters":      strings.Repeat("*.* ", many),
		"selectors":    strings.Repeat("*.*\n", many),
		"braces":       strings.Repeat("}\n", many),
		"open braces":  "if $a == then {\n" + strings.Repeat(" {\n", many),
		"bad lines":    strings.Repeat(") {\n", many),
		"quotes":       strings.Repeat("\"\n", many),
		"bad escapes":  `if $a == "` + strings.Repeat(`\q`, many) + `" then stop`,
		"directives":   strings.Repeat("$NoSuch\n", many),
		"open objects": strings.Repeat("action(\n", many),
		"no values":    "action(" + strings.Repeat("a=\n", many) + ")",
		"binary":       strings.Repeat("\x00\xff\x80", many),
	} {
		cfg, err := Parse(name, []byte(text))
		if cfg == nil || err == nil {
			t.Errorf("%s: no error", name)
		}
		if n := len(errorsOf(err)); n > maxErrors+1 {
			t.Errorf("%s: %d errors", name, n)
		}
	}
}

// TestManyNotices: notices are bounded, too.
func TestManyNotices(t *testing.T) {
	cfg, err := Parse("t", []byte(strings.Repeat("user\n", 10*maxNotices)))
	if err != nil || len(cfg.Notices) != maxNotices+1 {
		t.Errorf("%d notices, %v", len(cfg.Notices), err)
	}
}

// TestLongConfiguration: size alone is no error.
func TestLongConfiguration(t *testing.T) {
	const n = 20000
	text := strings.Repeat("if $msg contains 'x' and ($programname == 'y' or $syslogtag startswith 'z') then {\n  /var/log/x\n  stop\n}\nmail.*;auth.none /var/log/y;Tpl\n& @@host\n", n)
	cfg, err := Parse("t", []byte(text))
	if err != nil || len(cfg.Stmts) != 2*n {
		t.Errorf("%d statements, %v", len(cfg.Stmts), err)
	}
	text = "if $msg == 'x'" + strings.Repeat(" or $msg == 'x'", maxOperators/2-1) + " then stop"
	if _, err := Parse("t", []byte(text)); err != nil {
		t.Error(err)
	}
	text = strings.Repeat("if $a then stop else ", maxDepth/2) + "stop"
	if _, err := Parse("t", []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "abd", 1},
		{"abc", "acb", 1}, {"abc", "bca", 2}, {"kitten", "sitting", 3}, {"load", "laod", 1},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestClosest(t *testing.T) {
	names := []string{"port", "address", "name", "queue.size", "queue.type"}
	for _, c := range []struct{ word, want string }{
		{"prot", "port"}, {"Port", "port"}, {"adress", "address"}, {"queue.sise", "queue.size"},
		{"zzz", ""}, {"", ""}, {strings.Repeat("x", 10000), ""},
	} {
		if got := closest(c.word, names); got != c.want {
			t.Errorf("%q: %q, want %q", c.word, got, c.want)
		}
	}
}
