package kek_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	kms "k8s.io/kms/apis/v2"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/seal"
	"github.com/coffer-dev/coffer/internal/seal/kek"
)

func mustCheck(t testing.TB, p *kek.Plugin) {
	t.Helper()
	if err := p.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestKMSKeepsAKeyring(t *testing.T) {
	_, p := startPlugin(t)
	if p.ID() != "kms:" {
		t.Errorf("ID = %q before any answer", p.ID())
	}
	mustCheck(t, p)
	if p.ID() != "kms:k1" {
		t.Errorf("ID = %q; want kms:k1", p.ID())
	}
	ring := newRing(t)
	wrapped := mustWrap(t, ring, p)
	got, id, err := seal.Unwrap(t.Context(), wrapped, p)
	if err != nil || id != "kms:k1" || got.Active() != ring.Active() {
		t.Errorf("Unwrap = %q, %v", id, err)
	}
}

func TestKMSRestartOfTheClient(t *testing.T) {
	f, p := startPlugin(t)
	wrapped := mustWrap(t, newRing(t), p)
	socket := socketPath(t, "again.sock")
	f.serve(t, socket)
	later := dial(t, socket, 10*time.Second)
	_, id, err := seal.Unwrap(t.Context(), wrapped, later)
	if err != nil || id != later.ID() {
		t.Errorf("Unwrap = %q, %v, and the plug-in is %q: nothing was rotated", id, err, later.ID())
	}
}

func TestE26KMSRotation(t *testing.T) {
	f, p := startPlugin(t)
	ring := newRing(t)
	former := mustWrap(t, ring, p)
	f.rotateTo("k2")
	mustCheck(t, p)
	opened, id, err := seal.Unwrap(t.Context(), former, p)
	if err != nil || id != "kms:k1" || p.ID() != "kms:k2" {
		t.Fatalf("Unwrap = %q, %v, plug-in %q; want kms:k1 and kms:k2, told apart", id, err, p.ID())
	}
	latter := mustWrap(t, opened, p)
	f.change(func(f *fakePlugin) { delete(f.keys, "k1") })
	if _, id, err = seal.Unwrap(t.Context(), latter, p); err != nil || id != "kms:k2" {
		t.Errorf("Unwrap = %q, %v; want kms:k2", id, err)
	}
	_, _, err = seal.Unwrap(t.Context(), former, p)
	wantFault(t, err, fault.Unavailable, "sealed", "")
}

func TestKMSRotationIsNoticedWhileWrapping(t *testing.T) {
	f, p := startPlugin(t)
	mustCheck(t, p)
	f.rotateTo("k2") // and nobody checks
	_, id, err := seal.Unwrap(t.Context(), mustWrap(t, newRing(t), p), p)
	if err != nil || id != "kms:k2" || p.ID() != "kms:k2" {
		t.Errorf("recorded %q, plug-in %q, %v; want kms:k2", id, p.ID(), err)
	}
}

func TestE26FromFileToKMS(t *testing.T) {
	_, p := startPlugin(t)
	file := mustFile(t, keyFile(t, keyBytes(1), 0o600))
	wrapped := mustWrap(t, newRing(t), file)
	ring, id, err := seal.Unwrap(t.Context(), wrapped, p, file)
	if err != nil || id != file.ID() {
		t.Fatalf("Unwrap = %q, %v", id, err)
	}
	wrapped = mustWrap(t, ring, p)
	_, _, err = seal.Unwrap(t.Context(), wrapped, file)
	wantFault(t, err, fault.Unavailable, "sealed", "")
	if _, _, err = seal.Unwrap(t.Context(), wrapped, file, p); err != nil {
		t.Error(err)
	}
}

func TestKMSThatIsAwayAndComes(t *testing.T) {
	socket := socketPath(t, "kms.sock")
	p := dial(t, socket, time.Second)
	wantFault(t, p.Check(t.Context()), fault.Unavailable, "does not answer", socket)
	_, err := newRing(t).Wrap(t.Context(), p)
	wantFault(t, err, fault.Unavailable, "does not answer", socket)

	f := newFakePlugin()
	stop := f.serve(t, socket)
	comesBack(t, p)
	wrapped := mustWrap(t, newRing(t), p)
	stop()
	_, _, err = seal.Unwrap(t.Context(), wrapped, p)
	wantFault(t, err, fault.Unavailable, "sealed", socket)
	f.serve(t, socket)
	comesBack(t, p)
	if _, _, err = seal.Unwrap(t.Context(), wrapped, p); err != nil {
		t.Errorf("after a restart of the plug-in: %v", err)
	}
}

// comesBack waits out the client's pause between two tries to connect.
func comesBack(t testing.TB, p *kek.Plugin) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for p.Check(t.Context()) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the plug-in is not found")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestKMSThatHangs(t *testing.T) {
	f, socket := newFakePlugin(), socketPath(t, "kms.sock")
	f.serve(t, socket)
	wrapped, err := dial(t, socket, 10*time.Second).Wrap(t.Context(), keyBytes(1))
	if err != nil {
		t.Fatal(err)
	}
	f.change(func(f *fakePlugin) { f.hang = true })
	p := dial(t, socket, 100*time.Millisecond)
	began := time.Now()
	wantFault(t, p.Check(t.Context()), fault.Unavailable, "status", "")
	_, err = p.Wrap(t.Context(), keyBytes(1))
	wantFault(t, err, fault.Unavailable, "encrypt", "")
	_, err = p.Unwrap(t.Context(), wrapped)
	wantFault(t, err, fault.Unavailable, "decrypt", "")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("three calls with a timeout of 100 ms took %v", took)
	}
}

