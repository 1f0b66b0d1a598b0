package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// keySize is the length of an AES-256 key in bytes.
const keySize = 32

// dataKey is one numbered AES-256 key. It lives behind a pointer and is shared by
// all copies of a keyring, so that a seal counts whichever copy made it.
type dataKey struct {
	id      uint32
	created time.Time // UTC, whole seconds
	// secret is a pointer of its own because package fmt, which sees through unexported
	// fields without asking for a Format method, follows one pointer but not two.
	secret *[keySize]byte
	// aead makes a fresh random nonce for each seal and puts it before the ciphertext:
	// no caller can repeat one.
	aead  cipher.AEAD
	saved atomic.Uint64 // seals that the stored keyring knows of, or is about to
	since atomic.Uint64 // seals made here since TakeSeals
}

func newKey(id uint32, secret []byte, created time.Time) (*dataKey, error) {
	aead, err := newAEAD(secret)
	if err != nil {
		return nil, fmt.Errorf("preparing data key %d: %w", id, err)
	}
	own := [keySize]byte(secret)
	return &dataKey{id: id, created: created.UTC().Truncate(time.Second), secret: &own, aead: aead}, nil
}

// generateKey takes the key from random, or from crypto/rand when random is nil.
func generateKey(id uint32, random io.Reader, now time.Time) (*dataKey, error) {
	if random == nil {
		random = rand.Reader
	}
	secret := make([]byte, keySize)
	defer clear(secret)
	if _, err := io.ReadFull(random, secret); err != nil {
		return nil, fmt.Errorf("reading randomness for data key %d: %w", id, err)
	}
	return newKey(id, secret, now)
}

func newAEAD(secret []byte) (cipher.AEAD, error) {
	if len(secret) != keySize {
		return nil, fmt.Errorf("a key must be %d bytes, not %d", keySize, len(secret))
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seals may be short by the seals that a TakeSeals is just moving.
func (k *dataKey) seals() uint64 { return k.since.Load() + k.saved.Load() }
