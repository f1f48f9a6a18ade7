package filter

import (
	"sysrelay/conf"
	"sysrelay/message"
)

// rsyslog's codes for what could not be counted.
const (
	retNoMemory    = -6
	retInvalidArgs = -3003
)

// dynInc compiles dyn_inc("bucket", metric): 0, or an error code.
func dynInc(c *compiler, f *conf.Func, a []expr) expr {
	name, ok := c.constant(f, 0)
	if !ok {
		return fixedNumber(retInvalidArgs)
	}
	d, ok := c.deps.DynStats(name)
	if !ok {
		c.errorf(f.Args[0].Position(), "", "dyn_inc(): there is no dyn_stats() bucket %q", name)
		return fixedNumber(retInvalidArgs)
	}
	metric := a[1].asText()
	return numberExpr(func(e *eval, m *message.Message) int64 {
		if d.Inc(metric(e, m)) {
			return 0
		}
		return retNoMemory
	})
}

// percentileObserve compiles percentile_observe("bucket", statistic, value): 0, or
// an error code. as rsyslog: a value that is no number is passed over.
func percentileObserve(c *compiler, f *conf.Func, a []expr) expr {
	name, ok := c.constant(f, 0)
	if !ok {
		return fixedNumber(retInvalidArgs)
	}
	s, ok := c.deps.Percentiles(name)
	if !ok {
		c.errorf(f.Args[0].Position(), "", "percentile_observe(): there is no percentile_stats() bucket %q", name)
		return fixedNumber(retInvalidArgs)
	}
	statistic, value := a[1].asText(), a[2].asValue()
	return numberExpr(func(e *eval, m *message.Message) int64 {
		v := value(e, m)
		if n, ok := v.number(); ok && !s.Observe(statistic(e, m), n) {
			return retNoMemory
		}
		return 0
	})
}
