package address

import (
	"strconv"
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

// Key addresses one record.
type Key struct {
	Tenant  string
	Kind    Kind
	Path    string // no NUL
	Version int64  // 0: none
}

// Sep stands between the fields of an etcd key.
const Sep = "\x00"

// Text is the etcd key: NUL-separated fields, tenant and kind first.
func (k Key) Text() string {
	s := k.Tenant + Sep + string(k.Kind) + Sep + k.Path
	if k.Version != 0 {
		s += Sep + Number(k.Version)
	}
	return s
}

// Check refuses what is no address (fault.Invalid).
func (k Key) Check() error {
	if k.Tenant == "" || k.Kind == "" || k.Version < 0 || strings.Contains(k.Tenant+string(k.Kind)+k.Path, Sep) {
		return fault.New(fault.Invalid, "record address is not legal")
	}
	return nil
}

// Seal is what the record is bound to.
func (k Key) Seal() seal.Address {
	return seal.Address{Kind: string(k.Kind), Tenant: k.Tenant, Path: k.Path, Version: k.Version}
}

// Number is a number as it stands in keys: it sorts as the number does.
func Number(v int64) string {
	const width = 16
	digits := strconv.FormatInt(v, 16)
	return "0000000000000000"[:width-len(digits)] + digits
}

// Parse reads an etcd key back.
func Parse(text string) (Key, error) {
	parts := strings.Split(text, Sep)
	if len(parts) < 3 || len(parts) > 4 {
		return Key{}, fault.New(fault.Corrupt, "unknown key in the store")
	}
	k := Key{Tenant: parts[0], Kind: Kind(parts[1]), Path: parts[2]}
	if len(parts) == 4 {
		var err error
		if k.Version, err = strconv.ParseInt(parts[3], 16, 64); err != nil || len(parts[3]) != 16 {
			return Key{}, fault.New(fault.Corrupt, "unknown key in the store")
		}
	}
	return k, nil
}

// Span is an exact range of records.
type Span struct {
	From, To string // etcd keys, the second outside
}

// Under spans the records of one tenant and kind whose path begins with prefix.
func Under(tenant string, kind Kind, prefix string) Span {
	from := tenant + Sep + string(kind) + Sep + prefix
	return Span{from, clientv3.GetPrefixRangeEnd(from)}
}

// VersionsOf spans the versions [from, to) of one path; to 0 means all from there on.
func VersionsOf(tenant string, kind Kind, path string, from, to int64) Span {
	base := tenant + Sep + string(kind) + Sep + path + Sep
	s := Span{base + Number(from), clientv3.GetPrefixRangeEnd(base)}
	if to > 0 {
		s.To = base + Number(to)
	}
	return s
}

// After narrows the span to what comes behind every record of path and, with
// whole, behind everything whose path begins with it.
func (s Span) After(tenant string, kind Kind, path string, whole bool) Span {
	from := tenant + Sep + string(kind) + Sep + path
	if whole {
		from = clientv3.GetPrefixRangeEnd(from)
	} else {
		from += "\x01"
	}
	if from > s.From {
		s.From = from
	}
	return s
}

// Holds says whether an etcd key lies in the span.
func (s Span) Holds(key string) bool { return key >= s.From && key < s.To }
