package secrets

import (
	"context"
	"encoding/json"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/secret"
)

// object is the metadata of a secret as events show it, members in this order. It
// never holds a value, a name inside a value, or a measure of one.
type object struct {
	ObjectType string `json:"objectType"`
	ID         string `json:"id"`
	URI        string `json:"uri"`
	DN         string `json:"dn"` // equal to uri: consumers detect a move by it
	Version    int64  `json:"version"`
	Owner      string `json:"owner"`
	CreatedAt  string `json:"created_at"`
	UpdatedAt  string `json:"updated_at"`
}

// side renders one side of an event: {} when there was no live secret.
func (s *Service) side(t guard.Target, m *secret.Metadata) json.RawMessage {
	if m == nil {
		return json.RawMessage("{}")
	}
	if v := m.Latest(); v == nil || !v.Live(s.c.Now()) {
		return json.RawMessage("{}")
	}
	uri := t.URI.Whole()
	if t.Back.Can.Transactional {
		uri.Provider = secret.ProviderCoffer // one name, whatever alias was used
	}
	o := object{
		ObjectType: event.RealmSecrets + "/" + event.TopicKV, ID: m.ID, URI: uri.String(), DN: uri.String(),
		Version: m.Current, Owner: m.Custom[customOwner],
		CreatedAt: m.Created.UTC().Format(time.RFC3339), UpdatedAt: m.Updated.UTC().Format(time.RFC3339),
	}
	if o.ID == "" {
		o.ID = o.URI
	}
	body, err := json.Marshal(o)
	if err != nil {
		return json.RawMessage("{}")
	}
	return body
}

// change makes the event of one mutation from what was and what is.
func (s *Service) change(t *guard.Ticket, at guard.Target, version int64, before, after *secret.Metadata) event.Event {
	r := t.Record
	return event.Event{
		Time: s.c.Now().UTC(), Realm: event.RealmSecrets, Topic: event.TopicKV, Name: r.Event,
		Backend: at.Back.Kind, ResourceRef: r.ResourceRef, Subject: r.Subject, Purpose: r.Purpose,
		Effect: audit.Permit, DecisionID: r.DecisionID, Version: version, Success: true,
		Cached: r.Cached, CorrelationID: r.CorrelationID,
		Old: s.side(at, before), New: s.side(at, after),
	}
}

func (s *Service) emit(tx *ledger.Tx, e event.Event) error {
	body, err := e.Encode()
	if err != nil {
		return err
	}
	return tx.Emit(s.c.Tenant, body)
}

// tell appends the event of a mutation that an outside back end has made: after the
// fact and at least once. A failure is logged; the mutation stands.
func (s *Service) tell(ctx context.Context, e event.Event) {
	_, err := s.c.Ledger.Txn(context.WithoutCancel(ctx), func(tx *ledger.Tx) error { return s.emit(tx, e) })
	if err != nil {
		s.c.Log.Error("the event of a change was not stored", "event", e.Name, "resource_ref", e.ResourceRef, "error", err)
	}
}

// metaOf reads metadata where a back end has some; nil when there is no such key.
func metaOf(ctx context.Context, store secret.Store, t guard.Target) (*secret.Metadata, error) {
	if !t.Back.Can.Metadata {
		return nil, nil //nolint:nilnil // no metadata is an answer
	}
	m, err := store.Meta(ctx, t.Ref)
	switch {
	case err == nil:
		return &m, nil
	case fault.KindOf(err) == fault.NotFound:
		return nil, nil //nolint:nilnil // an unknown key has none
	}
	return nil, err
}

// toldRead queues the event of a read whose answer is ready.
func (s *Service) toldRead(t *guard.Ticket, at guard.Target, version int64) {
	if s.reads == nil {
		return
	}
	e := s.change(t, at, version, nil, nil)
	e.Old, e.New = nil, nil
	s.reads.Tell(e)
}
