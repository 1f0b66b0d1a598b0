package event

import (
	"encoding/json"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Names of the changes of a secret, as the event stream and the audit show them.
const (
	SecretRead             = "SECRET_READ"
	SecretUpdated          = "SECRET_UPDATED"
	SecretDeleted          = "SECRET_DELETED"
	SecretUndeleted        = "SECRET_UNDELETED"
	SecretVersionDestroyed = "SECRET_VERSION_DESTROYED"
	SecretDestroyed        = "SECRET_DESTROYED"
	SecretRotated          = "SECRET_ROTATED"
	SecretOwnerUpdated     = "SECRET_OWNER_UPDATED"
	SecretMoved            = "SECRET_MOVED"
)

// RealmSecrets is the realm of Coffer's own events; TopicKV is what no other topic claims.
const (
	RealmSecrets = "secrets"
	TopicKV      = "kv"
)

// Event tells of one change of one object. It never holds a value, a name inside a
// value, or a hash or length of a value.
type Event struct {
	Sequence int64     `json:"-"` // given by the log: strictly increasing, not contiguous
	Time     time.Time `json:"ts"`
	Realm    string    `json:"realm"`
	Topic    string    `json:"topic"`
	Name     string    `json:"event"`

	Backend       string `json:"vault_type,omitempty"`
	ResourceRef   string `json:"resource_ref,omitempty"`
	SourceRef     string `json:"source_ref,omitempty"` // of a move
	Subject       string `json:"subject,omitempty"`
	Purpose       string `json:"purpose,omitempty"`
	Effect        string `json:"effect,omitempty"`
	DecisionID    string `json:"decision_id,omitempty"`
	Version       int64  `json:"kv_version,omitempty"`
	Success       bool   `json:"success"`
	Error         string `json:"error,omitempty"`
	Cached        bool   `json:"cached"`
	CorrelationID string `json:"correlation_id,omitempty"`

	// Old and New are the metadata objects before and after, {} where absent.
	Old json.RawMessage `json:"old,omitempty"`
	New json.RawMessage `json:"new,omitempty"`
}

// Encode gives the bytes that the log keeps sealed.
func (e Event) Encode() ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "encode event")
	}
	return b, nil
}

// Decode reads what Encode wrote.
func Decode(sequence int64, body []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, fault.Wrap(fault.Corrupt, err, "decode event")
	}
	e.Sequence = sequence
	return e, nil
}
