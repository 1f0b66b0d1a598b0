package kek

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/seal"
)

const (
	fileSize = 32 // bytes of an AES-256 key, raw

	// fileDomain keeps the two uses of the key, naming and wrapping, apart.
	fileDomain = "coffer kek v1"
)

// fileKEK wraps with AES-256-GCM; the nonce is random and stands before the ciphertext.
type fileKEK struct {
	id   string
	aead cipher.AEAD
}

// File reads a key-encryption key from a file of exactly 32 raw bytes that only its
// owner may read or write (mode 0600 or stricter); a symbolic link is followed. A file
// that cannot be read is fault.Unavailable, one of another shape or mode is
// fault.Invalid and says how to mend it. The file is read once: it may be withdrawn
// afterwards. The id of the key is "file:" and a fingerprint.
func File(path string) (seal.KEK, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the key-encryption key file cannot be opened")
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the key-encryption key file cannot be examined")
	}
	if err := checkFile(info); err != nil {
		return nil, err
	}
	key := make([]byte, fileSize)
	defer clear(key)
	if _, err := io.ReadFull(f, key); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the key-encryption key file cannot be read")
	}
	return newFileKEK(key)
}

func checkFile(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fault.New(fault.Invalid, "the key-encryption key file is not a regular file")
	}
	if perm := info.Mode().Perm(); perm&^0o600 != 0 {
		return fault.New(fault.Invalid,
			"the key-encryption key file has mode %04o: take it from everybody but its owner with chmod 600", perm)
	}
	if info.Size() != fileSize {
		return fault.New(fault.Invalid,
			"the key-encryption key file has %d bytes: it must hold exactly %d random bytes, as made by head -c %d /dev/urandom",
			info.Size(), fileSize, fileSize)
	}
	return nil
}

func newFileKEK(key []byte) (*fileKEK, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("preparing the key-encryption key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("preparing the key-encryption key: %w", err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(fileDomain))
	return &fileKEK{id: "file:" + hex.EncodeToString(mac.Sum(nil)[:8]), aead: aead}, nil
}

// ID is "file:" and 16 hex digits of an HMAC under the key, which do not reveal it.
func (k *fileKEK) ID() string { return k.id }

// Wrap never fails.
func (k *fileKEK) Wrap(_ context.Context, plaintext []byte) ([]byte, error) {
	return k.aead.Seal(nil, nil, plaintext, []byte(fileDomain)), nil
}

// Unwrap refuses what another key wrapped.
func (k *fileKEK) Unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	plaintext, err := k.aead.Open(nil, nil, wrapped, []byte(fileDomain))
	if err != nil {
		return nil, errors.New("wrapped under another key, or damaged")
	}
	return plaintext, nil
}

// Format shows the id alone: the cipher holds the key.
func (k *fileKEK) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.id) }

// LogValue shows the id alone.
func (k *fileKEK) LogValue() slog.Value { return slog.StringValue(k.id) }

// MarshalText shows the id alone.
func (k *fileKEK) MarshalText() ([]byte, error) { return []byte(k.id), nil }
