package oidc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/coffer-dev/coffer/internal/fault"
)

const (
	refetchGap   = 10 * time.Second // between two fetches while keys are there
	firstGap     = time.Second      // between two fetches while there are none
	fetchTimeout = 15 * time.Second // discovery and key set together
	minFresh     = 5 * time.Minute
	maxFresh     = time.Hour
	defaultFresh = 15 * time.Minute
	// maxStale is how long keys serve past their freshness before a request waits for
	// the attempt to refresh them.
	maxStale = time.Hour
)

// keySource finds the key that a token names.
type keySource interface {
	// find gives nil when the issuer has no such key, and an Unavailable fault when
	// the issuer's keys could not be had at all.
	find(ctx context.Context, kid string, alg jose.SignatureAlgorithm) (*key, error)
	// ready gives an Unavailable fault when no keys could be had.
	ready(ctx context.Context) error
}

// localKeys are keys that were given directly.
type localKeys struct{ set *keySet }

func (l localKeys) find(_ context.Context, kid string, alg jose.SignatureAlgorithm) (*key, error) {
	return l.set.find(kid, alg), nil
}

func (l localKeys) ready(context.Context) error { return nil }

// remoteKeys are keys fetched from an issuer: by one fetch at a time, however many
// requests wait for it, and never by more fetches than the gaps allow, whatever kids
// strangers invent. Keys once fetched serve on while the issuer is away.
type remoteKeys struct {
	issuer  string
	jwksURL string
	reach   Reach
	caller  *caller
	clock   func() time.Time
	log     *slog.Logger

	current atomic.Pointer[keySet]

	mu      sync.Mutex
	running *flight
	last    time.Time // of the last fetch, whatever came of it
}

// flight is one fetch under way.
type flight struct {
	done chan struct{}
	err  error // to be read after done
}

func (r *remoteKeys) find(ctx context.Context, kid string, alg jose.SignatureAlgorithm) (*key, error) {
	if err := r.ready(ctx); err != nil {
		return nil, err
	}
	set := r.current.Load()
	if k := set.find(kid, alg); k != nil || set.knows(kid) {
		return k, nil
	}
	// The issuer may have begun to sign with a new key. Whether asking it worked does
	// not matter here: the keys at hand decide.
	_ = r.refresh(ctx, refetchGap)
	return r.current.Load().find(kid, alg), nil
}

// ready makes sure that there are keys, as fresh as they can be had without making
// requests wait for an issuer that hangs.
func (r *remoteKeys) ready(ctx context.Context) error {
	set := r.current.Load()
	if set == nil {
		if err := r.refresh(ctx, firstGap); err != nil {
			return &fault.Error{
				Kind: fault.Unavailable, Detail: "the issuer's keys cannot be had", Cause: err, RetryAfter: firstGap,
			}
		}
		return nil
	}
	switch late := r.clock().Sub(set.staleAt); {
	case late >= maxStale:
		_ = r.refresh(ctx, refetchGap) // the older keys serve on
	case late >= 0:
		r.start(ctx, refetchGap)
	}
	return nil
}

var errTooSoon = errors.New("the issuer was asked a moment ago")

// refresh joins the fetch under way or starts one, and waits for it.
func (r *remoteKeys) refresh(ctx context.Context, gap time.Duration) error {
	f := r.start(ctx, gap)
	if f == nil {
		if r.current.Load() != nil {
			return nil // another request's fetch has just ended
		}
		return errTooSoon
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start gives the fetch under way, or starts one, or gives nil when the last one was
// less than gap ago. The fetch outlives the request that started it, because others
// may be waiting; its own time limit ends it.
func (r *remoteKeys) start(ctx context.Context, gap time.Duration) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil {
		return r.running
	}
	now := r.clock()
	if !r.last.IsZero() && now.Sub(r.last) < gap {
		return nil
	}
	r.last = now
	f := &flight{done: make(chan struct{})}
	r.running = f
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	go func() {
		defer cancel()
		f.err = r.fetch(ctx)
		r.mu.Lock()
		r.running = nil
		r.mu.Unlock()
		close(f.done)
	}()
	return f
}

// fetch replaces the current keys, or leaves them and says why.
func (r *remoteKeys) fetch(ctx context.Context) error {
	keys, fresh, err := r.load(ctx)
	if err != nil {
		err = fmt.Errorf("fetching the issuer's keys: %w", err)
		if r.current.Load() != nil {
			r.log.WarnContext(ctx, "issuer keys not refreshed, older ones serve on", "issuer", r.issuer, "error", err)
		}
		return err
	}
	r.current.Store(r.current.Load().replace(keys, r.clock().Add(fresh)))
	return nil
}

func (r *remoteKeys) load(ctx context.Context) ([]*key, time.Duration, error) {
	target := r.jwksURL
	if target == "" {
		var err error
		if target, err = r.discover(ctx); err != nil {
			return nil, 0, fmt.Errorf("discovery: %w", err)
		}
	}
	body, header, err := r.caller.get(ctx, target)
	if err != nil {
		return nil, 0, err
	}
	keys, err := parseKeys(body)
	return keys, freshness(header), err
}

// discover asks the issuer where its keys are (OpenID Connect Discovery section 4).
func (r *remoteKeys) discover(ctx context.Context) (string, error) {
	body, _, err := r.caller.get(ctx, strings.TrimSuffix(r.issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return "", err
	}
	document := decodeObject(body)
	if issuer, ok := document.text("issuer"); !ok || issuer != r.issuer {
		return "", errors.New("the document is of another issuer")
	}
	target, _ := document.text("jwks_uri")
	if err := r.reach.checkURL(target); err != nil {
		return "", fmt.Errorf("jwks_uri: %w", err)
	}
	if strings.HasPrefix(r.issuer, "https:") && !strings.HasPrefix(target, "https:") {
		return "", errors.New("jwks_uri leaves https")
	}
	return target, nil
}

// freshness reads max-age of Cache-Control, within bounds: an issuer can neither have
// us ask all the time nor keep a withdrawn key alive for long.
func freshness(h http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return minFresh
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 32)
			if err != nil {
				return defaultFresh
			}
			return max(minFresh, min(maxFresh, time.Duration(seconds)*time.Second))
		}
	}
	return defaultFresh
}
