package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sysrelay/conf"
)

// TestConvertedDoesTheSame: real configurations and what they are converted to do the
// same with messages: the same bytes to the same places, in the same order.
func TestConvertedDoesTheSame(t *testing.T) {
	dir := realConfigs(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil {
		t.Fatal(err)
	}
	messages := []string{
		"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
		"<22>1 2003-10-11T22:14:15.003Z mail.example.com postfix/smtpd 8710 ID47 [x@1 a=\"b\"] connect from unknown[192.0.2.1]",
		"<6>Oct  1 02:00:00 host1 kernel: [  12.5] eth0: link \"up\", 50% \\ done",
		"<133>Oct 11 22:14:15 web1 nginx[12]: GET /index.html 404 error",
		"<184>Oct 11 22:14:15 sw01 %LINK-3-UPDOWN: Interface changed",
		`<13>@cee: {"user": "x", "msg": "y"}`,
	}
	compared, emitted := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		c, err := conf.ConvertAlone(name, text)
		if err != nil || string(c.Text) == string(text) {
			continue
		}
		compared++
		was, is := deeds(t, name, text, messages), deeds(t, name, c.Text, messages)
		emitted += len(was)
		for i := range max(len(was), len(is)) {
			if i >= len(was) || i >= len(is) || was[i] != is[i] {
				t.Errorf("%s: was %q, is %q", name, was[min(i, len(was)):], is[min(i, len(is)):])
				break
			}
		}
	}
	t.Logf("%d configurations, %d emissions", compared, emitted)
	if compared < 140 || emitted < 1000 {
		t.Errorf("only %d configurations with %d emissions were compared", compared, emitted)
	}
}

// deeds are what a configuration does with messages, over every kind of input.
func deeds(t *testing.T, name string, text []byte, messages []string) (all []string) {
	cfg, _ := conf.ParseAlone(name, text)
	e, _ := New(cfg, Options{Program: "sysrelay", Explain: true}) // unknown users and the like
	e.env.Now = func() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }
	for _, in := range []string{"imuxsock", "imtcp", "imudp"} {
		x, err := e.Explainer(Reception{Input: in})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			ex := x.Explain([]byte(m))
			for _, s := range ex.Steps {
				switch a := s.Action; {
				case s.Kind == "stop":
					all = append(all, "stop")
				case a != nil:
					all = append(all, fmt.Sprint(s.Kind, a.Name, a.Kind, a.To, strings.ReplaceAll(a.Data, name, ""), a.Queue, a.Only, a.Why))
				}
			}
		}
	}
	return all
}
