package yamlfile_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/store/storetest"
	"github.com/coffer-dev/coffer/internal/store/yamlfile"
)

const tenant = "dev"

func open(t *testing.T, path string) *yamlfile.Store {
	t.Helper()
	s, err := yamlfile.Open(path, yamlfile.Config{Tenant: tenant, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Instance {
		return storetest.Instance{
			Store:  open(t, filepath.Join(t.TempDir(), "secrets.yaml")),
			Can:    yamlfile.Capabilities(),
			Tenant: tenant,
		}
	})
}
