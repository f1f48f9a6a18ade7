package filter

import (
	"testing"
	"time"
)

// Where we know better than rsyslogd 8.2302, or know what it does not yet.
func TestConditionsBeyondRsyslogd(t *testing.T) {
	setup := "set $!num = 5; set $!five = \"5\"; set $!rc = parse_json('[1.5, 1.5, true]', '\\$!list');"
	tests := []struct{ cond, want, rsyslogd string }{
		// It compares a JSON number on the right by the address of its structure.
		{`5 == $!num`, "y", "n"},
		{`5 != $!num`, "n", "y"},
		{`"5" == $!num`, "y", "n"},
		{`$!five == $!num`, "y", "n"},
		{`$!num == $!num`, "y", "n"},
		{`$!list == $!list`, "y", "n"},
		// It cuts the difference of two numbers to 32 bits.
		{`4294967296 > 5`, "y", "n"},
		{`9223372036854775807 > 5`, "y", "n"},
		// Operators of later versions.
		{`$msg endswith "=5"`, "y", "error"},
		{`$msg endswith ["=4", "=5"]`, "y", "error"},
		{`$msg endswith "Hello"`, "n", "error"},
		{`$msg endswith ""`, "y", "error"},
	}
	messages := received(t, []string{"<13>Oct 11 22:14:15 host1 app[123]: Hello World error=5"})
	for _, tt := range tests {
		if got, err := outcomesOf(t, setup, tt.cond, messages); got != tt.want {
			t.Errorf("%s: got %s (%v), want %s", tt.cond, got, err, tt.want)
		}
	}
}

// Functions rsyslogd 8.2302 does not have, and arguments it does not survive.
func TestFunctionsBeyondRsyslogd(t *testing.T) {
	tests := []struct{ expr, want string }{
		{`toupper("aBc1_z")`, `"ABC1_Z"`},
		{`substring("hello", -2, 2)`, `"he"`},
		{`substring("hello", 0, 9223372036854775807)`, `"hello"`},
		{`substring("hello", 0, -9223372036854775807)`, `""`},
		{`cbool("")`, `0`},
		{`cbool(" Off ")`, `0`},
		{`cbool("FALSE")`, `0`},
		{`cbool("no")`, `0`},
		{`cbool("0")`, `0`},
		{`cbool(0)`, `0`},
		{`cbool("00")`, `1`},
		{`cbool("yes")`, `1`},
		{`cbool(7)`, `1`},
		{`split("a, b, c", ", ")`, `[ "a", "b", "c" ]`},
		{`split("", ",")`, `[ "" ]`},
		{`split("a,b,", ",")`, `[ "a", "b", "" ]`},
		{`split(",a", ",")`, `[ "", "a" ]`},
		{`split("abc", "")`, `[ "abc" ]`},
		{`b64_decode("SGVsbG8=")`, `"Hello"`},
		{`b64_decode("SGVsbG8")`, `""`},
		{`b64_decode("")`, `""`},
		{`is_in_subnet("192.0.2.7", "192.0.2.0/24")`, `1`},
		{`is_in_subnet("192.0.3.7", "192.0.2.0/24")`, `0`},
		{`is_in_subnet("2001:db8::1", "2001:db8::/32")`, `1`},
		{`is_in_subnet("::ffff:192.0.2.7", "192.0.2.0/24")`, `1`},
		{`is_in_subnet("nothing", "192.0.2.0/24")`, `0`},
		{`parse_time("Oct  5 01:10:11")`, `1791162611`},
		{`parse_time("Dec 31 23:59:59")`, `1798761599`},
		{`parse_time("Jan  1 00:00:00")`, `1767225600`},
		{`parse_time_localtz("Oct  5 01:10:11")`, `1791155411`},
		{`parse_time_localtz("2017-10-05T01:10:11Z")`, `1507165811`},
		{`format_time(253402300800, "date-rfc3339")`, `"253402300800"`},
		{`random(0)`, `0`},
		{`random(-5)`, `0`},
		{`random(1)`, `0`},
		{`random("abc")`, `0`},
		{`re_extract("abc", "b", 32000, 0, "none")`, `"none"`},
	}
	messages := received(t, []string{"<13>Oct 11 22:14:15 host1 app[123]: Hello"})
	deps := testDeps()
	deps.Env.Location = time.FixedZone("", 2*3600)
	deps.Env.Now = func() time.Time { return time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC) }
	for _, tt := range tests {
		got, err := valueOf(t, deps, "", tt.expr, messages)
		if want := `{ "r": ` + tt.want + ` }`; got != want {
			t.Errorf("%s: got %s (%v), want %s", tt.expr, got, err, want)
		}
	}
}

