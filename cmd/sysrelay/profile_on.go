//go:build profile

package main

import (
	"os"
	"runtime/pprof"
)

// profile writes a CPU profile to $SYSRELAY_CPUPROFILE; only builds with
// -tags profile do.
func profile() (stop func()) {
	f, err := os.Create(os.Getenv("SYSRELAY_CPUPROFILE"))
	if err != nil {
		return func() {}
	}
	pprof.StartCPUProfile(f)
	return func() { pprof.StopCPUProfile(); f.Close() }
}
