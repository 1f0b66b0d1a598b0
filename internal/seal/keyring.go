package seal

import (
	"io"
	"math"
	"slices"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// A data key is due for rotation after so many seals or so much time, whichever
// comes first. With random 96-bit nonces 2^30 seals keep the odds of a repeated
// nonce below 2^-37, and leave room for seals that members have not yet reported.
const (
	MaxSeals = 1 << 30
	MaxAge   = 90 * 24 * time.Hour
)

// Keyring is the numbered data keys of a deployment. The newest is active: it seals;
// every key opens. Apart from the count of seals a Keyring never changes, Rotate and
// Retire make another one, and all methods may be called concurrently. A nil or zero
// Keyring is sealed: Seal and Open answer fault.Unavailable. Keys are never printed.
type Keyring struct {
	keys []*dataKey // ascending by id; the last one is active
}

// KeyStatus is what may be known of one data key.
type KeyStatus struct {
	ID      uint32    `json:"id"`
	Created time.Time `json:"created"` // UTC, whole seconds
	Seals   uint64    `json:"seals"`   // saved and since then
	Active  bool      `json:"active"`
}

// NewKeyring makes a keyring with one active data key of id 1, created at now. The
// key is read from random; nil means crypto/rand. Nonces always come from crypto/rand,
// for a repeated one would reveal the key stream. It fails only if random does.
func NewKeyring(random io.Reader, now time.Time) (*Keyring, error) {
	key, err := generateKey(1, random, now)
	if err != nil {
		return nil, err
	}
	return &Keyring{keys: []*dataKey{key}}, nil
}

// Rotate gives a copy with a new active data key created at now, read from random
// (nil means crypto/rand). Its id is one above the highest, so that an id is never
// used for a second key. The receiver keeps working.
func (k *Keyring) Rotate(random io.Reader, now time.Time) (*Keyring, error) {
	active := k.active()
	if active == nil {
		return nil, errSealed()
	}
	if active.id == math.MaxUint32 {
		return nil, fault.New(fault.Unsupported, "data key ids are used up")
	}
	key, err := generateKey(active.id+1, random, now)
	if err != nil {
		return nil, err
	}
	return &Keyring{keys: append(slices.Clone(k.keys), key)}, nil
}

// Retire gives a copy without data key id: records under it can never be opened
// again. It refuses the active key (fault.Conflict) and an unknown one
// (fault.NotFound); whether records are still under the key is the caller's to know.
func (k *Keyring) Retire(id uint32) (*Keyring, error) {
	key := k.key(id)
	switch {
	case key == nil:
		return nil, fault.New(fault.NotFound, "no data key %d", id)
	case key == k.active():
		return nil, fault.New(fault.Conflict, "data key %d is active and cannot be retired", id)
	}
	keys := slices.DeleteFunc(slices.Clone(k.keys), func(d *dataKey) bool { return d == key })
	return &Keyring{keys: keys}, nil
}

// Active is the id of the data key that seals; 0 when the keyring is sealed.
func (k *Keyring) Active() uint32 {
	if key := k.active(); key != nil {
		return key.id
	}
	return 0
}

// Status lists the data keys, ascending by id.
func (k *Keyring) Status() []KeyStatus {
	if k == nil {
		return nil
	}
	out := make([]KeyStatus, len(k.keys))
	for i, key := range k.keys {
		out[i] = KeyStatus{ID: key.id, Created: key.created, Seals: key.seals(), Active: key == k.active()}
	}
	return out
}

// TakeSeals gives the seals made here under the active key since the last call, and
// counts them as saved from now on. To save them, add them to the keyring as stored
// and store that:
//
//	n += live.TakeSeals()
//	stored.AddSeals(n) // stored was unwrapped within the same transaction
//
// A caller whose transaction is lost keeps n for the next one, and one that replaces
// live by another copy takes its seals first. Seals told under the key after a
// rotation make that one due a little earlier, which does no harm.
func (k *Keyring) TakeSeals() uint64 {
	key := k.active()
	if key == nil {
		return 0
	}
	n := key.since.Swap(0)
	key.saved.Add(n)
	return n
}

// AddSeals counts n seals of the active key that were made elsewhere: by another
// member, or by another copy of this keyring. TakeSeals does not give them again.
func (k *Keyring) AddSeals(n uint64) {
	if key := k.active(); key != nil {
		key.saved.Add(n)
	}
}

// Due says whether the active key has reached MaxSeals or MaxAge at now.
func (k *Keyring) Due(now time.Time) bool {
	key := k.active()
	return key != nil && (key.seals() >= MaxSeals || now.Sub(key.created) >= MaxAge)
}

func (k *Keyring) active() *dataKey {
	if k == nil || len(k.keys) == 0 {
		return nil
	}
	return k.keys[len(k.keys)-1]
}

// key looks from the newest on, since most records are under it.
func (k *Keyring) key(id uint32) *dataKey {
	if k == nil {
		return nil
	}
	for _, key := range slices.Backward(k.keys) {
		if key.id == id {
			return key
		}
	}
	return nil
}

func errSealed() error { return fault.New(fault.Unavailable, "sealed") }
