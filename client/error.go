package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/coffer-dev/coffer/api/canonical"
)

// ErrNotModified is what a conditional Get returns when nothing changed.
var ErrNotModified = errors.New("the secret has not changed")

// ErrTruncated ends a search that did not visit every path: narrow the prefix.
var ErrTruncated = errors.New("the search did not visit every path")

// Error is an answer that is no success. It holds no value and no URI of a secret.
type Error struct {
	Status  int    // of HTTP
	Code    string // such as canonical.CodeNotFound; empty when the answer is not Coffer's
	Message string // for people
	// Details is what came beside: see Denial and Copied.
	Details json.RawMessage
	// CorrelationID finds the request in the audit and the log of the server.
	CorrelationID string
	// RetryAfter is when the server advises to try again; 0 when it says nothing.
	RetryAfter time.Duration
}

// Error gives message and code.
func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("the server answers %d", e.Status)
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.Code)
}

// Is matches a Code, so that errors.Is(err, client.Code(canonical.CodeAlreadyExists))
// works.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && string(c) == e.Code
}

// Denial tells which decision refused what, where a decision did.
func (e *Error) Denial() (canonical.Denial, bool) {
	var d canonical.Denial
	if e.Status != http.StatusForbidden || json.Unmarshal(e.Details, &d) != nil {
		return canonical.Denial{}, false
	}
	return d, d.DecisionID != ""
}

// Copied says whether a move failed after its copy was made: source and target are
// both there.
func (e *Error) Copied() bool {
	var c canonical.Copied
	return json.Unmarshal(e.Details, &c) == nil && c.Copied
}

// Code is a code of the door as an error, for errors.Is.
type Code string

// Error gives the code.
func (c Code) Error() string { return string(c) }

// CodeOf gives the code of any wrapped Error, "" when err is none.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// IsNotFound says whether there is no such secret or version, or none that is live.
func IsNotFound(err error) bool {
	return hasCode(err, canonical.CodeSecretNotFound, canonical.CodeVersionNotFound,
		canonical.CodeVersionDeleted, canonical.CodeVersionDestroyed)
}

// IsForbidden says whether the caller may not.
func IsForbidden(err error) bool { return hasStatus(err, http.StatusForbidden) }

// IsUnauthenticated says whether the credentials are missing or bad.
func IsUnauthenticated(err error) bool { return hasStatus(err, http.StatusUnauthorized) }

// IsConflict says whether another change was in the way: a lost race, a target that
// exists, a precondition that does not hold.
func IsConflict(err error) bool {
	return hasCode(err, canonical.CodeWriteConflict, canonical.CodeAlreadyExists, canonical.CodePreconditionFailed)
}

// IsUnavailable says whether trying again later makes sense.
func IsUnavailable(err error) bool {
	return hasStatus(err, http.StatusTooManyRequests) || hasStatus(err, http.StatusServiceUnavailable)
}

func hasCode(err error, codes ...string) bool {
	code := CodeOf(err)
	return code != "" && slices.Contains(codes, code)
}

func hasStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}
