package canonical

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets"
)

// query is the decoded query string; a parameter that matters may stand once.
type query map[string][]string

func readQuery(r *door.Request) (query, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the query string is malformed")
	}
	return query(q), nil
}

func (q query) one(name string) (string, bool, error) {
	switch vs := q[name]; len(vs) {
	case 0:
		return "", false, nil
	case 1:
		return vs[0], true, nil
	}
	return "", true, fault.Coded(fault.Invalid, secret.AmbiguousQuery, "%s is given twice", name)
}

// uri reads a parameter that holds a Canonical Secret URI.
func (q query) uri(name string) (string, bool, error) {
	v, ok, err := q.one(name)
	return repairPlus(v), ok, err
}

// repairPlus restores the + of a scheme that decoding took for a space: a client
// that did not escape it means nothing else.
func repairPlus(v string) string {
	scheme, rest, ok := strings.Cut(v, "://")
	if ok && strings.Count(scheme, " ") == 1 && !strings.Contains(scheme, "+") {
		return strings.Replace(scheme, " ", "+", 1) + "://" + rest
	}
	return v
}

// version reads the version parameter; empty and None count as absent.
func (q query) version() (int64, error) {
	v, ok, err := q.one("version")
	if err != nil || !ok || v == "" || v == "None" {
		return 0, err
	}
	return secret.ParseVersion(v)
}

// paging reads offset and limit; what is given must be a number in bounds.
func (q query) paging() (p secrets.Paging, err error) {
	if p.Offset, err = q.number("offset", 0); err != nil {
		return p, err
	}
	p.Limit, err = q.number("limit", 1)
	return p, err
}

// maxPage bounds limit; see package secrets for the rest.
const maxPage = 1000

func (q query) number(name string, least int) (int, error) {
	v, ok, err := q.one(name)
	if err != nil || !ok {
		return 0, err
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || name == "limit" && n > maxPage || strings.HasPrefix(v, "+") {
		return 0, fault.Coded(fault.Invalid, "INVALID_PAGINATION", "%s is out of bounds", name)
	}
	return n, nil
}

// required reads the uri parameter of a route.
func (q query) required() (string, error) {
	uri, ok, err := q.uri("uri")
	if err == nil && !ok {
		err = fault.New(fault.Invalid, "uri is required")
	}
	return uri, err
}

// filePrefix reads the parameter of a name, or else mount and prefix, of the file
// listings. Neither is heeded at the cost of the other.
func (q query) filePrefix(name string) (string, error) {
	whole, ok, err := q.uri(name)
	if err != nil {
		return "", err
	}
	mount, hasMount, err := q.one("mount")
	if err != nil {
		return "", err
	}
	prefix, hasPrefix, err := q.uri("prefix")
	switch {
	case err != nil:
		return "", err
	case ok && name != "prefix" && (hasMount || hasPrefix):
		return "", fault.Coded(fault.Invalid, "AMBIGUOUS_MOUNT", "%s stands beside a mount or prefix", name)
	case !hasMount && !ok:
		return "", fault.New(fault.Invalid, "%s is required", name)
	case !hasMount:
		return whole, nil
	}
	switch {
	case strings.Contains(prefix, "://"):
		return "", fault.Coded(fault.Invalid, "AMBIGUOUS_MOUNT", "the mount is given twice")
	case prefix == "":
		return secret.ProviderYAML + "://" + mount, nil
	}
	return secret.ProviderYAML + "://" + mount + "/" + prefix, nil
}

// call is what comes with every request.
func call(r *door.Request) secrets.Call {
	return secrets.Call{
		CorrelationID: r.CorrelationID,
		Origin: secrets.Origin{
			WorkflowRunID: header(r, "X-Workflow-Run-Id"), NodeID: header(r, "X-Node-Id"), SystemID: header(r, "X-System-Id"),
		},
	}
}

// header reads an identifier that is passed on; what is too long or unprintable is
// left out.
func header(r *door.Request, name string) string {
	v := r.Header.Get(name)
	if len(v) > 128 || !secret.Printable(v) {
		return ""
	}
	return v
}

// mutation is call with the idempotency key, over the whole of the request.
func mutation(r *door.Request, body []byte) (secrets.Call, error) {
	c := call(r)
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) == 0 {
		return c, nil
	}
	if len(keys) > 1 || keys[0] == "" || len(keys[0]) > 255 || !ascii(keys[0]) {
		return c, fault.New(fault.Invalid, "Idempotency-Key must be 1 to 255 printable characters, once")
	}
	sum := sha256.New()
	for _, part := range []string{r.URL.RawQuery, r.Header.Get("If-Match"), string(body)} {
		_, _ = sum.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	c.Once = &secrets.Once{Method: r.Method, Route: r.Route, Key: keys[0], Fingerprint: sum.Sum(nil)}
	return c, nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// ifMatch reads the precondition.
func ifMatch(r *door.Request) (secrets.Match, error) {
	vs := r.Header.Values("If-Match")
	if len(vs) == 0 {
		return secrets.Match{}, nil
	}
	if len(vs) > 1 {
		return secrets.Match{}, badMatch()
	}
	return parseMatch(vs[0])
}

func parseMatch(v string) (secrets.Match, error) {
	if v == "*" {
		return secrets.Match{Any: true}, nil
	}
	if len(v) < 3 || v[0] != '"' || v[len(v)-1] != '"' {
		return secrets.Match{}, badMatch()
	}
	digits := v[1 : len(v)-1]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || digits[0] == '+' || digits[0] == '-' {
		return secrets.Match{}, badMatch()
	}
	return secrets.Match{Version: &n}, nil
}

func badMatch() error {
	return fault.New(fault.Invalid, `If-Match must be one version in double quotes, or *`)
}

// noMatch refuses a precondition where none is checked: it is never ignored.
func noMatch(r *door.Request) error {
	if len(r.Header.Values("If-Match")) > 0 {
		return fault.New(fault.Invalid, "If-Match is not supported here")
	}
	return nil
}

// fresh says whether If-None-Match names the version: the client has it.
func fresh(r *http.Request, etag string) bool {
	for _, v := range r.Header.Values("If-None-Match") {
		for part := range strings.SplitSeq(v, ",") {
			part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
			if part == "*" || part == etag {
				return true
			}
		}
	}
	return false
}
