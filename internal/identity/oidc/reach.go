package oidc

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

const (
	defaultTimeout = 5 * time.Second
	maxBody        = 512 << 10 // bytes of an answer
	maxIdle        = 4         // connections kept to one issuer
)

// Why a call came to nothing.
var (
	errRedirect = errors.New("the server redirects, which is not followed")
	errAddress  = errors.New("the address is not of the public Internet")
	errStatus   = errors.New("the server did not answer 200")
	errTooLarge = errors.New("the answer is too large")
)

// caller calls one server outside.
type caller struct{ client *http.Client }

func newCaller(r Reach) *caller {
	timeout := r.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	dialer := &net.Dialer{Timeout: timeout}
	if !r.AllowPrivate {
		// The check sits where the address is dialled, after the name was resolved: a
		// name that is checked first can resolve to something else a moment later.
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkAddress(address) }
	}
	var config *tls.Config
	if r.TLS != nil {
		config = r.TLS.Clone()
	}
	return &caller{client: &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    timeout,
			MaxIdleConnsPerHost:    maxIdle,
			MaxResponseHeaderBytes: maxBody,
			ForceAttemptHTTP2:      true,
			IdleConnTimeout:        time.Minute,
		},
	}}
}

// get gives the body and the headers of a 200 answer.
func (c *caller) get(ctx context.Context, target string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, nil, err
	}
	return c.do(req)
}

func (c *caller) do(req *http.Request) ([]byte, http.Header, error) {
	req.Header.Set("Accept", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, errStatus
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, nil, err
	}
	if len(body) > maxBody {
		return nil, nil, errTooLarge
	}
	return body, resp.Header, nil
}

// checkAddress refuses an address that a stranger's name must not lead us to.
func checkAddress(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return errAddress
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !isPublic(ip.WithZone("").Unmap()) {
		return errAddress
	}
	return nil
}

// isPublic says whether ip is an ordinary unicast address. Prefixes that carry an IPv4
// address inside (NAT64, 6to4, Teredo) are refused with the rest.
func isPublic(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return false
	}
	for _, special := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32",
		"2002::/16", "fec0::/10",
	} {
		if netip.MustParsePrefix(special).Contains(ip) {
			return false
		}
	}
	return true
}

// checkURL says whether target may be called at all.
func (r Reach) checkURL(target string) error {
	u, err := url.Parse(target)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "":
		return errors.New("it is no plain absolute URL")
	case u.Scheme == "https", u.Scheme == "http" && r.AllowPrivate:
		return nil
	case u.Scheme == "http":
		return errors.New("it is http, which needs the setting that allows private addresses")
	}
	return errors.New("its scheme is not https")
}
