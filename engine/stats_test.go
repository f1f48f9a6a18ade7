package engine

import (
	"testing"

	"sysrelay/message"
)

// Lines as rsyslogd 8.2302 prints them; it has no format prometheus.
func TestStatsFormats(t *testing.T) {
	queue := message.Counters{Name: "main Q", Origin: "core.queue", Values: []message.Counter{message.Level("size", 1), message.Count("discarded.full", 0)}}
	bucket := message.Counters{Name: "ds", Origin: "dynstats.bucket", Free: true, Values: []message.Counter{message.Level("vm/1", 7)}}
	empty := message.Counters{Name: "global", Origin: "percentile", Free: true}
	for _, c := range []struct {
		format string
		in     message.Counters
		want   string
	}{
		{"legacy", queue, "main Q: origin=core.queue size=1 discarded.full=0 "},
		{"legacy", bucket, "ds: origin=dynstats.bucket vm/1=7 "},
		{"legacy", empty, "global: origin=percentile "},
		{"json", queue, `{ "name": "main Q", "origin": "core.queue", "size": 1, "discarded.full": 0 }`},
		{"json", bucket, `{ "name": "ds", "origin": "dynstats.bucket", "values": { "vm\/1": 7 } }`},
		{"json", empty, `{ "name": "global", "origin": "percentile", "values": { } }`},
		{"cee", queue, `@cee: { "name": "main Q", "origin": "core.queue", "size": 1, "discarded.full": 0 }`},
		{"json-elasticsearch", queue, `{ "name": "main Q", "origin": "core.queue", "size": 1, "discarded!full": 0 }`},
	} {
		if got := string(statsFormats(c.format)(nil, c.in)); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.format, got, c.want)
		}
	}
	quoted := message.Counters{Name: "a\"b\\c\nd", Origin: "core.queue", Values: []message.Counter{message.Level("size", 2)}}
	const want = `# TYPE rsyslog_core_queue_discarded_full counter
rsyslog_core_queue_discarded_full{name="main Q"} 0
# TYPE rsyslog_core_queue_size gauge
rsyslog_core_queue_size{name="main Q"} 1
rsyslog_core_queue_size{name="a\"b\\c\nd"} 2
# TYPE rsyslog_dynstats_bucket gauge
rsyslog_dynstats_bucket{name="ds",metric="vm/1"} 7
`
	if got := string(appendPrometheus(nil, []message.Counters{queue, bucket, empty, quoted})); got != want {
		t.Errorf("prometheus:\n%s\nwant\n%s", got, want)
	}
}

func TestCountersOfOneNameAreAddedUp(t *testing.T) {
	all := addCounters(nil, message.Counters{Name: "imuxsock", Origin: "imuxsock", Values: []message.Counter{message.Count("submitted", 1)}})
	all = addCounters(all, message.Counters{Name: "imuxsock", Origin: "imuxsock", Values: []message.Counter{message.Count("submitted", 2), message.Count("other", 3)}})
	if len(all) != 1 || all[0].Values[0].Value != 3 || all[0].Values[1].Value != 3 {
		t.Errorf("%+v", all)
	}
}
