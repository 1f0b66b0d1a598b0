package seal_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/seal"
)

// Only what Seal made opens, whatever else lies in the store; nothing panics.
func FuzzOpen(f *testing.F) {
	// Each fuzzing process runs this anew: all of it must come out the same.
	k := newRing(f, 1)
	genuine, _ := handSealed(f, 1, "hunter2")
	f.Add(genuine, "secret/app/db", int64(3))
	f.Add(genuine, "secret/app/d", int64(3))
	f.Add(genuine[:seal.Overhead], "", int64(0))
	f.Add([]byte("coffer:v1:"), "", int64(-1))
	f.Fuzz(func(t *testing.T, record []byte, path string, version int64) {
		a := here()
		a.Path, a.Version = path, version
		before := bytes.Clone(record)
		plaintext, stale, err := k.Open(a, record)
		if !bytes.Equal(record, before) {
			t.Error("Open changed the record")
		}
		if err == nil {
			if !bytes.Equal(record, genuine) || a != here() || string(plaintext) != "hunter2" || stale {
				t.Errorf("forged: %q opens at %q, %d as %q", record, path, version, plaintext)
			}
			return
		}
		if fault.KindOf(err) != fault.Corrupt || plaintext != nil {
			t.Errorf("Open = %q, %v; want Corrupt", plaintext, err)
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	kek := newKEK(f, "file:aa", 9)
	genuine := handWrapped(f, kek, entry(1, 0, 1)) // the same in each fuzzing process
	f.Add(genuine)
	f.Add(genuine[:40])
	f.Add([]byte("coffer-keyring:v1:\xff\xff\xff\xff"))
	f.Add(handWrapped(f, kek, entry(0, 0, 1)))
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		k, _, err := seal.Unwrap(context.Background(), wrapped, kek)
		if err == nil && (!bytes.Equal(wrapped, genuine) || k.Active() != 1) {
			t.Errorf("forged: %q unwraps", wrapped)
		}
		if err != nil {
			wantSealed(t, wrapped, kek)
		}
	})
}
