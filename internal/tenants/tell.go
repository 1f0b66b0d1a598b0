package tenants

import (
	"encoding/json"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/event"
)

// Names of the changes, in events and audit records. Reads are on record only when
// they are refused.
const (
	PolicyRead    = "POLICY_READ"
	PolicyUpdated = "POLICY_UPDATED"
	PolicyDeleted = "POLICY_DELETED"
	GroupRead     = "GROUP_READ"
	GroupUpdated  = "GROUP_UPDATED"
	GroupDeleted  = "GROUP_DELETED"
)

// Topics of the events.
const (
	TopicPolicies = "policies"
	TopicGroups   = "groups"
)

// object is the metadata of a policy or group as events show it, members in this
// order. It never holds a policy's text or a group's alias.
type object struct {
	ObjectType string `json:"objectType"`
	ID         string `json:"id"`
	URI        string `json:"uri"`
	DN         string `json:"dn"` // equal to uri: consumers detect a change of name by it
	Version    int64  `json:"version"`
	Owner      string `json:"owner"`
	CreatedAt  string `json:"created_at"`
	UpdatedAt  string `json:"updated_at"`

	topic string
}

// uriOf names a policy or group for events and audit records.
func uriOf(topic, name string) string { return "urn:coffer:" + topic + ":" + name }

func (p *Policy) object() *object {
	if p == nil {
		return nil
	}
	return newObject(TopicPolicies, p.ID, p.Name, p.Owner, p.Version, p.Created, p.Modified)
}

func (g *Group) object() *object {
	if g == nil {
		return nil
	}
	return newObject(TopicGroups, g.ID, g.Name, g.Owner, g.ModifyIndex, g.Created, g.Modified)
}

func newObject(topic, id, name, owner string, version int64, created, modified time.Time) *object {
	uri := uriOf(topic, name)
	return &object{
		ObjectType: event.RealmSecrets + "/" + topic, ID: id, URI: uri, DN: uri, Version: version, Owner: owner,
		CreatedAt: created.UTC().Format(time.RFC3339), UpdatedAt: modified.UTC().Format(time.RFC3339), topic: topic,
	}
}

// tell appends the event of one changed object to the transaction.
func (u *unit) tell(name string, before, after *object) error {
	now := after
	if now == nil {
		now = before
	}
	e := event.Event{
		Time: u.record.Time, Realm: event.RealmSecrets, Topic: now.topic, Name: name,
		ResourceRef: u.s.c.Refs.Of(now.URI), Subject: u.record.Subject, Purpose: u.record.Purpose,
		Effect: audit.Permit, DecisionID: u.record.DecisionID, Version: now.Version, Success: true,
		CorrelationID: u.record.CorrelationID,
	}
	var err error
	if e.Old, err = side(before); err != nil {
		return err
	}
	if e.New, err = side(after); err != nil {
		return err
	}
	body, err := e.Encode()
	if err != nil {
		return err
	}
	return u.tx.Emit(u.s.c.Tenant, body)
}

// side renders one side of an event: {} where there is no object.
func side(o *object) (json.RawMessage, error) {
	if o == nil {
		return json.RawMessage("{}"), nil
	}
	return encode(o)
}
