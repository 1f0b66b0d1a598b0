package client

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/coffer-dev/coffer/api/canonical"
)

// Option narrows one mutation. A precondition that the operation or its back end
// cannot check is refused by the server, never ignored.
type Option func(http.Header)

// IfVersion lets the mutation happen only while version is the current one; 0 means
// that none exists. Otherwise the error is PRECONDITION_FAILED.
func IfVersion(version int64) Option { return ifMatch(canonical.Match(version)) }

// IfAbsent lets the mutation happen only while no version exists.
func IfAbsent() Option { return IfVersion(0) }

// IfExists lets the mutation happen only while a version exists.
func IfExists() Option { return ifMatch(canonical.MatchAny) }

func ifMatch(m canonical.IfMatch) Option {
	return func(h http.Header) { h.Set("If-Match", string(m)) }
}

// Once names the mutation by a key of 1 to 255 printable ASCII characters, so that
// it happens once even when the program that asks for it is restarted: the server
// remembers the key for 24 h. Without it each call has a key of its own.
func Once(key string) Option {
	return func(h http.Header) { h.Set("Idempotency-Key", key) }
}

// mutation gives the headers of a mutation.
func mutation(opts []Option) http.Header {
	h := http.Header{"Idempotency-Key": {rand.Text()}}
	for _, o := range opts {
		o(h)
	}
	return h
}

// get makes a read. Pairs are parameters and their values; an empty value is left out.
func get(route string, pairs ...string) *call {
	return &call{method: http.MethodGet, route: route, query: query(pairs...), header: http.Header{}}
}

func query(pairs ...string) url.Values {
	q := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		if name, value := pair[0], pair[1]; value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// number renders a parameter; 0 is left out.
func number[N int | int64](n N) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}
