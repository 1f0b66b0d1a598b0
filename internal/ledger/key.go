package ledger

import "github.com/coffer-dev/coffer/internal/ledger/address"

// The words for where records lie.
type (
	Kind = address.Kind // what a record is
	Key  = address.Key  // addresses one record
	Span = address.Span // an exact range of records
)

// System is the tenant of records that belong to the deployment; no real tenant
// can be called so.
const System = address.System

// Kinds that the ledger keeps for itself.
const (
	kindEvent    Kind = "event"    // path: epoch/mutation id
	kindTrimmed  Kind = "trimmed"  // how far a tenant's log was cut
	kindEpoch    Kind = "epoch"    // the current epoch
	kindEpochs   Kind = "epochs"   // path: epoch; its creation revision is where it begins
	kindMutation Kind = "mutation" // path: epoch/mutation id, of a commit without events
	kindKeyring  Kind = "keyring"  // wrapped by a key encryption key instead of sealed
)

// Under spans the records of one tenant and kind whose path begins with prefix.
func Under(tenant string, kind Kind, prefix string) Span { return address.Under(tenant, kind, prefix) }

// VersionsOf spans the versions [from, to) of one path; to 0 means all from there on.
func VersionsOf(tenant string, kind Kind, path string, from, to int64) Span {
	return address.VersionsOf(tenant, kind, path, from, to)
}
