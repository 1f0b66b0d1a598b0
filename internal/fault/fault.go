package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what went wrong, for machines. A Kind is itself an error, so that
// errors.Is(err, fault.NotFound) asks the kind of any wrapped fault.
type Kind uint8

// The kinds. The zero value is Internal: an error that nobody classified is a bug.
const (
	Internal        Kind = iota // a bug; shown as a bare 500, always logged
	Invalid                     // the request is malformed; nothing changed
	Unauthenticated             // no or bad credentials
	Forbidden                   // the caller is known and may not
	NotFound                    // no such object
	VersionNotFound             // the object exists, that version never did or was pruned
	Deleted                     // the version is soft-deleted
	Destroyed                   // the version's data is erased for good
	Exists                      // a live object of that name exists
	Conflict                    // a race was lost after all retries
	CASMismatch                 // check-and-set: another current version
	CASRequired                 // check-and-set is required and none was given
	Precondition                // a condition stated by the caller does not hold
	TooLarge                    // over a published limit
	Unsupported                 // the back end cannot do this
	RateLimited                 // too many requests
	Unavailable                 // sealed, no quorum, circuit open, sink gone: try again later
	Timeout                     // no answer in time; the outcome may be unknown
	ProviderDenied              // the back end refuses the broker's own credentials
	ProviderFailed              // any other failure of an outside back end
	Corrupt                     // a stored record fails authentication
)

var names = [...]string{
	"internal", "invalid", "unauthenticated", "forbidden", "not found", "version not found",
	"deleted", "destroyed", "exists", "conflict", "check-and-set mismatch", "check-and-set required",
	"precondition failed", "too large", "unsupported", "rate limited", "unavailable", "timeout",
	"provider denied", "provider failed", "corrupt",
}

// Error names the kind.
func (k Kind) Error() string {
	if int(k) < len(names) {
		return names[k]
	}
	return "internal"
}

// Error is one classified failure.
type Error struct {
	Kind Kind
	// Code refines Kind with a stable token of a contract, such as
	// EMPTY_VERSIONS; empty means that the door picks its default for Kind.
	Code string
	// Detail is public: it never holds a value, a path, a key or a token.
	Detail string
	// Cause is for the log alone and is never shown to a caller.
	Cause error
	// RetryAfter advises when a retry makes sense; 0 leaves it to the door.
	RetryAfter time.Duration
}

// Error is for logs: kind, detail and cause.
func (e *Error) Error() string {
	s := e.Kind.Error()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap gives the internal cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is matches a Kind, so that errors.Is(err, fault.NotFound) works.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && e.Kind == k
}

// New makes a fault with a public detail.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// Coded makes a fault with a contract's code and a public detail.
func Coded(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Wrap makes a fault that keeps cause for the log.
func Wrap(kind Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...), Cause: cause}
}

// KindOf classifies err: its own kind, or Internal when nobody classified it.
// A nil error has no kind; asking is a bug and answers Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return Internal
}

// CodeOf gives the contract's code of err, or "".
func CodeOf(err error) string {
	if err == nil {
		return "" // at no cost: it is asked on every request
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
