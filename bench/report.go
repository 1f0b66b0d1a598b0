package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// bench runs everything and gives the table.
func bench(ctx context.Context, s settings) (string, error) {
	dir, err := os.MkdirTemp("", "coffer-bench-")
	if err != nil {
		return "", fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system cleans up what is left
	if s.binary, err = filepath.Abs(s.binary); err != nil {
		return "", fmt.Errorf("find coffer: %w", err)
	}
	r := &ring{settings: s, dir: dir, results: results{}}
	defer r.close()
	progress := func(text string) { _, _ = fmt.Fprintln(os.Stderr, text) }
	out := &outcome{results: r.results}
	if out.sync, err = syncTime(dir); err != nil {
		return "", err
	}
	progress("starting the contestants")
	if err := r.open(ctx); err != nil {
		return "", err
	}
	if err := r.fight(ctx, progress); err != nil {
		return "", err
	}
	if err := r.rest(ctx, out, progress); err != nil {
		return "", err
	}
	out.about = about(ctx, s, out.sync)
	return out.String(), nil
}

// rest measures what is not in the cells.
func (r *ring) rest(ctx context.Context, out *outcome, progress func(string)) (err error) {
	out.start, out.idle = r.coffer.took, r.coffer.idle
	if out.loaded, err = rss(r.coffer.cmd.Process.Pid); err != nil {
		return err
	}
	if r.bao != nil {
		out.baoStart, out.baoIdle = r.bao.took, r.bao.idle
		if out.baoLoaded, err = rss(r.bao.cmd.Process.Pid); err != nil {
			return err
		}
	}
	progress("a slow disk")
	if out.slow, err = r.measureSlow(ctx, out.sync); err != nil {
		return err
	}
	out.secrets, out.many = r.settings.secrets, r.settings.many
	if out.many > out.secrets {
		progress(fmt.Sprintf("%d secrets", out.many))
		out.fewReads, out.manyReads, err = r.growth(ctx)
	}
	return err
}

// outcome is all that a run found.
type outcome struct {
	about               []string
	results             results
	sync                time.Duration // of a real fsync
	start, baoStart     time.Duration
	idle, loaded        int64 // resident bytes of Coffer
	baoIdle, baoLoaded  int64
	slow                *slow // nil: no strace
	secrets, many       int
	fewReads, manyReads sample // of Coffer at 64 connections
}

// String is the whole report.
func (o *outcome) String() string {
	var b strings.Builder
	for _, line := range o.about {
		b.WriteString(line + "\n")
	}
	for _, work := range []string{reads, writes} {
		b.WriteString("\n" + o.table(work))
	}
	b.WriteString("\n" + o.rest() + "\n" + o.verdicts())
	return b.String()
}

// table shows one kind of work: a row for each contestant and load.
func (o *outcome) table(work string) string {
	return aligned(func(line func(...any)) {
		line(strings.ToUpper(work[:1])+work[1:]+"s", "connections", "a second", "p50", "p99", "CPU each", "of bare net/http")
		for _, name := range []string{nameBare, nameOurs, nameEtcd, nameBao, nameTuned} {
			for _, n := range connections() {
				s, ok := o.results.of(name, work, n)
				if !ok {
					continue
				}
				line(name, n, fmt.Sprintf("%.0f", s.Rate), short(s.P50), short(s.P99), cpu(s.CPU), percent(o.ratio(cell{name, work, n}, nameBare)))
			}
		}
		if _, ok := o.results.of(nameBao, work, 1); !ok {
			line(nameBao, "-", "not on PATH, not measured")
		}
	})
}

func (o *outcome) rest() string {
	return aligned(func(line func(...any)) {
		line("Besides", "Coffer", "OpenBao")
		bao := func(text string) string {
			if o.baoStart == 0 {
				return "-"
			}
			return text
		}
		line("ready after (OpenBao: initialised and unsealed)", short(o.start), bao(short(o.baoStart)))
		line("resident memory, idle", megabytes(o.idle), bao(megabytes(o.baoIdle)))
		line("resident memory after the load", megabytes(o.loaded), bao(megabytes(o.baoLoaded)))
		if o.many > o.secrets {
			line(fmt.Sprintf("reads a second at 64 connections of %d secrets", o.secrets), fmt.Sprintf("%.0f", o.fewReads.Rate), "-")
			line(fmt.Sprintf("reads a second at 64 connections of %d secrets", o.many), fmt.Sprintf("%.0f", o.manyReads.Rate), "-")
		}
		if o.slow == nil {
			line("fsyncs a write, writes on a slow disk", "no strace on PATH, not measured", "-")
			return
		}
		disk := fmt.Sprintf("at an fsync of %s", short(o.slow.sync+o.slow.delay))
		for _, n := range connections() {
			line(fmt.Sprintf("writes a second at %d connections, %s", n, disk), fmt.Sprintf("%.0f", o.slow.writes[n].Rate), "-")
		}
		for _, n := range connections() {
			line(fmt.Sprintf("fsyncs an acknowledged write at %d connections, %s", n, disk), fmt.Sprintf("%.2f", o.slow.perSync[n]), "-")
		}
	})
}

// aligned lays out rows of cells.
func aligned(fill func(line func(...any))) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fill(func(cells ...any) {
		text := make([]string, len(cells))
		for i, c := range cells {
			text[i] = fmt.Sprint(c)
		}
		_, _ = fmt.Fprintln(w, strings.Join(text, "\t")) // a strings.Builder takes everything
	})
	_ = w.Flush()
	return b.String()
}

func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%d µs", d.Microseconds())
}

func cpu(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return short(d)
}

func megabytes(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }

func percent(ratio float64) string {
	if ratio == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100*ratio)
}

// about says when, where and of what the figures are.
func about(ctx context.Context, s settings, sync time.Duration) []string {
	version, err := exec.CommandContext(ctx, s.binary, "version").Output() //nolint:gosec // the program under test
	if err != nil {
		version = []byte("unknown version")
	}
	return []string{
		fmt.Sprintf("%s, measured %s", strings.TrimSpace(string(version)), time.Now().UTC().Format(time.DateOnly)),
		fmt.Sprintf("%d cores of %s, shared by contestant and generator; %s; fsync takes %s",
			runtime.NumCPU(), model(), runtime.Version(), short(sync)),
		fmt.Sprintf("%s a cell, median of %d rounds in turn; %d secrets of %d bytes", s.span, s.rounds, s.secrets, len(value)),
	}
}

func model() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "an unknown processor"
	}
	defer f.Close() //nolint:errcheck // it was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, model, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return "an unknown processor"
}

// markdown keeps the table as it is.
func markdown(table string) string {
	return "# Benchmark\n\nWritten by `make bench`; see bench/doc.go for what is measured and how.\n\n```text\n" + table + "```\n"
}
