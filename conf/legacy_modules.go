package conf

// netInputDirectives belong to the inputs that listen on the network.
func netInputDirectives() []directive {
	return []directive{
		{name: "UDPServerRun", scope: runInput, module: "imudp", param: "port"},
		{name: "UDPServerAddress", scope: toInput, module: "imudp", param: "address"},
		{name: "UDPServerTimeRequery", kind: anInt, scope: toModule, module: "imudp", param: "timeRequery"},
		{name: "InputUDPServerBindRuleset", scope: toInput, module: "imudp", param: "ruleset"},
		{name: "IMUDPSchedulingPolicy", scope: toModule, module: "imudp", param: "schedulingPolicy"},
		{name: "IMUDPSchedulingPriority", kind: anInt, scope: toModule, module: "imudp", param: "schedulingPriority"},

		{name: "InputTCPServerRun", scope: runInput, module: "imtcp", param: "port"},
		{name: "InputTCPServerBindRuleset", scope: toInput, module: "imtcp", param: "ruleset"},
		{name: "InputTCPServerInputName", scope: toInput, module: "imtcp", param: "name"},
		{name: "InputTCPServerListenPortFile", scope: toInput, module: "imtcp", param: "listenPortFileName"},
		{name: "InputTCPServerSupportOctetCountedFraming", kind: anOnOff, scope: toInput, module: "imtcp", param: "supportOctetCountedFraming"},
		{name: "InputTCPFlowControl", kind: anOnOff, scope: toModule, module: "imtcp", param: "flowControl"},
		{name: "InputTCPMaxListeners", kind: anInt, scope: toModule, module: "imtcp", param: "maxListeners"},
		{name: "InputTCPMaxSessions", kind: anInt, scope: toModule, module: "imtcp", param: "maxSessions"},
		{name: "InputTCPServerAddtlFrameDelimiter", kind: anInt, scope: toModule, module: "imtcp", param: "addtlFrameDelimiter"},
		{name: "InputTCPServerDisableLFDelimiter", kind: anOnOff, scope: toModule, module: "imtcp", param: "disableLFDelimiter"},
		{name: "InputTCPServerKeepAlive", kind: anOnOff, scope: toModule, module: "imtcp", param: "keepAlive"},
		{name: "InputTCPServerKeepAlive_Intvl", kind: anInt, scope: toModule, module: "imtcp", param: "keepAlive.interval"},
		{name: "InputTCPServerKeepAlive_Probes", kind: anInt, scope: toModule, module: "imtcp", param: "keepAlive.probes"},
		{name: "InputTCPServerKeepAlive_Time", kind: anInt, scope: toModule, module: "imtcp", param: "keepAlive.time"},
		{name: "InputTCPServerNotifyOnConnectionClose", kind: anOnOff, scope: toModule, module: "imtcp", param: "notifyOnConnectionClose"},
		{name: "InputTCPServerPreserveCase", kind: anOnOff, scope: toModule, module: "imtcp", param: "preserveCase"},
		{name: "InputTCPServerStreamDriverMode", kind: anInt, scope: toModule, module: "imtcp", param: "streamDriver.mode"},
		{name: "InputTCPServerStreamDriverAuthMode", scope: toModule, module: "imtcp", param: "streamDriver.authMode"},
		{name: "InputTCPServerStreamDriverPermittedPeer", scope: toModule, module: "imtcp", param: "permittedPeer"},
		{name: "InputTCPServerCompressionDriver", scope: toModule, module: "imtcp", param: "compression.driver"},
		{name: "InputTCPServerCompressionMode", scope: toModule, module: "imtcp", param: "compression.mode"},

		{name: "InputPTCPServerRun", scope: runInput, module: "imptcp", param: "port"},
		{name: "InputPTCPServerAddtlFrameDelimiter", kind: anInt, scope: toInput, module: "imptcp", param: "addtlFrameDelimiter"},
		{name: "InputPTCPServerBindRuleset", scope: toInput, module: "imptcp", param: "ruleset"},
		{name: "InputPTCPServerHelperThreads", kind: anInt, scope: toModule, module: "imptcp", param: "threads"},
		{name: "InputPTCPServerInputName", scope: toInput, module: "imptcp", param: "name"},
		{name: "InputPTCPServerKeepAlive", kind: anOnOff, scope: toInput, module: "imptcp", param: "keepAlive"},
		{name: "InputPTCPServerKeepAlive_Intvl", kind: anInt, scope: toInput, module: "imptcp", param: "keepAlive.interval"},
		{name: "InputPTCPServerKeepAlive_Probes", kind: anInt, scope: toInput, module: "imptcp", param: "keepAlive.probes"},
		{name: "InputPTCPServerKeepAlive_Time", kind: anInt, scope: toInput, module: "imptcp", param: "keepAlive.time"},
		{name: "InputPTCPServerListenIP", scope: toInput, module: "imptcp", param: "address"},
		{name: "InputPTCPServerNotifyOnConnectionClose", kind: anOnOff, scope: toInput, module: "imptcp", param: "notifyOnConnectionClose"},
		{name: "InputPTCPServerSupportOctetCountedFraming", kind: anOnOff, scope: toInput, module: "imptcp", param: "supportOctetCountedFraming"},

		{name: "InputRELPServerRun", scope: runInput, module: "imrelp", param: "port"},
		{name: "InputRELPServerBindRuleset", scope: toInput, module: "imrelp", param: "ruleset"},
	}
}

