package conf

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestFindings(t *testing.T) {
	cfg, err := Parse("t.conf", []byte("$ModLoad imudp\n$ModLoad imudp\nnonsense here\n$Nix 1\n"))
	warning := cfg.Errorf(Pos{"t.conf", 3, 1}, "do this", "it %s", "bites")
	warning.Severity, warning.ID, warning.Why = Warning, "bites", "it hurts"
	missing := cfg.Errorf(Pos{"t.conf", 1, 10}, "", "no module")
	missing.Severity = Unsupported
	var errs []error
	for _, e := range append(errorsOf(err), warning, missing) {
		errs = append(errs, e)
	}
	got, jsonErr := json.Marshal(cfg.Findings(append(errs, errors.New("nowhere"))))
	want := `[{"severity":"unsupported","id":"unsupported","file":"t.conf","line":1,"column":10,"message":"no module","source":"$ModLoad imudp"},` +
		`{"severity":"note","id":"module-loaded-twice","file":"t.conf","line":2,"column":10,"message":"module imudp is already loaded","fix":"remove one of them","source":"$ModLoad imudp"},` +
		`{"severity":"error","id":"invalid","file":"t.conf","line":3,"column":1,"message":"unknown object, statement or selector \"nonsense\"","source":"nonsense here"},` +
		`{"severity":"warning","id":"bites","file":"t.conf","line":3,"column":1,"message":"it bites","why":"it hurts","fix":"do this","source":"nonsense here"},` +
		`{"severity":"error","id":"invalid","file":"t.conf","line":4,"column":1,"message":"unknown directive $Nix","source":"$Nix 1"},` +
		`{"severity":"error","id":"invalid","message":"nowhere"}]`
	if string(got) != want || jsonErr != nil {
		t.Errorf("got\n%s %v\nwant\n%s", got, jsonErr, want)
	}
}
