package message

import (
	"sync"
	"testing"
	"time"
)

func TestTimestampFormat(t *testing.T) {
	type format func([]byte, *Timestamp) []byte
	f := func(name string, fn format, ts Timestamp, want string) {
		t.Helper()
		if got := string(fn([]byte("x"), &ts)); got != "x"+want {
			t.Errorf("%s(%+v) = %q, want %q", name, ts, got, "x"+want)
		}
	}
	ts := Timestamp{Year: 2026, Month: 3, Day: 5, Hour: 7, Minute: 8, Second: 9, Frac: 1234, Precision: 6, OffsetMinute: -210}
	whole := Timestamp{Year: 1985, Month: 12, Day: 31, Hour: 23, Minute: 59, Second: 60, OffsetZ: true}
	f("RFC3339", AppendRFC3339, ts, "2026-03-05T07:08:09.001234-03:30")
	f("RFC3339", AppendRFC3339, whole, "1985-12-31T23:59:60Z")
	nano := Timestamp{Year: 2026, Month: 3, Day: 5, Frac: 1, Precision: 9, OffsetMinute: 23*60 + 59}
	f("RFC3339", AppendRFC3339, nano, "2026-03-05T00:00:00.000000001+23:59")
	minus := Timestamp{Year: 1, Month: 1, Day: 1, OffsetMinus: true}
	f("RFC3339", AppendRFC3339, minus, "0001-01-01T00:00:00-00:00")
	f("RFC3164", AppendRFC3164, ts, "Mar  5 07:08:09")
	f("RFC3164", AppendRFC3164, whole, "Dec 31 23:59:60")
	f("RFC3164", AppendRFC3164, Timestamp{}, "Jan  0 00:00:00")
	f("RFC3164BuggyDay", AppendRFC3164BuggyDay, ts, "Mar 05 07:08:09")
	f("RFC3164BuggyDay", AppendRFC3164BuggyDay, whole, "Dec 31 23:59:60")
	f("MySQL", AppendMySQL, ts, "20260305070809")
	f("PgSQL", AppendPgSQL, ts, "2026-03-05 07:08:09")
	f("Subseconds", AppendSubseconds, ts, "001234")
	f("Subseconds", AppendSubseconds, whole, "0")
	f("Unix", AppendUnix, ts, "1772707089")
	f("Unix", AppendUnix, whole, "504921600")
	f("Unix", AppendUnix, minus, "0")
	f("Unix", AppendUnix, Timestamp{Year: 1970, Month: 1, Day: 1, OffsetMinute: 60}, "-3600")
	f("Unix", AppendUnix, Timestamp{Year: 2023, Month: 2, Day: 30, Hour: 12, OffsetZ: true}, "1677758400")
	f("Unix", AppendUnix, Timestamp{Year: 2101, Month: 1, Day: 1}, "0")
	f("Unix", AppendUnix, Timestamp{Year: 2100, Month: 1, Day: 1}, "4102444800")
}

func TestTimestampOf(t *testing.T) {
	f := func(tm time.Time, want string) {
		t.Helper()
		ts := TimestampOf(tm)
		if got := string(AppendRFC3339(nil, &ts)); got != want {
			t.Errorf("TimestampOf(%v) = %s, want %s", tm, got, want)
		}
		if back := ts.Time(tm.Location()); !back.Equal(tm.Truncate(time.Microsecond)) {
			t.Errorf("TimestampOf(%v).Time = %v", tm, back)
		}
	}
	f(time.Date(2026, 1, 2, 3, 4, 5, 6789012, time.UTC), "2026-01-02T03:04:05.006789+00:00")
	f(time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC), "1969-12-31T23:59:59.999999+00:00")
	f(time.Date(2026, 6, 2, 3, 4, 5, 0, time.FixedZone("", -9*3600-1800)), "2026-06-02T03:04:05.000000-09:30")
}

func TestEnvTimestamp(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	env := &Env{Location: berlin}
	for _, at := range []time.Time{
		time.Date(2026, 3, 29, 0, 59, 59, 0, time.UTC), // the last second of winter
		time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 25, 0, 59, 59, 999999999, time.UTC),
		time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 1000, time.UTC),
		time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, want := env.Timestamp(at.UnixNano()), TimestampOf(at.In(berlin)); got != want {
			t.Errorf("%v: got %+v, want %+v", at, got, want)
		}
	}
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	env.Timestamp(now)
	if n := testing.AllocsPerRun(100, func() { env.Timestamp(now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestEnvTimestampFromManyGoroutines(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	env := &Env{Location: berlin}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				// Days in summer and in winter, in a different order in each goroutine.
				at := time.Date(2026, 1, 1+(i*(g+1)*37)%365, 12, 0, i%60, 0, time.UTC)
				if got, want := env.Timestamp(at.UnixNano()), TimestampOf(at.In(berlin)); got != want {
					t.Errorf("%v: got %+v, want %+v", at, got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Skip(err)
	}
	return loc
}
