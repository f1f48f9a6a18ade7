package queue

import "time"

// window is the part of the day in which messages are handed on, in hours of
// local time: dequeueTimeBegin and dequeueTimeEnd. It may go across midnight.
type window struct{ from, to int }

// always says that the window never closes.
func (w window) always() bool { return w.to == 25 || w.from == w.to }

// wait returns how long it takes until the window opens; 0 if it is open.
func (w window) wait(now time.Time) time.Duration {
	h := now.Hour()
	open := h >= w.from && h < w.to
	if w.to < w.from {
		open = h >= w.from || h < w.to
	}
	if w.always() || open {
		return 0
	}
	next := time.Date(now.Year(), now.Month(), now.Day(), w.from, 0, 0, 0, now.Location())
	if !next.After(now) {
		next = time.Date(now.Year(), now.Month(), now.Day()+1, w.from, 0, 0, 0, now.Location())
	}
	// At least a second, lest an hour that a clock change skips makes us spin.
	return max(next.Sub(now), time.Second)
}
