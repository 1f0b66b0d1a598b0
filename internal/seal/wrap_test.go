package seal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/seal"
)

func mustWrap(t testing.TB, k *seal.Keyring, kek seal.KEK) []byte {
	t.Helper()
	wrapped, err := k.Wrap(t.Context(), kek)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

// wantSealed is the one answer to whatever keeps a keyring from being opened.
func wantSealed(t testing.TB, wrapped []byte, keks ...seal.KEK) {
	t.Helper()
	k, id, err := seal.Unwrap(context.Background(), wrapped, keks...)
	var f *fault.Error
	if k != nil || id != "" || !errors.As(err, &f) || f.Kind != fault.Unavailable || f.Detail != "sealed" {
		t.Fatalf("Unwrap = %v, %q, %v; want Unavailable, sealed", k, id, err)
	}
}

func TestWrappedKeyringComesBack(t *testing.T) {
	kek := newKEK(t, "file:aa", 9)
	rapid.Check(t, func(rt *rapid.T) {
		k := newRing(t, 1)
		var records [][]byte
		for range rapid.IntRange(0, 5).Draw(rt, "rotations") {
			records = append(records, mustSeal(t, k, here(), "x"))
			k.AddSeals(rapid.Uint64Range(0, 1<<40).Draw(rt, "seals"))
			k = rotate(t, k)
		}
		if k.Active() > 1 && rapid.Bool().Draw(rt, "retire the first") {
			k, _ = k.Retire(1)
			records = records[1:]
		}
		got, id, err := seal.Unwrap(t.Context(), mustWrap(t, k, kek), kek)
		if err != nil || id != "file:aa" {
			rt.Fatalf("Unwrap = %q, %v", id, err)
		}
		if !slices.Equal(got.Status(), k.Status()) {
			rt.Fatalf("Status = %+v; want %+v", got.Status(), k.Status())
		}
		for _, r := range records {
			wantOpen(t, got, here(), r, "x", true)
		}
		wantOpen(t, got, here(), mustSeal(t, k, here(), "y"), "y", false)
		wantOpen(t, k, here(), mustSeal(t, got, here(), "z"), "z", false)
	})
}

func TestSavedSealsAreNotTakenAgain(t *testing.T) {
	kek := newKEK(t, "k", 9)
	live := newRing(t, 1)
	mustSeal(t, live, here(), "x")
	record := mustWrap(t, newRing(t, 1), kek)
	for range 2 { // the second save has nothing to add
		stored, _, err := seal.Unwrap(t.Context(), record, kek)
		if err != nil {
			t.Fatal(err)
		}
		stored.AddSeals(live.TakeSeals())
		record = mustWrap(t, stored, kek)
	}
	stored, _, err := seal.Unwrap(t.Context(), record, kek)
	if err != nil || stored.Status()[0].Seals != 1 || stored.TakeSeals() != 0 {
		t.Errorf("stored %+v, %v; want one seal, none to take", stored.Status(), err)
	}
}

// handWrapped builds the wrapped form by hand from its description; see handSealed.
func handWrapped(t testing.TB, kek *memKEK, keyring []byte) []byte {
	t.Helper()
	once := secretOf(5)
	wrappedOnce, err := kek.Wrap(t.Context(), once)
	if err != nil {
		t.Fatal(err)
	}
	b := []byte("coffer-keyring:v1:")
	for _, field := range [][]byte{[]byte(kek.id), wrappedOnce} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
		b = append(b, field...)
	}
	nonce := []byte("twelve bytes")
	return append(b, plainGCM(t, once).Seal(nonce, nonce, keyring, b)...)
}

func entry(id uint32, seals uint64, secret byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, id)
	b = binary.BigEndian.AppendUint64(b, uint64(start().Unix()))
	b = binary.BigEndian.AppendUint64(b, seals)
	return append(b, secretOf(secret)...)
}

func TestWrappedForm(t *testing.T) {
	kek := newKEK(t, "file:aa", 9)
	wrapped := handWrapped(t, kek, append(entry(2, 77, 3), entry(5, 8, 1)...))
	k, id, err := seal.Unwrap(t.Context(), wrapped, kek)
	if err != nil || id != "file:aa" {
		t.Fatalf("Unwrap = %q, %v", id, err)
	}
	want := []seal.KeyStatus{{ID: 2, Created: start(), Seals: 77}, {ID: 5, Created: start(), Seals: 8, Active: true}}
	if !slices.Equal(k.Status(), want) {
		t.Errorf("Status = %+v; want %+v", k.Status(), want)
	}
	own := mustWrap(t, k, kek)
	if !bytes.HasPrefix(own, []byte("coffer-keyring:v1:\x00\x00\x00\x07file:aa\x00\x00\x00\x30")) || len(own) != len(wrapped) {
		t.Errorf("wrapped as %q", own)
	}
}

func TestImpossibleKeyringStaysSealed(t *testing.T) {
	kek := newKEK(t, "k", 9)
	for name, keyring := range map[string][]byte{
		"no keys":      {},
		"half a key":   entry(1, 0, 1)[:51],
		"a byte more":  append(entry(1, 0, 1), 0),
		"id 0":         entry(0, 0, 1),
		"id twice":     append(entry(1, 0, 1), entry(1, 0, 2)...),
		"out of order": append(entry(2, 0, 1), entry(1, 0, 2)...),
	} {
		t.Run(name, func(t *testing.T) { wantSealed(t, handWrapped(t, kek, keyring), kek) })
	}
}

