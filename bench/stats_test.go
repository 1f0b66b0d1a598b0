package main

import (
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for name, c := range map[string]struct {
		of   []time.Duration
		p    int
		want time.Duration
	}{
		"of none":         {nil, 50, 0},
		"of one":          {[]time.Duration{7}, 99, 7},
		"middle of two":   {[]time.Duration{1, 2}, 50, 1},
		"middle of three": {[]time.Duration{1, 2, 3}, 50, 2},
		"50 of hundred":   {hundred, 50, 50},
		"99 of hundred":   {hundred, 99, 99},
		"100 of hundred":  {hundred, 100, 100},
		"least":           {hundred, 0, 1},
	} {
		if got := percentile(c.of, c.p); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestNewSampleSortsAndDivides(t *testing.T) {
	got := newSample([]time.Duration{30, 10, 20}, 2*time.Second)
	if want := (sample{Rate: 1.5, P50: 20, P99: 30, Count: 3}); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
}

func TestMedianTakesEachFigureByItself(t *testing.T) {
	got := median([]sample{
		{Rate: 100, P50: 3, P99: 90, Count: 1}, {Rate: 300, P50: 1, P99: 70, Count: 2}, {Rate: 200, P50: 2, P99: 80, Count: 3},
	})
	if want := (sample{Rate: 200, P50: 2, P99: 80, Count: 6}); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
	if got := median([]sample{{Rate: 2}, {Rate: 1}}); got.Rate != 1 {
		t.Fatalf("of two: %v, want the lower", got.Rate)
	}
	if got := median(nil); got != (sample{}) {
		t.Fatalf("of none: %+v", got)
	}
}
