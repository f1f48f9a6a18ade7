// Command bench runs the same configuration file through sysrelay and rsyslogd,
// and its equivalent through syslog-ng, in interleaved rounds on this machine,
// and prints medians and ratios. Beside them stands the floor: the same bytes
// copied from socket to file by a plain copier.
//
//	go run ./tests/bench                          everything
//	go run ./tests/bench -workloads tcp8 -rounds 3
//
// Every message carries its connection and number; loss, duplicates and order
// are checked for every run. Ratios travel between machines, absolute figures
// do not.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds; in each, every system runs once")
	names := flag.String("workloads", "", "comma-separated workloads; default all")
	systems := flag.String("systems", "sysrelay,rsyslogd,syslog-ng,copier", "comma-separated systems")
	scale := flag.Float64("scale", 1, "multiply the number of messages by this")
	binary := flag.String("sysrelay", "", "sysrelay binary; default builds it")
	profile := flag.String("cpuprofile", "", "directory for CPU profiles of sysrelay, one a workload")
	flag.Parse()
	if len(os.Args) > 1 && os.Args[1] == copierWord {
		os.Exit(runCopier(os.Args[2:]))
	}
	if err := bench(*rounds, *names, *systems, *scale, *binary, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(rounds int, names, systemNames string, scale float64, binary, profile string) error {
	raiseFileLimit()
	if peers, err := filepath.Abs("tests/.peers/usr/sbin"); err == nil {
		os.Setenv("PATH", peers+":"+os.Getenv("PATH")) // where tests/run unpacks syslog-ng
	}
	dir, err := os.MkdirTemp("", "sysrelay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if binary == "" && strings.Contains(systemNames, "sysrelay") {
		binary = filepath.Join(dir, "sysrelay")
		build := exec.Command("go", "build", "-tags", "profile", "-o", binary, "./cmd/sysrelay")
		if profile == "" {
			build = exec.Command("go", "build", "-o", binary, "./cmd/sysrelay")
		}
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build sysrelay: %w", err)
		}
	}
	systems, err := findSystems(strings.Split(systemNames, ","), binary)
	if err != nil {
		return err
	}
	for _, w := range workloads() {
		if names != "" && !slices.Contains(strings.Split(names, ","), w.name) {
			continue
		}
		w.messages = max(int(float64(w.messages)*scale), 1000)
		results := map[string][]result{}
		for round := range rounds {
			for _, s := range systems {
				if !w.runsOn(s) {
					continue
				}
				r, err := measure(w, s, filepath.Join(dir, fmt.Sprintf("%s-%s-%d", w.name, s.name, round)), profile)
				if err != nil {
					return fmt.Errorf("%s on %s: %w", w.name, s.name, err)
				}
				results[s.name] = append(results[s.name], r)
			}
		}
		report(w, systems, results)
	}
	return nil
}

// report prints one workload's table: medians, and ratios to rsyslogd.
func report(w workload, systems []system, results map[string][]result) {
	fmt.Printf("\n%s: %s; %d messages of %d bytes, %d connections\n", w.name, w.about, w.messages, w.size, w.conns)
	fmt.Printf("%-10s %12s %10s %10s %10s %9s %9s %9s   %s\n", "", "msg/s", "CPU µs/msg", "peak MiB", "lost", "twice", "disorder",
		"rate ×", "CPU ×, memory × of rsyslogd")
	base := median(results["rsyslogd"])
	for _, s := range systems {
		rs := results[s.name]
		if len(rs) == 0 {
			continue
		}
		m := median(rs)
		fmt.Printf("%-10s %12.0f %10.3f %10.1f %10d %9d %9d", s.name, m.rate, m.cpu, m.memory, m.lost, m.twice, m.disorder)
		if base.rate > 0 {
			fmt.Printf(" %9.2f   %.2f, %.2f", m.rate/base.rate, m.cpu/base.cpu, m.memory/base.memory)
		}
		if m.drain > 0 {
			fmt.Printf("   drained %.0f/s, %.2f ×", m.drain, m.drain/base.drain)
		}
		fmt.Println()
	}
}

func median(rs []result) result {
	mid := func(of func(result) float64) float64 {
		xs := make([]float64, 0, len(rs))
		for _, r := range rs {
			xs = append(xs, of(r))
		}
		if len(xs) == 0 {
			return 0
		}
		slices.Sort(xs)
		return xs[len(xs)/2]
	}
	return result{
		rate:     mid(func(r result) float64 { return r.rate }),
		drain:    mid(func(r result) float64 { return r.drain }),
		cpu:      mid(func(r result) float64 { return r.cpu }),
		memory:   mid(func(r result) float64 { return r.memory }),
		lost:     int(mid(func(r result) float64 { return float64(r.lost) })),
		twice:    int(mid(func(r result) float64 { return float64(r.twice) })),
		disorder: int(mid(func(r result) float64 { return float64(r.disorder) })),
	}
}
