package secret

import (
	"maps"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Limits of custom metadata (KV v2): keys, bytes of a key, bytes of a value.
const (
	MaxCustomKeys  = 64
	MaxCustomKey   = 128
	MaxCustomValue = 512
)

// Change applies settings and custom metadata at now. The receiver changes only on
// success. known says whether the key has a metadata record yet. A cas_required
// that a mount demands cannot be turned off by a key: the setting is kept.
func (m *Metadata) Change(mount MountSettings, c MetaChange, known bool, now time.Time) error {
	if err := c.check(m, mount, known); err != nil {
		return err
	}
	custom := maps.Clone(m.Custom)
	if c.Replace != nil {
		custom = maps.Clone(c.Replace)
	}
	for k, v := range c.Merge {
		if v == nil {
			delete(custom, k)
			continue
		}
		if custom == nil {
			custom = map[string]string{}
		}
		custom[k] = *v
	}
	if err := CheckCustom(custom); err != nil {
		return err
	}
	if len(custom) == 0 {
		custom = nil
	}
	m.Custom = custom
	if c.ID != "" {
		m.ID = c.ID
	}
	set(&m.MaxVersions, c.MaxVersions)
	set(&m.CASRequired, c.CASRequired)
	set(&m.DeleteVersionAfter, c.DeleteVersionAfter)
	set(&m.MetaCASRequired, c.MetaCASRequired)
	if m.Created.IsZero() {
		m.Created, m.Updated = now, now // later only a new version counts as an update
	}
	m.MetaVersion++
	return nil
}

func (c MetaChange) check(m *Metadata, mount MountSettings, known bool) error {
	if c.MustExist && !known {
		return fault.New(fault.NotFound, "no such secret")
	}
	switch {
	case c.CAS == nil && (m.MetaCASRequired || mount.MetaCASRequired):
		return fault.New(fault.CASRequired, "metadata check-and-set parameter required for this call")
	case c.CAS != nil && !known && *c.CAS != 0:
		return fault.New(fault.CASMismatch, "metadata_cas must be 0 when creating new metadata")
	case c.CAS != nil && known && *c.CAS != m.MetaVersion:
		return fault.New(fault.CASMismatch, "metadata check-and-set parameter does not match the current version")
	}
	if c.MaxVersions != nil && (*c.MaxVersions < 0 || *c.MaxVersions > MaxMaxVersions) {
		return fault.New(fault.Invalid, "max_versions must be 0 to %d", MaxMaxVersions)
	}
	if c.DeleteVersionAfter != nil && *c.DeleteVersionAfter < 0 {
		return fault.New(fault.Invalid, "delete_version_after must not be negative")
	}
	return nil
}

// CheckCustom holds custom metadata to the limits of KV v2.
func CheckCustom(custom map[string]string) error {
	if len(custom) > MaxCustomKeys {
		return badCustom("more than %d keys", MaxCustomKeys)
	}
	for k, v := range custom {
		switch {
		case k == "" || len(k) > MaxCustomKey:
			return badCustom("a key must be 1 to %d bytes", MaxCustomKey)
		case v == "" || len(v) > MaxCustomValue:
			return badCustom("a value must be 1 to %d bytes", MaxCustomValue)
		case !Printable(k) || !Printable(v):
			return badCustom("keys and values must be printable")
		}
	}
	return nil
}

func badCustom(format string, args ...any) error {
	return fault.New(fault.Invalid, "custom_metadata validation failed: "+format, args...)
}

// Printable says whether s is valid UTF-8 without control characters.
func Printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func set[T any](dst *T, v *T) {
	if v != nil {
		*dst = *v
	}
}
