package message

// Counters are the figures of one part of the relay, under rsyslog's names where
// it has them.
type Counters struct {
	Name, Origin string
	Values       []Counter
	// Free tells that messages or the configuration name the values: formats with
	// members put them into an object of their own.
	Free bool
}

// Counter is one figure.
type Counter struct {
	Name  string
	Value int64
	// Level is a figure that says how much there is now: it is never reset.
	Level bool
}

// Count is a counter.
func Count[N int | int64 | uint64](name string, n N) Counter {
	return Counter{Name: name, Value: int64(n)}
}

// Level is a figure that says how much there is now.
func Level[N int | int64 | uint64](name string, n N) Counter {
	return Counter{Name: name, Value: int64(n), Level: true}
}

// Counted is a part of the relay with more to tell than its Ledger does.
type Counted interface {
	Counters() []Counters
}
