package conf

import "strings"

// scope is what a directive's value is for.
type scope uint8

const (
	toGlobal     scope = iota // global()
	toMainQueue               // main_queue()
	toModule                  // module(load=…)
	toAction                  // the actions that follow, of the module or all
	toNextAction              // the next action; any action uses it up
	toDefaults                // the template of actions that follow and name none
	toInput                   // the inputs of the module that follow
	toNextInput               // the next input of the module
	runInput                  // makes an input of the module
)

// directive is one $directive of rsyslogd.
type directive struct {
	name   string
	kind   valueKind
	scope  scope
	module string // "" is the core
	only   string // of omfwd's actions only those of the protocol; of all only legacy ones
	param  string // the RainerScript name
	do     func(*parser, *directiveLine)
}

// builtin are the modules that need no $ModLoad.
var builtin = map[string]bool{
	"omfile": true, "omfwd": true, "omusrmsg": true, "ompipe": true, "omdiscard": true, "omshell": true,
	"pmrfc3164": true, "pmrfc5424": true,
}

// directives returns all directives by name in lower case.
func directives() map[string]directive {
	all := map[string]directive{}
	for _, table := range directiveTables() {
		for _, d := range table {
			all[strings.ToLower(d.name)] = d
		}
	}
	return all
}

func directiveTables() [][]directive {
	return [][]directive{
		coreDirectives(), globalDirectives(), actionDirectives(),
		queueDirectives("ActionQueue", toNextAction), queueDirectives("MainMsgQueue", toMainQueue),
		netInputDirectives(), localInputDirectives(), moduleDirectives(), moreDirectives(),
	}
}

// coreDirectives are those that do more than to set a value.
func coreDirectives() []directive {
	return []directive{
		{name: "ModLoad", do: (*parser).modLoad},
		{name: "Template", do: (*parser).legacyTemplate},
		{name: "OutChannel", do: (*parser).outChannel},
		{name: "AllowedSender", do: (*parser).allowedSender},
		{name: "ResetConfigVariables", do: (*parser).resetConfig},
		{name: "IncludeConfig", do: (*parser).includeConfig},
		{name: "DefaultRuleset", do: (*parser).setDefaultRuleset},
		{name: "ErrorMessagesToStderr", do: (*parser).errorMessages},
		{name: "RulesetCreateMainQueue", do: (*parser).rulesetQueue},
		{name: "RulesetParser", do: (*parser).rulesetParser},
		{name: "ModDir", do: noEffect},
		{name: "DebugFile", do: noEffect},
		{name: "DebugLevel", do: noEffect},
		{name: "DebugPrintCfSysLineHandlerList", do: noEffect},
		{name: "DebugPrintModuleList", do: noEffect},
		{name: "DebugPrintTemplateList", do: noEffect},
		{name: "GenerateConfigGraph", do: noEffect},
		{name: "OptimizeForUniprocessor", do: goneAway},
		{name: "LogRSyslogStatusMessages", do: noEffect},
		{name: "LocalHostIPIF", do: noEffect},
		{name: "Sleep", do: noEffect},
	}
}

// globalDirectives set parameters of global().
func globalDirectives() []directive {
	return []directive{
		{name: "WorkDirectory", kind: aWord, param: "workDirectory"},
		{name: "Umask", kind: aMode, param: "umask"},
		{name: "PreserveFQDN", kind: anOnOff, param: "preserveFQDN"},
		{name: "LocalHostName", kind: aWord, param: "localHostname"},
		{name: "MaxMessageSize", kind: aSize, param: "maxMessageSize"},
		{name: "MaxOpenFiles", kind: anInt, param: "maxOpenFiles"},
		{name: "AbortOnUncleanConfig", kind: anOnOff, param: "abortOnUncleanConfig"},
		{name: "RepeatedMsgReduction", kind: anOnOff, param: "repeatedMsgReduction"},
		{name: "DropMsgsWithMaliciousDNSPTRRecords", kind: anOnOff, param: "dropMsgsWithMaliciousDNSPTRRecords"},
		{name: "ControlCharacterEscapePrefix", kind: aWord, param: "parser.controlCharacterEscapePrefix"},
		{name: "DropTrailingLFOnReception", kind: anOnOff, param: "parser.dropTrailingLFOnReception"},
		{name: "DropTrailingCROnReception", kind: anOnOff, param: "parser.dropTrailingCROnReception"},
		{name: "EscapeControlCharactersOnReceive", kind: anOnOff, param: "parser.escapeControlCharactersOnReceive"},
		{name: "Escape8BitCharactersOnReceive", kind: anOnOff, param: "parser.escape8BitCharactersOnReceive"},
		{name: "EscapeControlCharacterTab", kind: anOnOff, param: "parser.escapeControlCharacterTab"},
		{name: "SpaceLFOnReceive", kind: anOnOff, param: "parser.spaceLFOnReceive"},
		{name: "DefaultNetstreamDriver", kind: aWord, param: "defaultNetstreamDriver"},
		{name: "DefaultNetstreamDriverCAFile", kind: aWord, param: "defaultNetstreamDriverCAFile"},
		{name: "DefaultNetstreamDriverCRLFile", kind: aWord, param: "defaultNetstreamDriverCRLFile"},
		{name: "DefaultNetstreamDriverCertFile", kind: aWord, param: "defaultNetstreamDriverCertFile"},
		{name: "DefaultNetstreamDriverKeyFile", kind: aWord, param: "defaultNetstreamDriverKeyFile"},
		{name: "NetstreamDriverCAExtraFiles", kind: aWord, param: "netstreamDriverCAExtraFiles"},
		{name: "DefaultOpenSSLEngine", kind: aWord, param: "defaultOpenSSLEngine"},
		{name: "PrivDropToUser", kind: aWord, param: "privDrop.user.name"},
		{name: "PrivDropToUserID", kind: anInt, param: "privDrop.user.id"},
		{name: "PrivDropToGroup", kind: aWord, param: "privDrop.group.name"},
		{name: "PrivDropToGroupID", kind: anInt, param: "privDrop.group.id"},
	}
}

