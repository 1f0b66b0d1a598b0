package secret

import (
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Limits of names, in bytes.
const (
	MaxPath    = 1024
	MaxSegment = 255
)

// Ref addresses one record of a store. Mount and Path are case-sensitive and are
// never decoded, folded or cleaned: what does not fit the rules is refused.
type Ref struct {
	Tenant string // ^[a-z0-9][a-z0-9-]{0,62}$
	Mount  string // one segment
	Path   string // segments separated by single slashes; empty means the mount's root
}

// String is for tests and debuggers; doors and logs show a resource_ref instead.
func (r Ref) String() string { return r.Tenant + ":" + r.Mount + "/" + r.Path }

// Key is mount and path as one text, as it stands in store keys and policies.
func (r Ref) Key() string { return r.Mount + "/" + r.Path }

// Validate checks the whole address: it must name a record.
func (r Ref) Validate() error {
	if r.Path == "" {
		return fault.Coded(fault.Invalid, "PATH_REQUIRED", "a path is required")
	}
	return r.ValidatePrefix()
}

// ValidatePrefix is Validate for a listing: an empty path means the mount's root.
func (r Ref) ValidatePrefix() error {
	if !validTenant(r.Tenant) {
		return fault.New(fault.Invalid, "tenant name is not legal")
	}
	if !ValidSegment(r.Mount) {
		return fault.New(fault.Invalid, "mount name is not legal")
	}
	if r.Path == "" {
		return nil
	}
	if len(r.Path) > MaxPath {
		return fault.New(fault.Invalid, "path is longer than %d bytes", MaxPath)
	}
	for seg := range strings.SplitSeq(r.Path, "/") {
		if !ValidSegment(seg) {
			return fault.New(fault.Invalid, "path has an illegal segment")
		}
	}
	return nil
}

// ValidSegment says whether s is 1 to 255 printable ASCII bytes without space and
// without / \ % * + # ?, and neither "." nor "..".
func ValidSegment(s string) bool {
	if s == "" || len(s) > MaxSegment || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c > '~' || strings.IndexByte(`/\%*+#?`, c) >= 0 {
			return false
		}
	}
	return true
}

func validTenant(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
