package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"
)

// slowSync is how long an fsync shall take on the emulated slow disk.
const slowSync = 2 * time.Millisecond

// slow is what Coffer does on a disk whose fsync takes slowSync: strace holds back
// every fsync and counts it.
type slow struct {
	sync    time.Duration // of the real disk
	delay   time.Duration // added to each fsync
	writes  map[int]sample
	perSync map[int]float64 // fsyncs an acknowledged write
}

// syncTime is the median time of an fsync behind a small write.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		return 0, fmt.Errorf("make a file: %w", err)
	}
	defer f.Close() //nolint:errcheck // nothing in it matters
	var took []time.Duration
	for range 200 {
		begun := time.Now()
		if _, err := f.WriteString("a line of an audit file, more or less\n"); err != nil {
			return 0, fmt.Errorf("write: %w", err)
		}
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("fsync: %w", err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return percentile(took, 50), nil
}

// measureSlow is nil where no strace is on PATH.
func (r *ring) measureSlow(ctx context.Context, sync time.Duration) (*slow, error) {
	program, err := exec.LookPath("strace")
	if err != nil {
		return nil, nil //nolint:nilnil // no strace is an answer
	}
	s := &slow{sync: sync, delay: max(0, slowSync-sync), writes: map[int]sample{}, perSync: map[int]float64{}}
	trace := r.dir + "/fsyncs"
	c, err := startCoffer(ctx, r.dir+"/slow", r.settings.binary, r.issuer, program,
		"-f", "--seccomp-bpf", "-qq", "-e", "trace=fsync,fdatasync", "-e",
		"inject=fsync,fdatasync:delay_exit="+strconv.FormatInt(s.delay.Microseconds(), 10), "-o", trace)
	if err != nil {
		return nil, fmt.Errorf("start coffer under strace: %w", err)
	}
	defer c.stop()
	put, err := c.put("w")
	if err != nil {
		return nil, err
	}
	if err := fill(ctx, c.address, put, 0, perWriter); err != nil {
		return nil, fmt.Errorf("fill coffer: %w", err)
	}
	for _, n := range connections() {
		before, err := countLines(trace)
		if err != nil {
			return nil, err
		}
		got, err := measure(ctx, load{Workers: n, Span: r.settings.span}, writer(c.address, put))
		if err != nil {
			return nil, fmt.Errorf("write to a slow disk: %w", err)
		}
		after, err := countLines(trace)
		if err != nil {
			return nil, err
		}
		s.writes[n], s.perSync[n] = got, float64(after-before)/float64(max(1, got.Count))
	}
	return s, nil
}

// countLines counts the calls that a trace tells of. A call that others came in
// between of stands on two lines; the second one says "resumed".
func countLines(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("read trace: %w", err)
	}
	return bytes.Count(text, []byte("\n")) - bytes.Count(text, []byte("resumed>")), nil
}
