package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseRSS(t *testing.T) {
	got, err := parseRSS("Name:\tcoffer\nVmPeak:\t  9 kB\nVmRSS:\t    1024 kB\nThreads:\t8\n")
	if err != nil || got != 1<<20 {
		t.Fatalf("%d, %v", got, err)
	}
	for _, text := range []string{"", "VmRSS:\n", "VmRSS: many kB"} {
		if _, err := parseRSS(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	if got, err := rss(os.Getpid()); err != nil || got < 1<<20 {
		t.Fatalf("of this process: %d, %v", got, err)
	}
}

func TestParseProcessor(t *testing.T) {
	got, err := parseProcessor("42 (a (b) 7 7) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0")
	if err != nil || got != 2*time.Second {
		t.Fatalf("%s, %v", got, err)
	}
	for _, text := range []string{"", "42 (a) S 1 2", "42 (a) S 1 2 3 4 5 6 7 8 9 10 many 50"} {
		if _, err := parseProcessor(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	if _, err := processor(os.Getpid()); err != nil {
		t.Fatal(err)
	}
}

func TestUntilTellsWhyAProcessEnded(t *testing.T) {
	p, err := start(t.TempDir(), "shell", "/bin/sh", "-c", "echo no such luck >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	err = p.until(context.Background(), "http://127.0.0.1:1/", time.Now())
	if err == nil || !strings.Contains(err.Error(), "no such luck") {
		t.Fatalf("%v, want what it printed", err)
	}
}

func TestStopReachesTheTracedProcess(t *testing.T) {
	dir := t.TempDir()
	p, err := start(dir, "shell", "/bin/sh", "-c", `/bin/sh -c 'trap "echo stopped; exit" TERM; echo up; while :; do sleep 0.01; done'; echo end`)
	if err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(tail(p.log), "up") {
		time.Sleep(time.Millisecond)
	}
	p.stop()
	if got := tail(filepath.Join(dir, "shell.log")); got != "up\nstopped\nend\n" {
		t.Fatalf("%q", got)
	}
}

func TestCountLinesCountsACallOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace")
	text := "7 fsync(5) = 0 (DELAYED)\n7 fsync(5 <unfinished ...>\n8 fdatasync(6) = 0\n7 <... fsync resumed>) = 0\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := countLines(file); err != nil || n != 3 {
		t.Fatalf("%d, %v; want 3", n, err)
	}
}
