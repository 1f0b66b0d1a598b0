package telemetry

import (
	"strconv"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/policy"
)

// other stands for every label value that is not known beforehand: whatever a
// caller sends, the number of series stays what it was at start.
const other = "other"

type labelSet map[string]struct{}

func newLabelSet(values ...[]string) labelSet {
	set := labelSet{}
	for _, vs := range values {
		for _, v := range vs {
			set[v] = struct{}{}
		}
	}
	return set
}

func (s labelSet) of(value string) string {
	if _, ok := s[value]; ok {
		return value
	}
	return other
}

// statusClass gives "2xx" for 204.
func statusClass(status int) string {
	if status < 100 || status > 599 {
		return other
	}
	return strconv.Itoa(status/100) + "xx"
}

func reasons() []string {
	return []string{
		string(policy.ReasonPolicy), string(policy.ReasonUnavailable), string(policy.ReasonAudience),
		string(policy.ReasonReplay), string(policy.ReasonBinding),
	}
}

func effects() []string { return []string{audit.Permit, audit.Deny} }

// operations are the verbs of the store contract.
func operations() []string {
	return []string{"get", "put", "delete", "undelete", "destroy", "meta", "set_meta", "list"}
}

// codes are the error codes of the canonical door.
func codes() []string {
	return []string{
		"ILLEGAL_SEGMENT", "AMBIGUOUS_QUERY", "UNSUPPORTED_ENGINE", "INVALID_WILDCARD", "DOUBLE_MOUNT_SOURCE",
		"INVALID_VERSION", "TENANT_MOUNT_MISMATCH", "AMBIGUOUS_MOUNT", "BAD_REQUEST", "OBJECT_REQUIRED",
		"AMBIGUOUS_VALUE", "EMPTY_VERSIONS", "VERSION_NOT_ALLOWED", "FRAGMENT_NOT_ALLOWED", "PATH_REQUIRED",
		"INVALID_PAGINATION", "SAME_SOURCE_AND_TARGET", "INVALID_OWNER", "NUMBER_NOT_REPRESENTABLE",
		"UNAUTHENTICATED", "SENDER_BINDING_MISMATCH", "SECRET_AUTHZ_FAILED", "BINDING_DRIFT",
		"INSUFFICIENT_SCOPE", "YAML_WRITES_DISABLED", "CSRF_FAILED", "SECRET_NOT_FOUND",
		"SECRET_VERSION_NOT_FOUND", "NOT_FOUND", "SECRET_VERSION_DELETED", "SECRET_VERSION_DESTROYED",
		"ALREADY_EXISTS", "WRITE_CONFLICT", "IDEMPOTENCY_IN_PROGRESS", "IDEMPOTENCY_OUTCOME_UNKNOWN",
		"PRECONDITION_FAILED", "PRECONDITION_REQUIRED", "IDEMPOTENCY_KEY_REUSED", "BODY_TOO_LARGE",
		"VALUE_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "TOO_MANY_REQUESTS", "UNSUPPORTED_OPERATION",
		"VAULT_OPERATION_ERROR", "VAULT_AUTH_ERROR", "VAULT_AUTHZ_ERROR", "VAULT_TIMEOUT",
		"AUDIT_UNAVAILABLE", "PDP_UNAVAILABLE", "VAULT_CONNECTION_ERROR", "INTEGRITY_FAILURE", "INTERNAL",
	}
}
