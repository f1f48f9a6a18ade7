package output

// lines are rendered messages, one after the other, with their ends.
type lines struct {
	buf  []byte
	ends []int
}

func (l *lines) reset() { l.buf, l.ends = l.buf[:0], l.ends[:0] }

// end marks the end of a message; with lf it ends in a line feed.
func (l *lines) end(lf bool) {
	if n := len(l.buf); lf && (n == l.start() || l.buf[n-1] != '\n') {
		l.buf = append(l.buf, '\n')
	}
	l.ends = append(l.ends, len(l.buf))
}

// start is where the message now being rendered begins.
func (l *lines) start() int {
	if len(l.ends) == 0 {
		return 0
	}
	return l.ends[len(l.ends)-1]
}

// whole is how many messages are complete in the first n bytes, and where they end.
func (l *lines) whole(n int) (count, end int) {
	for count < len(l.ends) && l.ends[count] <= n {
		end = l.ends[count]
		count++
	}
	return count, end
}

// drop removes the first n messages.
func (l *lines) drop(n int) {
	if n == 0 {
		return
	}
	cut := l.ends[n-1]
	l.buf = l.buf[:copy(l.buf, l.buf[cut:])]
	l.ends = l.ends[:copy(l.ends, l.ends[n:])]
	for i := range l.ends {
		l.ends[i] -= cut
	}
}

// keep removes all but the first n messages.
func (l *lines) keep(n int) {
	l.ends = l.ends[:n]
	l.buf = l.buf[:l.start()]
}

// add appends the messages of o.
func (l *lines) add(o *lines) {
	at := len(l.buf)
	l.buf = append(l.buf, o.buf...)
	for _, e := range o.ends {
		l.ends = append(l.ends, at+e)
	}
}
