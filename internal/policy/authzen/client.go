package authzen

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// maxAnswer bounds the body of an answer, after decompression, in bytes.
const maxAnswer = 1 << 20

// caller speaks HTTP with the decision point.
type caller struct {
	http    *http.Client
	base    *url.URL
	token   *tokenFile
	timeout time.Duration
}

// statusError is an answer with another status than 200.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("decision point: status %d", int(s)) }

func newCaller(cfg Config) (*caller, error) {
	base, err := parseBase(cfg.URL)
	if err != nil {
		return nil, err
	}
	c := &caller{base: base, timeout: cfg.Timeout, token: &tokenFile{path: cfg.TokenFile}}
	if _, err := c.token.read(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "decision point: token file cannot be used")
	}
	client := http.Client{}
	if cfg.HTTP != nil {
		client = *cfg.HTTP
	} else if client.Transport, err = newTransport(cfg); err != nil {
		return nil, err
	}
	// A redirect would carry the question, and the token, to another place.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &client
	return c, nil
}

func newTransport(cfg Config) (*http.Transport, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "decision point: CA file cannot be read")
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, "decision point: CA file holds no certificate")
		}
	}
	if cfg.CertFile != "" || cfg.KeyFile != "" {
		load := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
			return &pair, err
		}
		if _, err := load(); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "decision point: client certificate cannot be used")
		}
		// Read per handshake, so that a renewed certificate needs no restart.
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     settings,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: cfg.Timeout,
	}, nil
}

// ask posts one body and returns the body of a 200 answer. Any other status is a
// statusError.
func (c *caller) ask(ctx context.Context, endpoint, requestID string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("decision point: making a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-ID", requestID)
	return c.do(req)
}

func (c *caller) do(req *http.Request) ([]byte, error) {
	token, err := c.token.read()
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("decision point: calling: %w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, statusError(resp.StatusCode)
	case err != nil:
		return nil, fmt.Errorf("decision point: reading the answer: %w", err)
	case len(data) > maxAnswer:
		return nil, errors.New("decision point: answer is too large")
	}
	return data, nil
}
