package vault

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// pauses stand between the attempts of a read, each jittered by a quarter either way.
func pauses() [2]time.Duration {
	return [2]time.Duration{200 * time.Millisecond, 800 * time.Millisecond}
}

// perform runs one operation of the contract: within the number of operations in
// work, through the breaker, under the time limit, and observed.
func (s *Store) perform(ctx context.Context, op string, work func(context.Context) error) (err error) {
	start := s.cfg.Clock()
	defer func() { s.cfg.Observe(op, s.cfg.Clock().Sub(start), err) }()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		busy := fault.New(fault.RateLimited, "too many operations are in work on this back end")
		busy.RetryAfter = time.Second
		return busy
	}
	probe, wait, ok := s.breaker.enter()
	if !ok {
		open := fault.New(fault.Unavailable, "the back end failed repeatedly and is left alone for a while")
		open.RetryAfter = wait
		return open
	}
	limited, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	err = work(limited)
	s.leave(ctx, probe, err)
	return err
}

// leave tells the breaker how an operation went. A caller that gave up tells
// nothing about the server.
func (s *Store) leave(ctx context.Context, probe bool, err error) {
	o := answered
	switch {
	case err == nil:
	case ctx.Err() != nil:
		o = unknown
	case slices.Contains([]fault.Kind{fault.Timeout, fault.Unavailable, fault.ProviderFailed}, fault.KindOf(err)):
		o = failed
	}
	if s.breaker.leave(probe, o) {
		s.cfg.OnCircuitOpen()
	}
}

// ask sends a read: up to three attempts, again only when no answer came.
func (s *Store) ask(ctx context.Context, q query) (answer, error) {
	for _, pause := range pauses() {
		a, err := s.attempt(ctx, q)
		var l *lost
		if err == nil || !errors.As(err, &l) || !l.again || ctx.Err() != nil {
			return a, err
		}
		select {
		case <-s.cfg.After(time.Duration(float64(pause) * (0.75 + s.cfg.Random()/2))):
		case <-ctx.Done():
			return answer{}, err
		}
	}
	return s.attempt(ctx, q)
}

func (s *Store) attempt(ctx context.Context, q query) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.AttemptTimeout)
	defer cancel()
	return s.tell(ctx, q)
}

// tell sends one request under the broker's token, once. When the server refuses a
// token that came from a login and has died, one new login follows: the refused
// request had no effect.
func (s *Store) tell(ctx context.Context, q query) (answer, error) {
	token, err := s.broker.token(ctx)
	if err != nil {
		return answer{}, err
	}
	q.token = token
	a, err := s.exchange(ctx, q)
	if err != nil || a.status != http.StatusForbidden || !s.broker.died(ctx, token) {
		return a, err
	}
	if q.token, err = s.broker.token(ctx); err != nil {
		return answer{}, err
	}
	return s.exchange(ctx, q)
}
