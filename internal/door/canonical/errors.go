package canonical

import (
	"errors"
	"net/http"
	"time"

	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/secrets"
)

// failure is the error body: exactly three texts, and details only where stated.
type failure struct {
	Error   string `json:"error"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Details any    `json:"details,omitempty"`
}

type denial struct {
	Purpose    string   `json:"purpose"`
	DecisionID string   `json:"decision_id"`
	Failures   []denied `json:"failures"`
}

type denied struct {
	ResourceRef string `json:"resource_ref"`
	Code        string `json:"code"`
	Reason      string `json:"reason"`
}

type shape struct{}

// Fail renders a fault in the door's wire shape.
func (shape) Fail(w http.ResponseWriter, _ *door.Request, err error) (int, string) {
	status, code := statusOf(err)
	body := failure{Error: http.StatusText(status), Code: code, Message: secrets.Detail(err), Details: details(err)}
	var f *fault.Error
	if errors.As(err, &f) && f.RetryAfter > 0 {
		door.RetryAfter(w, f.RetryAfter)
	} else if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		door.RetryAfter(w, time.Second)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if status == http.StatusInternalServerError && code == "INTERNAL" {
		body.Message = "internal error"
	}
	if err := door.JSON(w, status, body); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
	return status, code
}

func statusOf(err error) (int, string) {
	code := secrets.Code(err)
	switch code {
	case door.CodeMediaType:
		return http.StatusUnsupportedMediaType, code
	case door.CodeNoMethod:
		return http.StatusMethodNotAllowed, code
	case "IDEMPOTENCY_KEY_REUSED":
		return http.StatusUnprocessableEntity, code
	case identity.CodeAudience, identity.CodeReplay:
		return http.StatusForbidden, "SECRET_AUTHZ_FAILED"
	}
	return statusOfKind(fault.KindOf(err)), code
}

func statusOfKind(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound, fault.VersionNotFound:
		return http.StatusNotFound
	case fault.Deleted, fault.Destroyed, fault.Exists, fault.Conflict:
		return http.StatusConflict
	case fault.CASMismatch, fault.Precondition:
		return http.StatusPreconditionFailed
	case fault.CASRequired:
		return http.StatusPreconditionRequired
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unsupported:
		return http.StatusNotImplemented
	case fault.RateLimited:
		return http.StatusTooManyRequests
	case fault.Timeout, fault.ProviderDenied, fault.ProviderFailed:
		return http.StatusBadGateway
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// details are shown for decisions that deny and for a move that only copied.
func details(err error) any {
	var r *secrets.Refusal
	if errors.As(err, &r) {
		return denial{r.Purpose, r.DecisionID, []denied{{r.Ref, "DENY", r.Reason}}}
	}
	var c *secrets.Copied
	if errors.As(err, &c) {
		return map[string]bool{"copied": true}
	}
	switch fault.CodeOf(err) {
	case identity.CodeAudience:
		return denial{Failures: []denied{{Code: "DENY", Reason: "audience"}}}
	case identity.CodeReplay:
		return denial{Failures: []denied{{Code: "DENY", Reason: "replay"}}}
	}
	return nil
}

// Unavailable answers like the door while the store is not there yet.
func Unavailable(w http.ResponseWriter, r *http.Request) {
	door.Head(w, r)
	shape{}.Fail(w, &door.Request{Request: r}, &fault.Error{
		Kind: fault.Unavailable, Code: "VAULT_CONNECTION_ERROR", Detail: "the store is unavailable", RetryAfter: 2 * time.Second,
	})
}

// NoRoute answers like the door to what no door serves.
func NoRoute(w http.ResponseWriter, r *http.Request) {
	door.Head(w, r)
	shape{}.Fail(w, &door.Request{Request: r}, fault.Coded(fault.NotFound, door.CodeNoRoute, "no such route"))
}
