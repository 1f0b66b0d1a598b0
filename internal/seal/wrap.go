package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/coffer-dev/coffer/internal/fault"
)

// KEK is a key-encryption key. It protects the keyring wherever that is stored, and
// is kept elsewhere. Implementations may be called concurrently.
type KEK interface {
	// ID names the key; it is no secret and at most 64 KiB. It changes when the key does.
	ID() string
	// Wrap encrypts a plaintext of 32 bytes.
	Wrap(ctx context.Context, plaintext []byte) ([]byte, error)
	// Unwrap decrypts what Wrap gave. What another key wrapped, or nobody, is an error.
	Unwrap(ctx context.Context, wrapped []byte) ([]byte, error)
}

// The wrapped form is header, then the keyring sealed under a one-time key. The header
// is wrapMarker, the KEK's id and the one-time key as the KEK wrapped it, each behind
// its length (4 bytes, big endian), and is authenticated with the keyring. The KEK
// never sees the keyring itself: key services take little more than one key at a time.
const wrapMarker = "coffer-keyring:v1:"

// Wrap gives the keyring with its usage in a form that only kek opens; the id of kek
// stands in it in clear. Errors of kek are passed on.
func (k *Keyring) Wrap(ctx context.Context, kek KEK) ([]byte, error) {
	if k.active() == nil {
		return nil, errSealed()
	}
	once := make([]byte, keySize)
	defer clear(once)
	_, _ = rand.Read(once) // never fails: it ends the process instead
	wrappedOnce, err := kek.Wrap(ctx, once)
	if err != nil {
		return nil, fmt.Errorf("wrapping the keyring: %w", err)
	}
	aead, err := newAEAD(once)
	if err != nil {
		return nil, fmt.Errorf("wrapping the keyring: %w", err)
	}
	plain := k.encode()
	defer clear(plain)
	// The id is asked for only now: a key service may have moved on to its next key,
	// and says so in the answer to Wrap.
	header := appendField([]byte(wrapMarker), []byte(kek.ID()))
	header = appendField(header, wrappedOnce)
	return append(header, aead.Seal(nil, nil, plain, header)...), nil
}

// Unwrap opens a wrapped keyring with the first of keks that fits, trying those of
// the recorded id first, and gives that recorded id: if it is not the id of the KEK
// in use, the keyring is to be wrapped anew. When none fits, none is given, or wrapped
// is not of the wrapped form, the answer is fault.Unavailable with detail "sealed".
func Unwrap(ctx context.Context, wrapped []byte, keks ...KEK) (*Keyring, string, error) {
	w, ok := parseWrapped(wrapped)
	if !ok {
		return nil, "", stillSealed(errors.New("not a wrapped keyring"))
	}
	if len(keks) == 0 {
		return nil, "", stillSealed(errors.New("no key-encryption key is given"))
	}
	var reasons []error
	for _, kek := range fittingFirst(w.kekID, keks) {
		k, err := w.open(ctx, kek)
		if err == nil {
			return k, w.kekID, nil
		}
		reasons = append(reasons, fmt.Errorf("key-encryption key %q: %w", kek.ID(), err))
	}
	return nil, "", stillSealed(errors.Join(reasons...))
}

// fittingFirst asks each KEK for its id once: a key service may change it meanwhile.
func fittingFirst(id string, keks []KEK) []KEK {
	var fitting, others []KEK
	for _, kek := range keks {
		if kek.ID() == id {
			fitting = append(fitting, kek)
		} else {
			others = append(others, kek)
		}
	}
	return append(fitting, others...)
}

func stillSealed(cause error) error { return fault.Wrap(fault.Unavailable, cause, "sealed") }

type wrappedKeyring struct {
	kekID  string
	once   []byte // the one-time key, wrapped
	header []byte
	body   []byte
}

func parseWrapped(b []byte) (w wrappedKeyring, ok bool) {
	if len(b) < len(wrapMarker) || string(b[:len(wrapMarker)]) != wrapMarker {
		return w, false
	}
	id, rest, ok := cutField(b[len(wrapMarker):])
	if !ok {
		return w, false
	}
	once, body, ok := cutField(rest)
	return wrappedKeyring{string(id), once, b[:len(b)-len(body)], body}, ok
}

func (w wrappedKeyring) open(ctx context.Context, kek KEK) (*Keyring, error) {
	once, err := kek.Unwrap(ctx, w.once)
	if err != nil {
		return nil, err
	}
	defer clear(once)
	aead, err := newAEAD(once)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, w.body, w.header)
	if err != nil {
		return nil, errors.New("keyring does not authenticate")
	}
	defer clear(plain)
	return decode(plain)
}
