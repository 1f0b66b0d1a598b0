package audit_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"sync"
	"testing"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
	"github.com/coffer-dev/coffer/internal/fault"
)

const uri = "openbao+kv2://secret/app/api#token?version=3"

func TestRefsAreTheContractsHMAC(t *testing.T) {
	mac := hmac.New(sha256.New, []byte("salt of a tenant"))
	mac.Write([]byte(uri))
	digest := mac.Sum(nil)
	for format, want := range map[audit.RefFormat]string{
		audit.RefBase64: base64.RawURLEncoding.EncodeToString(digest),
		audit.RefHex16:  hex.EncodeToString(digest)[:16],
	} {
		refs, err := audit.NewRefs([]byte("salt of a tenant"), format)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 100 {
					if got := refs.Of(uri); got != want {
						t.Errorf("%s: got %s, want %s", format, got, want)
					}
				}
			})
		}
		all.Wait()
	}
	if n := base64.RawURLEncoding.EncodedLen(len(digest)); n != 43 {
		t.Errorf("%d characters", n)
	}
}

func TestRefsDifferByTenantAndURI(t *testing.T) {
	salt := []byte("one")
	one, _ := audit.NewRefs(salt, audit.RefBase64)
	two, _ := audit.NewRefs([]byte("two"), audit.RefBase64)
	before := one.Of(uri)
	salt[0] = 'X' // the caller's slice is not the key
	if one.Of(uri) != before {
		t.Error("the salt changed under the namer")
	}
	if one.Of(uri) == two.Of(uri) || one.Of(uri) == one.Of(uri+"4") {
		t.Error("two secrets or tenants share a reference")
	}
}

func TestRefsRefuse(t *testing.T) {
	if _, err := audit.NewRefs(nil, audit.RefBase64); !errors.Is(err, fault.Invalid) {
		t.Errorf("no salt: %v", err)
	}
	if _, err := audit.NewRefs([]byte("s"), "hex"); !errors.Is(err, fault.Invalid) {
		t.Errorf("unknown format: %v", err)
	}
	if got := (audit.Refs{}).Of(uri); got != "" {
		t.Errorf("zero Refs names %q", got)
	}
	if got := audit.ARN("dev", "abc"); got != "auth:v1:resource:secret:dev:abc" {
		t.Errorf("ARN %q", got)
	}
}

func TestSamplerCountsCachedReadsAlone(t *testing.T) {
	read := audittest.Sample("r")
	read.Cached = true
	count := func(s *audit.Sampler, change func(*audit.Record), times int) (kept, marked int) {
		for range times {
			r := read
			change(&r)
			if s.Keep(&r) {
				kept++
			}
			if r.Sampled {
				marked++
			}
		}
		return kept, marked
	}
	for name, c := range map[string]struct {
		n            int
		change       func(*audit.Record)
		kept, marked int
	}{
		"default keeps all":    {1, func(*audit.Record) {}, 30, 0},
		"zero keeps all":       {0, func(*audit.Record) {}, 30, 0},
		"one in ten":           {10, func(*audit.Record) {}, 3, 3},
		"read is sampled too":  {10, func(r *audit.Record) { r.Purpose = "read" }, 3, 3},
		"fresh decisions":      {10, func(r *audit.Record) { r.Cached = false }, 30, 0},
		"DENY":                 {10, func(r *audit.Record) { r.Effect = audit.Deny }, 30, 0},
		"ERROR":                {10, func(r *audit.Record) { r.ErrorCode = "VAULT_TIMEOUT" }, 30, 0},
		"failed":               {10, func(r *audit.Record) { r.Success = false }, 30, 0},
		"ROTATE":               {10, func(r *audit.Record) { r.Purpose = "rotate" }, 30, 0},
		"metadata":             {10, func(r *audit.Record) { r.Purpose = "read_metadata" }, 30, 0},
		"unknown effect stays": {10, func(r *audit.Record) { r.Effect = "" }, 30, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if kept, marked := count(audit.NewSampler(c.n), c.change, 30); kept != c.kept || marked != c.marked {
				t.Errorf("kept %d, marked %d, want %d and %d", kept, marked, c.kept, c.marked)
			}
		})
	}
	first := read
	if !audit.NewSampler(1000).Keep(&first) {
		t.Error("the first read under a grant was left out")
	}
	var zero audit.Sampler
	if kept, _ := count(&zero, func(*audit.Record) {}, 5); kept != 5 {
		t.Errorf("zero Sampler kept %d of 5", kept)
	}
}
