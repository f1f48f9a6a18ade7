package output

import "sysrelay/conf"

// ActionParams are the parameters every action has besides queue.*, with
// rsyslog's names.
type ActionParams struct {
	Name               string         `conf:"name" doc:"Name of the action in messages and statistics; default is action-N-MODULE." status:"full"`
	ResumeRetryCount   conf.Opt[int]  `conf:"action.resumeretrycount" doc:"How often to try again before the action is suspended and its messages are discarded; -1 is for ever. Default 0, with a queue.filename -1: what is on disk is not discarded." status:"full"`
	ResumeInterval     int            `conf:"action.resumeinterval" default:"30" doc:"Seconds between tries. A suspension lasts this long, and longer the more there were in a row." status:"full"`
	ResumeIntervalMax  int            `conf:"action.resumeintervalmax" default:"1800" doc:"Seconds a suspension lasts at most; 0 is unlimited." status:"full"`
	ReportSuspension   conf.Opt[bool] `conf:"action.reportsuspension" default:"on" doc:"Report when the action is suspended and when it is resumed." status:"full"`
	ReportContinuation conf.Opt[bool] `conf:"action.reportsuspensioncontinuation" default:"off" doc:"Report every further suspension, too." status:"full"`
	GateParams
	RepeatedWithOriginal bool   `conf:"action.repeatedmsgcontainsoriginalmsg" doc:"Accepted; the original is always part of the repetition message." status:"none"`
	ErrorFile            string `conf:"action.errorfile" doc:"File to which messages that could not be delivered are appended, one JSON object per line." status:"full"`
	ErrorFileMaxSize     int64  `conf:"action.errorfile.maxsize,type=size" doc:"Bytes the error file may have; what does not fit is not written. 0 is unlimited." status:"full"`
	ExternalStateFile    string `conf:"action.externalstate.file" doc:"File that suspends the action while its content begins with SUSPENDED." status:"full"`
	CopyMsg              bool   `conf:"action.copymsg" doc:"Accepted; a queue always has a copy of its own." status:"full"`
	RateLimitName        string `conf:"action.ratelimit.name" doc:"Name of a ratelimit() object whose policy file says scope: output. mode: drop discards what is too much, mode: pace, which needs a queue, delivers it later." status:"full"`
}

// retries is how often a failed delivery is tried again. as rsyslog: never,
// unless the configuration says so. A queue on disk is there to outlast a dead
// target, and what it holds has been promised to be kept.
func (p *ActionParams) retries(onDisk bool) int {
	if !p.ResumeRetryCount.Given && onDisk {
		return -1
	}
	return p.ResumeRetryCount.Value
}
