package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Messages without a header go to a file, to another ruleset, or nowhere; others
// are not touched.
func TestHeaderless(t *testing.T) {
	f := func(params string, want ...string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "headerless")
		o := newOracleEngine(t, "headerless.conf", `template(name="all" type="string" string="%syslogtag%%msg%%$!%;")
parser(name="p" type="pmrfc3164" detect.headerless="on" headerless.errorFile="`+file+`" `+params+`)
ruleset(name="others") { set $!to = "others"; action(type="omprint") }
ruleset(name="oracle" parser="p") { set $!to = "oracle"; action(type="omprint") }`, time.Now())
		var got []string
		for _, in := range []string{"<13>Nov 21 10:20:30 host tag: first", "just text", "<13>no time"} {
			o.run(t, in)
			got = append(got, string(o.printer.got))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: got %q, want %q", params, got, want)
		}
		kept, err := os.ReadFile(file)
		if err != nil || string(kept) != "just text\n<13>no time\n" {
			t.Errorf("%s: kept %q, %v", params, kept, err)
		}
		if l := o.rulesets["oracle"].Ledger.Read(); l.Queued() != 0 {
			t.Errorf("%s: %+v", params, l)
		}
	}
	first := `tag: first{ "to": "oracle" };`
	f(``, first, `headerlessjust text{ "to": "oracle" };`, `headerlessno time{ "to": "oracle" };`)
	f(`headerless.tag="none:"`, first, `none:just text{ "to": "oracle" };`, `none:no time{ "to": "oracle" };`)
	f(`headerless.ruleset="others"`, first, `headerlessjust text{ "to": "others" };`, `headerlessno time{ "to": "others" };`)
	f(`headerless.drop="on"`, first, ``, ``)
	f(`headerless.drop="on" headerless.ruleset="others"`, first, ``, ``)
}
