package vaulttest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/storetest"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest"
)

// broken is a store whose every verb fails alike.
type broken struct {
	storetest.Memory
	err error
}

func (b *broken) Get(context.Context, secret.Ref, int64) (secret.Secret, error) {
	return secret.Secret{}, b.err
}

func (b *broken) Put(context.Context, secret.Ref, secret.Value, *int64) (secret.VersionInfo, error) {
	return secret.VersionInfo{}, b.err
}

func (b *broken) Delete(context.Context, secret.Ref, []int64) error { return b.err }

func (b *broken) Meta(context.Context, secret.Ref) (secret.Metadata, error) {
	return secret.Metadata{}, b.err
}

func (b *broken) SetMeta(context.Context, secret.Ref, secret.MetaChange) (int64, error) {
	return 0, b.err
}

func (b *broken) List(context.Context, secret.Ref, secret.ListOptions) ([]string, error) {
	return nil, b.err
}

// What a store cannot do is answered as a server would; causes stay inside.
func TestFailuresOfTheStore(t *testing.T) {
	cause := errors.New("inner words")
	internal := errs(multi("internal error"))
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"unavailable":  {fault.Wrap(fault.Unavailable, cause, "no quorum"), 503, errs("Vault is sealed")},
		"rate limited": {fault.New(fault.RateLimited, "slow down"), 429, errs(`request path "secret/data/p": rate limit quota exceeded`)},
		"denied":       {fault.New(fault.ProviderDenied, "no"), 403, errs(multi("permission denied"))},
		"corrupt":      {fault.Wrap(fault.Corrupt, cause, "tag"), 500, internal},
		"timeout":      {fault.New(fault.Timeout, "late"), 500, internal},
		"unclassified": {cause, 500, internal},
		"unsupported":  {fault.Unsupported, 405, errs(multi("unsupported operation"))},
		"bare kind":    {fault.Invalid, 400, errs("invalid")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *vaulttest.Config) { cfg.Store = &broken{err: c.err} })
			for _, do := range []call{
				{do: "GET secret/data/p"}, {do: "POST secret/data/p", body: `{"data":{}}`}, {do: "DELETE secret/data/p"},
				patchCall("secret/data/p", `{"data":{}}`, 0, ""),
			} {
				do.status, do.want = c.status, c.body
				w.run(do)
			}
			for _, do := range []string{"GET secret/subkeys/p", "GET secret/metadata/p", "LIST secret/metadata/p", "SCAN secret/metadata/p",
				"LIST secret/detailed-metadata/p"} {
				if a, err := w.send(call{do: do}); err != nil || a.status != c.status {
					t.Errorf("%s: %d %v", do, a.status, err)
				}
			}
		})
	}
}

// A randomness that fails must not lead to a token that can be guessed.
func TestNoTokensWithoutRandomness(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a token was made without randomness")
		}
	}()
	vaulttest.New(vaulttest.Config{
		Store: storetest.NewMemory(time.Now), Tenant: "a", Random: dry{},
		Tokens: map[string]vaulttest.Token{"root": {}},
	})
}

type dry struct{}

func (dry) Read([]byte) (int, error) { return 0, errors.New("dry") }
