package tenants

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Nested says what becomes of a claim with several segments, such as /org/team.
type Nested string

// The readings of a nested claim.
const (
	NestedEncode Nested = "encode" // org~2Fteam: one segment of its own
	NestedReject Nested = "reject"
	NestedPath   Nested = "path" // org/team: its paths lie below those of org
)

// CodeBadGroup marks the refusal of a group's name.
const CodeBadGroup = "BAD_GROUP"

// slash is how an encoded name holds a "/".
const slash = "~2F"

// maxGroupName leaves room for the suffix of the group's policy, in bytes.
const maxGroupName = maxPolicyName - len(policySuffix)

const (
	maxSegment    = 63
	maxPolicyName = 128
	policySuffix  = "_policy"
)

// FromClaim gives the name of the group behind a claim text, or of a new group: one
// leading slash is dropped, and every segment must be a plain name. Names of the
// identity provider's own roles are refused. A refusal is Invalid with CodeBadGroup
// and repeats nothing of the input. An encoded name is taken as what it encodes.
func (n Nested) FromClaim(claim string) (string, error) {
	text := strings.TrimPrefix(claim, "/")
	if n != NestedPath {
		text = strings.ReplaceAll(text, slash, "/")
	}
	segments := strings.Split(text, "/")
	for _, s := range segments {
		if !legalName(s, maxSegment, "._-") {
			return "", badGroup()
		}
	}
	low := strings.ToLower(text)
	if low == "offline_access" || low == "uma_authorization" || strings.HasPrefix(low, "default-roles-") {
		return "", badGroup()
	}
	encoded := strings.Join(segments, slash)
	if len(encoded) > maxGroupName || n == NestedReject && len(segments) > 1 {
		return "", badGroup()
	}
	if n == NestedPath {
		return text, nil
	}
	return encoded, nil
}

func badGroup() error { return fault.Coded(fault.Invalid, CodeBadGroup, "group name is not legal") }

// legalName wants a letter or digit first, then these or one of extra.
func legalName(s string, most int, extra string) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		c := s[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !plain && (i == 0 || strings.IndexByte(extra, c) < 0) {
			return false
		}
	}
	return true
}

// PolicyName trims and lower-cases a policy's name; ok says whether it is legal.
func PolicyName(raw string) (name string, ok bool) {
	name = fold(strings.TrimSpace(raw))
	return name, legalName(name, maxPolicyName, "._~-")
}

// PolicyOf names the policy of a tenant's group.
func PolicyOf(group string) string {
	return strings.ToLower(strings.ReplaceAll(group, "/", slash)) + policySuffix
}

// fold makes texts equal that differ by letter case alone. A letter never becomes
// an ASCII one by it: the Kelvin sign is not a k. What is no UTF-8 equals itself alone.
func fold(s string) string {
	if !utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		low := unicode.ToLower(r)
		if r >= utf8.RuneSelf && low < utf8.RuneSelf {
			return r
		}
		return low
	}, s)
}
