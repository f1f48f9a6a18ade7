package engine

import (
	"slices"

	"sysrelay/conf"
	"sysrelay/filter"
)

// readStats makes the buckets of dyn_stats() and percentile_stats().
func (b *builder) readStats() {
	for _, o := range b.objects("dyn_stats") {
		var p filter.DynStatsParams
		if b.decode(o, &p) && !b.duplicate(o, hasName(b.dynStats, p.Name)) {
			b.dynStats = append(b.dynStats, filter.NewDynStats(p, b.env.Now))
		}
	}
	for _, o := range b.objects("percentile_stats") {
		var p filter.PercentileParams
		if !b.decode(o, &p) || b.duplicate(o, hasName(b.percentiles, p.Name)) {
			continue
		}
		s, err := filter.NewPercentileStats(p)
		if err != nil {
			b.failed(b.cfg.Errorf(o.Pos, "", "%v", err))
			continue
		}
		b.percentiles = append(b.percentiles, s)
	}
}

func (b *builder) duplicate(o *conf.Object, is bool) bool {
	if is {
		b.errorf(o.Pos, "", "%s() %q exists already", o.Kind, o.Value("name"))
	}
	return is
}

func hasName[T interface{ Name() string }](list []T, name string) bool {
	_, ok := find(list)(name)
	return ok
}

// find looks for what has a name.
func find[T interface{ Name() string }](list []T) func(name string) (T, bool) {
	return func(name string) (found T, ok bool) {
		i := slices.IndexFunc(list, func(e T) bool { return e.Name() == name })
		if i < 0 {
			return found, false
		}
		return list[i], true
	}
}
