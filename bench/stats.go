package main

import (
	"slices"
	"time"
)

// sample is what one cell showed, or the median of several.
type sample struct {
	Rate     float64 // operations a second
	P50, P99 time.Duration
	Count    int // operations measured
	Done     int // operations of the warm-up too
	// CPU is the contestant's processor time for one operation, 0 where its load runs
	// inside it. It says what the cores have to do, whoever else keeps them busy.
	CPU time.Duration
}

// newSample sorts took.
func newSample(took []time.Duration, span time.Duration) sample {
	slices.Sort(took)
	return sample{
		Rate: float64(len(took)) / span.Seconds(),
		P50:  percentile(took, 50), P99: percentile(took, 99), Count: len(took),
	}
}

// percentile is the nearest rank of sorted values: the least that p percent do not
// exceed. Of nothing it is 0.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// median takes each figure by itself; of an even number the lower of the middle two.
func median(rounds []sample) sample {
	if len(rounds) == 0 {
		return sample{}
	}
	var out sample
	out.Rate = middle(rounds, func(s sample) float64 { return s.Rate })
	out.P50 = time.Duration(middle(rounds, func(s sample) float64 { return float64(s.P50) }))
	out.P99 = time.Duration(middle(rounds, func(s sample) float64 { return float64(s.P99) }))
	out.CPU = time.Duration(middle(rounds, func(s sample) float64 { return float64(s.CPU) }))
	for _, r := range rounds {
		out.Count += r.Count
		out.Done += r.Done
	}
	return out
}

func middle(rounds []sample, of func(sample) float64) float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}
