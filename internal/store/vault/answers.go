package vault

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

// versionWire is what servers tell of a version.
type versionWire struct {
	Created   wireTime          `json:"created_time"`
	Deleted   wireTime          `json:"deletion_time"`
	Destroyed bool              `json:"destroyed"`
	Version   int64             `json:"version"`
	Custom    map[string]string `json:"custom_metadata"`
}

func (w versionWire) info() secret.VersionInfo {
	return secret.VersionInfo{
		Version: w.Version, Created: w.Created.Time, Deleted: w.Deleted.Time, Destroyed: w.Destroyed,
	}
}

// metadataWire is what servers tell of a key.
type metadataWire struct {
	CASRequired     bool                   `json:"cas_required"`
	Created         wireTime               `json:"created_time"`
	MetaVersion     int64                  `json:"current_metadata_version"`
	Current         int64                  `json:"current_version"`
	Custom          map[string]string      `json:"custom_metadata"`
	DeleteAfter     string                 `json:"delete_version_after"`
	MaxVersions     int64                  `json:"max_versions"`
	MetaCASRequired bool                   `json:"metadata_cas_required"`
	Oldest          int64                  `json:"oldest_version"`
	Updated         wireTime               `json:"updated_time"`
	Versions        map[string]versionWire `json:"versions"`
}

// wireTime is RFC 3339, or empty when unset.
type wireTime struct{ time.Time }

// UnmarshalJSON reads a time; an empty text is the zero time.
func (t *wireTime) UnmarshalJSON(b []byte) error {
	if s := string(b); s == `""` || s == "null" {
		t.Time = time.Time{}
		return nil
	}
	return t.Time.UnmarshalJSON(b)
}

// readSecret reads the answer to a version read. What cannot be read but exists
// comes as a 404 that tells of the version.
func readSecret(a answer) (secret.Secret, error) {
	var out struct {
		Data     json.RawMessage `json:"data"`
		Metadata *versionWire    `json:"metadata"`
	}
	if a.status == http.StatusNotFound {
		return secret.Secret{}, missing(a)
	}
	if err := a.into(&out); err != nil {
		return secret.Secret{}, err
	}
	if out.Metadata == nil {
		return secret.Secret{}, unreadable()
	}
	if string(out.Data) == "null" {
		out.Data = json.RawMessage(`{}`)
	}
	value, err := secret.ParseValue(out.Data)
	if err != nil {
		return secret.Secret{}, unreadable()
	}
	return secret.Secret{Value: value, Version: out.Metadata.info(), Custom: out.Metadata.Custom}, nil
}

// missing reads a 404: its body decides. A read tells of the version in
// data.metadata, a PATCH in data itself; without either there is nothing.
func missing(a answer) error {
	if len(bytes.TrimSpace(a.body)) == 0 {
		return notFound()
	}
	var body struct {
		Data *struct {
			versionWire
			Metadata *versionWire `json:"metadata"`
		} `json:"data"`
	}
	if json.Unmarshal(a.body, &body) != nil {
		return unreadable()
	}
	if body.Data == nil {
		return notFound()
	}
	w := body.Data.Metadata
	if w == nil {
		w = &body.Data.versionWire
	}
	kind, text := fault.Deleted, "the version is deleted"
	switch {
	case w.Destroyed:
		kind, text = fault.Destroyed, "the version is destroyed"
	case w.Version == 0:
		return notFound()
	}
	return &secret.VersionError{Fault: fault.New(kind, "%s", text), Info: w.info()}
}

func readVersion(a answer) (secret.VersionInfo, error) {
	var w versionWire
	if err := a.into(&w); err != nil {
		return secret.VersionInfo{}, err
	}
	if w.Version < 1 {
		return secret.VersionInfo{}, unreadable()
	}
	return w.info(), nil
}

func readMetadata(a answer) (secret.Metadata, error) {
	var w metadataWire
	if err := a.into(&w); err != nil {
		return secret.Metadata{}, err
	}
	after, err := time.ParseDuration(orDefault(w.DeleteAfter, "0s"))
	if err != nil {
		return secret.Metadata{}, unreadable()
	}
	m := secret.Metadata{
		Created: w.Created.Time, Updated: w.Updated.Time, Current: w.Current, Oldest: w.Oldest,
		MaxVersions: w.MaxVersions, CASRequired: w.CASRequired, DeleteVersionAfter: after,
		MetaVersion: w.MetaVersion, MetaCASRequired: w.MetaCASRequired, Custom: w.Custom,
	}
	for text, v := range w.Versions {
		if v.Version, err = strconv.ParseInt(text, 10, 64); err != nil {
			return secret.Metadata{}, unreadable()
		}
		m.Versions = append(m.Versions, v.info())
	}
	slices.SortFunc(m.Versions, func(a, b secret.VersionInfo) int { return int(a.Version - b.Version) })
	return m, nil
}

// readKeys reads a listing; nothing there is an empty one.
func readKeys(a answer) ([]string, error) {
	if a.status == http.StatusNotFound {
		if err := missing(a); fault.KindOf(err) != fault.NotFound {
			return nil, unreadable()
		}
		return []string{}, nil
	}
	out := struct {
		Keys []string `json:"keys"`
	}{Keys: []string{}}
	err := a.into(&out)
	return out.Keys, err
}

// into decodes the data of a 200 answer.
func (a answer) into(data any) error {
	if err := a.refusal(); err != nil {
		return err
	}
	body := struct {
		Data any `json:"data"`
	}{data}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &body) != nil {
		return unreadable()
	}
	return nil
}

// refusal is the fault of an answer that is none of 2xx.
func (a answer) refusal() error {
	switch {
	case a.status >= 200 && a.status < 300:
		return nil
	case a.status == http.StatusBadRequest:
		return badRequest(a.texts())
	case a.status == http.StatusForbidden:
		return fault.New(fault.ProviderDenied, "the back end refuses the broker's token")
	case a.status == http.StatusNotFound:
		return missing(a)
	case a.status == http.StatusMethodNotAllowed:
		return fault.New(fault.Unsupported, "the back end cannot do this")
	case a.status == http.StatusRequestEntityTooLarge:
		return fault.New(fault.TooLarge, "the back end refuses a request of this size")
	case a.status == http.StatusTooManyRequests:
		return fault.New(fault.RateLimited, "the back end limits the rate of requests")
	case a.status == http.StatusServiceUnavailable:
		return fault.New(fault.Unavailable, "the back end is sealed or not ready")
	}
	return fault.New(fault.ProviderFailed, "the back end answered with status %d", a.status)
}

// badRequest tells the refusals of check-and-set from all others by the words of
// the server; there is nothing else to tell them by.
func badRequest(texts []string) error {
	said := func(words string) bool {
		return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(t, words) })
	}
	switch {
	case said("check-and-set parameter did not match the current version"),
		said("metadata check-and-set parameter does not match the current version"),
		said("metadata_cas must be 0 when creating new metadata"):
		return fault.New(fault.CASMismatch, "check-and-set parameter did not match the current version")
	case said("check-and-set parameter required for this call"):
		return fault.New(fault.CASRequired, "check-and-set parameter required for this call")
	}
	return fault.New(fault.Invalid, "the back end refuses the request as malformed")
}

func (a answer) texts() []string {
	var body struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(a.body, &body) != nil {
		return nil
	}
	return body.Errors
}

func unreadable() error {
	return fault.New(fault.ProviderFailed, "the back end's answer cannot be understood")
}
