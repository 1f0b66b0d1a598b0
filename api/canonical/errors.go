package canonical

import "encoding/json"

// Error is the body of every answer that is no success. Message is for people and
// holds no path, key or value.
type Error struct {
	Error   string `json:"error"` // the reason phrase of the status
	Code    string `json:"code"`
	Message string `json:"message"`
	// Details is a Denial at 403 or Copied at 502, elsewhere absent.
	Details json.RawMessage `json:"details,omitempty"`
}

// Denial is the detail of a refused decision.
type Denial struct {
	Purpose    string    `json:"purpose"`
	DecisionID string    `json:"decision_id"`
	Failures   []Failure `json:"failures"`
}

// Failure is one resource that was refused.
type Failure struct {
	ResourceRef string `json:"resource_ref"`
	Code        string `json:"code"`   // DENY or PDP_UNAVAILABLE
	Reason      string `json:"reason"` // policy, unavailable, audience or replay
}

// Copied is the detail of a move whose copy was made and whose source stayed.
type Copied struct {
	Copied bool `json:"copied"`
}

// Codes of the door, by status. A code never changes its meaning.
const (
	// 400: the URI.
	CodeIllegalSegment      = "ILLEGAL_SEGMENT"
	CodeAmbiguousQuery      = "AMBIGUOUS_QUERY"
	CodeUnsupportedEngine   = "UNSUPPORTED_ENGINE"
	CodeInvalidWildcard     = "INVALID_WILDCARD"
	CodeDoubleMountSource   = "DOUBLE_MOUNT_SOURCE"
	CodeAmbiguousMount      = "AMBIGUOUS_MOUNT"
	CodeTenantMountMismatch = "TENANT_MOUNT_MISMATCH"
	CodeInvalidVersion      = "INVALID_VERSION"
	CodePathRequired        = "PATH_REQUIRED"

	// 400: the rest of the request.
	CodeBadRequest             = "BAD_REQUEST"
	CodeObjectRequired         = "OBJECT_REQUIRED"
	CodeAmbiguousValue         = "AMBIGUOUS_VALUE"
	CodeEmptyVersions          = "EMPTY_VERSIONS"
	CodeVersionNotAllowed      = "VERSION_NOT_ALLOWED"
	CodeFragmentNotAllowed     = "FRAGMENT_NOT_ALLOWED"
	CodeInvalidPagination      = "INVALID_PAGINATION"
	CodeSameSourceAndTarget    = "SAME_SOURCE_AND_TARGET"
	CodeInvalidOwner           = "INVALID_OWNER"
	CodeNumberNotRepresentable = "NUMBER_NOT_REPRESENTABLE"

	// 401 and 403.
	CodeUnauthenticated       = "UNAUTHENTICATED"
	CodeSenderBindingMismatch = "SENDER_BINDING_MISMATCH"
	CodeAuthzFailed           = "SECRET_AUTHZ_FAILED"
	CodeBindingDrift          = "BINDING_DRIFT"
	CodeInsufficientScope     = "INSUFFICIENT_SCOPE"
	CodeYAMLWritesDisabled    = "YAML_WRITES_DISABLED"
	CodeCSRFFailed            = "CSRF_FAILED"

	// 404 and 405.
	CodeSecretNotFound   = "SECRET_NOT_FOUND"
	CodeVersionNotFound  = "SECRET_VERSION_NOT_FOUND"
	CodeNotFound         = "NOT_FOUND"
	CodeMethodNotAllowed = "METHOD_NOT_ALLOWED"

	// 409, 412, 422 and 428.
	CodeVersionDeleted       = "SECRET_VERSION_DELETED"
	CodeVersionDestroyed     = "SECRET_VERSION_DESTROYED"
	CodeAlreadyExists        = "ALREADY_EXISTS"
	CodeWriteConflict        = "WRITE_CONFLICT"
	CodeIdempotencyRunning   = "IDEMPOTENCY_IN_PROGRESS"
	CodeIdempotencyUnknown   = "IDEMPOTENCY_OUTCOME_UNKNOWN"
	CodePreconditionFailed   = "PRECONDITION_FAILED"
	CodeIdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED"
	CodePreconditionRequired = "PRECONDITION_REQUIRED"

	// 413, 415 and 429.
	CodeBodyTooLarge         = "BODY_TOO_LARGE"
	CodeValueTooLarge        = "VALUE_TOO_LARGE"
	CodeUnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
	CodeTooManyRequests      = "TOO_MANY_REQUESTS"

	// 500 to 503.
	CodeIntegrityFailure     = "INTEGRITY_FAILURE"
	CodeInternal             = "INTERNAL"
	CodeUnsupportedOperation = "UNSUPPORTED_OPERATION"
	CodeVaultOperationError  = "VAULT_OPERATION_ERROR"
	CodeVaultAuthError       = "VAULT_AUTH_ERROR"
	CodeVaultAuthzError      = "VAULT_AUTHZ_ERROR"
	CodeVaultTimeout         = "VAULT_TIMEOUT"
	CodeAuditUnavailable     = "AUDIT_UNAVAILABLE"
	CodePDPUnavailable       = "PDP_UNAVAILABLE"
	CodeVaultConnectionError = "VAULT_CONNECTION_ERROR"
)
