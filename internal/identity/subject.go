package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
)

// CertificateAlias is the alias that certificate subjects use; no issuer may have it,
// or its tokens could name themselves after a certificate.
const CertificateAlias = "x509"

// AccountSubject is the subject of the account that an issuer, known by its alias,
// calls sub. Aliases hold no colon, so two issuers never share a subject.
func AccountSubject(alias, sub string) string { return "auth:account:" + alias + ":" + sub }

// CertificateSubject is the subject of a caller known by a client certificate alone.
func CertificateSubject(thumbprint string) string {
	return AccountSubject(CertificateAlias, "sha256:"+thumbprint)
}

// Thumbprint is the x5t#S256 of a certificate: base64url without padding of SHA-256
// over its DER form (RFC 8705 section 3.1).
func Thumbprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
