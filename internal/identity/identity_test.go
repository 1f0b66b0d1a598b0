package identity_test

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/identity"
)

func TestSubjects(t *testing.T) {
	if got := identity.AccountSubject("idp", "a:b"); got != "auth:account:idp:a:b" {
		t.Errorf("got %s", got)
	}
	cert := &x509.Certificate{Raw: []byte("abc")}
	// SHA-256 of "abc", FIPS 180-4, in base64url.
	const sum = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
	if got := identity.Thumbprint(cert); got != sum {
		t.Errorf("got %s", got)
	}
	if got := identity.CertificateSubject(sum); got != "auth:account:x509:sha256:"+sum {
		t.Errorf("got %s", got)
	}
}

func TestCredentialsPrintAsNothing(t *testing.T) {
	c := identity.Credentials{Bearer: "CANARY", Session: "CANARY", CSRFCookie: "CANARY", Proof: "CANARY"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(verb, c); strings.Contains(text, "CANARY") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func TestNobodyMayNothing(t *testing.T) {
	var nobody identity.Principal
	if nobody.IsAnonymous() || nobody.HasRole("") || nobody.HasScope("") || nobody.Binding.String() != "" {
		t.Error("the zero principal is somebody")
	}
	if p := identity.Anonymous("dev"); !p.IsAnonymous() || p.Tenant != "dev" || len(p.Groups) != 1 {
		t.Errorf("got %+v", p)
	}
}

func TestBindingsCompareAsText(t *testing.T) {
	for want, b := range map[string]identity.Binding{
		"":           {},
		"jkt:a":      {JKT: "a"},
		"x5t#S256:b": {Thumbprint: "b"},
	} {
		if b.String() != want {
			t.Errorf("got %s, want %s", b, want)
		}
	}
}
