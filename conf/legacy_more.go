package conf

// moreDirectives belong to modules of rsyslog that are rarely packaged.
func moreDirectives() []directive {
	return []directive{
		{name: "GSSForwardServiceName", scope: toAction, module: "omgssapi", param: "serviceName"},
		{name: "GSSMode", scope: toAction, module: "omgssapi", param: "mode"},
		{name: "ActionGSSForwardDefaultTemplate", scope: toDefaults, module: "omgssapi", param: "template"},
		{name: "InputGSSServerRun", scope: runInput, module: "imgssapi", param: "port"},
		{name: "InputGSSServerServiceName", scope: toInput, module: "imgssapi", param: "serviceName"},
		{name: "InputGSSServerPermitPlainTCP", kind: anOnOff, scope: toInput, module: "imgssapi", param: "permitPlainTCP"},
		{name: "InputGSSServerMaxSessions", kind: anInt, scope: toInput, module: "imgssapi", param: "maxSessions"},
		{name: "InputGSSServerKeepAlive", kind: anOnOff, scope: toInput, module: "imgssapi", param: "keepAlive"},
		{name: "InputGSSListenPortFileName", scope: toInput, module: "imgssapi", param: "listenPortFileName"},

		{name: "ActionSNMPTransport", scope: toAction, module: "omsnmp", param: "transport"},
		{name: "ActionSNMPTarget", scope: toAction, module: "omsnmp", param: "server"},
		{name: "ActionSNMPTargetPort", kind: anInt, scope: toAction, module: "omsnmp", param: "port"},
		{name: "ActionSNMPVersion", kind: anInt, scope: toAction, module: "omsnmp", param: "version"},
		{name: "ActionSNMPCommunity", scope: toAction, module: "omsnmp", param: "community"},
		{name: "ActionSNMPEnterpriseOID", scope: toAction, module: "omsnmp", param: "enterpriseOID"},
		{name: "ActionSNMPTrapOID", scope: toAction, module: "omsnmp", param: "trapOID"},
		{name: "ActionSNMPSyslogMessageOID", scope: toAction, module: "omsnmp", param: "messageOID"},
		{name: "ActionSNMPSpecificType", kind: anInt, scope: toAction, module: "omsnmp", param: "specificType"},
		{name: "ActionSNMPTrapType", kind: anInt, scope: toAction, module: "omsnmp", param: "trapType"},

		{name: "ActionOMMySQLServerPort", kind: anInt, scope: toAction, module: "ommysql", param: "serverPort"},
		{name: "OMMySQLConfigFile", scope: toAction, module: "ommysql", param: "mysqlConfig.file"},
		{name: "OMMySQLConfigSection", scope: toAction, module: "ommysql", param: "mysqlConfig.section"},
		{name: "ActionLibdbiDriverDirectory", scope: toModule, module: "omlibdbi", param: "driverDirectory"},
		{name: "ActionLibdbiDriver", scope: toAction, module: "omlibdbi", param: "driver"},
		{name: "ActionLibdbiHost", scope: toAction, module: "omlibdbi", param: "server"},
		{name: "ActionLibdbiUserName", scope: toAction, module: "omlibdbi", param: "uid"},
		{name: "ActionLibdbiPassword", scope: toAction, module: "omlibdbi", param: "pwd"},
		{name: "ActionLibdbiDBName", scope: toAction, module: "omlibdbi", param: "db"},
		{name: "OMOracleDBUser", scope: toAction, module: "omoracle", param: "dbUser"},
		{name: "OMOracleDBPassword", scope: toAction, module: "omoracle", param: "dbPassword"},
		{name: "OMOracleDB", scope: toAction, module: "omoracle", param: "db"},
		{name: "OMOracleBatchSize", kind: anInt, scope: toAction, module: "omoracle", param: "batchSize"},
		{name: "OMOracleStatement", kind: aRest, scope: toAction, module: "omoracle", param: "statement"},

		{name: "ActionOMUDPSpoofSourceNameTemplate", scope: toAction, module: "omudpspoof", param: "sourceTemplate"},
		{name: "ActionOMUDPSpoofTargetHost", scope: toAction, module: "omudpspoof", param: "target"},
		{name: "ActionOMUDPSpoofTargetPort", scope: toAction, module: "omudpspoof", param: "port"},
		{name: "ActionOMUDPSpoofSourcePortStart", kind: anInt, scope: toAction, module: "omudpspoof", param: "sourcePort.start"},
		{name: "ActionOMUDPSpoofSourcePortEnd", kind: anInt, scope: toAction, module: "omudpspoof", param: "sourcePort.end"},
		{name: "ActionOMUDPSpoofDefaultTemplate", scope: toDefaults, module: "omudpspoof", param: "template"},
		{name: "OMHDFSFileName", scope: toAction, module: "omhdfs", param: "fileName"},
		{name: "OMHDFSHost", scope: toAction, module: "omhdfs", param: "host"},
		{name: "OMHDFSPort", kind: anInt, scope: toAction, module: "omhdfs", param: "port"},
		{name: "OMHDFSDefaultTemplate", scope: toDefaults, module: "omhdfs", param: "template"},

		{name: "Input3195ListenPort", scope: runInput, module: "im3195", param: "port"},
		{name: "MMSNMPTrapdTag", scope: toAction, module: "mmsnmptrapd", param: "tag"},
		{name: "MMSNMPTrapdSeverityMapping", scope: toAction, module: "mmsnmptrapd", param: "severityMapping"},
	}
}
