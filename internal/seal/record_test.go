package seal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/seal"
)

func TestSealedRecordOpensAtItsAddress(t *testing.T) {
	address := rapid.Custom(func(t *rapid.T) seal.Address {
		return seal.Address{
			Kind:    rapid.String().Draw(t, "kind"),
			Tenant:  rapid.String().Draw(t, "tenant"),
			Path:    rapid.String().Draw(t, "path"),
			Version: rapid.Int64().Draw(t, "version"),
		}
	})
	k := newRing(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		a, other := address.Draw(t, "address"), address.Draw(t, "other")
		plaintext := rapid.SliceOf(rapid.Byte()).Draw(t, "plaintext")
		sealed, err := k.Seal(a, plaintext)
		if err != nil || len(sealed) != len(plaintext)+seal.Overhead {
			t.Fatalf("Seal: %d bytes from %d, %v", len(sealed), len(plaintext), err)
		}
		got, stale, err := k.Open(a, sealed)
		if err != nil || stale || !bytes.Equal(got, plaintext) {
			t.Fatalf("Open = %q, %v, %v", got, stale, err)
		}
		if _, _, err = k.Open(other, sealed); (err == nil) != (a == other) {
			t.Fatalf("Open elsewhere: %v", err)
		}
	})
}

func TestE24MovedRecordIsCorrupt(t *testing.T) {
	k := newRing(t, 1)
	sealed := mustSeal(t, k, here(), `{"password":"x"}`)
	elsewhere := map[string]func(*seal.Address){
		"kind":           func(a *seal.Address) { a.Kind = "meta" },
		"tenant":         func(a *seal.Address) { a.Tenant = "acm" },
		"path":           func(a *seal.Address) { a.Path = "secret/app/db2" },
		"version":        func(a *seal.Address) { a.Version = 4 },
		"no version":     func(a *seal.Address) { a.Version = 0 },
		"shifted border": func(a *seal.Address) { a.Tenant, a.Path = "acmes", "ecret/app/db" },
		"swapped":        func(a *seal.Address) { a.Kind, a.Tenant = a.Tenant, a.Kind },
		"nowhere":        func(a *seal.Address) { *a = seal.Address{} },
	}
	for name, move := range elsewhere {
		t.Run(name, func(t *testing.T) {
			a := here()
			move(&a)
			got, _, err := k.Open(a, sealed)
			if fault.KindOf(err) != fault.Corrupt || got != nil {
				t.Fatalf("Open = %q, %v; want Corrupt", got, err)
			}
		})
	}
	wantOpen(t, k, here(), sealed, `{"password":"x"}`, false)
}

func TestE24FlippedBitIsCorrupt(t *testing.T) {
	k := rotate(t, newRing(t, 1)) // keys 1 and 2, so that a flipped key id may name the other
	sealed := mustSeal(t, k, here(), "hunter2")
	for bit := range len(sealed) * 8 {
		sealed[bit/8] ^= 1 << (bit % 8)
		got, _, err := k.Open(here(), sealed)
		if fault.KindOf(err) != fault.Corrupt || got != nil {
			t.Fatalf("bit %d flipped: Open = %q, %v; want Corrupt", bit, got, err)
		}
		sealed[bit/8] ^= 1 << (bit % 8)
	}
	wantOpen(t, k, here(), sealed, "hunter2", false)
}

func TestShortenedOrLengthenedRecordIsCorrupt(t *testing.T) {
	k := newRing(t, 1)
	sealed := mustSeal(t, k, here(), "hunter2")
	for n := range len(sealed) {
		if _, _, err := k.Open(here(), sealed[:n]); fault.KindOf(err) != fault.Corrupt {
			t.Fatalf("first %d bytes: %v", n, err)
		}
	}
	if _, _, err := k.Open(here(), append(bytes.Clone(sealed), 0)); fault.KindOf(err) != fault.Corrupt {
		t.Fatalf("one byte more: %v", err)
	}
}

// handSealed builds a record by hand from its description, so that a change of the
// stored form, which would make all stored records unreadable, cannot pass.
func handSealed(t testing.TB, secret byte, plaintext string) (record, aad []byte) {
	t.Helper()
	for _, field := range []string{"version", "acme", "secret/app/db", "\x00\x00\x00\x00\x00\x00\x00\x03"} {
		aad = binary.BigEndian.AppendUint32(aad, uint32(len(field)))
		aad = append(aad, field...)
	}
	nonce := []byte("twelve bytes")
	record = append([]byte("coffer:v1:\x00\x00\x00\x01"), nonce...)
	return plainGCM(t, secretOf(secret)).Seal(record, nonce, []byte(plaintext), aad), aad
}

