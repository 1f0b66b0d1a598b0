package event_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/coffer-dev/coffer/internal/event"
)

// pages is a log that was written before it is read.
type pages []event.Page

func (p pages) ReadLog(_ context.Context, _ string, after int64, _ int) (event.Page, error) {
	for _, page := range p {
		if n := len(page.List); n > 0 && page.List[n-1].Sequence > after || page.Lost > after {
			return page, nil
		}
	}
	return event.Page{}, nil
}
func (pages) End(context.Context) (int64, error) { return 0, nil }
func (pages) Ring(context.Context, string) <-chan struct{} {
	bell := make(chan struct{})
	close(bell) // it always rings
	return bell
}

type collector struct{ seen []int64 }

func (c *collector) Event(e event.Event) error {
	c.seen = append(c.seen, e.Sequence)
	return nil
}

func (c *collector) Gap(g event.Gap) error {
	c.seen = append(c.seen, -g.To)
	return nil
}

var errEnough = errors.New("enough")

func TestSettleHearsTheCursorBehindEachStretch(t *testing.T) {
	entry := func(n int64) event.Entry { return event.Entry{Sequence: n, Body: []byte(`{}`)} }
	log := pages{
		{Lost: 4, List: []event.Entry{entry(5), entry(6)}},
		{List: []event.Entry{entry(7)}},
		{Lost: 9},
	}
	var settled []int64
	got := &collector{}
	f := event.Follower{Log: log, Settle: func(after int64) error {
		settled = append(settled, after)
		if after == 9 {
			return errEnough
		}
		return nil
	}}
	if err := f.Follow(t.Context(), got); !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	if !slices.Equal(got.seen, []int64{-4, 5, 6, 7, -9}) || !slices.Equal(settled, []int64{6, 7, 9}) || f.After != 9 {
		t.Errorf("seen %v, settled %v, cursor %d", got.seen, settled, f.After)
	}
}
