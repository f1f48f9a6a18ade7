package queue

import "sysrelay/message"

// Counters are the queue's figures under rsyslog's names. What is on disk has an
// entry of its own, as the disk part of rsyslog's queues has.
func (q *Queue) Counters() []message.Counters {
	s := q.Stats()
	a := s.Accounts
	values := []message.Counter{message.Level("size", s.Size), message.Count("enqueued", a.Received), message.Count("full", s.Full),
		message.Count("discarded.full", a.Discarded[message.QueueFull]), message.Count("discarded.nf", a.Discarded[message.DiscardMark]),
		message.Level("maxqsize", s.MaxSize)}
	a.Each(func(r message.Reason, n uint64) {
		if r != message.QueueFull && r != message.DiscardMark {
			values = append(values, message.Count("discarded."+r.String(), n))
		}
	})
	all := []message.Counters{{Name: s.Name, Origin: "core.queue", Values: values}}
	if q.store != nil {
		disk := message.Counters{Name: s.Name + "[DA]", Origin: "core.queue",
			Values: []message.Counter{message.Level("size", s.DiskSize), message.Level("bytes", s.DiskBytes)}}
		all = append([]message.Counters{disk}, all...)
	}
	return all
}
