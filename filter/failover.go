package filter

// linkFailovers tells every action of b behind which a failover action comes
// next, for all messages it is given. after is the statement behind b, nil if
// that is not known.
//
// An action may hand back what it cannot deliver only then: what no failover
// action makes up for goes back to the queue, and from there through all of the
// rules again, to the actions that have it already, too. Any other action
// discards or waits by itself.
func (b block) linkFailovers(after statement) {
	for i, s := range b {
		next := after
		if i+1 < len(b) {
			next = b[i+1]
		}
		switch s := s.(type) {
		case *act:
			if f, ok := next.(*act); ok && f.to.FailoverFor() {
				s.to.HasFailover()
			}
		case *branch:
			s.then.linkFailovers(next)
			s.els.linkFailovers(next)
		case *foreach:
			s.body.linkFailovers(nil)
		}
	}
}
