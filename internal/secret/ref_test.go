package secret_test

import (
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

func TestE22_legal_addresses(t *testing.T) {
	for _, path := range []string{
		"a", "app/api", "...", "..a", "a..b", "~", "a~2Fb", "!\"$&'(),-.:;<=>@[]^_`{|}~", strings.Repeat("s", 255),
		strings.Repeat("abcd/", 203) + "abcdefghi",
	} {
		if err := (secret.Ref{Tenant: "acme", Mount: "secret", Path: path}).Validate(); err != nil {
			t.Errorf("%.40q: %v", path, err)
		}
	}
	for _, tenant := range []string{"a", "0", "a-b-", strings.Repeat("a", 63)} {
		if err := (secret.Ref{Tenant: tenant, Mount: "secret", Path: "p"}).Validate(); err != nil {
			t.Errorf("tenant %q: %v", tenant, err)
		}
	}
	if err := (secret.Ref{Tenant: "a", Mount: "secret"}).ValidatePrefix(); err != nil {
		t.Errorf("a mount's root: %v", err)
	}
}

func TestE22_illegal_addresses(t *testing.T) {
	refused := func(what string, ref secret.Ref) {
		t.Helper()
		for _, err := range []error{ref.Validate(), ref.ValidatePrefix()} {
			if fault.KindOf(err) != fault.Invalid || err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s %.40q: %v", what, ref, err)
			}
		}
	}
	for _, path := range []string{
		"..", "canary/..", ".", "./canary", "a//b", "/canary", "canary/", "/", "a%2eb", "canary*", "+", "a+b", "a\x00b", "a b", "a#b", "a?b", `a\b`,
		"ä", "a\x7f", "a\n", strings.Repeat("s", 256), strings.Repeat("abcd/", 204) + "abcde",
	} {
		refused("path", secret.Ref{Tenant: "acme", Mount: "secret", Path: path})
	}
	for _, tenant := range []string{"", "-a", "A", "a_b", "a.b", "a/b", "a\x00", "ä", strings.Repeat("a", 64)} {
		refused("tenant", secret.Ref{Tenant: tenant, Mount: "secret", Path: "p"})
	}
	for _, mount := range []string{"", ".", "..", "a/b", "a b", "a%", "a\x00"} {
		refused("mount", secret.Ref{Tenant: "acme", Mount: mount, Path: "p"})
	}
	if err := (secret.Ref{Tenant: "a", Mount: "secret"}).Validate(); fault.CodeOf(err) != "PATH_REQUIRED" {
		t.Errorf("no path: %v", err)
	}
}