// actionDirectives set parameters of actions.
func actionDirectives() []directive {
	return []directive{
		{name: "ActionName", scope: toNextAction, only: "legacy", param: "name"},
		{name: "ActionResumeInterval", kind: anInt, scope: toAction, param: "action.resumeInterval"},
		{name: "ActionResumeRetryCount", kind: anInt, scope: toNextAction, param: "action.resumeRetryCount"},
		{name: "ActionExecOnlyEveryNthTime", kind: anInt, scope: toNextAction, only: "legacy", param: "action.execOnlyEveryNthTime"},
		{name: "ActionExecOnlyEveryNthTimeTimeout", kind: anInt, scope: toNextAction, only: "legacy", param: "action.execOnlyEveryNthTimeTimeout"},
		{name: "ActionExecOnlyOnceEveryInterval", kind: anInt, scope: toAction, param: "action.execOnlyOnceEveryInterval"},
		{name: "ActionExecOnlyWhenPreviousIsSuspended", kind: anOnOff, scope: toAction, param: "action.execOnlyWhenPreviousIsSuspended"},
		{name: "ActionWriteAllMarkMessages", kind: anOnOff, scope: toNextAction, only: "legacy", param: "action.writeAllMarkMessages"},
		{name: "RepeatedMsgContainsOriginalMsg", kind: anOnOff, scope: toAction, param: "action.repeatedmsgcontainsoriginalmsg"},

		{name: "ActionFileDefaultTemplate", scope: toDefaults, module: "omfile", param: "template"},
		{name: "ActionFileEnableSync", kind: anOnOff, scope: toAction, module: "omfile", param: "sync"},
		{name: "FileCreateMode", kind: aMode, scope: toAction, module: "omfile", param: "fileCreateMode"},
		{name: "DirCreateMode", kind: aMode, scope: toAction, module: "omfile", param: "dirCreateMode"},
		{name: "FileOwner", scope: toAction, module: "omfile", param: "fileOwner"},
		{name: "FileOwnerNum", kind: anInt, scope: toAction, module: "omfile", param: "fileOwnerNum"},
		{name: "FileGroup", scope: toAction, module: "omfile", param: "fileGroup"},
		{name: "FileGroupNum", kind: anInt, scope: toAction, module: "omfile", param: "fileGroupNum"},
		{name: "DirOwner", scope: toAction, module: "omfile", param: "dirOwner"},
		{name: "DirOwnerNum", kind: anInt, scope: toAction, module: "omfile", param: "dirOwnerNum"},
		{name: "DirGroup", scope: toAction, module: "omfile", param: "dirGroup"},
		{name: "DirGroupNum", kind: anInt, scope: toAction, module: "omfile", param: "dirGroupNum"},
		{name: "CreateDirs", kind: anOnOff, scope: toAction, module: "omfile", param: "createDirs"},
		{name: "FailOnChownFailure", kind: anOnOff, scope: toAction, module: "omfile", param: "failOnChownFailure"},
		{name: "DynaFileCacheSize", kind: anInt, scope: toAction, module: "omfile", param: "dynaFileCacheSize"},
		{name: "OMFileZipLevel", kind: anInt, scope: toAction, module: "omfile", param: "zipLevel"},
		{name: "OMFileFlushInterval", kind: anInt, scope: toAction, module: "omfile", param: "flushInterval"},
		{name: "OMFileASyncWriting", kind: anOnOff, scope: toAction, module: "omfile", param: "asyncWriting"},
		{name: "OMFileFlushOnTXEnd", kind: anOnOff, scope: toAction, module: "omfile", param: "flushOnTXEnd"},
		{name: "OMFileIOBufferSize", kind: aSize, scope: toAction, module: "omfile", param: "ioBufferSize"},
		{name: "OMFileForceChown", do: goneAway},

		{name: "ActionForwardDefaultTemplate", scope: toDefaults, module: "omfwd", param: "template"},
		{name: "ActionSendTCPRebindInterval", kind: anInt, scope: toAction, module: "omfwd", only: "tcp", param: "rebindInterval"},
		{name: "ActionSendUDPRebindInterval", kind: anInt, scope: toAction, module: "omfwd", only: "udp", param: "rebindInterval"},
		{name: "ActionSendTCPKeepAlive", kind: anOnOff, scope: toAction, module: "omfwd", only: "tcp", param: "keepAlive"},
		{name: "ActionSendTCPKeepAlive_Probes", kind: anInt, scope: toAction, module: "omfwd", only: "tcp", param: "keepAlive.probes"},
		{name: "ActionSendTCPKeepAlive_Intvl", kind: anInt, scope: toAction, module: "omfwd", only: "tcp", param: "keepAlive.interval"},
		{name: "ActionSendTCPKeepAlive_Time", kind: anInt, scope: toAction, module: "omfwd", only: "tcp", param: "keepAlive.time"},
		{name: "ActionSendStreamDriver", scope: toAction, module: "omfwd", only: "tcp", param: "streamDriver"},
		{name: "ActionSendStreamDriverMode", kind: anInt, scope: toAction, module: "omfwd", only: "tcp", param: "streamDriverMode"},
		{name: "ActionSendStreamDriverAuthMode", scope: toAction, module: "omfwd", only: "tcp", param: "streamDriverAuthMode"},
		{name: "ActionSendStreamDriverPermittedPeer", scope: toNextAction, module: "omfwd", only: "tcp", param: "streamDriverPermittedPeers"},
		{name: "ActionSendStreamDriverRemoteSNI", scope: toAction, module: "omfwd", only: "tcp", param: "streamDriver.remoteSNI"},
		{name: "ActionSendResendLastMsgOnReconnect", kind: anOnOff, scope: toAction, module: "omfwd", only: "tcp", param: "resendLastMsgOnReconnect"},
	}
}