// localInputDirectives belong to the inputs of this host.
func localInputDirectives() []directive {
	return []directive{
		{name: "AddUnixListenSocket", scope: runInput, module: "imuxsock", param: "socket"},
		{name: "InputUnixListenSocketAnnotate", kind: anOnOff, scope: toInput, module: "imuxsock", param: "annotate"},
		{name: "InputUnixListenSocketCreatePath", kind: anOnOff, scope: toInput, module: "imuxsock", param: "createPath"},
		{name: "InputUnixListenSocketFlowControl", kind: anOnOff, scope: toInput, module: "imuxsock", param: "flowControl"},
		{name: "InputUnixListenSocketHostName", scope: toNextInput, module: "imuxsock", param: "hostName"},
		{name: "InputUnixListenSocketIgnoreMsgTimestamp", kind: anOnOff, scope: toInput, module: "imuxsock", param: "ignoreTimestamp"},
		{name: "InputUnixListenSocketUsePIDFromSystem", kind: anOnOff, scope: toInput, module: "imuxsock", param: "usePIDFromSystem"},
		{name: "InputUnixListenSocketUseSysTimeStamp", kind: anOnOff, scope: toInput, module: "imuxsock", param: "useSysTimeStamp"},
		{name: "IMUXSockRateLimitInterval", kind: anInt, scope: toInput, module: "imuxsock", param: "rateLimit.interval"},
		{name: "IMUXSockRateLimitBurst", kind: anInt, scope: toInput, module: "imuxsock", param: "rateLimit.burst"},
		{name: "IMUXSockRateLimitSeverity", kind: anInt, scope: toInput, module: "imuxsock", param: "rateLimit.severity"},
		{name: "OmitLocalLogging", module: "imuxsock", do: (*parser).omitLocalLogging},
		{name: "SystemLogParseTrusted", kind: anOnOff, scope: toModule, module: "imuxsock", param: "sysSock.parseTrusted"},
		{name: "SystemLogRateLimitInterval", kind: anInt, scope: toModule, module: "imuxsock", param: "sysSock.rateLimit.interval"},
		{name: "SystemLogRateLimitBurst", kind: anInt, scope: toModule, module: "imuxsock", param: "sysSock.rateLimit.burst"},
		{name: "SystemLogRateLimitSeverity", kind: anInt, scope: toModule, module: "imuxsock", param: "sysSock.rateLimit.severity"},
		{name: "SystemLogSocketAnnotate", kind: anOnOff, scope: toModule, module: "imuxsock", param: "sysSock.annotate"},
		{name: "SystemLogSocketFlowControl", kind: anOnOff, scope: toModule, module: "imuxsock", param: "sysSock.flowControl"},
		{name: "SystemLogSocketIgnoreMsgTimestamp", kind: anOnOff, scope: toModule, module: "imuxsock", param: "sysSock.ignoreTimestamp"},
		{name: "SystemLogSocketName", scope: toModule, module: "imuxsock", param: "sysSock.name"},
		{name: "SystemLogUsePIDFromSystem", kind: anOnOff, scope: toModule, module: "imuxsock", param: "sysSock.usePIDFromSystem"},
		{name: "SystemLogUseSysTimeStamp", kind: anOnOff, scope: toModule, module: "imuxsock", param: "sysSock.useSysTimeStamp"},

		{name: "KLogConsoleLogLevel", kind: anInt, scope: toModule, module: "imklog", param: "consoleLogLevel"},
		{name: "KLogInternalMsgFacility", scope: toModule, module: "imklog", param: "internalMsgFacility"},
		{name: "KLogKeepKernelTimestamp", kind: anOnOff, scope: toModule, module: "imklog", param: "keepKernelTimestamp"},
		{name: "KLogParseKernelTimestamp", kind: anOnOff, scope: toModule, module: "imklog", param: "parseKernelTimestamp"},
		{name: "KLogPath", scope: toModule, module: "imklog", param: "logPath"},
		{name: "KLogPermitNonKernelFacility", kind: anOnOff, scope: toModule, module: "imklog", param: "permitNonKernelFacility"},
		{name: "DebugPrintKernelSymbols", module: "imklog", do: goneAway},
		{name: "KLogLocalIPIF", module: "imklog", do: goneAway},
		{name: "KLogSymbolLookup", module: "imklog", do: goneAway},
		{name: "KLogSymbolsTwice", module: "imklog", do: goneAway},
		{name: "KLogUseSyscallInterface", module: "imklog", do: goneAway},

		{name: "InputFileName", scope: toNextInput, module: "imfile", param: "file"},
		{name: "InputFileTag", scope: toNextInput, module: "imfile", param: "tag"},
		{name: "InputFileStateFile", scope: toNextInput, module: "imfile", param: "stateFile"},
		{name: "InputFileSeverity", scope: toNextInput, module: "imfile", param: "severity"},
		{name: "InputFileFacility", scope: toNextInput, module: "imfile", param: "facility"},
		{name: "InputFileBindRuleset", scope: toInput, module: "imfile", param: "ruleset"},
		{name: "InputFileReadMode", kind: anInt, scope: toNextInput, module: "imfile", param: "readMode"},
		{name: "InputFileMaxLinesAtOnce", kind: aSize, scope: toNextInput, module: "imfile", param: "maxLinesAtOnce"},
		{name: "InputFileTrimLineOverBytes", kind: anInt, scope: toNextInput, module: "imfile", param: "trimLineOverBytes"},
		{name: "InputFilePersistStateInterval", kind: anInt, scope: toNextInput, module: "imfile", param: "persistStateInterval"},
		{name: "InputFilePollInterval", kind: anInt, scope: toModule, module: "imfile", param: "pollingInterval"},
		{name: "InputRunFileMonitor", module: "imfile", do: (*parser).runFileMonitor},

		{name: "IMJournalDefaultFacility", scope: toModule, module: "imjournal", param: "defaultFacility"},
		{name: "IMJournalDefaultSeverity", scope: toModule, module: "imjournal", param: "defaultSeverity"},
		{name: "IMJournalIgnorePreviousMessages", kind: anOnOff, scope: toModule, module: "imjournal", param: "ignorePreviousMessages"},
		{name: "IMJournalPersistStateInterval", kind: anInt, scope: toModule, module: "imjournal", param: "persistStateInterval"},
		{name: "IMJournalRatelimitBurst", kind: anInt, scope: toModule, module: "imjournal", param: "ratelimit.burst"},
		{name: "IMJournalRatelimitInterval", kind: anInt, scope: toModule, module: "imjournal", param: "ratelimit.interval"},
		{name: "IMJournalStateFile", scope: toModule, module: "imjournal", param: "stateFile"},
		{name: "IMJournalUsePIDFromSystem", kind: anOnOff, scope: toModule, module: "imjournal", param: "usePidFromSystem"},

		{name: "MarkMessagePeriod", kind: anInt, scope: toModule, module: "immark", param: "interval"},
	}
}

