package vault

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

// Meta reads metadata and the version list. MetaVersion is 0 on HashiCorp Vault,
// which does not count.
func (s *Store) Meta(ctx context.Context, ref secret.Ref) (m secret.Metadata, err error) {
	if err := s.admit(ref, ref.Validate()); err != nil {
		return m, err
	}
	err = s.perform(ctx, "meta", func(ctx context.Context) error {
		m, err = s.meta(ctx, ref)
		return err
	})
	return m, err
}

func (s *Store) meta(ctx context.Context, ref secret.Ref) (secret.Metadata, error) {
	a, err := s.ask(ctx, query{method: http.MethodGet, path: at(ref, "metadata")})
	if err != nil {
		return secret.Metadata{}, err
	}
	return readMetadata(a)
}

// SetMeta changes settings and custom metadata and returns the metadata version as
// read afterwards, 0 when that is not known. Metadata check-and-set is
// Unsupported on HashiCorp Vault.
func (s *Store) SetMeta(ctx context.Context, ref secret.Ref, c secret.MetaChange) (version int64, err error) {
	if err := s.admit(ref, ref.Validate()); err != nil {
		return 0, err
	}
	if err := s.checkChange(c); err != nil {
		return 0, err
	}
	err = s.perform(ctx, "set_meta", func(ctx context.Context) error {
		if err := s.setMeta(ctx, ref, c); err != nil || s.cfg.Kind == HashiCorp {
			return err
		}
		if m, err := s.meta(ctx, ref); err == nil {
			version = m.MetaVersion
		}
		return nil // the change is done, whether or not its number can be read
	})
	return version, err
}

// checkChange applies the rules that need no state, so that both servers refuse
// the same changes.
func (s *Store) checkChange(c secret.MetaChange) error {
	if s.cfg.Kind == HashiCorp && (c.CAS != nil || c.MetaCASRequired != nil) {
		return fault.New(fault.Unsupported, "the server has no metadata check-and-set")
	}
	c.CAS, c.MustExist = nil, false
	return new(secret.Metadata).Change(secret.MountSettings{}, c, true, time.Time{})
}

// setMeta sends the cheapest request that does the change: PATCH merges and needs a
// key; POST creates one and replaces custom metadata whole.
func (s *Store) setMeta(ctx context.Context, ref secret.Ref, c secret.MetaChange) error {
	if c.Empty() || c.Replace != nil {
		if c.MustExist {
			if _, err := s.meta(ctx, ref); err != nil {
				return err
			}
		}
		if c.Empty() {
			return nil
		}
		return s.postMeta(ctx, ref, c, c.Replace)
	}
	a, err := s.tell(ctx, query{
		method: http.MethodPatch, path: at(ref, "metadata"), media: mergeType, body: metaBody(c, patchOf(c.Merge)),
	})
	if err != nil {
		return err
	}
	switch {
	case a.status == http.StatusMethodNotAllowed, a.status == http.StatusUnsupportedMediaType:
		return s.readMergePost(ctx, ref, c)
	case a.status == http.StatusNotFound && !c.MustExist:
		return s.postMeta(ctx, ref, c, nil)
	}
	return a.refusal()
}

// readMergePost is the change for servers that know no PATCH. Another change
// between read and write is lost; such servers offer no better.
func (s *Store) readMergePost(ctx context.Context, ref secret.Ref, c secret.MetaChange) error {
	m, err := s.meta(ctx, ref)
	if err != nil && (c.MustExist || !errors.Is(err, fault.NotFound)) {
		return err
	}
	return s.postMeta(ctx, ref, c, m.Custom)
}

// postMeta writes settings and, when the change has any, the whole custom map:
// base with the merge laid over it.
func (s *Store) postMeta(ctx context.Context, ref secret.Ref, c secret.MetaChange, base map[string]string) error {
	var custom any
	if c.Replace != nil || len(c.Merge) > 0 {
		whole := map[string]string{}
		maps.Copy(whole, base)
		for k, v := range c.Merge {
			if v == nil {
				delete(whole, k)
				continue
			}
			whole[k] = *v
		}
		custom = whole
	}
	return s.change(ctx, query{method: http.MethodPost, path: at(ref, "metadata"), body: metaBody(c, custom)})
}

func patchOf(merge map[string]*string) any {
	if len(merge) == 0 {
		return nil
	}
	return merge
}

// metaBody is the wire form of a change; what it does not change is left out.
func metaBody(c secret.MetaChange, custom any) []byte {
	members := map[string]any{}
	if custom != nil {
		members["custom_metadata"] = custom
	}
	if c.MaxVersions != nil {
		members["max_versions"] = *c.MaxVersions
	}
	if c.CASRequired != nil {
		members["cas_required"] = *c.CASRequired
	}
	if c.DeleteVersionAfter != nil {
		members["delete_version_after"] = c.DeleteVersionAfter.String()
	}
	if c.MetaCASRequired != nil {
		members["metadata_cas_required"] = *c.MetaCASRequired
	}
	if c.CAS != nil {
		members["metadata_cas"] = *c.CAS
	}
	body, _ := json.Marshal(members) // texts, numbers and booleans always encode
	return body
}
