package client

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says how to reach a Coffer.
type Config struct {
	// URL is the address of the server, such as https://coffer.example.eu; required.
	URL string
	// Token gives the bearer token of one attempt and is asked before each; it may be
	// called concurrently. Nil sends none.
	Token func(ctx context.Context) (string, error)
	// CorrelationID names the work that calls belong to, in the answers and in the
	// audit; an empty one, and nil, leave it to the server.
	CorrelationID func(ctx context.Context) string
	// HTTPClient carries the requests; nil is http.DefaultTransport. Its Timeout ends
	// streams too. Redirects are never followed: Coffer sends none.
	HTTPClient *http.Client
	// UserAgent names the calling program; empty is "coffer-client".
	UserAgent string
	// Attempts bounds how often one call is sent; 0 is 4.
	Attempts int
	// Timeout bounds one attempt with its answer, streams excepted; 0 is 40 s, more
	// than the server gives itself.
	Timeout time.Duration
}

const (
	defaultAttempts  = 4
	defaultTimeout   = 40 * time.Second
	defaultUserAgent = "coffer-client"
	// silence is after how long without a byte a stream counts as dead; the server
	// sends a comment every 15 s.
	silence = 45 * time.Second
)

// Client calls one Coffer. It is safe for concurrent use and holds no state of calls.
type Client struct {
	cfg     Config
	base    string
	http    *http.Client
	silence time.Duration
	pause   func(ctx context.Context, d time.Duration) error
	// jitter gives a random duration from 0 up to and without its argument.
	jitter func(time.Duration) time.Duration
}

// New makes a client. It opens no connection; an error is one of the configuration.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("the URL of the server is not http://host or https://host")
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{}
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = defaultUserAgent
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = defaultAttempts
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	own := *cfg.HTTPClient
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		cfg: cfg, base: strings.TrimRight(cfg.URL, "/") + "/api/secrets",
		http: &own, silence: silence, pause: pause, jitter: jitter,
	}, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func jitter(below time.Duration) time.Duration {
	n, err := rand.Int(rand.Reader, big.NewInt(max(int64(below), 1)))
	if err != nil { // no jitter is better than no call
		return 0
	}
	return time.Duration(n.Int64())
}