// queueDirectives are $ActionQueue… and $MainMsgQueue….
func queueDirectives(prefix string, s scope) []directive {
	q := []directive{
		{name: "CheckpointInterval", kind: anInt, param: "checkpointInterval"},
		{name: "DequeueBatchSize", kind: anInt, param: "dequeueBatchSize"},
		{name: "DequeueSlowdown", kind: anInt, param: "dequeueSlowdown"},
		{name: "DequeueTimeBegin", kind: anInt, param: "dequeueTimeBegin"},
		{name: "DequeueTimeEnd", kind: anInt, param: "dequeueTimeEnd"},
		{name: "DiscardMark", kind: anInt, param: "discardMark"},
		{name: "DiscardSeverity", kind: aWord, param: "discardSeverity"},
		{name: "FileName", kind: aWord, param: "filename"},
		{name: "HighWatermark", kind: anInt, param: "highWatermark"},
		{name: "LowWatermark", kind: anInt, param: "lowWatermark"},
		{name: "MaxDiskSpace", kind: aSize, param: "maxDiskSpace"},
		{name: "MaxFileSize", kind: aSize, param: "maxFileSize"},
		{name: "SaveOnShutdown", kind: anOnOff, param: "saveOnShutdown"},
		{name: "Size", kind: aSize, param: "size"},
		{name: "SyncQueueFiles", kind: anOnOff, param: "syncQueueFiles"},
		{name: "TimeoutActionCompletion", kind: anInt, param: "timeoutActionCompletion"},
		{name: "TimeoutEnqueue", kind: anInt, param: "timeoutEnqueue"},
		{name: "TimeoutShutdown", kind: anInt, param: "timeoutShutdown"},
		{name: "Type", kind: aWord, param: "type"},
		{name: "WorkerThreadMinimumMessages", kind: anInt, param: "workerThreadMinimumMessages"},
		{name: "WorkerThreads", kind: anInt, param: "workerThreads"},
		{name: "WorkerTimeoutThreadShutdown", kind: anInt, param: "timeoutWorkerThreadShutdown"},
	}
	for i := range q {
		q[i].name = prefix + q[i].name
		q[i].param = "queue." + q[i].param
		q[i].scope = s
	}
	return q
}
