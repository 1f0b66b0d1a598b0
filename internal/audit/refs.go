package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"sync"

	"github.com/coffer-dev/coffer/internal/fault"
)

// RefFormat is how a resource_ref is written.
type RefFormat string

// The formats: 43 characters of base64url without padding, or the first 16
// lower-case hex digits for consumers with narrow columns.
const (
	RefBase64 RefFormat = "base64url"
	RefHex16  RefFormat = "hex16"
)

// Refs names secrets without telling what they are called: HMAC-SHA256 of the
// canonical URI under the salt of one tenant. The zero Refs gives "", never an
// unsalted digest. Safe for concurrent use.
type Refs struct {
	macs  *sync.Pool // of hash.Hash keyed by the salt: keying costs more than hashing
	short bool
}

// NewRefs makes the namer of one tenant. An empty salt or another format is
// Invalid: a guessable reference would be worse than none.
func NewRefs(salt []byte, format RefFormat) (Refs, error) {
	if len(salt) == 0 {
		return Refs{}, fault.New(fault.Invalid, "resource_ref needs a tenant salt")
	}
	if format != RefBase64 && format != RefHex16 {
		return Refs{}, fault.New(fault.Invalid, "resource_ref format must be %s or %s", RefBase64, RefHex16)
	}
	key := append([]byte(nil), salt...)
	pool := &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}
	return Refs{macs: pool, short: format == RefHex16}, nil
}

// Of names the secret behind a canonical URI, fragment and version included.
func (r Refs) Of(canonicalURI string) string {
	if r.macs == nil {
		return ""
	}
	mac, ok := r.macs.Get().(hash.Hash)
	if !ok {
		return ""
	}
	defer r.macs.Put(mac)
	mac.Reset()
	_, _ = mac.Write([]byte(canonicalURI)) // a hash never fails to write
	var sum [sha256.Size]byte
	digest := mac.Sum(sum[:0])
	if r.short {
		return hex.EncodeToString(digest[:8])
	}
	return base64.RawURLEncoding.EncodeToString(digest)
}

// ARN is the resource name that policies speak of. shortID is opaque: a
// resource_ref or another name that tells nothing of the path.
func ARN(namespace, shortID string) string {
	return "auth:v1:resource:secret:" + namespace + ":" + shortID
}
