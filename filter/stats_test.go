package filter

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func metrics(list []Metric) string {
	var parts []string
	for _, m := range list {
		parts = append(parts, fmt.Sprintf("%s=%d", m.Name, m.Value))
	}
	return strings.Join(parts, " ")
}

func TestDynInc(t *testing.T) {
	deps := testDeps()
	d := NewDynStats(DynStatsParams{Name: "b", Cardinality: 1, UnusedLife: 3600}, time.Now)
	deps.DynStats = func(bucket string) (*DynStats, bool) { return d, bucket == "b" }
	messages := received(t, []string{"<13>Oct 11 22:14:15 host1 app[3]: x"})
	for _, tt := range []struct{ expr, want string }{
		{`dyn_inc("b", $hostname)`, `0`},
		{`dyn_inc("b", $hostname)`, `0`},
		{`dyn_inc("b", "another")`, `-6`},
		{`dyn_inc("b", "")`, `0`},
	} {
		got, err := valueOf(t, deps, "", tt.expr, messages)
		if want := `{ "r": ` + tt.want + ` }`; got != want {
			t.Errorf("%s: got %s (%v), want %s", tt.expr, got, err, want)
		}
	}
	if got := metrics(d.Metrics(false)); got != "host1=2" {
		t.Errorf("counted %s", got)
	}
	want := "b.ops_overflow=1 b.new_metric_add=1 b.no_metric=1 b.metrics_purged=0 b.ops_ignored=0 b.purge_triggered=0"
	if got := metrics(d.Own(false)); got != want {
		t.Errorf("own counters are\n%s, want\n%s", got, want)
	}
	if _, err := valueOf(t, deps, "", `dyn_inc("missing", "x")`, messages); err == nil {
		t.Error("a bucket that is not there is no error")
	}
}

// TestDynStats: a line is a step: +metric counts, time passes by seconds, report
// and read show.
func TestDynStats(t *testing.T) {
	for _, c := range []struct {
		name, steps, want string
		resettable        bool
	}{
		{"reported once", "+a +b +a report +a report report", "a=2 b=1|a=1 b=0|a=0 b=0", true},
		{"not resettable", "+a report +a report", "a=1|a=2", false},
		{"reading resets nothing", "+a read report", "a=1|a=1", true},
		{"unused ones go in the second cycle", "+a +b 10 read +a 10 read", "a=1 b=1|a=2", false},
		{"room for others then", "+a +b +c 10 read +b 10 +c read", "a=1 b=1|b=2 c=1", false},
		{"used all the time", "+a 10 +a 10 +a 10 +a read", "a=4", false},
	} {
		now := time.Unix(0, 0)
		d := NewDynStats(DynStatsParams{Name: "b", Resettable: c.resettable, Cardinality: 2, UnusedLife: 10},
			func() time.Time { return now })
		var got []string
		for _, step := range strings.Fields(c.steps) {
			switch {
			case step[0] == '+':
				d.Inc([]byte(step[1:]))
			case step == "10":
				now = now.Add(10 * time.Second)
			default:
				got = append(got, metrics(d.Metrics(step == "report")))
			}
		}
		if is := strings.Join(got, "|"); is != c.want {
			t.Errorf("%s: %s: is %s, want %s", c.name, c.steps, is, c.want)
		}
	}
}

func TestDynIncAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	d := NewDynStats(DynStatsParams{Name: "b", Cardinality: 1, UnusedLife: 3600}, time.Now)
	known, other := []byte("known"), []byte("other")
	if n := testing.AllocsPerRun(100, func() { d.Inc(known) }); n > 0 {
		t.Errorf("counting allocates %v times", n)
	}
	d.Inc(other)
	if got := metrics(d.Metrics(false)); got != "known=101" {
		t.Errorf("counted %s", got)
	}
}

func TestPercentileStats(t *testing.T) {
	p := PercentileParams{Name: "p", Percentiles: []string{"50", "95", "100"}, WindowSize: 3, Delimiter: "|"}
	s, err := NewPercentileStats(p)
	if err != nil {
		t.Fatal(err)
	}
	deps := testDeps()
	deps.Percentiles = func(string) (*PercentileStats, bool) { return s, true }
	observe := func(values ...string) {
		t.Helper()
		for _, v := range values {
			messages := received(t, []string{"<13>Oct 11 22:14:15 host1 app[3]: " + v})
			got, err := valueOf(t, deps, "", `percentile_observe("p", "size", ltrim($msg))`, messages)
			if got != `{ "r": 0 }` {
				t.Errorf("%s: %s, %v", v, got, err)
			}
		}
	}
	// The window is four values, of which percentiles are; the rest counts all.
	observe("50", "10", "x", "30", "20", "40")
	want := "size|p50=20 size|p95=40 size|p100=40 size|window_min=10 size|window_max=50 size|window_sum=150 size|window_count=5"
	for _, report := range []bool{false, true, true} {
		if got := metrics(s.Metrics(report)); got != want {
			t.Errorf("is   %s\nwant %s", got, want)
		}
	}
	observe("7")
	want = "size|p50=7 size|p95=7 size|p100=7 size|window_min=7 size|window_max=7 size|window_sum=7 size|window_count=1"
	if got := metrics(s.Metrics(true)); got != want {
		t.Errorf("is   %s\nwant %s", got, want)
	}
	for i := range maxPercentiles + 1 {
		s.Observe(fmt.Append(nil, i), 1)
	}
	if got := metrics(s.Own(true)); got != "p.new_metric_add=2000 p.ops_overflow=2" {
		t.Errorf("own counters are %s", got)
	}
	for _, bad := range []PercentileParams{
		{WindowSize: 0, Delimiter: "."}, {WindowSize: 1 << 30, Delimiter: "."}, {WindowSize: 1, Delimiter: ""},
		{WindowSize: 1, Delimiter: ".", Percentiles: []string{"0"}}, {WindowSize: 1, Delimiter: ".", Percentiles: []string{"p95"}},
	} {
		if _, err := NewPercentileStats(bad); err == nil {
			t.Errorf("%+v is no error", bad)
		}
	}
}
