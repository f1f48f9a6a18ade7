package queue_test

import (
	"testing"

	"sysrelay/conf"
	"sysrelay/queue"
)

// The decoder takes this package's Opt for its own: 0 is not "not given".
func TestParamsAreDecoded(t *testing.T) {
	cfg, err := conf.Parse("t", []byte(`main_queue(queue.type="linkedlist" queue.size="1k" queue.timeoutEnqueue="0"
		queue.timeoutShutdown="-1" queue.lightDelayMark="0" queue.discardSeverity="4" queue.syncQueueFiles="off"
		queue.maxDiskSpace="2g" queue.takeFlowCtlFromMsg="on")`))
	if err != nil {
		t.Fatal(err)
	}
	var got queue.Params
	if err := cfg.Decode(cfg.Stmts[0].(*conf.Object), &got); err != nil {
		t.Fatal(err)
	}
	want := queue.Params{Type: queue.LinkedList, Size: 1024, TimeoutEnqueue: queue.Given(0),
		TimeoutShutdown: queue.Given(-1), LightDelayMark: queue.Given(0), DiscardSeverity: queue.Given(4),
		SyncQueueFiles: queue.Given(false), MaxDiskSpace: 2 << 30, TakeFlowCtl: true, OnCorruption: "safe"}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}
