package engine

import (
	"strings"
	"time"

	"sysrelay/conf"
	"sysrelay/input"
	"sysrelay/message"
)

// Globals are the parameters of global().
type Globals struct {
	WorkDirectory   string `conf:"workdirectory" doc:"Directory of queues and state files."`
	LocalHostname   string `conf:"localhostname" doc:"Local host name to show instead of the system's."`
	PreserveFQDN    bool   `conf:"preservefqdn" doc:"Keep the domain of host names."`
	MaxMessageSize  int64  `conf:"maxmessagesize,type=size" default:"8096" doc:"Longest message in bytes; longer ones are cut."`
	Umask           string `conf:"umask" doc:"File mode creation mask of the process, octal."`
	ShutdownCtlC    bool   `conf:"shutdown.enable.ctlc" doc:"SIGINT stops the daemon."`
	ProcessInternal bool   `conf:"processinternalmessages" doc:"Own messages go through the rules; otherwise to the system log."`

	InternalSeverity   int            `conf:"internalmsg.severity,type=severity" default:"6" doc:"Least severity of own messages that are shown."`
	InternalInterval   int            `conf:"internalmsg.ratelimit.interval" default:"60" doc:"Seconds over which own messages are rate-limited."`
	InternalBurst      int            `conf:"internalmsg.ratelimit.burst" default:"100" doc:"Own messages in that time."`
	AllToStderr        bool           `conf:"allmessagestostderr" doc:"Own messages go to standard error, too."`
	MaxErrorsToStderr  int            `conf:"errormessagestostderr.maxnumber" default:"-1" doc:"Error messages to standard error at most; -1 is unlimited."`
	AbortOnUnclean     conf.Opt[bool] `conf:"abortonuncleanconfig" doc:"Do not start with errors in the configuration; on unless called as rsyslogd."`
	ReportSuspension   bool           `conf:"action.reportsuspension" default:"on" doc:"Say so when an action is suspended."`
	ReportContinuation bool           `conf:"action.reportsuspensioncontinuation" doc:"Say so again each time it stays suspended."`

	IPProtocol    string `conf:"net.ipprotocol,enum=unspecified|ipv4-only|ipv6-only" default:"unspecified" doc:"Address families inputs listen on."`
	EnableDNS     bool   `conf:"net.enabledns" default:"on" doc:"Look up the names of senders."`
	CacheTTL      int    `conf:"reverselookup.cache.ttl.default" default:"86400" doc:"Seconds a looked-up name is kept."`
	CacheTTLOn    bool   `conf:"reverselookup.cache.ttl.enable" doc:"Look names up again after that."`
	DropMalicious bool   `conf:"dropmsgswithmaliciousdnsptrrecords" doc:"Drop messages of senders whose name is an address."`

	EscapePrefix  string `conf:"parser.controlcharacterescapeprefix" default:"#" doc:"What stands before an escaped control character."`
	DropLF        bool   `conf:"parser.droptrailinglfonreception" default:"on" doc:"Drop one LF at the end of a message."`
	DropCR        bool   `conf:"parser.droptrailingcronreception" doc:"Drop one CR at the end of a message."`
	EscapeControl bool   `conf:"parser.escapecontrolcharactersonreceive" default:"on" doc:"Escape control characters when a message is received."`
	SpaceLF       bool   `conf:"parser.spacelfonreceive" doc:"Replace LF inside a message by a space."`
	Escape8Bit    bool   `conf:"parser.escape8bitcharactersonreceive" doc:"Escape bytes above 127."`
	EscapeTab     bool   `conf:"parser.escapecontrolcharactertab" default:"on" doc:"Escape the tab character, too."`
	EscapeCStyle  bool   `conf:"parser.escapecontrolcharacterscstyle" doc:"Escape control characters as C does."`
	ParseHostTag  bool   `conf:"parser.parsehostnameandtag" default:"on" doc:"Look for host name and tag in RFC 3164 messages."`
	PermitSlash   bool   `conf:"parser.permitslashinprogramname" doc:"A slash does not end the program name."`
	Compression   bool   `conf:"parser.supportcompressionextension" default:"on" doc:"Inflate messages that begin with 'z'."`

	InputsTimeout     int           `conf:"inputs.timeout.shutdown" default:"1000" doc:"Milliseconds inputs have to end at shutdown."`
	ActionShutdown    conf.Opt[int] `conf:"default.action.queue.timeoutshutdown" default:"10" doc:"queue.timeoutShutdown of actions that give none."`
	ActionCompletion  conf.Opt[int] `conf:"default.action.queue.timeoutactioncompletion" default:"1000" doc:"queue.timeoutActionCompletion of actions that give none."`
	ActionEnqueue     conf.Opt[int] `conf:"default.action.queue.timeoutenqueue" default:"2000" doc:"queue.timeoutEnqueue of actions that give none."`
	RulesetShutdown   conf.Opt[int] `conf:"default.ruleset.queue.timeoutshutdown" default:"1500" doc:"queue.timeoutShutdown of rulesets that give none."`
	RulesetCompletion conf.Opt[int] `conf:"default.ruleset.queue.timeoutactioncompletion" default:"1000" doc:"queue.timeoutActionCompletion of rulesets that give none."`
	RulesetEnqueue    conf.Opt[int] `conf:"default.ruleset.queue.timeoutenqueue" default:"2000" doc:"queue.timeoutEnqueue of rulesets that give none."`

	CaseSensitive bool     `conf:"variables.casesensitive" doc:"Names of variables differ by case."`
	CompactJSON   bool     `conf:"compactjsonstring" doc:"Print JSON without blanks."`
	Environment   []string `conf:"environment" doc:"NAME=value pairs to set in the environment."`

	DropUser     string `conf:"privdrop.user.name" doc:"User to become once the sockets are open."`
	DropUserID   string `conf:"privdrop.user.id" doc:"The same as a number."`
	DropGroup    string `conf:"privdrop.group.name" doc:"Group to become."`
	DropGroupID  string `conf:"privdrop.group.id" doc:"The same as a number."`
	KeepGroups   bool   `conf:"privdrop.group.keepsupplemental" doc:"Keep the supplementary groups."`
	RepeatedMsgs bool   `conf:"repeatedmsgreduction" doc:"$RepeatedMsgReduction: of messages of one input that repeat each other only the first is handed on, and then how often that was."`
	MaxOpenFiles int    `conf:"maxopenfiles" doc:"Limit of open files to ask the system for."`

	conf.StreamDefaults
	OversizeFile   string `conf:"oversizemsg.errorfile" doc:"File to which messages longer than maxMessageSize are appended whole, one JSON object per line; a hundred in ten seconds at most."`
	OversizeReport bool   `conf:"oversizemsg.report" default:"on" doc:"Report such messages."`
	OversizeMode   string `conf:"oversizemsg.input.mode,enum=truncate|split|accept" default:"truncate" doc:"What to do with what is too much: truncate it, split it off as messages of its own, or accept the message as it is. TCP's framing has its own limits."`

	MemoryMax int64 `conf:"memory.max,type=size" doc:"Bytes of memory the daemon may use. When nearly all of it is in use, inputs that can wait do, and what comes over UDP is discarded and counted; 0 is no limit (sysrelay's own)."`

	WithoutEffect
}

