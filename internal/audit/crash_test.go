package audit_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
)

const crashEnv = "COFFER_TEST_AUDIT_CRASH_FILE"

// TestKillLosesNothingAcknowledged kills a writing process again and again: every
// record whose Keep returned is in the file, and every line is whole.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	if path := os.Getenv(crashEnv); path != "" {
		writeUntilKilled(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	acked := map[string]bool{}
	for round := range 5 {
		for _, id := range killAfter(t, path, time.Duration(20+round*15)*time.Millisecond) {
			acked[id] = true
		}
	}
	tear(t, path)
	f := openFile(t, audit.FileConfig{Path: path})
	mustKeep(t, f, "after")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, r := range lines(t, data) {
		seen[r.ID]++
	}
	if len(acked) == 0 {
		t.Fatal("nothing was acknowledged before the kills")
	}
	for id := range acked {
		if seen[id] != 1 {
			t.Errorf("acknowledged record %s is %d times in the file", id, seen[id])
		}
	}
}

// killAfter gives the IDs that the process reported as kept before it was killed.
func killAfter(t *testing.T, path string, after time.Duration) (acked []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKillLosesNothingAcknowledged$")
	cmd.Env = append(os.Environ(), crashEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		if len(acked) == 0 {
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		var id string
		if n, _ := fmt.Sscanf(scan.Text(), "kept %s end", &id); n == 1 {
			acked = append(acked, id)
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
	return acked
}

func writeUntilKilled(t *testing.T, path string) {
	f, err := audit.OpenFile(audit.FileConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for c := range 8 {
		all.Go(func() {
			for i := range 1_000_000 {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), c, i)
				if err := f.Keep(context.Background(), audittest.Sample(id)); err != nil {
					return
				}
				fmt.Printf("kept %s end\n", id)
			}
		})
	}
	all.Wait()
}

// tear ends the file as a power cut in the middle of a write does.
func tear(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"audit_id":"torn","pha`); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
