package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
	"github.com/coffer-dev/coffer/internal/seal"
	"github.com/coffer-dev/coffer/internal/seal/kek"
)

// kmsTimeout bounds one call of a key plug-in.
const kmsTimeout = 5 * time.Second

func (d *Daemon) startLedger(ctx context.Context) error {
	c := etcdnode.Config{Endpoints: d.cfg.Ledger.Endpoints, QuotaBytes: d.cfg.Ledger.QuotaBytes, Log: d.log}
	if len(c.Endpoints) == 0 {
		c.Dir = filepath.Join(d.cfg.DataDir, "etcd")
	}
	var err error
	if c.TLS, err = clientTLS(d.cfg.Ledger.TLS); err != nil {
		return fmt.Errorf("ledger.tls: %w", err)
	}
	node, err := etcdnode.Open(ctx, c)
	if err != nil {
		return err
	}
	d.onStop("etcd", func(context.Context) error { return node.Close() })
	keys := &keySources{sources: append([]config.KeySource{d.cfg.KEK.Active}, d.cfg.KEK.Previous...)}
	d.onStop("key plug-ins", func(context.Context) error { return keys.close() })
	lc := ledger.Config{
		Node: node, KEKs: keys.open, Log: d.log, Now: d.now,
		EventsKept: int(d.cfg.Events.MaxEvents), EventAge: d.cfg.Events.Retention,
	}
	if c.Dir != "" {
		lc.DiskFree = func() (int64, error) { return diskFree(c.Dir) }
	}
	d.ledger = ledger.Open(ctx, lc)
	d.onStop("ledger", func(context.Context) error {
		d.ledger.Close()
		return nil
	})
	return nil
}

func diskFree(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("ask for free disk space: %w", err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// keySources gives the key encryption keys, the active one first. Files are read
// each time, so a key that appears or changes is seen; plug-ins are dialled once.
type keySources struct {
	sources []config.KeySource
	plugins map[string]*kek.Plugin
}

// open is called by the ledger alone, one call at a time.
func (k *keySources) open(context.Context) ([]seal.KEK, error) {
	var keys []seal.KEK
	var errs []error
	for i, s := range k.sources {
		key, err := k.one(s)
		if err != nil {
			if i == 0 {
				return nil, err // nothing may be wrapped under an older key instead
			}
			errs = append(errs, err)
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.Join(errs...)
	}
	return keys, nil
}

func (k *keySources) one(s config.KeySource) (seal.KEK, error) {
	if s.File != "" {
		return kek.File(s.File)
	}
	if s.KMSSocket == "" {
		return nil, fault.Coded(fault.Unavailable, ledger.CodeSealed, "no key encryption key is configured")
	}
	if p, ok := k.plugins[s.KMSSocket]; ok {
		return p, nil
	}
	p, err := kek.KMS(s.KMSSocket, kmsTimeout)
	if err != nil {
		return nil, err
	}
	if k.plugins == nil {
		k.plugins = map[string]*kek.Plugin{}
	}
	k.plugins[s.KMSSocket] = p
	return p, nil
}

func (k *keySources) close() error {
	var errs []error
	for _, p := range k.plugins {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// kindSalt keeps the tenant's salt, sealed like everything else.
const kindSalt ledger.Kind = "salt"

// salt is the configured salt of the tenant, or one that is made once and kept.
func (d *Daemon) salt(ctx context.Context, name string, configured config.Secret) ([]byte, error) {
	if !configured.IsZero() {
		return []byte(configured.Reveal()), nil
	}
	var salt []byte
	k := ledger.Key{Tenant: d.cfg.Tenant.ID, Kind: kindSalt, Path: name}
	if r, ok, err := d.ledger.Get(ctx, k); err != nil || ok {
		return r.Value, err
	}
	_, err := d.ledger.Txn(ctx, func(tx *ledger.Tx) error {
		r, ok, err := tx.Get(ctx, k)
		if err != nil || ok {
			salt = r.Value
			return err
		}
		salt = make([]byte, 32)
		_, _ = rand.Read(salt) // never fails, by its contract
		return tx.Put(k, salt)
	})
	return salt, err
}
