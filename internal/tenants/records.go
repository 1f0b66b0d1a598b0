package tenants

import (
	"encoding/json"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
)

// Kinds of records in the ledger.
const (
	kindHead       ledger.Kind = "policies"    // one per tenant, written by every change
	kindPolicy     ledger.Kind = "policy"      // path: name
	kindGroup      ledger.Kind = "group"       // path: id
	kindGroupName  ledger.Kind = "group-name"  // path: folded name; value: id
	kindGroupAlias ledger.Kind = "group-alias" // path: folded alias; value: id
)

// head counts the changes of policies and groups, and how many there are.
type head struct {
	Version  int64 `json:"version"`
	Policies int   `json:"policies"`
	Groups   int   `json:"groups"`
}

// Policy is one policy as stored. Built-in policies have no ID and no times.
type Policy struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Text     string    `json:"text"`
	Version  int64     `json:"version"` // writes since it was created
	Owner    string    `json:"owner"`   // subject of its creator
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
}

// Types of a group: members of an internal one are other groups, of an external one
// whoever carries its alias as a claim.
const (
	Internal = "internal"
	External = "external"
)

// Group is one group as stored.
type Group struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Type         string            `json:"type"`
	Policies     []string          `json:"policies"`
	Metadata     map[string]string `json:"metadata"`
	MemberGroups []string          `json:"member_groups"`
	Alias        *Alias            `json:"alias,omitempty"`
	ModifyIndex  int64             `json:"modify_index"` // writes since it was created
	Owner        string            `json:"owner"`        // subject of its creator
	Created      time.Time         `json:"created"`
	Modified     time.Time         `json:"modified"`
	Parents      []string          `json:"-"` // ids of groups that have it as a member; of reads alone
}

// Alias is the claim text by which an external group applies.
type Alias struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"` // the exact claim text, a leading slash included
	MountAccessor string    `json:"mount_accessor"`
	Created       time.Time `json:"created"`
	Modified      time.Time `json:"modified"`
}

func (s *Service) key(kind ledger.Kind, path string) ledger.Key {
	return ledger.Key{Tenant: s.c.Tenant, Kind: kind, Path: path}
}

func decode[T any](r ledger.Record) (*T, error) {
	var v T
	if err := json.Unmarshal(r.Value, &v); err != nil {
		return nil, fault.Wrap(fault.Corrupt, err, "decode a record of kind %s", r.Key.Kind)
	}
	return &v, nil
}

func encode(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "encode record")
	}
	return body, nil
}
