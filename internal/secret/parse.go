package secret

import (
	"slices"
	"strconv"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Codes of a refused URI.
const (
	IllegalSegment      = "ILLEGAL_SEGMENT"
	AmbiguousQuery      = "AMBIGUOUS_QUERY"
	UnsupportedEngine   = "UNSUPPORTED_ENGINE"
	InvalidWildcard     = "INVALID_WILDCARD"
	DoubleMountSource   = "DOUBLE_MOUNT_SOURCE"
	InvalidVersion      = "INVALID_VERSION"
	TenantMountMismatch = "TENANT_MOUNT_MISMATCH"
)

// Limits of a URI, in bytes.
const (
	MaxURI      = 2048
	MaxFragment = 512
)

// Grammar is what a deployment allows in a URI. The zero Grammar allows nothing.
type Grammar struct {
	Instances []string // configured back ends by canonical name, such as "openbao-prod"
	Mounts    []string // the tenant's allow-list, exact and case-sensitive
}

// Parse reads a Canonical Secret URI. The checks run in the contract's order and
// the first failure decides the code; nothing is decoded, trimmed or repaired.
// Every failure is an Invalid fault whose detail repeats nothing of the input.
func (g Grammar) Parse(raw string) (URI, error) {
	if len(raw) > MaxURI {
		return refuse(IllegalSegment, "URI is longer than %d bytes", MaxURI)
	}
	for i := range len(raw) {
		if raw[i] < ' ' || raw[i] == 0x7f {
			return refuse(IllegalSegment, "URI has a control character")
		}
	}
	head, fragment, query := split(raw)
	scheme, path, ok := strings.Cut(head, "://")
	if !ok || scheme == "" {
		return refuse(IllegalSegment, "URI has no scheme")
	}
	if strings.Count(raw, "#") > 1 {
		return refuse(IllegalSegment, "URI has two fragments")
	}
	if strings.Count(raw, "?") > 1 {
		return refuse(AmbiguousQuery, "URI has two queries")
	}
	var u URI
	var err error
	if u.Provider, u.Engine, err = g.scheme(scheme); err != nil {
		return URI{}, err
	}
	if u.Mount, u.Path, err = parsePath(path); err != nil {
		return URI{}, err
	}
	if len(fragment) > MaxFragment || !Printable(fragment) {
		return refuse(IllegalSegment, "fragment is too long or unprintable")
	}
	u.Fragment = fragment
	if u.Version, u.Others, err = parseQuery(query); err != nil {
		return URI{}, err
	}
	if !slices.Contains(g.Mounts, u.Mount) {
		return refuse(TenantMountMismatch, "mount is not allowed for this tenant")
	}
	return u, nil
}

// split cuts at the first # and the first ?, in whichever order they stand.
func split(raw string) (head, fragment, query string) {
	h, q := strings.IndexByte(raw, '#'), strings.IndexByte(raw, '?')
	switch {
	case h >= 0 && q > h:
		return raw[:h], raw[h+1 : q], raw[q+1:]
	case q >= 0 && h > q:
		return raw[:q], raw[h+1:], raw[q+1 : h]
	case h >= 0:
		return raw[:h], raw[h+1:], ""
	case q >= 0:
		return raw[:q], "", raw[q+1:]
	}
	return raw, "", ""
}

func (g Grammar) scheme(text string) (provider, engine string, err error) {
	if !every(text, isASCII) { // lower case of the Kelvin sign is an ASCII k
		return unsupported()
	}
	provider, engine, hasEngine := strings.Cut(strings.ToLower(text), "+")
	base, instance, hasInstance := strings.Cut(provider, "-")
	switch base {
	case "file", "db":
		_, err = refuse(IllegalSegment, "a pointer is not a secret URI")
		return "", "", err
	case "vault":
		base = ProviderHashicorp
	case ProviderCoffer, ProviderOpenBao, ProviderHashicorp, ProviderYAML:
	default:
		return unsupported()
	}
	if provider = base; hasInstance {
		provider = base + "-" + instance
		if !every(provider, isLowerName) || !slices.Contains(g.Instances, provider) {
			return unsupported()
		}
	}
	if hasEngine && (engine != EngineKV2 || base == ProviderYAML) {
		return unsupported()
	}
	return provider, engine, nil
}

func unsupported() (string, string, error) {
	_, err := refuse(UnsupportedEngine, "provider or engine is not supported")
	return "", "", err
}

func parsePath(text string) (mount, path string, err error) {
	if strings.Contains(text, "..") || strings.Contains(strings.ToLower(text), "%2f") {
		_, err = refuse(IllegalSegment, "path has a traversal")
		return "", "", err
	}
	text = strings.TrimSuffix(text, "/")
	segments := strings.Split(text, "/")
	if slices.Contains(segments, "") {
		_, err = refuse(IllegalSegment, "path has an empty segment")
		return "", "", err
	}
	if strings.Contains(text, "*") {
		_, err = refuse(InvalidWildcard, "wildcards are not allowed")
		return "", "", err
	}
	for _, s := range segments {
		if s == "." || len(s) > MaxSegment || !every(s, isSegmentByte) {
			_, err = refuse(IllegalSegment, "path has an illegal segment")
			return "", "", err
		}
	}
	mount, path, _ = strings.Cut(text, "/")
	if len(path) > MaxPath {
		_, err = refuse(IllegalSegment, "path is longer than %d bytes", MaxPath)
	}
	return mount, path, err
}

func parseQuery(text string) (version int64, others []Pair, err error) {
	var pairs []Pair
	for part := range strings.SplitSeq(text, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		if slices.ContainsFunc(pairs, func(p Pair) bool { return p.Key == k }) {
			_, err = refuse(AmbiguousQuery, "a query key is given twice")
			return 0, nil, err
		}
		pairs = append(pairs, Pair{k, v})
	}
	slices.SortFunc(pairs, byKey)
	for _, p := range pairs {
		if p.Key == "mount" {
			_, err = refuse(DoubleMountSource, "the mount is part of the path")
			return 0, nil, err
		}
	}
	for _, p := range pairs {
		if p.Key != "version" {
			others = append(others, p)
			continue
		}
		if version, err = ParseVersion(p.Value); err != nil {
			return 0, nil, err
		}
	}
	return version, others, nil
}

// ParseVersion reads a decimal version number from 1 to 2^63-1.
func ParseVersion(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || text[0] == '+' {
		return 0, fault.Coded(fault.Invalid, InvalidVersion, "version must be an integer from 1")
	}
	return n, nil
}

func refuse(code, format string, args ...any) (URI, error) {
	return URI{}, fault.Coded(fault.Invalid, code, format, args...)
}

// isSegmentByte allows ~ so that the registry door's escaped names can be addressed.
func isSegmentByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._~-", c) >= 0
}

func isASCII(c byte) bool { return c < 0x80 }

func isLowerName(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' }

func every(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return s != ""
}
