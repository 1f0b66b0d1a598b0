package storetest_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/storetest"
)

// mutant names the environment variable that makes TestMutant run a broken store.
const mutant = "COFFER_TEST_MUTANT"

// broken is a Memory in which one verb is wrong.
type broken struct {
	*storetest.Memory
	fault string
}

func (b broken) Get(ctx context.Context, ref secret.Ref, version int64) (secret.Secret, error) {
	switch b.fault {
	case "get ignores the version":
		version = 0
	case "tenants share":
		ref.Tenant = strings.TrimSuffix(ref.Tenant, "b")
	}
	s, err := b.Memory.Get(ctx, ref, version)
	if b.fault == "custom metadata is not read" {
		s.Custom = nil
	}
	return s, err
}

func (b broken) Put(ctx context.Context, ref secret.Ref, v secret.Value, cas *int64) (secret.VersionInfo, error) {
	switch b.fault {
	case "cas is ignored":
		cas = nil
	case "cas 0 is ignored":
		if cas != nil && *cas == 0 {
			cas = nil
		}
	case "cas races":
		if cas != nil {
			m, err := b.Meta(ctx, ref)
			if err == nil && m.Current != *cas {
				return b.Memory.Put(ctx, ref, v, cas)
			}
			time.Sleep(time.Millisecond)
			cas = nil
		}
	case "size is not checked":
		if len(v.Reveal()) > secret.MaxValue {
			v = secret.Stored([]byte("{}"))
		}
	case "paths are repaired":
		ref.Path = strings.Trim(ref.Path, "/")
	case "numbers lose their literal":
		v = secret.Stored([]byte(strings.ReplaceAll(string(v.Reveal()), "1.0", "1")))
	}
	return b.Memory.Put(ctx, ref, v, cas)
}

func (b broken) Delete(ctx context.Context, ref secret.Ref, versions []int64) error {
	switch {
	case b.fault == "an empty list means the latest" && len(versions) == 0:
		versions = nil
	case b.fault == "delete destroys":
		if versions == nil {
			_, err := b.Memory.Destroy(ctx, ref, secret.Selection{All: true})
			return err
		}
	}
	return b.Memory.Delete(ctx, ref, versions)
}

func (b broken) Undelete(ctx context.Context, ref secret.Ref, versions []int64) ([]int64, error) {
	ignored, err := b.Memory.Undelete(ctx, ref, versions)
	switch b.fault {
	case "undelete tells wrong numbers":
		ignored = slices.Clone(versions)
	case "undelete does nothing":
		return ignored, b.Memory.Delete(ctx, ref, versions)
	}
	return ignored, err
}

func (b broken) SetMeta(ctx context.Context, ref secret.Ref, c secret.MetaChange) (int64, error) {
	switch b.fault {
	case "merge replaces":
		if c.Merge != nil {
			c.Replace = map[string]string{}
		}
	case "an empty change creates":
		if c.Empty() {
			c.Replace = map[string]string{}
		}
	case "patch creates":
		c.MustExist = false
	}
	return b.Memory.SetMeta(ctx, ref, c)
}

func (b broken) List(ctx context.Context, prefix secret.Ref, opts secret.ListOptions) ([]string, error) {
	switch b.fault {
	case "after is included":
		if opts.After != "" {
			opts.After = opts.After[:len(opts.After)-1]
		}
	case "limit is ignored":
		opts.Limit = 0
	}
	names, err := b.Memory.List(ctx, prefix, opts)
	if b.fault == "list is unsorted" {
		slices.Reverse(names)
	}
	return names, err
}

func faults() []string {
	return []string{
		"get ignores the version", "tenants share", "custom metadata is not read", "cas is ignored", "cas 0 is ignored", "cas races",
		"size is not checked", "paths are repaired", "numbers lose their literal", "an empty list means the latest", "delete destroys",
		"undelete tells wrong numbers", "undelete does nothing", "merge replaces", "an empty change creates", "patch creates",
		"after is included", "limit is ignored", "list is unsorted", "declares what it cannot", "clock stands still",
	}
}

// TestSuiteCatchesMutants runs the suite on each broken store in a process of its
// own and wants it to fail.
func TestSuiteCatchesMutants(t *testing.T) {
	for _, name := range faults() {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestMutant$", "-test.failfast", "-rapid.nofailfile")
			cmd.Env = append(os.Environ(), mutant+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestMutant/") {
				t.Fatalf("the suite passed a store in which %s: %v\n%.400s", name, err, out)
			}
		})
	}
}

// TestSuitePassesTheWrapper makes sure that mutants die of their fault alone.
func TestSuitePassesTheWrapper(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Instance {
		i := memory(t)
		i.Store = broken{i.Store.(*storetest.Memory), "nothing is broken"}
		return i
	})
}

// TestMutant is run by TestSuiteCatchesMutants alone.
func TestMutant(t *testing.T) {
	name := os.Getenv(mutant)
	if name == "" {
		t.Skip("runs in the processes of TestSuiteCatchesMutants")
	}
	storetest.Run(t, func(t *testing.T) storetest.Instance {
		i := memory(t)
		switch name {
		case "declares what it cannot":
			i.Can.Metadata = false
		case "clock stands still":
			i.Advance = func(time.Duration) {}
		default:
			i.Store = broken{i.Store.(*storetest.Memory), name}
		}
		return i
	})
}