func TestYearOf(t *testing.T) {
	for _, tt := range []struct {
		today, month time.Month
		want         int
	}{
		{time.November, time.October, 2026}, {time.November, time.November, 2026}, {time.November, time.December, 2026},
		{time.October, time.December, 2025}, {time.January, time.December, 2025}, {time.January, time.February, 2026},
		{time.January, time.March, 2025}, {time.December, time.January, 2027}, {time.December, time.February, 2026},
	} {
		if got := yearOf(tt.month, time.Date(2026, tt.today, 15, 0, 0, 0, 0, time.UTC)); got != tt.want {
			t.Errorf("a time of %v read in %v 2026 is of %d, want %d", tt.month, tt.today, got, tt.want)
		}
	}
}

func TestGetenv(t *testing.T) {
	t.Setenv("FILTER_TEST", "a value")
	messages := received(t, []string{"<13>Oct 11 22:14:15 h FILTER_TEST: x"})
	for _, expr := range []string{`getenv("FILTER_TEST")`, `getenv($programname)`} {
		if got, err := valueOf(t, testDeps(), "", expr, messages); got != `{ "r": "a value" }` {
			t.Errorf("%s: got %s (%v)", expr, got, err)
		}
	}
}

// random stays below its limit and takes every value.
func TestRandom(t *testing.T) {
	messages := received(t, []string{"<13>x"})
	seen := map[string]bool{}
	for range 200 {
		got, err := valueOf(t, testDeps(), "", "random(3)", messages)
		if err != nil {
			t.Fatal(err)
		}
		seen[got] = true
	}
	if len(seen) != 3 || !seen[`{ "r": 0 }`] || !seen[`{ "r": 2 }`] {
		t.Errorf("random(3) gave %v", seen)
	}
}

// script_error() tells about the functions called for this message, and no other.
func TestScriptError(t *testing.T) {
	const setup = `set $.rc = parse_json($msg, '\$!j');` + "\n"
	messages := received(t, []string{`<13>Oct 11 22:14:15 host1 app: {"a":1}`, `<13>Oct 11 22:14:15 host1 app: nonsense`,
		`<13>Oct 11 22:14:15 host1 app: {}`})
	got, err := outcomesOf(t, setup, "script_error()", messages)
	if err != nil || got != "nyn" {
		t.Errorf("got %s, %v", got, err)
	}
}

// Operations and properties that rsyslogd 8.2302's property filters do not take.
func TestPropertyFiltersBeyondRsyslogd(t *testing.T) {
	setup := `set $!txt = "abc"; set $!num = 5; set $.x = "local"; set $/g = "glob";` + "\n"
	messages := received(t, []string{"<13>Oct 11 22:14:15 host1 app[123]: Hello World"})
	for _, tt := range []struct{ filter, want string }{
		{`:msg, contains_i, "hello"`, "y"},
		{`:msg, !contains_i, "WORLD"`, "n"},
		{`:msg, contains_i, ""`, "y"},
		{`:msg, startswith_i, " hELLO"`, "y"},
		{`:msg, startswith_i, "hello"`, "n"},
		{`:msg, endswith, "World"`, "y"},
		{`:msg, endswith, "world"`, "n"},
		{`:msg, isempty, ""`, "n"},
		{`:msg, !isempty, ""`, "y"},
		{`:$!txt, isequal, "abc"`, "y"},
		{`:$!num, isequal, "5"`, "y"},
		{`:$.x, contains, "oca"`, "y"},
		{`:$/g, startswith, "gl"`, "y"},
		{`:$!nope, isempty, ""`, "y"},
	} {
		got, err := chosen(t, setup+tt.filter+" /file", messages)
		if got != tt.want {
			t.Errorf("%s: got %s (%v), want %s", tt.filter, got, err, tt.want)
		}
	}
}
