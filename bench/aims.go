package main

import (
	"fmt"
	"time"
)

// aim is one goal and what was found. have is "" where it was not measured.
type aim struct {
	text, have string
	met        bool
}

// most is the load at which the aims are read.
const most = 64

// ratio is how a cell's rate compares with another contestant's at the same load; 0
// where either was not measured.
func (o *outcome) ratio(c cell, to string) float64 {
	a, ok1 := o.results.of(c.name, c.work, c.workers)
	b, ok2 := o.results.of(to, c.work, c.workers)
	if !ok1 || !ok2 || b.Rate == 0 {
		return 0
	}
	return a.Rate / b.Rate
}

// aims are the goals of the project, each at 64 connections where it names none.
func (o *outcome) aims() []aim {
	rate := func(work, to string) float64 { return o.ratio(cell{nameOurs, work, most}, to) }
	return append([]aim{
		share("reads at 50 % of the bare server or more", rate(reads, nameBare), 0.5),
		times("reads at 20 times OpenBao or more", rate(reads, nameBao), 20),
		times("reads at 8 times OpenBao tuned or more", rate(reads, nameTuned), 8),
		times("durable writes at 6 times OpenBao or more", rate(writes, nameBao), 6),
		share("durable writes at 60 % of bare etcd's three-key transactions or more", rate(writes, nameEtcd), 0.6),
		o.tail(reads),
		o.tail(writes),
		o.group(),
		atMost("resident memory idle under 100 MB", megabytes(o.idle), o.idle < 100e6),
		atMost("ready in under 1 s", short(o.start), o.start < time.Second),
	}, o.flat()...)
}

func share(text string, have, want float64) aim {
	if have == 0 {
		return aim{text: text}
	}
	return aim{text, percent(have), have >= want}
}

func times(text string, have, want float64) aim {
	if have == 0 {
		return aim{text: text}
	}
	return aim{text, fmt.Sprintf("%.1f times", have), have >= want}
}

func atMost(text, have string, met bool) aim { return aim{text, have, met} }

// tail wants p99 at a tenth of OpenBao's.
func (o *outcome) tail(work string) aim {
	a := aim{text: "p99 of " + work + "s at a tenth of OpenBao's or less"}
	ours, _ := o.results.of(nameOurs, work, most)
	if theirs, ok := o.results.of(nameBao, work, most); ok && ours.P99 > 0 {
		a.have, a.met = fmt.Sprintf("1/%.1f", float64(theirs.P99)/float64(ours.P99)), ours.P99*10 <= theirs.P99
	}
	return a
}

// group wants concurrent writers to share their fsyncs.
func (o *outcome) group() aim {
	text := "64 writers at 10 times the rate of one or more, on a slow disk"
	if o.slow == nil || o.slow.writes[1].Rate == 0 {
		return aim{text: text}
	}
	return times(text, o.slow.writes[most].Rate/o.slow.writes[1].Rate, 10)
}

// flat allows a tenth: more is a cost that grows with the number of secrets.
func (o *outcome) flat() []aim {
	if o.many <= o.secrets || o.fewReads.Rate == 0 {
		return nil
	}
	text := fmt.Sprintf("reads of %d secrets at 90 %% of those of %d or more", o.many, o.secrets)
	return []aim{share(text, o.manyReads.Rate/o.fewReads.Rate, 0.9)}
}

func (o *outcome) verdicts() string {
	return aligned(func(line func(...any)) {
		line("Aim", "found", "")
		for _, a := range o.aims() {
			switch {
			case a.have == "":
				line(a.text, "-", "not measured")
			case a.met:
				line(a.text, a.have, "met")
			default:
				line(a.text, a.have, "MISSED")
			}
		}
	})
}
