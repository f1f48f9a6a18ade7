package message

// Rate lets so many messages through in every interval, as rsyslog's
// ratelimit.interval and ratelimit.burst do. Its owner locks it.
type Rate struct {
	begin  int64 // 0 is not yet
	passed int64
	Missed int64 // in this interval
}

// Next begins a new interval if the last is over at the time now, and says how
// many messages were not let through in that one. Times are in any unit.
// as rsyslog: the next interval begins with the first message after the last.
func (r *Rate) Next(now, interval int64) (missed int64) {
	switch {
	case r.begin == 0:
		r.begin = now
	case now-r.begin > interval || now < r.begin: // or the clock was set back
		missed = r.Missed
		*r = Rate{begin: now}
	}
	return missed
}

// Allow decides about one message.
func (r *Rate) Allow(burst int64) bool {
	if r.passed < burst {
		r.passed++
		return true
	}
	r.Missed++
	return false
}
