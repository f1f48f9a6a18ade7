package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// pidFile claims a pid file. A live process named in it is an error: two daemons
// with one configuration would write over each other. The returned function
// removes the file if it is still ours.
func pidFile(path string) (remove func(), err error) {
	if path == "" || path == "NONE" {
		return func() {}, nil
	}
	if pid, alive := livePid(path); alive {
		return nil, fmt.Errorf("pidfile '%s' and pid %d already exist.\n"+
			"If you want to run multiple instances, you need to specify "+
			"different pid files for them (-i option)", path, pid)
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return nil, fmt.Errorf("error writing pid file: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return nil, fmt.Errorf("error writing pid file: %w", err)
	}
	return func() {
		if pid, _ := readPid(path); pid == os.Getpid() {
			os.Remove(path)
		}
	}, nil
}

func readPid(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

func livePid(path string) (int, bool) {
	pid, err := readPid(path)
	if err != nil || pid <= 0 || pid == os.Getpid() {
		return 0, false
	}
	err = syscall.Kill(pid, 0)
	return pid, err == nil || err == syscall.EPERM
}
