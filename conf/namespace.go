package conf

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespaceDir is where ip-netns(8) keeps named network namespaces.
const namespaceDir = "/run/netns"

// InNamespace calls f with its thread in the network namespace of that name, so
// that sockets which f itself opens belong there; what goroutines started by f
// open does not. An empty name calls f where we are.
func InNamespace(name string, f func() error) error {
	if name == "" {
		return f()
	}
	if name != filepath.Base(name) || name == "." || name == ".." {
		return fmt.Errorf("network namespace %q is not a name", name)
	}
	// The thread is only given back if it is where it was before: a goroutine
	// that ends while it is locked takes its thread with it.
	result := make(chan error)
	go func() { result <- enter(filepath.Join(namespaceDir, name), f) }()
	return <-result
}

func enter(path string, f func() error) error {
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("our network namespace: %w", err)
	}
	defer unix.Close(home)
	there, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("network namespace %s: %w", path, err)
	}
	defer unix.Close(there)
	if err := unix.Setns(there, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("network namespace %s: %w", path, err)
	}
	err = f()
	if berr := unix.Setns(home, unix.CLONE_NEWNET); berr != nil {
		return errors.Join(err, fmt.Errorf("cannot leave network namespace %s: %w", path, berr))
	}
	runtime.UnlockOSThread()
	return err
}
