package codes_test

import (
	"errors"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets/codes"
)

func TestEveryKindHasAToken(t *testing.T) {
	seen := map[string]fault.Kind{}
	for kind := fault.Internal; kind <= fault.Corrupt; kind++ {
		err := codes.Coded(fault.New(kind, "public"), true)
		token := codes.Of(err)
		if !errors.Is(err, kind) || codes.Detail(err) != "public" || token != codes.Of(kind) || (token == "INTERNAL") != (kind == fault.Internal) {
			t.Errorf("%v: %v %s", kind, err, token)
		}
		if other, ok := seen[token]; ok && token != "PRECONDITION_FAILED" {
			t.Errorf("%v and %v are both %s", kind, other, token)
		}
		seen[token] = kind
	}
}

func TestCoded(t *testing.T) {
	gone := &secret.VersionError{Fault: fault.New(fault.Deleted, "the version is deleted")}
	for _, c := range []struct {
		err    error
		pinned bool
		kind   fault.Kind
		code   string
		detail string
	}{
		{gone, true, fault.Deleted, "SECRET_VERSION_DELETED", "the version is deleted"},
		{gone, false, fault.NotFound, "SECRET_NOT_FOUND", "no such secret"}, // as if it had never been
		{fault.New(fault.Destroyed, "x"), false, fault.NotFound, "SECRET_NOT_FOUND", "no such secret"},
		{fault.Coded(fault.Unavailable, "SEALED", "x"), true, fault.Unavailable, "VAULT_CONNECTION_ERROR", "x"},
		{fault.Coded(fault.Unavailable, codes.NoAudit, "x"), true, fault.Unavailable, codes.NoAudit, "x"},
		{fault.Coded(fault.Unavailable, codes.NoPDP, "x"), true, fault.Unavailable, codes.NoPDP, "x"},
		{fault.Coded(fault.Invalid, "EMPTY_VERSIONS", "x"), true, fault.Invalid, "EMPTY_VERSIONS", "x"},
		{errors.New("a driver's text"), true, fault.Internal, "INTERNAL", "internal"},
	} {
		err := codes.Coded(c.err, c.pinned)
		if fault.KindOf(err) != c.kind || codes.Of(err) != c.code || codes.Detail(err) != c.detail || !errors.Is(err, c.err) {
			t.Errorf("%v, pinned %t: %v %s %q", c.err, c.pinned, err, codes.Of(err), codes.Detail(err))
		}
	}
	if codes.Coded(nil, true) != nil {
		t.Error("nothing went wrong, and it has a token")
	}
}
