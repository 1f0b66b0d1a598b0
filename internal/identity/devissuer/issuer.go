package devissuer

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/coffer-dev/coffer/internal/fault"
)

const (
	// Alias names the dev issuer inside subjects.
	Alias = "dev"
	// Path is where a server mounts the issuer's documents, below its base URL.
	Path = "/dev/issuer"
	// DefaultURL is the issuer until Announce was called in the data directory.
	DefaultURL = "http://127.0.0.1:8091" + Path
)

const urlFile = "dev-issuer.url"

// Issuer signs tokens with the key of one data directory. It is safe for concurrent
// use, also by several processes on the same directory.
type Issuer struct {
	dir    string
	key    *rsa.PrivateKey
	kid    string
	signer jose.Signer
	clock  func() time.Time
}

// Open reads the issuer's key from dir and makes both when they are missing: the
// directory with mode 0700, the key, durable before Open returns, with mode 0600.
func Open(dir string) (*Issuer, error) {
	key, err := loadOrCreateKey(dir)
	if err != nil {
		return nil, err
	}
	thumbprint, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "naming the key of the dev issuer")
	}
	kid := base64.RawURLEncoding.EncodeToString(thumbprint)
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "preparing the key of the dev issuer")
	}
	return &Issuer{dir: dir, key: key, kid: kid, signer: signer, clock: time.Now}, nil
}

// WithClock is the same issuer by another clock.
func (i *Issuer) WithClock(now func() time.Time) *Issuer {
	other := *i
	other.clock = now
	return &other
}

// Announce records, durably, that the server of this data directory is reached at
// baseURL (scheme://host:port), and gives the issuer's URL that follows from it. From
// then on every process that opens the directory mints tokens of that issuer.
func (i *Issuer) Announce(baseURL string) (string, error) {
	url := strings.TrimSuffix(baseURL, "/") + Path
	if err := writeFile(filepath.Join(i.dir, urlFile), []byte(url+"\n")); err != nil {
		return "", fault.Wrap(fault.Internal, withoutPath(err), "recording the address of the dev issuer")
	}
	return url, nil
}

// URL is the issuer's URL as announced last, or DefaultURL.
func (i *Issuer) URL() (string, error) {
	text, err := os.ReadFile(filepath.Join(i.dir, urlFile))
	if os.IsNotExist(err) {
		return DefaultURL, nil
	}
	if err != nil {
		return "", fault.Wrap(fault.Internal, withoutPath(err), "reading the address of the dev issuer")
	}
	return strings.TrimSpace(string(text)), nil
}

// Mint makes a token, a compact JWS signed with RS256.
func (i *Issuer) Mint(c Claims) (string, error) {
	if c.Subject == "" {
		return "", fault.New(fault.Invalid, "a token needs a subject")
	}
	url, err := i.URL()
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(c.members(url, uuid.NewString(), i.clock()))
	if err != nil {
		return "", fault.New(fault.Invalid, "a claim cannot be written as JSON")
	}
	signed, err := i.signer.Sign(payload)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "signing a token")
	}
	return signed.CompactSerialize()
}

// KeySet is the public key, for verification in the same process.
func (i *Issuer) KeySet() *jose.JSONWebKeySet {
	return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
		Key: i.key.Public(), KeyID: i.kid, Algorithm: string(jose.RS256), Use: "sig",
	}}}
}

// JWKS is the key set document.
func (i *Issuer) JWKS() ([]byte, error) { return json.Marshal(i.KeySet()) }

// Discovery is the document at <baseURL>/dev/issuer/.well-known/openid-configuration;
// its jwks_uri is <baseURL>/dev/issuer/jwks.json. There is no authorization endpoint:
// tokens come from the command line.
func (i *Issuer) Discovery(baseURL string) ([]byte, error) {
	url := strings.TrimSuffix(baseURL, "/") + Path
	return json.Marshal(map[string]any{
		"issuer":                                url,
		"jwks_uri":                              url + "/jwks.json",
		"response_types_supported":              []string{"token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{string(jose.RS256)},
	})
}
