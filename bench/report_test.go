package main

import (
	"strings"
	"testing"
	"time"
)

func found(rates map[cell]float64) *outcome {
	o := &outcome{results: results{}, start: 300 * time.Millisecond, idle: 50e6, secrets: 1000, many: 100_000}
	for c, rate := range rates {
		o.results[c] = []sample{{Rate: rate, P50: time.Millisecond, P99: time.Duration(float64(time.Second) * 1000 / rate)}}
	}
	return o
}

func TestAims(t *testing.T) {
	o := found(map[cell]float64{
		{nameBare, reads, most}: 60_000, {nameOurs, reads, most}: 30_000, {nameBao, reads, most}: 1500, {nameTuned, reads, most}: 4000,
		{nameEtcd, writes, most}: 8000, {nameOurs, writes, most}: 4000, {nameBao, writes, most}: 1000,
	})
	o.slow = &slow{writes: map[int]sample{1: {Rate: 100}, most: {Rate: 1000}}}
	o.fewReads, o.manyReads = sample{Rate: 1000}, sample{Rate: 950}
	want := map[string]string{
		"reads at 50 %": "50 % true", "reads at 20 times": "20.0 times true", "reads at 8 times": "7.5 times false",
		"durable writes at 6": "4.0 times false", "durable writes at 60": "50 % false",
		"p99 of reads": "1/20.0 true", "p99 of writes": "1/4.0 false", "64 writers": "10.0 times true",
		"resident": "50 MB true", "ready": "300.00 ms true", "reads of 100000": "95 % true",
	}
	for _, a := range o.aims() {
		for start, w := range want {
			if !strings.HasPrefix(a.text, start) {
				continue
			}
			delete(want, start)
			verdict := map[bool]string{true: " true", false: " false"}[a.met]
			if a.have+verdict != w {
				t.Errorf("%s: %s%s, want %s", a.text, a.have, verdict, w)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("not among the aims: %v", want)
	}
}

func TestWhatWasNotMeasuredIsNotMet(t *testing.T) {
	o := found(map[cell]float64{{nameBare, reads, most}: 60_000, {nameOurs, reads, most}: 1})
	for _, a := range o.aims() {
		if a.have == "" && a.met {
			t.Errorf("%s is met by nothing", a.text)
		}
	}
	text := o.String()
	for _, want := range []string{"not on PATH, not measured", "no strace on PATH", "MISSED"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
}

func TestTableHasARatioAndAlignedColumns(t *testing.T) {
	o := found(map[cell]float64{{nameBare, reads, 16}: 50_000, {nameOurs, reads, 16}: 20_000})
	lines := strings.Split(o.table(reads), "\n")
	if !strings.Contains(lines[2], "40 %") || strings.Index(lines[0], "a second") != strings.Index(lines[2], "20000") {
		t.Fatalf("%s", strings.Join(lines, "\n"))
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1500 * time.Millisecond: "1.50 s", 2500 * time.Microsecond: "2.50 ms", 17 * time.Microsecond: "17 µs",
	} {
		if got := short(d); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
