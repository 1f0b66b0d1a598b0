package canonical

// MaxBulk is how many operations one BulkRequest may hold.
const MaxBulk = 100

// WriteRequest is the body of POST /api/secrets and /api/secrets/rotate.
type WriteRequest struct {
	URI   string `json:"uri"`
	Value Value  `json:"value"`
}

// VersionsRequest is the body of POST /undelete and /destroy-versions. Versions
// holds 1 to 1,000 numbers from 1 up.
type VersionsRequest struct {
	URI      string  `json:"uri"`
	Versions []int64 `json:"versions"`
}

// OwnerRequest is the body of POST /metadata/owner. Owner is a subject or a group,
// 1 to 512 printable bytes.
type OwnerRequest struct {
	URI   string `json:"uri"`
	Owner string `json:"owner"`
}

// TransferRequest is the body of POST /copy and /move.
type TransferRequest struct {
	FromURI   string `json:"fromUri"`
	ToURI     string `json:"toUri"`
	Overwrite bool   `json:"overwrite,omitempty"`
}

// The operations of a bulk.
const (
	OpSet      = "set"
	OpDelete   = "delete"
	OpUndelete = "undelete"
	OpDestroy  = "destroy"
	OpRotate   = "rotate"
)

// BulkRequest is the body of POST /bulk: 1 to MaxBulk operations, run in order.
type BulkRequest struct {
	Operations []BulkOperation `json:"operations"`
	// ContinueOnError is true when absent; false stops at the first error.
	ContinueOnError *Truth `json:"continueOnError,omitempty"`
}

// BulkOperation is one operation of a bulk.
type BulkOperation struct {
	Op  string `json:"op"`
	URI string `json:"uri"`
	// Value is what set and rotate store.
	Value Value `json:"value,omitzero"`
	// Versions is what undelete and destroy act on; a destroy without is the whole path.
	Versions []int64 `json:"versions,omitempty"`
	// FragmentScope "path" lets a delete take the whole path of a URI with a fragment.
	FragmentScope string  `json:"fragmentScope,omitempty"`
	IfMatch       IfMatch `json:"ifMatch,omitempty"`
}