func TestStoredForm(t *testing.T) {
	record, aad := handSealed(t, 7, "hunter2")
	wantOpen(t, newRing(t, 7), here(), record, "hunter2", false)

	own := mustSeal(t, newRing(t, 7), here(), "hunter2")
	if !bytes.Equal(own[:14], record[:14]) || len(own) != len(record) {
		t.Fatalf("sealed as %q", own)
	}
	plain, err := plainGCM(t, secretOf(7)).Open(nil, own[14:26], own[26:], aad)
	if err != nil || string(plain) != "hunter2" {
		t.Fatalf("by hand: %q, %v", plain, err)
	}
}

func TestSealsNeverRepeat(t *testing.T) {
	k := newRing(t, 1)
	seen := map[string]bool{}
	for range 1000 {
		nonce := string(mustSeal(t, k, here(), "same")[14:26])
		if seen[nonce] {
			t.Fatal("nonce came twice")
		}
		seen[nonce] = true
	}
}

func TestRecordUnderUnknownKey(t *testing.T) {
	old := newRing(t, 1)
	sealed := mustSeal(t, rotate(t, old), here(), "hunter2")
	_, _, err := old.Open(here(), sealed)
	var unknown *seal.UnknownKeyError
	if !errors.As(err, &unknown) || unknown.ID != 2 {
		t.Fatalf("Open = %v; want UnknownKeyError 2", err)
	}
	if fault.KindOf(err) != fault.Corrupt || !strings.Contains(err.Error(), "key 2") {
		t.Fatalf("error %q is %v; want Corrupt", err, fault.KindOf(err))
	}
}

func TestSameKeyIDOfAnotherKeyringIsCorrupt(t *testing.T) {
	sealed := mustSeal(t, newRing(t, 1), here(), "hunter2")
	_, _, err := newRing(t, 2).Open(here(), sealed)
	var unknown *seal.UnknownKeyError
	if fault.KindOf(err) != fault.Corrupt || errors.As(err, &unknown) {
		t.Fatalf("Open = %v; want plain Corrupt", err)
	}
}

func TestOpenErrorsTellNothing(t *testing.T) {
	k := newRing(t, 1)
	sealed := mustSeal(t, k, here(), "hunter2")
	sealed[len(sealed)-1] ^= 1
	_, _, err := k.Open(here(), sealed)
	for _, private := range []string{"hunter2", "acme", "secret/app", "db"} {
		if strings.Contains(err.Error(), private) {
			t.Errorf("error %q tells %q", err, private)
		}
	}
}

func TestKeyID(t *testing.T) {
	k := rotate(t, newRing(t, 1))
	sealed := mustSeal(t, k, here(), "")
	if id, ok := seal.KeyID(sealed); !ok || id != 2 {
		t.Errorf("KeyID = %d, %v; want 2", id, ok)
	}
	for _, other := range [][]byte{nil, []byte("coffer:v1:"), sealed[:len(sealed)-1], append([]byte("Coffer"), sealed[6:]...)} {
		if id, ok := seal.KeyID(other); ok {
			t.Errorf("KeyID(%q) = %d", other, id)
		}
	}
}

func TestZeroKeyringIsSealed(t *testing.T) {
	sealed := mustSeal(t, newRing(t, 1), here(), "hunter2")
	for name, k := range map[string]*seal.Keyring{"nil": nil, "zero": {}} {
		if _, err := k.Seal(here(), nil); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: Seal = %v; want Unavailable", name, err)
		}
		if _, _, err := k.Open(here(), sealed); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: Open = %v; want Unavailable", name, err)
		}
		if _, err := k.Rotate(nil, start()); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: Rotate = %v; want Unavailable", name, err)
		}
		if _, err := k.Wrap(t.Context(), newKEK(t, "k", 1)); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: Wrap = %v; want Unavailable", name, err)
		}
		k.AddSeals(1)
		if k.Active() != 0 || k.TakeSeals() != 0 || len(k.Status()) != 0 || k.Due(start()) {
			t.Errorf("%s: claims to have a key", name)
		}
	}
}

func TestSealAndOpenAllocateTheirOutputOnly(t *testing.T) {
	k, plaintext := newRing(t, 1), make([]byte, 1024)
	sealed := mustSeal(t, k, here(), string(plaintext))
	if n := testing.AllocsPerRun(100, func() { _, _ = k.Seal(here(), plaintext) }); n > 1 {
		t.Errorf("Seal allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = k.Open(here(), sealed) }); n > 1 {
		t.Errorf("Open allocates %v times", n)
	}
}
