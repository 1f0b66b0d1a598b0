package ledger

import (
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/seal"
)

// Kind says what a record is. It is part of the record's key and of its seal.
type Kind string

// System is the tenant of records that belong to the deployment; no real tenant
// can be called so.
const System = "_"

// Kinds that the ledger keeps for itself.
const (
	kindEvent    Kind = "event"    // path: epoch/mutation id
	kindTrimmed  Kind = "trimmed"  // how far a tenant's log was cut
	kindEpoch    Kind = "epoch"    // the current epoch
	kindEpochs   Kind = "epochs"   // path: epoch; its creation revision is where it begins
	kindMutation Kind = "mutation" // path: epoch/mutation id, of a commit without events
	kindKeyring  Kind = "keyring"  // wrapped by a key encryption key instead of sealed
)

// Key addresses one record.
type Key struct {
	Tenant  string
	Kind    Kind
	Path    string // no NUL
	Version int64  // 0: none
}

const sep = "\x00"

// text is the etcd key: NUL-separated fields, tenant and kind first.
func (k Key) text() string {
	s := k.Tenant + sep + string(k.Kind) + sep + k.Path
	if k.Version != 0 {
		s += sep + versionText(k.Version)
	}
	return s
}

func (k Key) check() error {
	if k.Tenant == "" || k.Kind == "" || k.Version < 0 || strings.Contains(k.Tenant+string(k.Kind)+k.Path, sep) {
		return fault.New(fault.Invalid, "record address is not legal")
	}
	return nil
}

func (k Key) address() seal.Address {
	return seal.Address{Kind: string(k.Kind), Tenant: k.Tenant, Path: k.Path, Version: k.Version}
}

// versionText sorts as the number does.
func versionText(v int64) string { return fmt.Sprintf("%016x", v) }

// parseKey reads an etcd key back.
func parseKey(text string) (Key, error) {
	parts := strings.Split(text, sep)
	if len(parts) < 3 || len(parts) > 4 {
		return Key{}, fault.New(fault.Corrupt, "unknown key in the store")
	}
	k := Key{Tenant: parts[0], Kind: Kind(parts[1]), Path: parts[2]}
	if len(parts) == 4 {
		if _, err := fmt.Sscanf(parts[3], "%016x", &k.Version); err != nil {
			return Key{}, fault.New(fault.Corrupt, "unknown key in the store")
		}
	}
	return k, nil
}

// Span is an exact range of records.
type Span struct{ from, to string }

// Under spans the records of one tenant and kind whose path begins with prefix.
func Under(tenant string, kind Kind, prefix string) Span {
	from := tenant + sep + string(kind) + sep + prefix
	return Span{from, clientv3.GetPrefixRangeEnd(from)}
}

// VersionsOf spans the versions [from, to) of one path; to 0 means all from there on.
func VersionsOf(tenant string, kind Kind, path string, from, to int64) Span {
	base := tenant + sep + string(kind) + sep + path + sep
	s := Span{base + versionText(from), clientv3.GetPrefixRangeEnd(base)}
	if to > 0 {
		s.to = base + versionText(to)
	}
	return s
}

// After narrows the span to what comes behind every record of path and, with
// whole, behind everything whose path begins with it.
func (s Span) After(tenant string, kind Kind, path string, whole bool) Span {
	from := tenant + sep + string(kind) + sep + path
	if whole {
		from = clientv3.GetPrefixRangeEnd(from)
	} else {
		from += "\x01"
	}
	if from > s.from {
		s.from = from
	}
	return s
}

func (s Span) holds(key string) bool { return key >= s.from && key < s.to }
