package filter

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Metric is one counter of a statistics object.
type Metric struct {
	Name  string
	Value int64
}

// DynStatsParams are the parameters of dyn_stats().
type DynStatsParams struct {
	Name        string `conf:"name,required" doc:"Name that dyn_inc() knows the bucket by."`
	Resettable  bool   `conf:"resettable" default:"on" doc:"Counters begin at 0 again when they have been reported."`
	Cardinality int    `conf:"maxcardinality" default:"2000" doc:"Counters at most; more are not counted."`
	UnusedLife  int    `conf:"unusedmetriclife" default:"3600" doc:"Seconds after which counters that were not used since are removed."`
}

// DynStats is a dyn_stats() bucket: counters that messages name. Its methods may
// be called from any goroutine.
type DynStats struct {
	params DynStatsParams
	now    func() time.Time

	mu       sync.RWMutex
	counters map[string]*dynCounter
	purgeAt  time.Time

	overflow, added, unnamed, purged, purges atomic.Int64
}

type dynCounter struct {
	value atomic.Int64
	used  atomic.Bool // since the last purge
}

// NewDynStats makes an empty bucket.
func NewDynStats(p DynStatsParams, now func() time.Time) *DynStats {
	d := &DynStats{params: p, now: now, counters: map[string]*dynCounter{}}
	d.purgeAt = now().Add(d.life())
	return d
}

// Name is the bucket's name.
func (d *DynStats) Name() string { return d.params.Name }

func (d *DynStats) life() time.Duration { return time.Duration(d.params.UnusedLife) * time.Second }

// Inc counts one for a metric; false if there are too many already.
func (d *DynStats) Inc(metric []byte) bool {
	if len(metric) == 0 {
		d.unnamed.Add(1)
		return true // as rsyslog
	}
	d.mu.RLock()
	c := d.counters[string(metric)]
	d.mu.RUnlock()
	if c == nil {
		if c = d.add(string(metric)); c == nil {
			d.overflow.Add(1)
			return false
		}
	}
	c.value.Add(1)
	if !c.used.Load() {
		c.used.Store(true)
	}
	return true
}

// add makes room for a new metric, if there is any.
func (d *DynStats) add(metric string) *dynCounter {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.purge()
	c := d.counters[metric]
	switch {
	case c != nil:
	case len(d.counters) < d.params.Cardinality:
		c = new(dynCounter)
		d.counters[metric] = c
		d.added.Add(1)
	}
	return c
}

// purge removes what has not been used for a whole unusedMetricLife. Unlike
// rsyslog's it leaves those that are in use visible.
func (d *DynStats) purge() {
	now := d.now()
	if now.Before(d.purgeAt) {
		return
	}
	d.purgeAt = now.Add(d.life())
	d.purges.Add(1)
	for name, c := range d.counters {
		if !c.used.Swap(false) {
			delete(d.counters, name)
			d.purged.Add(1)
		}
	}
}

// Metrics are the counters in the order of their names. With report those that
// are resettable begin at 0 again: each count is in one report.
func (d *DynStats) Metrics(report bool) []Metric {
	d.mu.Lock()
	d.purge()
	list := make([]Metric, 0, len(d.counters))
	for name, c := range d.counters {
		list = append(list, Metric{name, read(&c.value, report && d.params.Resettable)})
	}
	d.mu.Unlock()
	slices.SortFunc(list, func(a, b Metric) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Own are counters about the bucket itself, under rsyslog's names for them. With
// reset they begin at 0 again.
func (d *DynStats) Own(reset bool) []Metric {
	return []Metric{
		{d.params.Name + ".ops_overflow", read(&d.overflow, reset)},
		{d.params.Name + ".new_metric_add", read(&d.added, reset)},
		{d.params.Name + ".no_metric", read(&d.unnamed, reset)},
		{d.params.Name + ".metrics_purged", read(&d.purged, reset)},
		{d.params.Name + ".ops_ignored", 0}, // nothing is: an operation waits for its turn
		{d.params.Name + ".purge_triggered", read(&d.purges, reset)},
	}
}

func read(c *atomic.Int64, reset bool) int64 {
	if reset {
		return c.Swap(0)
	}
	return c.Load()
}
