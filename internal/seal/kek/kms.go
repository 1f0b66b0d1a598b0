package kek

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	kms "k8s.io/kms/apis/v2"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/seal"
)

// Limits that the plug-in protocol sets to answers, in bytes.
const (
	maxKeyID       = 1 << 10
	maxCiphertext  = 1 << 10
	maxAnnotations = 32 << 10
)

// Plugin is a key-encryption key that a Kubernetes KMS v2 plug-in holds. The plug-in
// may rotate its key at any time: what an older key wrapped still unwraps, as long as
// the plug-in can, and ID then names the newer key.
type Plugin struct {
	conn    *grpc.ClientConn
	client  kms.KeyManagementServiceClient
	timeout time.Duration
	keyID   atomic.Pointer[string] // the newest that the plug-in named; nil before that
}

var _ seal.KEK = (*Plugin)(nil)

// KMS talks to the plug-in that listens on a Unix socket, given as an absolute path.
// timeout bounds each call. Nothing is sent before the first call: a plug-in that is
// away now may come later. A relative path or a timeout that is not positive is
// fault.Invalid. The caller closes the Plugin.
func KMS(socket string, timeout time.Duration) (*Plugin, error) {
	if !filepath.IsAbs(socket) {
		return nil, fault.New(fault.Invalid, "the socket of the KMS plug-in must be an absolute path")
	}
	if timeout <= 0 {
		return nil, fault.New(fault.Invalid, "the timeout of the KMS plug-in must be positive")
	}
	target := url.URL{Scheme: "unix", Path: socket}
	conn, err := grpc.NewClient(target.String(),
		// A socket of this machine is guarded by its file mode, as the protocol has it.
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		// A plug-in that restarts is found again within a second or so, not within minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: timeout,
		}))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the socket of the KMS plug-in cannot be used")
	}
	return &Plugin{conn: conn, client: kms.NewKeyManagementServiceClient(conn), timeout: timeout}, nil
}

// Close ends the connection; calls under way fail.
func (p *Plugin) Close() error { return p.conn.Close() }

// ID is "kms:" and the key id that the plug-in named last, in Check or Wrap; before
// that the one that Unwrap first met; "kms:" alone before any answer.
func (p *Plugin) ID() string {
	if id := p.keyID.Load(); id != nil {
		return "kms:" + *id
	}
	return "kms:"
}

// Check asks the plug-in how it is and which key it now wraps with. A plug-in that is
// away, unwell or of another protocol version is fault.Unavailable.
func (p *Plugin) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	res, err := p.client.Status(ctx, &kms.StatusRequest{})
	if err != nil {
		return callError(err, "status")
	}
	if v := res.GetVersion(); v != "v2" && v != "v2beta1" {
		return fault.Wrap(fault.Unavailable, fmt.Errorf("its version is %.32q", v), "the KMS plug-in does not speak KMS v2")
	}
	if h := res.GetHealthz(); h != "ok" {
		return fault.Wrap(fault.Unavailable, fmt.Errorf("it says %.256q", h), "the KMS plug-in is unwell")
	}
	return p.learn(res.GetKeyId())
}

// Wrap encrypts plaintext; the result is the plug-in's whole answer, with key id and
// annotations, which it needs to decrypt. A plug-in that is away is fault.Unavailable,
// one that refuses is fault.ProviderDenied or fault.ProviderFailed.
func (p *Plugin) Wrap(ctx context.Context, plaintext []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	res, err := p.client.Encrypt(ctx, &kms.EncryptRequest{Plaintext: plaintext, Uid: rand.Text()})
	if err != nil {
		return nil, callError(err, "encrypt")
	}
	if err := checkAnswer(res); err != nil {
		return nil, fault.Wrap(fault.ProviderFailed, err, "the KMS plug-in answers out of protocol")
	}
	if err := p.learn(res.GetKeyId()); err != nil {
		return nil, err
	}
	wrapped, err := proto.Marshal(res)
	if err != nil {
		return nil, fault.Wrap(fault.ProviderFailed, err, "the KMS plug-in answers out of protocol")
	}
	return wrapped, nil
}

// Unwrap decrypts what Wrap gave, under whichever key of the plug-in. What Wrap never
// gave is an error without asking the plug-in; else errors are those of Wrap.
func (p *Plugin) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	var answer kms.EncryptResponse
	if err := proto.Unmarshal(wrapped, &answer); err != nil {
		return nil, errors.New("not wrapped by a KMS plug-in")
	}
	if err := checkAnswer(&answer); err != nil {
		return nil, errors.New("not wrapped by a KMS plug-in")
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	res, err := p.client.Decrypt(ctx, &kms.DecryptRequest{
		Ciphertext: answer.GetCiphertext(), KeyId: answer.GetKeyId(), Annotations: answer.GetAnnotations(), Uid: rand.Text(),
	})
	if err != nil {
		return nil, callError(err, "decrypt")
	}
	// Until the plug-in names another, the key that still unwraps counts as its key:
	// else every start would look like a rotation.
	p.keyID.CompareAndSwap(nil, &answer.KeyId)
	return res.GetPlaintext(), nil
}

// learn keeps the key id of the plug-in's newest answer.
func (p *Plugin) learn(keyID string) error {
	if keyID == "" || len(keyID) > maxKeyID {
		return fault.New(fault.Unavailable, "the KMS plug-in names no usable key")
	}
	p.keyID.Store(&keyID)
	return nil
}

func checkAnswer(r *kms.EncryptResponse) error {
	annotations := 0
	for name, value := range r.GetAnnotations() {
		annotations += len(name) + len(value)
	}
	switch {
	case len(r.GetCiphertext()) == 0 || len(r.GetCiphertext()) > maxCiphertext:
		return fmt.Errorf("ciphertext of %d bytes", len(r.GetCiphertext()))
	case r.GetKeyId() == "" || len(r.GetKeyId()) > maxKeyID:
		return fmt.Errorf("key id of %d bytes", len(r.GetKeyId()))
	case annotations > maxAnnotations:
		return fmt.Errorf("annotations of %d bytes", annotations)
	}
	return nil
}

// callError keeps the plug-in's own words for the log.
func callError(err error, call string) error {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return fault.Wrap(fault.Unavailable, err, "the KMS plug-in does not answer (%s)", call)
	case codes.PermissionDenied, codes.Unauthenticated:
		return fault.Wrap(fault.ProviderDenied, err, "the KMS plug-in refuses (%s)", call)
	default:
		return fault.Wrap(fault.ProviderFailed, err, "the KMS plug-in fails (%s)", call)
	}
}
