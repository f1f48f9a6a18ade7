package engine

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"sysrelay/filter"
	"sysrelay/input"
	"sysrelay/message"
)

// Counters are the figures of all parts of the relay, about in rsyslog's order.
// With reset, buckets that report what was since the last report begin anew.
func (e *Engine) Counters(reset bool) []message.Counters {
	all := e.buckets(reset)
	for _, in := range e.inputs {
		all = addCounters(all, input.CountersOf(in.Input)...)
	}
	for _, a := range e.actions {
		all = append(all, a.Counters()...)
	}
	all = append(all, resourceUsage())
	for _, a := range e.actions {
		all = append(all, a.Queued()...)
	}
	for _, r := range slices.Backward(e.order) {
		if r.queue != nil {
			all = append(all, r.queue.Counters()...)
		}
	}
	return all
}

// buckets are those of dyn_stats() and percentile_stats(), behind what is to be
// said about the buckets themselves.
func (e *Engine) buckets(reset bool) []message.Counters {
	dyn := message.Counters{Name: "global", Origin: "dynstats", Free: true}
	percentile := message.Counters{Name: "global", Origin: "percentile", Free: true}
	var buckets []message.Counters
	for _, d := range e.dynStats {
		dyn.Values = append(dyn.Values, levels(d.Own(reset))...)
		buckets = append(buckets, message.Counters{Name: d.Name(), Origin: "dynstats.bucket", Free: true, Values: levels(d.Metrics(reset))})
	}
	for _, p := range e.percentiles {
		percentile.Values = append(percentile.Values, levels(p.Own(reset))...)
		buckets = append(buckets, message.Counters{Name: p.Name(), Origin: "percentile.bucket", Free: true, Values: levels(p.Metrics(reset))})
	}
	return append([]message.Counters{dyn, percentile}, buckets...)
}

// levels are what buckets report. It is never reset by impstats: they reset them themselves.
func levels(list []filter.Metric) []message.Counter {
	values := make([]message.Counter, 0, len(list))
	for _, m := range list {
		values = append(values, message.Level(m.Name, m.Value))
	}
	return values
}

// addCounters adds counters to a list; those of one name are summed up, as all
// sockets of imuxsock have one.
func addCounters(all []message.Counters, more ...message.Counters) []message.Counters {
	for _, c := range more {
		i := slices.IndexFunc(all, func(have message.Counters) bool { return have.Name == c.Name && have.Origin == c.Origin })
		if i < 0 {
			all = append(all, c)
			continue
		}
		for _, v := range c.Values {
			j := slices.IndexFunc(all[i].Values, func(have message.Counter) bool { return have.Name == v.Name })
			if j < 0 {
				all[i].Values = append(all[i].Values, v)
			} else {
				all[i].Values[j].Value += v.Value
			}
		}
	}
	return all
}

// resourceUsage is what getrusage(2) says. as rsyslog: openfiles, too.
func resourceUsage() message.Counters {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u) // cannot fail with these arguments
	files, _ := os.ReadDir("/proc/self/fd")
	values := []message.Counter{
		message.Level("utime", u.Utime.Nano()/1000), message.Level("stime", u.Stime.Nano()/1000), message.Level("maxrss", u.Maxrss),
		message.Level("minflt", u.Minflt), message.Level("majflt", u.Majflt), message.Level("inblock", u.Inblock), message.Level("oublock", u.Oublock),
		message.Level("nvcsw", u.Nvcsw), message.Level("nivcsw", u.Nivcsw), message.Level("openfiles", len(files)),
	}
	return message.Counters{Name: "resource-usage", Origin: "impstats", Values: values}
}