// moduleDirectives belong to the other modules.
func moduleDirectives() []directive {
	return []directive{
		{name: "PStatInterval", kind: anInt, scope: toModule, module: "impstats", param: "interval"},
		{name: "PStatsInterval", kind: anInt, scope: toModule, module: "impstats", param: "interval"},
		{name: "PStatFacility", kind: anInt, scope: toModule, module: "impstats", param: "facility"},
		{name: "PStatSeverity", kind: anInt, scope: toModule, module: "impstats", param: "severity"},
		{name: "PStatJSON", module: "impstats", do: pstatFormat("json")},
		{name: "PStatCEE", module: "impstats", do: pstatFormat("cee")},

		{name: "ActionMailSMTPServer", scope: toAction, module: "ommail", param: "server"},
		{name: "ActionMailSMTPPort", scope: toAction, module: "ommail", param: "port"},
		{name: "ActionMailFrom", scope: toAction, module: "ommail", param: "mailfrom"},
		{name: "ActionMailTo", module: "ommail", do: (*parser).mailTo},
		{name: "ActionMailSubject", scope: toAction, module: "ommail", param: "subject.template"},
		{name: "ActionMailEnableBody", kind: anOnOff, scope: toAction, module: "ommail", param: "body.enable"},
		{name: "ActionOMProgBinary", scope: toAction, module: "omprog", param: "binary"},
		{name: "ActionOMRulesetRulesetName", scope: toNextAction, module: "omruleset", param: "rulesetName"},
		{name: "ActionOMOMUDPSpoofSourceNameTemplate", scope: toAction, module: "omudpspoof", param: "sourceTemplate"}, // as rsyslog spells it
		{name: "OMUXSockDefaultTemplate", scope: toDefaults, module: "omuxsock", param: "template"},
		{name: "OMUXSockSocket", scope: toAction, module: "omuxsock", param: "socketName"},
		{name: "MMNormalizeRule", scope: toNextAction, module: "mmnormalize", param: "rule"},
		{name: "MMNormalizeRuleBase", scope: toNextAction, module: "mmnormalize", param: "ruleBase"},
		{name: "MMNormalizeUseRawMsg", kind: anOnOff, scope: toNextAction, module: "mmnormalize", param: "useRawMsg"},
	}
}
