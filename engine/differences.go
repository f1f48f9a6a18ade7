package engine

// Differences is what sysrelay does otherwise than rsyslogd 8.2302, on purpose.
// It is part of COMPATIBILITY.md.
const Differences = `## What is different on purpose

- **Errors in the configuration stop the start**, unless ` + "`abortOnUncleanConfig=\"off\"`" + ` is
  given or the program is called rsyslogd, which then starts with what it could read.
- **A syntax error costs one statement**, with the blocks that belong to it, and so does
  the name of an included file that is missing. rsyslogd reads no further than that.
- **Words that begin no statement are errors.** rsyslogd takes each of them for the name
  of a user to write to, and so hides typing errors. Names on their own are still users.
- **Directives take yes, no, 1 and 0** for on and off, with a note; rsyslogd ignores the line.
- **Beyond 8.2302** the language has endswith, contains_i and startswith_i in property
  filters and variables as their properties, \xHH in the strings of objects, and
  ${NAME} in backticks, as later versions do.
- **Order is kept.** What one connection or socket sent leaves in that order through
  every queue and output, whatever the number of workers. The main queue has one
  worker unless ` + "`queue.workerThreads`" + ` asks for more; rsyslogd's legacy default is two.
- **An input's ruleset without queue parameters has a queue of its own**, with the main
  queue's parameters. In rsyslogd it shares the main queue.
- **Failover gets what was not delivered**, not only what comes after the suspension. An action with a
  queue that is suspended keeps its messages and the failover action gets them, too.
- **RELP answers when a message is stored** (` + "`ack=\"stored\"`" + `): a memory queue is passed by, the
  connection's goroutine runs the rules itself. rsyslogd answers after its memory queue.
- **TCP is held up, not discarded.** Messages of inputs that can wait (imtcp, imptcp, imrelp with ` + "`ack=\"received\"`" + `, imuxsock
  with ` + "`flowControl`" + `) wait for room in a full queue for as long as it takes, and their senders with them, unless
  ` + "`queue.timeoutEnqueue`" + ` is given for that queue. rsyslogd discards one every 2 s. What comes over UDP is discarded
  after 2 s as there.
- **Legacy action queues** (` + "`$ActionQueue…`" + `) hand on up to 128 messages at once, drain for 10 ms at shutdown and discard
  less important messages at 98 % of their size; rsyslogd has 16, 0 ms and the 980th message. The 50 ms that a message
  waits for room are rsyslogd's: a dead action holds up the others less.
- **A queue of type Disk is synced** at every commit; ` + "`queue.syncQueueFiles=\"off\"`" + ` gives that up.
  ` + "`queue.checkpointInterval`" + ` has no meaning: the position is part of every commit. A Disk queue without a
  ` + "`queue.size`" + ` is not limited by a number of messages.
- **An action whose queue has a ` + "`queue.filename`" + ` tries for ever** unless ` + "`action.resumeRetryCount`" + ` is
  given: what is on disk is not discarded. rsyslogd discards it after the first failure.
- **imudp asks for a receive buffer of 4 MiB** unless ` + "`rcvbufSize`" + ` says otherwise.
- **Parsers**: fractions of a second keep up to nine digits (rsyslogd prints garbage beyond six); overlong tags are cut
  where rsyslogd prints memory; a year before an RFC 3164 timestamp is read; ` + "`parser.parseHostnameAndTag`" + ` and
  ` + "`parser.spaceLFOnReceive`" + ` do what their names say.
- **Overlong lines over TCP** are split without loss; rsyslogd's imtcp loses a byte at each split, its imptcp sends the
  full buffer again for every byte beyond it.
- **imptcp** delivers a last line without a line feed, and says when a connection ends inside a counted frame. With ` + "`multiLine`" + `
  a line feed ends a message once the next byte is known, whatever one read returned; with ` + "`framing.delimiter.regex`" + ` only
  complete lines are looked at.
- **imrelp** ends a session that sends a message before ` + "`open`" + ` or under transaction number 0. ` + "`oversizeMode=\"accept\"`" + ` cuts at
  maxMessageSize, as ` + "`truncate`" + ` does.
- **TLS, stream compression and network namespaces** that an input asks for are errors, as long as they are not there: nothing is
  listened for without what was asked for.
- **When an input stops**, what the kernel had received on its TCP connections and UDP sockets is delivered; rsyslogd drops it.
- **Expressions**: ` + "`==`" + ` with a JSON number on the right compares it; numbers are not cut to 32 bits when
  ordered; an endless circle of calls is an error.
- **Templates**: ` + "`date-utc`" + ` converts fractions of any length (rsyslogd takes their digits for microseconds); ` + "`date-ordinal`" + `
  and ` + "`date-week`" + ` count days of the date shown (rsyslogd subtracts the zone's offset twice); ` + "`date-rfc3164-buggyday`" + ` is
  given where it is asked for, even if another template showed the same time before; ` + "`secpath-replace`" + ` replaces every slash
  (rsyslogd may leave the second of two); subtree templates print their JSON in text outputs; unknown options, expressions
  that cannot be compiled and positions that make no sense are errors. A message behind an action queue gets its ` + "`uuid`" + `
  there, if it had none before. From later versions and other builds come ` + "`option.jsonftree`" + `, ` + "`omitifzero`" + `, ` + "`escape-octal`" + `, ` + "`date-iso-week`" + `,
  ` + "`date-iso-week-year`" + `, ` + "`F,n+`" + ` and ` + "`fromhost-port`" + `.
- **Regular expressions** take linear time, whatever the text. They have no back-references, see UTF-8 characters
  (a dot is one of them, not a byte), repeat at most 1000 times, take ` + "`\\<`" + ` and ` + "`\\>`" + ` for ` + "`\\b`" + `, and among several ways to match
  the same text may choose other submatches than glibc.
- **Variables** are trees of at most 64 levels; copying a huge number does not print ` + "`1e+300.0`" + `.
- **omfile writes whole lines.** What a full disk leaves of a line is taken back and written again when there is room; rsyslogd
  glues the next line to it. What kill -9 leaves of a line is removed at the next start (an extended attribute,
  ` + "`user.sysrelay.open`" + `, marks files that are open). A file that was moved away is opened anew within two seconds, without a HUP.
- **Files named by messages** stay below the directory their template begins with; ` + "`..`" + ` and symbolic links below it are refused,
  as are files with several names, pipes and devices. A template that does not begin with a directory names files below the
  working directory. The message is set aside. ` + "`dynafile.dangerousPermitPathEscape=\"on\"`" + ` gives this up.
- **omfile, smaller things**: 512 dynamic files stay open (rsyslogd: 10); with ` + "`zipLevel`" + ` every write is a gzip member of its own;
  ` + "`asyncWriting`" + ` is what an action queue does; when ` + "`rotation.sizeLimitCommand`" + ` fails, the file goes on growing and the command is tried again
  a minute later; ` + "`sig.provider`" + ` and ` + "`cry.provider`" + ` are errors.
- **omfwd over TCP sends again** what the collector's kernel had not acknowledged when a connection was lost
  (` + "`resendUnacknowledged=\"off\"`" + ` gives that up). A collector that accepts nothing for ten seconds, or does not answer a connection request for five, is a failure.
- **omfwd over UDP** looks the target's name up again every five minutes.
- **omrelp keeps a refused message** and tries again; it is set aside after three refusals over a minute. librelp drops it at once.
- **Unacceptable messages are set aside**: written to ` + "`action.errorfile`" + ` and counted, never in the way of others.
- **Waits between tries** are up to a tenth longer than ` + "`action.resumeInterval`" + ` says, so that many relays do not return at once; 0 is 100 ms.
- **Own messages** carry the program's name; called as rsyslogd they carry rsyslogd's.
- **The working directory** stays as it is in the foreground, unless called rsyslogd.
`
