package door

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/coffer-dev/coffer/internal/identity"
)

// CredentialSource says where a door finds credentials besides the Bearer header.
type CredentialSource struct {
	ExternalURL   string // scheme://host[:port], for the URL that a DPoP proof names
	SessionCookie string // empty: sessions are not read
	// Proxies may pass on a client certificate in X-Forwarded-Tls-Client-Cert; from
	// anybody else the header is ignored.
	Proxies []netip.Prefix
}

// csrfCookie is the cookie that X-CSRF-Token must repeat.
const csrfCookie = "_eid_csrf_v1"

// Read takes the credentials of a request. Identity headers are never among them.
func (s CredentialSource) Read(r *http.Request) identity.Credentials {
	c := identity.Credentials{
		Bearer: Bearer(r.Header), Proof: r.Header.Get("DPoP"), Method: r.Method,
		URL:      s.ExternalURL + r.URL.EscapedPath(),
		Mutation: r.Method != http.MethodGet && r.Method != http.MethodHead,
		Client:   s.certificate(r),
	}
	if len(r.Header.Values("DPoP")) > 1 {
		c.Proof = "ambiguous" // no proof: RFC 9449 allows one header only
	}
	if s.SessionCookie == "" || c.Bearer != "" {
		return c
	}
	if cookie, err := r.Cookie(s.SessionCookie); err == nil {
		c.Session = cookie.Value
		c.CSRFHeader = r.Header.Get("X-CSRF-Token")
		if csrf, err := r.Cookie(csrfCookie); err == nil {
			c.CSRFCookie = csrf.Value
		}
	}
	return c
}

// certificate is the verified client certificate: of the connection, or as a
// trusted proxy passes it on (PEM or bare Base64, URL-escaped or not). A proxy's own
// certificate is never its client's.
func (s CredentialSource) certificate(r *http.Request) *x509.Certificate {
	if !s.trusted(r.RemoteAddr) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			return nil
		}
		return r.TLS.PeerCertificates[0]
	}
	texts := r.Header.Values("X-Forwarded-Tls-Client-Cert")
	if len(texts) != 1 { // with two of them, one may be the client's own word
		return nil
	}
	text := texts[0]
	if strings.Contains(text, "%") {
		plain, err := url.PathUnescape(text)
		if err != nil {
			return nil
		}
		text = plain
	}
	if !strings.Contains(text, "-----BEGIN") {
		text = "-----BEGIN CERTIFICATE-----\n" + text + "\n-----END CERTIFICATE-----\n"
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return cert
}

func (s CredentialSource) trusted(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, p := range s.Proxies {
		if p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}