// WithoutEffect are the parameters of global() that are accepted and do nothing.
type WithoutEffect struct {
	ActionWorker    int      `conf:"default.action.queue.timeoutworkerthreadshutdown" default:"60000" doc:"Idle workers cost nothing." status:"none"`
	RulesetWorker   int      `conf:"default.ruleset.queue.timeoutworkerthreadshutdown" default:"60000" doc:"Idle workers cost nothing." status:"none"`
	JanitorInterval int      `conf:"janitor.interval" default:"10" doc:"Idle files are looked for as often as their closeTimeout asks." status:"none"`
	OpenSSLEngine   string   `conf:"defaultopensslengine" doc:"There is no OpenSSL here." status:"none"`
	StateFile       string   `conf:"operatingstatefile" doc:"File for the operating state." status:"none"`
	DebugShutdown   bool     `conf:"debug.onshutdown" doc:"Debug output at shutdown." status:"none"`
	DebugLog        string   `conf:"debug.logfile" doc:"File for debug output." status:"none"`
	DebugGnuTLS     int      `conf:"debug.gnutls" doc:"There is no GnuTLS here." status:"none"`
	DebugAbort      bool     `conf:"debug.abortonprogramerror" doc:"For developers." status:"none"`
	DebugUnload     bool     `conf:"debug.unloadmodules" default:"on" doc:"There is nothing to unload." status:"none"`
	DebugFiles      []string `conf:"debug.files" doc:"For developers." status:"none"`
	DebugWhitelist  bool     `conf:"debug.whitelist" doc:"For developers." status:"none"`
	ReportChildExit string   `conf:"reportchildprocessexits" default:"errors" doc:"Which exits of child processes to report." status:"none"`
	StdLog          string   `conf:"stdlog.channelspec" doc:"Where the system log is." status:"none"`
	SendersNew      bool     `conf:"senders.reportnew" doc:"Report new senders." status:"none"`
	SendersGone     bool     `conf:"senders.reportgoneaway" doc:"Report senders that went silent." status:"none"`
	SendersTimeout  int      `conf:"senders.timeoutafter" default:"43200" doc:"Seconds until a sender counts as silent." status:"none"`
	SendersTrack    bool     `conf:"senders.keeptrack" doc:"Keep statistics of senders." status:"none"`
	ACLAddHost      bool     `conf:"net.acladdhostnameonfail" doc:"Add names to access lists." status:"none"`
	ACLResolve      bool     `conf:"net.aclresolvehostname" default:"on" doc:"Look up names in access lists." status:"none"`
	ACLWarning      bool     `conf:"net.permitaclwarning" default:"on" doc:"Warn about senders not allowed." status:"none"`
	LegacyFormat    string   `conf:"compatibility.configformat.legacy" doc:"Accepted." status:"none"`
	SyslogdFormat   string   `conf:"compatibility.configformat.syslogd" doc:"Accepted." status:"none"`
	PropertyFormat  string   `conf:"compatibility.configformat.property" doc:"Accepted." status:"none"`
	SecureDefaults  string   `conf:"compatibility.defaults.secure" doc:"Accepted." status:"none"`
	NotifyDelay     int      `conf:"systemd.notifyreadydelay" doc:"Accepted." status:"none"`
	AbortQueue      bool     `conf:"abortonfailedqueuestartup" doc:"A queue that cannot start stops the start." status:"none"`
	AbortIDs        bool     `conf:"security.abortonidresolutionfail" default:"on" doc:"Unknown users and groups are errors." status:"none"`
	DevOptions      int      `conf:"internal.developeronly.options" doc:"For developers." status:"none"`
	DoubleSize      bool     `conf:"shutdown.queue.doublesize" doc:"Not needed: shutdown never blocks on a full queue." status:"none"`
	CapDefault      bool     `conf:"libcapng.default" default:"on" doc:"Accepted." status:"none"`
	CapEnable       bool     `conf:"libcapng.enable" default:"on" doc:"Accepted." status:"none"`
}

