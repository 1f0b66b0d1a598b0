package kek_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	kms "k8s.io/kms/apis/v2"

	"github.com/coffer-dev/coffer/internal/seal/kek"
)

// annotation is what fakePlugin needs back to decrypt, as some plug-ins do.
const annotation = "salt.kms.example"

// fakePlugin is a KMS v2 plug-in over the real protocol. It "encrypts" by
// remembering: a ciphertext is a ticket for a plaintext.
type fakePlugin struct {
	kms.UnimplementedKeyManagementServiceServer

	mu      sync.Mutex
	keyID   string
	keys    map[string]bool   // the keys that can still decrypt
	vault   map[string][]byte // by ticket
	calls   int
	uids    map[string]bool
	fail    error                          // what every call answers, when set
	hang    bool                           // calls last until their caller gives up
	status  *kms.StatusResponse            // what Status answers instead, when set
	distort func(res *kms.EncryptResponse) // spoils answers to Encrypt, when set
}

func newFakePlugin() *fakePlugin {
	return &fakePlugin{keyID: "k1", keys: map[string]bool{"k1": true}, vault: map[string][]byte{}, uids: map[string]bool{}}
}

// change edits the plug-in between calls.
func (f *fakePlugin) change(edit func(*fakePlugin)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	edit(f)
}

func (f *fakePlugin) callCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func (f *fakePlugin) rotateTo(id string) {
	f.change(func(f *fakePlugin) { f.keyID, f.keys[id] = id, true })
}

// enter counts the call; the lock is held when it returns nil.
func (f *fakePlugin) enter(ctx context.Context) error {
	f.mu.Lock()
	f.calls++
	fail, hang := f.fail, f.hang
	if fail == nil && !hang {
		return nil
	}
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	return fail
}

func (f *fakePlugin) Status(ctx context.Context, _ *kms.StatusRequest) (*kms.StatusResponse, error) {
	if err := f.enter(ctx); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	if f.status != nil {
		return f.status, nil
	}
	return &kms.StatusResponse{Version: "v2", Healthz: "ok", KeyId: f.keyID}, nil
}

func (f *fakePlugin) Encrypt(ctx context.Context, req *kms.EncryptRequest) (*kms.EncryptResponse, error) {
	if err := f.enter(ctx); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	if err := f.checkUID(req.GetUid()); err != nil {
		return nil, err
	}
	ticket := fmt.Sprintf("ticket %d under %s", len(f.vault), f.keyID)
	f.vault[ticket] = req.GetPlaintext()
	res := &kms.EncryptResponse{
		Ciphertext: []byte(ticket), KeyId: f.keyID, Annotations: map[string][]byte{annotation: []byte(ticket)},
	}
	if f.distort != nil {
		f.distort(res)
	}
	return res, nil
}

func (f *fakePlugin) Decrypt(ctx context.Context, req *kms.DecryptRequest) (*kms.DecryptResponse, error) {
	if err := f.enter(ctx); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	if err := f.checkUID(req.GetUid()); err != nil {
		return nil, err
	}
	ticket := string(req.GetCiphertext())
	plaintext, ok := f.vault[ticket]
	if !ok || !f.keys[req.GetKeyId()] || string(req.GetAnnotations()[annotation]) != ticket {
		return nil, status.Error(codes.InvalidArgument, "cannot decrypt this")
	}
	return &kms.DecryptResponse{Plaintext: plaintext}, nil
}

// checkUID insists that each request has an identifier of its own.
func (f *fakePlugin) checkUID(uid string) error {
	if uid == "" || f.uids[uid] {
		return status.Error(codes.InvalidArgument, "uid is empty or was used before")
	}
	f.uids[uid] = true
	return nil
}

// socketPath is in a short directory of its own: a socket's path has at most 107 bytes.
func socketPath(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kms")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, name)
}

// serve runs the plug-in until stop is called or the test ends.
func (f *fakePlugin) serve(t testing.TB, socket string) (stop func()) {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	kms.RegisterKeyManagementServiceServer(server, f)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	stop = sync.OnceFunc(func() {
		server.Stop()
		<-done
	})
	t.Cleanup(stop)
	return stop
}

func dial(t testing.TB, socket string, timeout time.Duration) *kek.Plugin {
	t.Helper()
	p, err := kek.KMS(socket, timeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// startPlugin gives a running fake and a client of it.
func startPlugin(t testing.TB) (*fakePlugin, *kek.Plugin) {
	t.Helper()
	f, socket := newFakePlugin(), socketPath(t, "kms.sock")
	f.serve(t, socket)
	return f, dial(t, socket, 10*time.Second)
}
