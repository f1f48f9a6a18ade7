package filter

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"sync"
)

// PercentileParams are the parameters of percentile_stats().
type PercentileParams struct {
	Name        string   `conf:"name,required" doc:"Name that percentile_observe() knows the bucket by."`
	Percentiles []string `conf:"percentiles" doc:"Percentiles to report, from 1 to 100."`
	WindowSize  int      `conf:"windowsize,required" doc:"Values kept for a statistic, rounded up to a power of two."`
	Delimiter   string   `conf:"delimiter" default:"." doc:"Character between the names of statistic and percentile."`
}

// maxPercentiles bounds the statistics of a percentile_stats() bucket.
const maxPercentiles = 2000

// maxWindow bounds windowSize.
const maxWindow = 1 << 24

// PercentileStats is a percentile_stats() bucket: values that messages give to
// statistics they name. Its methods may be called from any goroutine.
type PercentileStats struct {
	params      PercentileParams
	percentiles []int
	window      int

	mu              sync.Mutex
	names           []string // in the order they came
	stats           map[string]*observations
	added, overflow int64
}

// observations are what was seen of one statistic since the last report.
type observations struct {
	ring                 []int64 // the last ones; grows up to the window
	next                 int     // in a full ring
	count, sum, min, max int64
	reported             bool // the next observation begins anew
}

// NewPercentileStats makes an empty bucket.
func NewPercentileStats(p PercentileParams) (*PercentileStats, error) {
	if p.WindowSize < 1 || p.WindowSize > maxWindow {
		return nil, fmt.Errorf("windowSize %d is not between 1 and %d", p.WindowSize, maxWindow)
	}
	if len(p.Delimiter) != 1 {
		return nil, fmt.Errorf("delimiter %q is not one character", p.Delimiter)
	}
	s := &PercentileStats{params: p, stats: map[string]*observations{}}
	s.window = 1 << bits.Len(uint(p.WindowSize-1))
	for _, text := range p.Percentiles {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			return nil, fmt.Errorf("percentile %q is not a number from 1 to 100", text)
		}
		s.percentiles = append(s.percentiles, n)
	}
	return s, nil
}

// Name is the bucket's name.
func (s *PercentileStats) Name() string { return s.params.Name }

// Observe adds a value to a statistic; false if there are too many already.
func (s *PercentileStats) Observe(statistic []byte, value int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.stats[string(statistic)]
	if o == nil {
		if len(s.names) >= maxPercentiles {
			s.overflow++
			return false
		}
		o = new(observations)
		s.stats[string(statistic)] = o
		s.names = append(s.names, string(statistic))
		s.added++
	}
	o.add(value, s.window)
	return true
}

func (o *observations) add(value int64, window int) {
	if o.reported || o.count == 0 {
		*o = observations{ring: o.ring[:0], min: value, max: value}
	}
	o.count++
	o.sum += value
	o.min, o.max = min(o.min, value), max(o.max, value)
	if len(o.ring) < window {
		o.ring = append(o.ring, value)
		return
	}
	o.ring[o.next] = value
	o.next = (o.next + 1) % window
}

// Metrics are what impstats prints of the bucket. With report the next
// observations begin anew; until there are any the old ones stay, as rsyslog.
func (s *PercentileStats) Metrics(report bool) (list []Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.names {
		o, prefix := s.stats[name], name+s.params.Delimiter
		sorted := slices.Sorted(slices.Values(o.ring))
		for _, p := range s.percentiles {
			// nearest rank
			rank := int(math.Ceil(float64(p) / 100 * float64(len(sorted))))
			list = append(list, Metric{prefix + "p" + strconv.Itoa(p), sorted[max(rank, 1)-1]})
		}
		list = append(list, Metric{prefix + "window_min", o.min}, Metric{prefix + "window_max", o.max},
			Metric{prefix + "window_sum", o.sum}, Metric{prefix + "window_count", o.count})
		o.reported = o.reported || report
	}
	return list
}

// Own are counters about the bucket itself. With reset they begin at 0 again.
func (s *PercentileStats) Own(reset bool) []Metric {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Metric{{s.params.Name + ".new_metric_add", s.added}, {s.params.Name + ".ops_overflow", s.overflow}}
	if reset {
		s.added, s.overflow = 0, 0
	}
	return list
}
