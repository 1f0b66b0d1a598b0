package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// load is one cell's: so many workers, for so long, after a warm-up.
type load struct {
	Workers int
	Warm    time.Duration
	Span    time.Duration
}

// worker does one operation after another. It is used by one goroutine.
type worker struct {
	do    func() error
	close func()
}

// measure runs workers side by side and times what they finish within the span.
// The first error ends the cell.
func measure(ctx context.Context, l load, open func(ctx context.Context, n int) (worker, error)) (sample, error) {
	workers := make([]worker, 0, l.Workers)
	defer func() {
		for _, w := range workers {
			w.close()
		}
	}()
	for n := range l.Workers {
		w, err := open(ctx, n)
		if err != nil {
			return sample{}, fmt.Errorf("open worker %d: %w", n, err)
		}
		workers = append(workers, w)
	}
	took := make([][]time.Duration, l.Workers)
	errs := make([]error, l.Workers)
	start := time.Now().Add(l.Warm)
	total := make([]int, l.Workers)
	var done sync.WaitGroup
	for n, w := range workers {
		done.Go(func() { took[n], total[n], errs[n] = w.run(ctx, start, start.Add(l.Span)) })
	}
	done.Wait()
	if err := errors.Join(errs...); err != nil {
		return sample{}, err
	}
	var all []time.Duration
	for _, t := range took {
		all = append(all, t...)
	}
	s := newSample(all, l.Span)
	for _, n := range total {
		s.Done += n
	}
	return s, nil
}

// run works until end, once at least. It keeps the times of what finished between
// start and end, and counts all.
func (w worker) run(ctx context.Context, start, end time.Time) (took []time.Duration, done int, err error) {
	took = make([]time.Duration, 0, 1<<12)
	for before := time.Now(); ; {
		if err := errors.Join(ctx.Err(), w.do()); err != nil {
			return nil, done, err
		}
		done++
		now := time.Now()
		if !now.Before(end) {
			return took, done, nil
		}
		if now.After(start) {
			took = append(took, now.Sub(before))
		}
		before = now
	}
}

// reader opens workers that read secrets at random, of the first so many.
func reader(address string, t template, secrets int) func(context.Context, int) (worker, error) {
	return func(ctx context.Context, n int) (worker, error) {
		c, err := dial(ctx, address)
		if err != nil {
			return worker{}, err
		}
		own, random := t.clone(), rand.New(rand.NewPCG(uint64(n), 1)) //nolint:gosec // which secret is read next is no secret
		return worker{func() error { return c.do(own.number(random.IntN(secrets))) }, c.close}, nil
	}
}

// perWriter is how many secrets one writer writes in turn. No two write the same:
// contention for one record is not what is measured here.
const perWriter = 1000

// writer opens workers that write secrets of their own in turn.
func writer(address string, t template) func(context.Context, int) (worker, error) {
	return func(ctx context.Context, n int) (worker, error) {
		c, err := dial(ctx, address)
		if err != nil {
			return worker{}, err
		}
		own, i := t.clone(), 0
		return worker{func() error {
			i++
			return c.do(own.number(n*perWriter + i%perWriter))
		}, c.close}, nil
	}
}

// fill writes secrets from..to-1 once each, over several connections.
func fill(ctx context.Context, address string, t template, from, to int) error {
	const connections = 64
	errs := make([]error, connections)
	var done sync.WaitGroup
	for n := range connections {
		done.Go(func() {
			c, err := dial(ctx, address)
			if err != nil {
				errs[n] = err
				return
			}
			defer c.close()
			own := t.clone()
			for i := from + n; i < to && errs[n] == nil && ctx.Err() == nil; i += connections {
				errs[n] = c.do(own.number(i))
			}
		})
	}
	done.Wait()
	return errors.Join(errors.Join(errs...), ctx.Err())
}
