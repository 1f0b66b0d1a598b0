package canonical

// WriteResponse answers POST /api/secrets. Version is nil on a back end without versions.
type WriteResponse struct {
	Status      string `json:"status"` // "ok"
	URI         string `json:"uri"`
	Version     *int64 `json:"version"`
	ResourceRef string `json:"resource_ref"`
}

// RotateResponse answers POST /rotate. Both versions are nil on a back end without
// versions, OldVersion also when none existed.
type RotateResponse struct {
	Status      string `json:"status"` // "rotated"
	URI         string `json:"uri"`
	OldVersion  *int64 `json:"old_version"`
	NewVersion  *int64 `json:"new_version"`
	ResourceRef string `json:"resource_ref"`
}

// FragmentResponse answers a read of a URI with a fragment. Without one the answer
// is the value itself, bare.
type FragmentResponse struct {
	Value Value `json:"value"`
}

// DeleteResponse answers DELETE /api/secrets.
type DeleteResponse struct {
	Status    string `json:"status"` // "ok"
	URI       string `json:"uri"`
	Destroyed bool   `json:"destroyed"`
}

// VersionsResponse answers POST /undelete and /destroy-versions. Versions are those
// asked for, Ignored those of them that are unknown or destroyed; both are distinct
// and ascending.
type VersionsResponse struct {
	Status   string  `json:"status"` // "ok"
	URI      string  `json:"uri"`
	Versions []int64 `json:"versions"`
	Ignored  []int64 `json:"ignored"`
}

// Version is one version of a secret. Times are RFC 3339; DeletionTime is "" when
// the version is not deleted, and may lie ahead.
type Version struct {
	Version      int64  `json:"version"`
	CreatedTime  string `json:"created_time"`
	DeletionTime string `json:"deletion_time"`
	Destroyed    bool   `json:"destroyed"`
}

// VersionsList answers GET /versions, newest first.
type VersionsList struct {
	URI            string    `json:"uri"`
	CurrentVersion int64     `json:"current_version"`
	Versions       []Version `json:"versions"`
}

// Detail answers GET /metadata/detail, newest version first. CustomMetadata holds
// owner, created_by and created_at where they are known, and {} where nothing is set.
type Detail struct {
	URI            string            `json:"uri"`
	CurrentVersion int64             `json:"current_version"`
	OldestVersion  int64             `json:"oldest_version"`
	MaxVersions    int64             `json:"max_versions"`
	Versions       []Version         `json:"versions"`
	CustomMetadata map[string]string `json:"custom_metadata"`
}

// OwnerResponse answers POST /metadata/owner.
type OwnerResponse struct {
	URI            string            `json:"uri"`
	Owner          string            `json:"owner"`
	CustomMetadata map[string]string `json:"custom_metadata"`
}

// Keys answers GET /keys, sorted bytewise.
type Keys struct {
	URI  string   `json:"uri"`
	Keys []string `json:"keys"`
}

// Item is one hit of a listing or a search. It never holds a value.
type Item struct {
	URI  string `json:"uri"`
	Path string `json:"path"` // mount and path
	// Key is the fragment of a leaf of a YAML file.
	Key string `json:"key,omitempty"`
	// Matched says what q was found in: path, key, owner, metadata.
	Matched []string `json:"matched,omitempty"`
	// Keys are the fragment names that matched.
	Keys []string `json:"keys,omitempty"`
}

// Page answers GET /metadata and /search, ordered bytewise by URI.
type Page struct {
	Items  []Item `json:"items"`
	Total  int    `json:"total"` // of all pages
	Offset int    `json:"offset"`
	Limit  int    `json:"limit"`
	// Truncated says that not every path was visited.
	Truncated bool `json:"truncated,omitempty"`
}

// Statuses of a BulkResult.
const (
	StatusOK      = "ok"
	StatusError   = "error"
	StatusSkipped = "skipped"
)

// BulkResult is what came of one operation. HTTPStatus, Code and Message tell of an
// error as the operation's own endpoint would have answered it.
type BulkResult struct {
	Index      int    `json:"index"`
	Op         string `json:"op"`
	URI        string `json:"uri"`
	Status     string `json:"status"`
	Version    *int64 `json:"version,omitempty"`
	HTTPStatus int    `json:"http_status,omitempty"`
	Code       string `json:"code,omitempty"`
	Message    string `json:"message,omitempty"`
}

// BulkResponse answers POST /bulk, one result per operation, in order.
type BulkResponse struct {
	Results   []BulkResult `json:"results"`
	Succeeded int          `json:"succeeded"`
	Failed    int          `json:"failed"`
	Skipped   int          `json:"skipped"`
}

// TransferResponse answers POST /copy and /move. Version is the target's, nil on a
// back end without versions.
type TransferResponse struct {
	Status  string `json:"status"` // "ok"
	FromURI string `json:"fromUri"`
	ToURI   string `json:"toUri"`
	Version *int64 `json:"version"`
}
