package engine

import (
	"strconv"

	"sysrelay/queue"
)

// setTime returns what imdiag's request of that name sets, in milliseconds; nil
// if there is no such request.
func (e *Engine) setTime(request string) func(ms int) {
	main := func(shutdown, enqueue queue.Opt[int]) {
		if q := e.order[0].queue; q != nil {
			q.SetTimeouts(shutdown, enqueue)
		}
	}
	var keep queue.Opt[int]
	switch request {
	case "setmainmsgqueuetimeoutshutdown":
		return func(ms int) { main(queue.Given(ms), keep) }
	case "setmainmsgqueuetimeoutenqueue":
		return func(ms int) { main(keep, queue.Given(ms)) }
	case "setinputshutdowntimeout":
		return func(ms int) { e.inputsMS.Store(int64(ms)) }
	case "setdefaultactionqueuetimeoutshutdown":
		return func(ms int) { e.setActionTimes(queue.Given(ms), keep) }
	case "setdefaultactionqueuetimeoutenqueue":
		return func(ms int) { e.setActionTimes(keep, queue.Given(ms)) }
	}
	return nil
}

// setActionTimes changes the times of the action queues that have the default.
func (e *Engine) setActionTimes(shutdown, enqueue queue.Opt[int]) {
	for _, a := range e.actions {
		if a.Queue() != nil {
			a.SetDefaultTimeouts(shutdown, enqueue)
		}
	}
}

func setAnswer(args string, set func(ms int)) string {
	ms, err := strconv.Atoi(args)
	if err != nil || ms < 0 {
		return "ERROR: " + strconv.Quote(args) + " is no number of milliseconds"
	}
	set(ms)
	return "OK"
}
