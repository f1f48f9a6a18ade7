// Command package makes the .deb and .rpm packages of sysrelay:
//
//	go run ./cmd/package [-o DIR] [-arch amd64|arm64] [-version VERSION]
//
// It is run in the project's directory. The binary is static. Manual pages and
// completions are printed by the binary itself, so that they say what it does.
package main

import (
	"embed"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// nfpm makes the packages. It is no dependency of the project: only this command
// runs it.
const nfpm = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2"

//go:embed files
var files embed.FS

func main() {
	out := flag.String("o", "dist", "directory for the packages")
	arch := flag.String("arch", runtime.GOARCH, "architecture, as Go calls it")
	version := flag.String("version", "", "version of the packages; default is the daemon's")
	flag.Parse()
	if err := makePackages(*out, *arch, *version); err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

// makePackages leaves the packages in the directory out.
func makePackages(out, arch, version string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sysrelay-package-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := gather(dir, arch, version); err != nil {
		return err
	}
	for _, kind := range []string{"deb", "rpm"} {
		c := exec.Command("go", "run", nfpm, "package", "--config", "nfpm.yaml", "--packager", kind, "--target", out)
		c.Dir = dir
		c.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
		if text, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("make the %s: %w\n%s", kind, err, text)
		}
	}
	return nil
}

// gather puts everything that goes into a package into dir.
func gather(dir, arch, version string) error {
	host, err := build(dir, "host", runtime.GOARCH)
	if err != nil {
		return err
	}
	if _, err := build(dir, "sysrelay", arch); err != nil {
		return err
	}
	if version == "" {
		text, err := exec.Command(host, "version").Output()
		if err != nil {
			return fmt.Errorf("ask the binary for its version: %w", err)
		}
		version = strings.TrimSpace(strings.TrimPrefix(string(text), "sysrelay"))
	}
	for name, args := range map[string]string{
		"sysrelay.8":      "help --man sysrelay",
		"sysrelay.conf.5": "help --man sysrelay.conf",
		"sysrelay.bash":   "help --completion bash",
		"_sysrelay":       "help --completion zsh",
		"sysrelay.fish":   "help --completion fish",
	} {
		text, err := exec.Command(host, strings.Fields(args)...).Output()
		if err != nil {
			return fmt.Errorf("sysrelay %s: %w", args, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return copyFiles(dir, version, arch)
}

// build builds the daemon.
func build(dir, name, arch string) (string, error) {
	file := filepath.Join(dir, name)
	c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "./cmd/sysrelay")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if text, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build for %s: %w\n%s", arch, err, text)
	}
	return file, nil
}

// copyFiles copies the files of this package, and fills in what is different
// every time.
func copyFiles(dir, version, arch string) error {
	values := strings.NewReplacer("@VERSION@", version, "@ARCH@", arch)
	sub, err := fs.Sub(files, "files")
	if err != nil {
		return err
	}
	return fs.WalkDir(sub, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(sub, name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), []byte(values.Replace(string(text))), 0o755)
	})
}