func TestLastKeyIDCannotRotate(t *testing.T) {
	kek := newKEK(t, "k", 9)
	k, _, err := seal.Unwrap(t.Context(), handWrapped(t, kek, entry(math.MaxUint32, 0, 1)), kek)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Rotate(nil, start()); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("Rotate = %v; want Unsupported", err)
	}
}

func TestE27WithoutFittingKEKSealed(t *testing.T) {
	right, wrong := newKEK(t, "k1", 9), newKEK(t, "k2", 8)
	wrapped := mustWrap(t, newRing(t, 1), right)
	away := newKEK(t, "k1", 9)
	away.fail = fault.New(fault.Unavailable, "away")
	liar := newKEK(t, "k1", 8) // claims the id, has another key

	wantSealed(t, wrapped)
	wantSealed(t, wrapped, away)
	wantSealed(t, wrapped, liar)
	wantSealed(t, wrapped, wrong, liar)
	_, _, err := seal.Unwrap(t.Context(), wrapped, wrong, liar)
	for _, id := range []string{`"k1"`, `"k2"`} {
		if !strings.Contains(err.Error(), id) {
			t.Errorf("%q does not say that %s was tried", err, id)
		}
	}
}

func TestE26KEKRotation(t *testing.T) {
	former, latter := newKEK(t, "k1", 9), newKEK(t, "k2", 8)
	k := newRing(t, 1)
	sealed := mustSeal(t, k, here(), "hunter2")
	wrapped := mustWrap(t, k, former)

	both, id, err := seal.Unwrap(t.Context(), wrapped, latter, former)
	if err != nil || id != "k1" {
		t.Fatalf("Unwrap with both = %q, %v; want k1", id, err)
	}
	if latter.calls != 0 {
		t.Error("the KEK of another id was tried before the one of the recorded id")
	}
	wrapped = mustWrap(t, both, latter)
	wantSealed(t, wrapped, former)
	after, id, err := seal.Unwrap(t.Context(), wrapped, latter)
	if err != nil || id != "k2" {
		t.Fatalf("Unwrap with the new one = %q, %v; want k2", id, err)
	}
	wantOpen(t, after, here(), sealed, "hunter2", false)
}

func TestRenamedKEKStillOpens(t *testing.T) {
	kek := newKEK(t, "kms:1", 9)
	wrapped := mustWrap(t, newRing(t, 1), kek)
	kek.id = "kms:2" // a key service that rotated opens what its older key wrapped
	if _, id, err := seal.Unwrap(t.Context(), wrapped, newKEK(t, "other", 8), kek); err != nil || id != "kms:1" {
		t.Errorf("Unwrap = %q, %v; want kms:1, the id to compare with", id, err)
	}
}

func TestWrapRecordsTheIDThatWrapped(t *testing.T) {
	kek := newKEK(t, "kms:1", 9)
	kek.after = "kms:2"
	wrapped := mustWrap(t, newRing(t, 1), kek)
	if _, id, err := seal.Unwrap(t.Context(), wrapped, kek); err != nil || id != "kms:2" {
		t.Errorf("recorded id %q, %v; want kms:2", id, err)
	}
}

func TestWrapPassesOnTheKEKsError(t *testing.T) {
	kek := newKEK(t, "k", 9)
	kek.fail = fault.New(fault.ProviderDenied, "refused")
	if wrapped, err := newRing(t, 1).Wrap(t.Context(), kek); fault.KindOf(err) != fault.ProviderDenied || wrapped != nil {
		t.Errorf("Wrap = %q, %v; want ProviderDenied", wrapped, err)
	}
}

func TestKEKSeesOneTimeKeysOnly(t *testing.T) {
	kek := newKEK(t, "k", 9)
	var seen [][]byte
	kek.keep = func(b []byte) { seen = append(seen, b) }
	k := rotate(t, newRing(t, 0xC5))
	mustWrap(t, k, kek)
	mustWrap(t, k, kek)
	if len(seen) != 2 || len(seen[0]) != 32 || len(seen[1]) != 32 || bytes.Equal(seen[0], seen[1]) {
		t.Fatalf("the KEK saw %d plaintexts; want two different ones of 32 bytes", len(seen))
	}
}

func TestChangedWrappedKeyringStaysSealed(t *testing.T) {
	kek := newKEK(t, "file:aa", 9)
	wrapped := mustWrap(t, rotate(t, newRing(t, 1)), kek)
	for bit := range len(wrapped) * 8 {
		wrapped[bit/8] ^= 1 << (bit % 8)
		wantSealed(t, wrapped, kek) // the id in clear included
		wrapped[bit/8] ^= 1 << (bit % 8)
	}
	for n := range len(wrapped) {
		wantSealed(t, wrapped[:n], kek)
	}
	wantSealed(t, append(bytes.Clone(wrapped), 0), kek)
	if _, _, err := seal.Unwrap(t.Context(), wrapped, kek); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}
