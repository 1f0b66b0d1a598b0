package yamlfile

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"go.yaml.in/yaml/v3"
)

// Config says whose file it is.
type Config struct {
	// Tenant owns the whole file; to every other tenant it holds nothing.
	Tenant string
	// Now tells the time, to judge whether a modification time can be trusted.
	Now func() time.Time
}

// Store is a secret.Store in one file. It may be used concurrently, also by
// several processes on the same file.
type Store struct {
	path   string
	tenant string
	now    func() time.Time
	turn   chan struct{} // held by the one writer of this process

	mu   sync.Mutex
	seen snapshot
}

var _ secret.Store = (*Store)(nil)

// Open makes a store on the file at path. The file may be missing: the store is
// then empty and the first write creates it, its directory must exist. What the
// file holds is judged by each use, so that a person can repair it meanwhile.
func Open(path string, cfg Config) (*Store, error) {
	if err := (secret.Ref{Tenant: cfg.Tenant, Mount: "any"}).ValidatePrefix(); err != nil {
		return nil, err
	}
	if path == "" || cfg.Now == nil {
		return nil, fault.New(fault.Invalid, "a YAML store needs a path and a clock")
	}
	return &Store{path: path, tenant: cfg.Tenant, now: cfg.Now, turn: make(chan struct{}, 1)}, nil
}

// Capabilities are what the YAML file declares.
func Capabilities() secret.Capabilities { return secret.Capabilities{List: true} }

// Get reads the node at ref: a map as an object, anything else as the bare value.
// A map that holds what JSON cannot say (not a number, infinity) is Invalid.
func (s *Store) Get(_ context.Context, ref secret.Ref, version int64) (secret.Secret, error) {
	if err := s.check(ref); err != nil {
		return secret.Secret{}, err
	}
	if version > 0 {
		return secret.Secret{}, unsupported()
	}
	doc, err := s.load()
	if err != nil {
		return secret.Secret{}, err
	}
	node := find(root(doc), keys(ref))
	if node == nil {
		return secret.Secret{}, notFound()
	}
	value, err := toValue(node)
	return secret.Secret{Value: value}, err
}

// Put makes value the map at ref and creates the maps above it. Members that keep
// their value keep their place, form and comments. A parent that is not a map is
// Invalid. The result is zero: nothing is known of a version.
func (s *Store) Put(ctx context.Context, ref secret.Ref, value secret.Value, cas *int64) (secret.VersionInfo, error) {
	if err := s.check(ref); err != nil {
		return secret.VersionInfo{}, err
	}
	if cas != nil {
		return secret.VersionInfo{}, unsupported()
	}
	if err := value.Storable(); err != nil {
		return secret.VersionInfo{}, err
	}
	node, err := fromJSON(value.Reveal())
	if err != nil {
		return secret.VersionInfo{}, err
	}
	return secret.VersionInfo{}, s.update(ctx, func(root *yaml.Node) error {
		return put(root, keys(ref), node)
	})
}

// Delete removes the node at ref, with everything below it. Unlike in KV v2 there
// is nothing to keep, so that an absent node is NotFound.
func (s *Store) Delete(ctx context.Context, ref secret.Ref, versions []int64) error {
	if err := s.check(ref); err != nil {
		return err
	}
	if versions != nil {
		return unsupported()
	}
	return s.update(ctx, func(root *yaml.Node) error { return remove(root, keys(ref)) })
}

// Undelete is Unsupported.
func (*Store) Undelete(context.Context, secret.Ref, []int64) ([]int64, error) {
	return nil, unsupported()
}

// Destroy is Unsupported.
func (*Store) Destroy(context.Context, secret.Ref, secret.Selection) ([]int64, error) {
	return nil, unsupported()
}

// Meta is Unsupported.
func (*Store) Meta(context.Context, secret.Ref) (secret.Metadata, error) {
	return secret.Metadata{}, unsupported()
}

// SetMeta is Unsupported.
func (*Store) SetMeta(context.Context, secret.Ref, secret.MetaChange) (int64, error) {
	return 0, unsupported()
}

// check refuses illegal addresses and hides the file from other tenants.
func (s *Store) check(ref secret.Ref) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	if ref.Tenant != s.tenant {
		return notFound()
	}
	return nil
}

// keys is the way from the root of the file to ref.
func keys(ref secret.Ref) []string {
	if ref.Path == "" {
		return []string{ref.Mount}
	}
	return append([]string{ref.Mount}, strings.Split(ref.Path, "/")...)
}

func notFound() error { return fault.New(fault.NotFound, "no such secret") }

func unsupported() error {
	return fault.New(fault.Unsupported, "a YAML file keeps no versions, metadata or check-and-set")
}
