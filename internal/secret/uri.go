package secret

import (
	"slices"
	"strconv"
	"strings"
)

// EngineKV2 is the one engine that secrets of this house are addressed with.
const EngineKV2 = "kv2"

// The providers a Canonical Secret URI may name; "vault" is read as hashicorp.
const (
	ProviderCoffer    = "coffer"
	ProviderOpenBao   = "openbao"
	ProviderHashicorp = "hashicorp"
	ProviderYAML      = "yaml"
)

// URI is a parsed Canonical Secret URI: provider[+engine]://mount/path[#fragment][?query].
// The fragment stands before the query, the reverse of RFC 3986, and there is no
// authority: the first segment is the mount. Parse makes it; the zero URI names nothing.
type URI struct {
	Provider string // lower case, with "-instance" when one is named
	Engine   string // "kv2" or ""
	Mount    string
	Path     string // without the mount; empty names the mount itself
	Fragment string // a member of the value; empty means the whole value
	Version  int64  // 0: none given
	Others   []Pair // query keys other than version, sorted bytewise
}

// Pair is one query key and its value, both verbatim.
type Pair struct{ Key, Value string }

// String is the canonical form; parsing it gives the same URI again.
func (u URI) String() string {
	var b strings.Builder
	b.WriteString(u.Scheme())
	b.WriteString("://")
	b.WriteString(u.Mount)
	if u.Path != "" {
		b.WriteByte('/')
		b.WriteString(u.Path)
	}
	if u.Fragment != "" {
		b.WriteByte('#')
		b.WriteString(u.Fragment)
	}
	pairs := slices.Clone(u.Others)
	if u.Version > 0 {
		pairs = append(pairs, Pair{"version", strconv.FormatInt(u.Version, 10)})
		slices.SortFunc(pairs, byKey)
	}
	for i, p := range pairs {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(p.Key + "=" + p.Value)
	}
	return b.String()
}

// Scheme is provider and engine, such as "openbao+kv2".
func (u URI) Scheme() string {
	if u.Engine == "" {
		return u.Provider
	}
	return u.Provider + "+" + u.Engine
}

// Ref addresses the record that the URI names, within tenant.
func (u URI) Ref(tenant string) Ref { return Ref{Tenant: tenant, Mount: u.Mount, Path: u.Path} }

// Whole drops fragment and version: the URI of the path.
func (u URI) Whole() URI {
	u.Fragment, u.Version = "", 0
	return u
}

// At pins the URI to a version.
func (u URI) At(version int64) URI {
	u.Version = version
	return u
}

// IsZero says whether the URI names nothing.
func (u URI) IsZero() bool { return u.Provider == "" }

func byKey(a, b Pair) int { return strings.Compare(a.Key, b.Key) }
