package devissuer

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coffer-dev/coffer/internal/fault"
)

const (
	keyFile  = "dev-issuer.key"
	keyBits  = 2048
	pemBlock = "PRIVATE KEY"
)

// loadOrCreateKey gives the key of dir. Two processes that start at once agree on one
// key, because the file is linked into place only when there is none.
func loadOrCreateKey(dir string) (*rsa.PrivateKey, error) {
	path := filepath.Join(dir, keyFile)
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKey(dir, path); err != nil {
		return nil, fault.Wrap(fault.Internal, withoutPath(err), "making the key of the dev issuer")
	}
	return loadKey(path)
}

// loadKey gives fs.ErrNotExist unwrapped, so that the caller can tell it.
func loadKey(path string) (*rsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, withoutPath(err), "reading the key of the dev issuer")
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemBlock {
		return nil, fault.New(fault.Corrupt, "the key file of the dev issuer holds no private key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, fault.New(fault.Corrupt, "the key file of the dev issuer holds no RSA key")
	}
	return key, nil
}

func createKey(dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	temp, err := writeTemp(dir, pem.EncodeToMemory(&pem.Block{Type: pemBlock, Bytes: der}))
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// writeFile replaces path as a whole: readers see the old text or the new one.
func writeFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	temp, err := writeTemp(dir, data)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		os.Remove(temp)
		return err
	}
	return syncDir(dir)
}

// writeTemp makes a durable file of mode 0600 in dir and gives its name.
func writeTemp(dir string, data []byte) (string, error) {
	f, err := os.CreateTemp(dir, ".dev-issuer-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// withoutPath drops the machine's path that errors of os carry.
func withoutPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return errors.New(pathErr.Op + ": " + pathErr.Err.Error())
	}
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) {
		return errors.New(linkErr.Op + ": " + linkErr.Err.Error())
	}
	return err
}
