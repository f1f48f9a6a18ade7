package queue

import (
	"strings"
	"testing"
	"time"
)

func resolved(t *testing.T, k Kind, p Params) settings {
	t.Helper()
	s, _, err := p.resolve(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLeastDiskSpace(t *testing.T) {
	for _, c := range []struct{ given, want int64 }{{0, 0}, {100_000, leastDisk}, {leastDisk, leastDisk}, {1 << 30, 1 << 30}} {
		s, notices, err := (&Params{Type: Disk, Filename: "f", MaxDiskSpace: c.given}).resolve(Action)
		if err != nil || s.maxDisk != c.want {
			t.Errorf("maxDiskSpace %d is taken as %d, want %d; %v", c.given, s.maxDisk, c.want, err)
		}
		if said := strings.Contains(strings.Join(notices, "\n"), "maxDiskSpace"); said != (c.given != c.want) {
			t.Errorf("maxDiskSpace %d: notices %q", c.given, notices)
		}
	}
}

// The rows are facts about rsyslogd 8.2302, from its documentation and its
// behaviour.
func TestDefaults(t *testing.T) {
	on := Params{Type: LinkedList}
	for _, c := range []struct {
		name                            string
		kind                            Kind
		params                          Params
		typ                             Type
		size, batch, high, full, light  int
		discardAt, workers              int
		shutdown, completion, enqueueMS int
	}{
		{"legacy main queue", MainLegacy, Params{}, FixedArray, 100_000, 256, 80_000, 97_000, 70_000, 98_000, 1, 1500, 1000, 2000},
		{"main_queue()", Main, Params{}, FixedArray, 50_000, 1024, 45_000, 48_500, 35_000, 49_000, 1, 1500, 1000, 2000},
		{"ruleset", Ruleset, Params{}, FixedArray, 50_000, 1024, 45_000, 48_500, 35_000, 49_000, 1, 1500, 1000, 2000},
		{"action", Action, on, LinkedList, 1000, 128, 900, 970, 700, 980, 1, 10, 1000, 2000},
		{"legacy action", ActionLegacy, on, LinkedList, 1000, 128, 900, 970, 700, 980, 1, 10, 1000, 50},
		{"large legacy action", ActionLegacy, Params{Type: LinkedList, Size: 10_000}, LinkedList, 10_000, 128, 9000, 9700, 7000, 9800, 1, 10, 1000, 50},
		{"disk-assisted: full delay at half of high", Action, Params{Type: LinkedList, Filename: "f"}, LinkedList, 1000, 128, 900, 450, 700, 980, 1, 10, 1000, 2000},
		{"too small for the legacy high watermark", MainLegacy, Params{Size: 1000}, FixedArray, 1000, 256, 900, 970, 700, 980, 1, 1500, 1000, 2000},
		{"too small for shares", Action, Params{Type: LinkedList, Size: 50}, LinkedList, 50, 50, 50, 49, 49, 50, 1, 10, 1000, 2000},
		{"one message", Action, Params{Type: LinkedList, Size: 1}, LinkedList, 1, 1, 1, 1, 1, 1, 1, 10, 1000, 2000},
		{"marks above the size", Main, Params{Size: 1000, HighWatermark: 2000, FullDelayMark: 2000, LightDelayMark: Given(2000), DiscardMark: 2000}, FixedArray, 1000, 1000, 900, 970, 700, 980, 1, 1500, 1000, 2000},
		{"marks given", Main, Params{Size: 1000, HighWatermark: 500, FullDelayMark: 600, LightDelayMark: Given(300), DiscardMark: 200}, FixedArray, 1000, 1000, 500, 600, 300, 200, 1, 1500, 1000, 2000},
		{"lightDelayMark 0 is off", Main, Params{Size: 1000, LightDelayMark: Given(0)}, FixedArray, 1000, 1000, 900, 970, 1000, 980, 1, 1500, 1000, 2000},
		{"time-outs given", Main, Params{TimeoutShutdown: Given(0), TimeoutCompletion: Given(-1), TimeoutEnqueue: Given(0), WorkerThreads: 3}, FixedArray, 50_000, 1024, 45_000, 48_500, 35_000, 49_000, 3, 0, -1, 0},
		{"the type in another case", Action, Params{Type: "linkedlist"}, LinkedList, 1000, 128, 900, 970, 700, 980, 1, 10, 1000, 2000},
	} {
		s := resolved(t, c.kind, c.params)
		ms := time.Millisecond
		got := [...]int{s.size.messages, s.batch, s.high.messages, s.full.messages, s.light.messages, s.discardAt,
			s.workers, int(s.shutdown / ms), int(s.complete / ms), int(s.enqueue / ms)}
		want := [...]int{c.size, c.batch, c.high, c.full, c.light, c.discardAt,
			c.workers, c.shutdown, c.completion, c.enqueueMS}
		if got != want || s.typ != c.typ {
			t.Errorf("%s:\n got %v %v\nwant %v %v", c.name, s.typ, got, c.typ, want)
		}
		if s.discard != 8 || !s.sync || !s.save || !s.window.always() {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
}

func TestDirectByDefault(t *testing.T) {
	if s := resolved(t, Action, Params{}); s.typ != Direct {
		t.Errorf("an action's queue is %s", s.typ)
	}
}

func TestBytes(t *testing.T) {
	s := resolved(t, Main, Params{MemoryLimit: 1000, Filename: "f", SpoolDirectory: "/spool"})
	if s.size.bytes != 1000 || s.high.bytes != 900 || s.light.bytes != 700 || s.full.bytes != 970 {
		t.Errorf("marks in bytes: %+v", s)
	}
	if s.dir != "/spool/f" {
		t.Errorf("dir is %s", s.dir)
	}
	if s = resolved(t, Main, Params{Type: Disk, Filename: "f"}); s.size.messages < 1<<40 {
		t.Errorf("a Disk queue without queue.size is limited to %d messages", s.size.messages)
	}
	if s = resolved(t, Main, Params{SyncQueueFiles: Given(false), SaveOnShutdown: Given(false)}); s.sync || s.save {
		t.Errorf("syncQueueFiles and saveOnShutdown cannot be turned off: %+v", s)
	}
	if s = resolved(t, Main, Params{LightDelayMark: Given(0)}); s.light != s.size {
		t.Errorf("light delay is off, but its mark is %+v of %+v", s.light, s.size)
	}
}

func TestBatchLimits(t *testing.T) {
	s := resolved(t, Main, Params{DequeueBatchSize: 100, MinDequeueBatchSize: 200})
	if s.minBatch != 100 {
		t.Errorf("the least batch is %d, the largest %d", s.minBatch, s.batch)
	}
}

func TestNoticesAndErrors(t *testing.T) {
	for _, c := range []struct {
		params Params
		notice string
		err    string
	}{
		{params: Params{Size: 1000}},
		{params: Params{Type: Disk}, notice: "no queue.filename"},
		{params: Params{Size: 50}, notice: "queue.size is only 50"},
		{params: Params{Size: 1000, DiscardMark: 2000}, notice: "queue.discardMark 2000 is above queue.size 1000"},
		{params: Params{Filename: "f", FullDelayMark: 10}, notice: "queue.fullDelayMark 10 is below queue.highWatermark"},
		{params: Params{Filename: "f", SyncQueueFiles: Given(false)}, notice: "queue.syncQueueFiles is off"},
		{params: Params{DequeueTimeBegin: 8, DequeueTimeEnd: Given(8)}, notice: "both 8"},
		{params: Params{Type: "Ring"}, err: `queue.type "Ring"`},
		{params: Params{Filename: "a/b"}, err: `queue.filename "a/b"`},
		{params: Params{Filename: ".."}, err: `queue.filename ".."`},
		{params: Params{DequeueTimeBegin: 24}, err: "queue.dequeueTimeBegin 24"},
		{params: Params{DequeueTimeEnd: Given(26)}, err: "queue.dequeueTimeEnd 26"},
	} {
		notices, err := c.params.Check(Main)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v: error %v, want %q", c.params, err, c.err)
			}
		case err != nil:
			t.Errorf("%+v: %v", c.params, err)
		case c.notice == "" && len(notices) > 0 || !strings.Contains(strings.Join(notices, "\n"), c.notice):
			t.Errorf("%+v: notices %q, want %q", c.params, notices, c.notice)
		}
	}
}

func TestWindow(t *testing.T) {
	for _, c := range []struct {
		from, to int
		now      string
		want     string // when it opens; "" is now
	}{
		{0, 25, "13:00:00", ""},
		{9, 17, "09:00:00", ""},
		{9, 17, "16:59:59", ""},
		{9, 17, "17:00:00", "33:00:00"},
		{9, 17, "08:59:30", "09:00:00"},
		{9, 17, "00:00:00", "09:00:00"},
		{22, 4, "22:00:00", ""},
		{22, 4, "23:30:00", ""},
		{22, 4, "03:59:59", ""},
		{22, 4, "04:00:00", "22:00:00"},
		{22, 0, "23:00:00", ""},
		{22, 0, "00:00:00", "22:00:00"},
		{8, 8, "12:00:00", ""},
	} {
		midnight := time.Date(2024, 2, 28, 0, 0, 0, 0, time.FixedZone("", 3600))
		now, want := midnight.Add(clock(t, c.now)), time.Duration(0)
		if c.want != "" {
			want = clock(t, c.want) - clock(t, c.now)
		}
		if got := (window{c.from, c.to}).wait(now); got != want {
			t.Errorf("from %d to %d at %s: wait %v, want %v", c.from, c.to, c.now, got, want)
		}
	}
}

func clock(t *testing.T, hms string) time.Duration {
	t.Helper()
	p := strings.Split(hms, ":")
	d, err := time.ParseDuration(p[0] + "h" + p[1] + "m" + p[2] + "s")
	if err != nil {
		t.Fatal(err)
	}
	return d
}
