package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sysrelay/message"
)

// statsFormat prints counters.
type statsFormat func(dst []byte, c message.Counters) []byte

func statsFormats(name string) statsFormat {
	switch name {
	case "json":
		return func(dst []byte, c message.Counters) []byte { return appendJSONCounters(dst, c, false) }
	case "json-elasticsearch":
		return func(dst []byte, c message.Counters) []byte { return appendJSONCounters(dst, c, true) }
	case "cee":
		return func(dst []byte, c message.Counters) []byte {
			return appendJSONCounters(append(dst, "@cee: "...), c, false)
		}
	}
	return appendLegacyCounters
}

// appendLegacyCounters is `name: origin=o a=1 b=2 `. as rsyslog: blanks in names
// of a bucket stay.
func appendLegacyCounters(dst []byte, c message.Counters) []byte {
	dst = fmt.Appendf(dst, "%s: origin=%s ", c.Name, strings.ReplaceAll(c.Origin, " ", "_"))
	for _, v := range c.Values {
		dst = fmt.Appendf(dst, "%s=%d ", v.Name, v.Value)
	}
	return dst
}

// appendJSONCounters prints an object. Elasticsearch took no dots in names: there
// are bangs in their place.
func appendJSONCounters(dst []byte, c message.Counters, noDots bool) []byte {
	object, values := message.NewObject(), message.NewObject()
	member := func(o message.Value, name string, v message.Value) {
		if noDots {
			name = strings.ReplaceAll(name, ".", "!")
		}
		o.SetMember(name, v, true)
	}
	member(object, "name", message.StringValue(c.Name))
	member(object, "origin", message.StringValue(c.Origin))
	into := object
	if c.Free {
		into = values
	}
	for _, v := range c.Values {
		member(into, v.Name, message.IntValue(v.Value))
	}
	if c.Free {
		member(object, "values", values)
	}
	return object.AppendJSON(dst, message.JSONSpaced)
}

// appendPrometheus prints all counters in Prometheus' text format 0.0.4, grouped
// by metric as it wants them. Metrics are called rsyslog_ORIGIN_COUNTER and have the label name,
// those of buckets rsyslog_ORIGIN with the label metric, too.
func appendPrometheus(dst []byte, all []message.Counters) []byte {
	type sample struct {
		labels string
		value  int64
		level  bool
	}
	samples := map[string][]sample{}
	for _, c := range all {
		for _, v := range c.Values {
			labels := `name="` + promEscape(c.Name) + `"`
			metric := promName("rsyslog_" + c.Origin + "_" + v.Name)
			if c.Free {
				metric = promName("rsyslog_" + c.Origin)
				labels += `,metric="` + promEscape(v.Name) + `"`
			}
			samples[metric] = append(samples[metric], sample{labels, v.Value, v.Level})
		}
	}
	names := make([]string, 0, len(samples))
	for n := range samples {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		kind := "counter"
		if samples[n][0].level {
			kind = "gauge"
		}
		dst = fmt.Appendf(dst, "# TYPE %s %s\n", n, kind)
		for _, s := range samples[n] {
			dst = append(dst, n+"{"+s.labels+"} "...)
			dst = append(strconv.AppendInt(dst, s.value, 10), '\n')
		}
	}
	return dst
}

// promName makes a name of the characters a metric's name may have.
func promName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
}

// promEscape escapes a label's value.
func promEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "\uFFFD"))
}
