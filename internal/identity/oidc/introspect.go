package oidc

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

const (
	maxVouched  = 60 * time.Second // how long an introspected token is believed unasked
	maxQueries  = 32               // introspections under way at once
	maxSecret   = 4 << 10          // bytes of the client secret's file
	formContent = "application/x-www-form-urlencoded"
)

// introspector asks an authorization server about tokens (RFC 7662): one question at a
// time for one token, and a bounded number in all, because strangers can make us ask.
type introspector struct {
	config  Introspection
	caller  *caller
	queries chan struct{}
	asked   singleflight.Group
}

func newIntrospector(config Introspection) *introspector {
	return &introspector{
		config: config, caller: newCaller(config.Reach), queries: make(chan struct{}, maxQueries),
	}
}

// ask gives the claims of an active token. id names the token, to ask once for all who
// wait for the same answer.
func (i *introspector) ask(ctx context.Context, id, token string) (object, error) {
	result := i.asked.DoChan(id, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		return i.query(ctx, token)
	})
	select {
	case r := <-result:
		claims, _ := r.Val.(object)
		return claims, r.Err
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Timeout, ctx.Err(), "the authorization server did not answer in time")
	}
}

func (i *introspector) query(ctx context.Context, token string) (object, error) {
	select {
	case i.queries <- struct{}{}:
		defer func() { <-i.queries }()
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "too many tokens are being asked about")
	}
	req, err := i.request(ctx, token)
	if err != nil {
		return nil, err
	}
	body, _, err := i.caller.do(req)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the authorization server cannot be asked")
	}
	claims := decodeObject(body)
	if claims == nil {
		return nil, fault.New(fault.Unavailable, "the authorization server's answer cannot be read")
	}
	if string(claims["active"]) != "true" {
		return nil, refuse("token is not active")
	}
	return claims, nil
}

func (i *introspector) request(ctx context.Context, token string) (*http.Request, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.config.Endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fault.New(fault.Internal, "the introspection endpoint is no URL")
	}
	req.Header.Set("Content-Type", formContent)
	if i.config.ClientID == "" {
		return req, nil
	}
	password, err := i.config.secret()
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the client secret for introspection cannot be had")
	}
	// Both halves are form-encoded first (RFC 6749 section 2.3.1).
	req.SetBasicAuth(url.QueryEscape(i.config.ClientID), url.QueryEscape(password))
	return req, nil
}

// secret reads the client secret anew.
func (c Introspection) secret() (string, error) {
	data, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return "", withoutPath(err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" || len(text) > maxSecret {
		return "", errSecret
	}
	return text, nil
}

// introspect believes what the server says of a token for as long as it may.
func (a *Authenticator) introspect(ctx context.Context, id [32]byte, token string) (*verified, error) {
	claims, err := a.introspector.ask(ctx, string(id[:]), token)
	if err != nil {
		return nil, err
	}
	now := a.config.Clock()
	exp, reason := checkTimes(claims, now, a.config.Leeway, false)
	if reason != "" {
		return nil, refuse(reason)
	}
	server := a.introspector.config
	if iss, named := claims["iss"]; named && server.Issuer != "" {
		if text, _ := asText(iss); text != server.Issuer {
			return nil, refuse("token is of an issuer that the authorization server does not speak for")
		}
	}
	principal, bound, reason := a.readPrincipal(claims, server.Alias)
	if reason != "" {
		return nil, refuse(reason)
	}
	principal.Expires = exp
	return &verified{
		principal: principal, binding: bound, audiences: server.Audiences,
		until: earliest(now.Add(maxVouched), exp.Add(a.config.Leeway), exp),
	}, nil
}

// earliest is limit, or the end of the token when it has one and that comes before.
func earliest(limit, end, exp time.Time) time.Time {
	if !exp.IsZero() && end.Before(limit) {
		return end
	}
	return limit
}

// checkCSRF asks a browser's session for the pair that only our own pages can send.
func checkCSRF(c identity.Credentials) error {
	if c.Mutation && (c.CSRFCookie == "" || !same(c.CSRFHeader, c.CSRFCookie)) {
		return fault.Coded(fault.Forbidden, identity.CodeCSRF, "the request does not carry the session's CSRF token")
	}
	return nil
}
