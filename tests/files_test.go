package tests

import (
	"os"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// files DIR NAME… waits until the directory holds these and nothing else.
func files(ts *testscript.TestScript, neg bool, args []string) {
	dir, want := ts.MkAbs(args[0]), slices.Sorted(slices.Values(args[1:]))
	wait(ts, args[0]+" to hold "+strings.Join(want, " "), func() bool {
		entries, _ := os.ReadDir(dir)
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
		}
		return slices.Equal(got, want)
	})
}