func TestKMSObeysTheCaller(t *testing.T) {
	f, p := startPlugin(t)
	f.change(func(f *fakePlugin) { f.hang = true })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantFault(t, p.Check(ctx), fault.Unavailable, "does not answer", "")
}

func TestKMSErrors(t *testing.T) {
	f, p := startPlugin(t)
	wrapped, err := p.Wrap(t.Context(), keyBytes(1))
	if err != nil {
		t.Fatal(err)
	}
	for code, kind := range map[codes.Code]fault.Kind{
		codes.Unavailable:      fault.Unavailable,
		codes.DeadlineExceeded: fault.Unavailable,
		codes.PermissionDenied: fault.ProviderDenied,
		codes.Unauthenticated:  fault.ProviderDenied,
		codes.Internal:         fault.ProviderFailed,
		codes.Unknown:          fault.ProviderFailed,
		codes.Unimplemented:    fault.ProviderFailed,
	} {
		t.Run(code.String(), func(t *testing.T) {
			f.change(func(f *fakePlugin) { f.fail = status.Error(code, "token expired") })
			_, wrapErr := p.Wrap(t.Context(), keyBytes(1))
			_, unwrapErr := p.Unwrap(t.Context(), wrapped)
			for call, err := range map[string]error{"status": p.Check(t.Context()), "encrypt": wrapErr, "decrypt": unwrapErr} {
				wantFault(t, err, kind, call, "token expired") // its own words are for the log alone
				if !strings.Contains(err.Error(), "token expired") {
					t.Errorf("%s: the log does not say why: %v", call, err)
				}
			}
		})
	}
}

