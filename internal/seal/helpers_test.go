package seal_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/seal"
)

// start is when the keyrings of these tests are made.
func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func here() seal.Address {
	return seal.Address{Kind: "version", Tenant: "acme", Path: "secret/app/db", Version: 3}
}

// secretOf is a recognisable key: 32 times the same byte.
func secretOf(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func newRing(t testing.TB, secret byte) *seal.Keyring {
	t.Helper()
	k, err := seal.NewKeyring(bytes.NewReader(secretOf(secret)), start())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rotate(t testing.TB, k *seal.Keyring) *seal.Keyring {
	t.Helper()
	next, err := k.Rotate(nil, start().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func mustSeal(t testing.TB, k *seal.Keyring, a seal.Address, plaintext string) []byte {
	t.Helper()
	sealed, err := k.Seal(a, []byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// wantOpen opens a record and compares what comes out.
func wantOpen(t testing.TB, k *seal.Keyring, a seal.Address, sealed []byte, plaintext string, stale bool) {
	t.Helper()
	got, gotStale, err := k.Open(a, sealed)
	if err != nil || string(got) != plaintext || gotStale != stale {
		t.Fatalf("Open = %q, stale %v, %v; want %q, stale %v", got, gotStale, err, plaintext, stale)
	}
}

// plainGCM is AES-256-GCM with an explicit nonce, to build the documented forms by hand.
func plainGCM(t testing.TB, secret []byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// memKEK is a key-encryption key in memory.
type memKEK struct {
	id    string
	aead  cipher.AEAD
	calls int
	// fail, when set, is what Wrap and Unwrap answer.
	fail error
	// keep, when set, sees every plaintext given to Wrap.
	keep func([]byte)
	// after, when set, is the id from the first Wrap on: a key service that rotates.
	after string
}

func newKEK(t testing.TB, id string, secret byte) *memKEK {
	return &memKEK{id: id, aead: plainGCM(t, secretOf(secret))}
}

func (m *memKEK) ID() string { return m.id }

func (m *memKEK) Wrap(_ context.Context, plaintext []byte) ([]byte, error) {
	if m.fail != nil {
		return nil, m.fail
	}
	if m.keep != nil {
		m.keep(bytes.Clone(plaintext))
	}
	if m.after != "" {
		m.id = m.after
	}
	// A fixed nonce will do: each plaintext is a fresh random key, and this is a test.
	return m.aead.Seal(nil, make([]byte, 12), plaintext, nil), nil
}

func (m *memKEK) Unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	m.calls++
	if m.fail != nil {
		return nil, m.fail
	}
	plaintext, err := m.aead.Open(nil, make([]byte, 12), wrapped, nil)
	if err != nil {
		return nil, errors.New("another key")
	}
	return plaintext, nil
}
