package codes

import (
	"errors"

	"github.com/coffer-dev/coffer/internal/fault"
)

// NoAudit and NoPDP mark an Unavailable fault that is not the store's.
const (
	NoAudit = "AUDIT_UNAVAILABLE"
	NoPDP   = "PDP_UNAVAILABLE"
)

// ofKind is the token of a fault that comes without one.
func ofKind(k fault.Kind) string {
	switch k {
	case fault.Invalid:
		return "BAD_REQUEST"
	case fault.Unauthenticated:
		return "UNAUTHENTICATED"
	case fault.Forbidden:
		return "SECRET_AUTHZ_FAILED"
	case fault.NotFound:
		return "SECRET_NOT_FOUND"
	case fault.VersionNotFound:
		return "SECRET_VERSION_NOT_FOUND"
	case fault.Deleted:
		return "SECRET_VERSION_DELETED"
	case fault.Destroyed:
		return "SECRET_VERSION_DESTROYED"
	case fault.Exists:
		return "ALREADY_EXISTS"
	case fault.Conflict:
		return "WRITE_CONFLICT"
	case fault.CASMismatch, fault.Precondition:
		return "PRECONDITION_FAILED"
	case fault.CASRequired:
		return "PRECONDITION_REQUIRED"
	case fault.TooLarge:
		return "VALUE_TOO_LARGE"
	case fault.Unsupported:
		return "UNSUPPORTED_OPERATION"
	case fault.RateLimited:
		return "TOO_MANY_REQUESTS"
	case fault.Unavailable:
		return "VAULT_CONNECTION_ERROR"
	case fault.Timeout:
		return "VAULT_TIMEOUT"
	case fault.ProviderDenied:
		return "VAULT_AUTHZ_ERROR"
	case fault.ProviderFailed:
		return "VAULT_OPERATION_ERROR"
	case fault.Corrupt:
		return "INTEGRITY_FAILURE"
	}
	return "INTERNAL"
}

// Coded gives every fault of a store its token. A latest version that is deleted or
// destroyed is not there for whoever did not ask for it by number, pinned.
func Coded(err error, pinned bool) error {
	if err == nil {
		return nil
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		return fault.Wrap(fault.Internal, err, "")
	}
	out := *f
	out.Cause = err
	if !pinned && (f.Kind == fault.Deleted || f.Kind == fault.Destroyed) {
		out.Kind, out.Code, out.Detail = fault.NotFound, "", "no such secret"
	}
	if out.Code == "" || out.Kind == fault.Unavailable && out.Code != NoAudit && out.Code != NoPDP {
		out.Code = ofKind(out.Kind)
	}
	return &out
}

// Of is the stable token of an error of package secrets.
func Of(err error) string {
	if c := fault.CodeOf(err); c != "" {
		return c
	}
	return ofKind(fault.KindOf(err))
}

// Detail is the public text of an error of package secrets.
func Detail(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Detail != "" {
		return f.Detail
	}
	return fault.KindOf(err).Error()
}
