package engine

// Differences is what sysrelay does otherwise than rsyslogd 8.2302, on purpose.
// It is part of COMPATIBILITY.md.
const Differences = `## What is different on purpose

- **Errors in the configuration stop the start**, unless ` + "`abortOnUncleanConfig=\"off\"`" + ` is
  given or the program is called rsyslogd, which then starts with what it could read.
- **Order is kept.** What one connection or socket sent leaves in that order through
  every queue and output, whatever the number of workers. The main queue has one
  worker unless ` + "`queue.workerThreads`" + ` asks for more; rsyslogd's legacy default is two.
- **An input's ruleset without queue parameters has a queue of its own**, with the main
  queue's parameters. In rsyslogd it shares the main queue.
- **Failover gets what was not delivered**, not only what comes after the suspension.
- **Own messages** carry the program's name; called as rsyslogd they carry rsyslogd's.
- **The working directory** stays as it is in the foreground, unless called rsyslogd.
`