func TestKMSStatusOutOfOrder(t *testing.T) {
	cases := map[string]struct {
		status *kms.StatusResponse
		words  string
	}{
		"older protocol": {&kms.StatusResponse{Version: "v1beta1", Healthz: "ok", KeyId: "k9"}, "does not speak KMS v2"},
		"no version":     {&kms.StatusResponse{Healthz: "ok", KeyId: "k9"}, "does not speak KMS v2"},
		"unwell":         {&kms.StatusResponse{Version: "v2", Healthz: "HSM is away", KeyId: "k9"}, "unwell"},
		"no key":         {&kms.StatusResponse{Version: "v2", Healthz: "ok"}, "no usable key"},
		"long key id":    {&kms.StatusResponse{Version: "v2", Healthz: "ok", KeyId: strings.Repeat("k", 1025)}, "no usable key"},
	}
	f, p := startPlugin(t)
	mustCheck(t, p)
	for name, c := range cases {
		f.change(func(f *fakePlugin) { f.status = c.status })
		t.Run(name, func(t *testing.T) {
			wantFault(t, p.Check(t.Context()), fault.Unavailable, c.words, "")
			if p.ID() != "kms:k1" {
				t.Errorf("ID = %q was taken from a bad answer", p.ID())
			}
		})
	}
	f.change(func(f *fakePlugin) { f.status = &kms.StatusResponse{Version: "v2beta1", Healthz: "ok", KeyId: "k3"} })
	mustCheck(t, p)
	if p.ID() != "kms:k3" {
		t.Errorf("ID = %q; want kms:k3", p.ID())
	}
}

func TestKMSAnswersOutOfProtocol(t *testing.T) {
	f, p := startPlugin(t)
	for name, distort := range map[string]func(*kms.EncryptResponse){
		"no ciphertext":     func(r *kms.EncryptResponse) { r.Ciphertext = nil },
		"huge ciphertext":   func(r *kms.EncryptResponse) { r.Ciphertext = make([]byte, 1025) },
		"no key id":         func(r *kms.EncryptResponse) { r.KeyId = "" },
		"huge key id":       func(r *kms.EncryptResponse) { r.KeyId = strings.Repeat("k", 1025) },
		"huge annotations":  func(r *kms.EncryptResponse) { r.Annotations["a.example"] = make([]byte, 32<<10) },
		"nothing but a key": func(r *kms.EncryptResponse) { r.Reset(); r.KeyId = "k1" },
	} {
		t.Run(name, func(t *testing.T) {
			f.change(func(f *fakePlugin) { f.distort = distort })
			wrapped, err := p.Wrap(t.Context(), keyBytes(1))
			wantFault(t, err, fault.ProviderFailed, "out of protocol", "")
			if wrapped != nil || p.ID() != "kms:" {
				t.Errorf("wrapped %q, ID %q, in spite of the error", wrapped, p.ID())
			}
		})
	}
}

func TestKMSIsNotAskedAboutForeignBytes(t *testing.T) {
	f, p := startPlugin(t)
	foreign, err := mustFile(t, keyFile(t, keyBytes(1), 0o600)).Wrap(t.Context(), keyBytes(2))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{nil, {0xff}, bytes.Repeat([]byte("x"), 60), foreign} {
		if got, err := p.Unwrap(t.Context(), b); err == nil {
			t.Errorf("Unwrap(%q) = %q", b, got)
		}
	}
	if n := f.callCount(); n != 0 {
		t.Errorf("the plug-in was called %d times", n)
	}
}

func TestKMSSettings(t *testing.T) {
	for _, socket := range []string{"", "kms.sock", "unix:///run/kms.sock"} {
		_, err := kek.KMS(socket, time.Second)
		wantFault(t, err, fault.Invalid, "absolute path", "")
	}
	for _, timeout := range []time.Duration{0, -time.Second} {
		_, err := kek.KMS("/run/kms.sock", timeout)
		wantFault(t, err, fault.Invalid, "timeout", "")
	}
}

func TestKMSSocketNameIsTakenAsItIs(t *testing.T) {
	socket := socketPath(t, "a b%20c?d#e.sock")
	newFakePlugin().serve(t, socket)
	mustCheck(t, dial(t, socket, 10*time.Second))
}

func TestKMSAfterClose(t *testing.T) {
	_, p := startPlugin(t)
	mustCheck(t, p)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	wantFault(t, p.Check(t.Context()), fault.Unavailable, "does not answer", "")
}