// apply makes env behave as the globals say.
func (g *Globals) apply(env *message.Env) {
	s := &env.Sanitize
	s.MaxSize = int(g.MaxMessageSize)
	s.DropTrailingLF, s.DropTrailingCR = g.DropLF, g.DropCR
	s.EscapeControl, s.EscapeTab, s.EscapeCStyle = g.EscapeControl, g.EscapeTab, g.EscapeCStyle
	s.Escape8Bit, s.SpaceLF = g.Escape8Bit, g.SpaceLF
	s.SupportsCompression, s.PermitSlashInProgram = g.Compression, g.PermitSlash
	s.Oversize = map[string]message.Oversize{"split": message.Split, "accept": message.Accept}[g.OversizeMode]
	if g.EscapePrefix != "" {
		s.EscapePrefix = g.EscapePrefix[0]
	}
	env.VarsCaseSensitive = g.CaseSensitive
	env.CompactJSON = g.CompactJSON
}

// mergeGlobals makes one object of all global() objects: a later one adds to
// and overrides an earlier one, as in rsyslog.
func mergeGlobals(objects []*conf.Object) *conf.Object {
	merged := &conf.Object{Kind: "global"}
	at := map[string]int{}
	for _, o := range objects {
		if merged.File == "" {
			merged.Pos = o.Pos
		}
		for _, p := range o.Params {
			name := strings.ToLower(p.Name)
			if i, ok := at[name]; ok {
				merged.Params[i] = p
				continue
			}
			at[name] = len(merged.Params)
			merged.Params = append(merged.Params, p)
		}
	}
	return merged
}

// ipVersion is net.ipprotocol as Go's network names want it.
func (g *Globals) ipVersion() string {
	switch g.IPProtocol {
	case "ipv4-only":
		return "4"
	case "ipv6-only":
		return "6"
	}
	return ""
}

// resolver is how senders' names are looked up.
func (g *Globals) resolver(env *message.Env, log func(int, string)) input.ResolverOptions {
	o := input.ResolverOptions{Disabled: !g.EnableDNS, DropMalicious: g.DropMalicious, Now: env.Now, Log: log}
	if g.CacheTTLOn {
		o.TTL = time.Duration(g.CacheTTL) * time.Second
	}
	if g.EnableDNS && !g.PreserveFQDN {
		_, o.LocalDomain, _ = strings.Cut(canonicalHost(), ".")
	}
	return o
}
