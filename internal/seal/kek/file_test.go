package kek_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/seal"
	"github.com/coffer-dev/coffer/internal/seal/kek"
)

func keyFile(t testing.TB, content []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kek")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func keyBytes(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func mustFile(t testing.TB, path string) seal.KEK {
	t.Helper()
	k, err := kek.File(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newRing(t testing.TB) *seal.Keyring {
	t.Helper()
	k, err := seal.NewKeyring(nil, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustWrap(t testing.TB, ring *seal.Keyring, k seal.KEK) []byte {
	t.Helper()
	wrapped, err := ring.Wrap(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

// wantFault checks the kind, and that the public detail has the words and not the path.
func wantFault(t testing.TB, err error, kind fault.Kind, words, path string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != kind || !strings.Contains(f.Detail, words) {
		t.Fatalf("error %v; want %v with %q", err, kind, words)
	}
	if path != "" && strings.Contains(f.Detail, path) {
		t.Errorf("detail %q tells the path", f.Detail)
	}
}

func TestFileKeyOpensItsKeyringOnly(t *testing.T) {
	one, two := mustFile(t, keyFile(t, keyBytes(1), 0o600)), mustFile(t, keyFile(t, keyBytes(2), 0o600))
	again := mustFile(t, keyFile(t, keyBytes(1), 0o400))
	wrapped := mustWrap(t, newRing(t), one)
	if _, id, err := seal.Unwrap(t.Context(), wrapped, two, again); err != nil || id != one.ID() {
		t.Errorf("Unwrap = %q, %v; want %q", id, err, one.ID())
	}
	_, _, err := seal.Unwrap(t.Context(), wrapped, two)
	wantFault(t, err, fault.Unavailable, "sealed", "")
	if one.ID() != again.ID() || one.ID() == two.ID() {
		t.Errorf("ids %q, %q of one key, %q of another", one.ID(), again.ID(), two.ID())
	}
}

// The form is built by hand here: a change would make wrapped keyrings unreadable.
func TestFileWrapForm(t *testing.T) {
	key, nonce, domain := keyBytes(1), []byte("twelve bytes"), []byte("coffer kek v1")
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	k := mustFile(t, keyFile(t, key, 0o600))
	got, err := k.Unwrap(t.Context(), gcm.Seal(nonce, nonce, []byte("one-time key"), domain))
	if err != nil || string(got) != "one-time key" {
		t.Errorf("Unwrap = %q, %v", got, err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(domain)
	if want := "file:" + hex.EncodeToString(mac.Sum(nil))[:16]; k.ID() != want {
		t.Errorf("ID = %q; want %q", k.ID(), want)
	}
}

func TestFileUnwrapRefusesChangedBytes(t *testing.T) {
	k := mustFile(t, keyFile(t, keyBytes(1), 0o600))
	wrapped, err := k.Wrap(t.Context(), keyBytes(9))
	if err != nil {
		t.Fatal(err)
	}
	for i := range wrapped {
		wrapped[i] ^= 1
		if got, err := k.Unwrap(t.Context(), wrapped); err == nil {
			t.Errorf("byte %d changed: Unwrap = %x", i, got)
		}
		wrapped[i] ^= 1
		if got, err := k.Unwrap(t.Context(), wrapped[:i]); err == nil {
			t.Errorf("first %d bytes: Unwrap = %x", i, got)
		}
	}
	if got, err := k.Unwrap(t.Context(), wrapped); err != nil || !bytes.Equal(got, keyBytes(9)) {
		t.Errorf("unchanged: %x, %v", got, err)
	}
}

func TestFileModes(t *testing.T) {
	for mode, allowed := range map[os.FileMode]bool{
		0o600: true, 0o400: true,
		0o644: false, 0o640: false, 0o604: false, 0o660: false, 0o602: false, 0o601: false, 0o700: false, 0o777: false,
	} {
		t.Run(fmt.Sprintf("%04o", mode), func(t *testing.T) {
			path := keyFile(t, keyBytes(1), mode)
			k, err := kek.File(path)
			if allowed {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if k != nil {
				t.Error("a key came with the error")
			}
			wantFault(t, err, fault.Invalid, "chmod 600", path)
			wantFault(t, err, fault.Invalid, fmt.Sprintf("mode %04o", mode), path)
		})
	}
}

func TestFileSizes(t *testing.T) {
	for _, size := range []int{0, 16, 31, 33, 64} {
		path := keyFile(t, bytes.Repeat([]byte("k"), size), 0o600)
		_, err := kek.File(path)
		wantFault(t, err, fault.Invalid, fmt.Sprintf("has %d bytes", size), path)
		wantFault(t, err, fault.Invalid, "exactly 32 random bytes", path)
		if strings.Contains(err.Error(), "kk") {
			t.Errorf("error %q shows the content", err)
		}
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	_, err := kek.File(missing)
	wantFault(t, err, fault.Unavailable, "cannot be opened", missing)
	_, err = kek.File(t.TempDir())
	wantFault(t, err, fault.Invalid, "not a regular file", "")
}

func TestFileFollowsLinks(t *testing.T) {
	target := keyFile(t, keyBytes(1), 0o600)
	link := filepath.Join(t.TempDir(), "link") // as in mounted Kubernetes secrets
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if got, want := mustFile(t, link).ID(), mustFile(t, target).ID(); got != want {
		t.Errorf("ID = %q; want %q", got, want)
	}
	if err := os.Chmod(target, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := kek.File(link)
	wantFault(t, err, fault.Invalid, "chmod 600", link)
}

func TestCreateFile(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for _, path := range []string{one, two} {
		if err := kek.CreateFile(path); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 || info.Size() != 32 {
			t.Errorf("created %v, %d bytes, %v", info.Mode(), info.Size(), err)
		}
	}
	first := mustFile(t, one).ID()
	if first == mustFile(t, two).ID() {
		t.Error("two files hold one key")
	}
	wantFault(t, kek.CreateFile(one), fault.Exists, "exists", one)
	if mustFile(t, one).ID() != first {
		t.Error("an existing key was replaced")
	}
	nowhere := filepath.Join(dir, "none", "kek")
	wantFault(t, kek.CreateFile(nowhere), fault.Unavailable, "cannot be created", nowhere)
}

func TestCreateFileLeavesForeignFilesAlone(t *testing.T) {
	path := keyFile(t, []byte("half a key"), 0o644)
	wantFault(t, kek.CreateFile(path), fault.Exists, "exists", path)
	dangling := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(t.TempDir(), "target"), dangling); err != nil {
		t.Fatal(err)
	}
	wantFault(t, kek.CreateFile(dangling), fault.Exists, "exists", dangling)
	if got, err := os.ReadFile(path); err != nil || string(got) != "half a key" {
		t.Errorf("the file now holds %q, %v", got, err)
	}
}

func TestPrintedFileKeyShowsItsIDAlone(t *testing.T) {
	key := []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345")
	k := mustFile(t, keyFile(t, key, 0o600))
	asJSON, err := json.Marshal(k)
	if err != nil || string(asJSON) != `"`+k.ID()+`"` {
		t.Errorf("as JSON: %s, %v", asJSON, err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "kek", k)
	printed := []string{log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, k); got != k.ID() {
			t.Errorf("%s prints %q", verb, got)
		}
		printed = append(printed, fmt.Sprintf(verb, struct{ hidden seal.KEK }{k}))
	}
	for _, text := range printed {
		for _, part := range []string{"ABCD", "65 66 67", "0x41, 0x42", "41424344", "QUJD"} {
			if strings.Contains(text, part) {
				t.Errorf("shows the key: %s", text)
			}
		}
	}
}
