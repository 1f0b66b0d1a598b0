package seal_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/seal"
)

func TestNewKeyring(t *testing.T) {
	now := time.Date(2026, 3, 1, 13, 0, 0, 999, time.FixedZone("CET", 3600))
	k, err := seal.NewKeyring(nil, now)
	if err != nil {
		t.Fatal(err)
	}
	want := []seal.KeyStatus{{ID: 1, Created: start(), Active: true}}
	if !slices.Equal(k.Status(), want) || k.Active() != 1 {
		t.Fatalf("Status = %+v, active %d; want %+v", k.Status(), k.Active(), want)
	}
}

func TestShortRandomnessMakesNoKey(t *testing.T) {
	broken := errors.New("no entropy")
	for name, random := range map[string]io.Reader{
		"short": bytes.NewReader(make([]byte, 31)), "empty": bytes.NewReader(nil), "broken": iotest.ErrReader(broken),
	} {
		if k, err := seal.NewKeyring(random, start()); err == nil || k != nil {
			t.Errorf("%s: NewKeyring = %v, %v; want an error", name, k, err)
		}
		if k, err := newRing(t, 1).Rotate(random, start()); err == nil || k != nil {
			t.Errorf("%s: Rotate = %v, %v; want an error", name, k, err)
		}
	}
}

func TestE25RotatedKeyMakesOldRecordsStale(t *testing.T) {
	old := newRing(t, 1)
	before := mustSeal(t, old, here(), "one")
	k := rotate(t, old)
	wantOpen(t, k, here(), before, "one", true)
	after := mustSeal(t, k, here(), "two")
	wantOpen(t, k, here(), after, "two", false)
	if k.Active() != 2 || old.Active() != 1 {
		t.Fatalf("active %d and %d; want 2, and 1 in the keyring before", k.Active(), old.Active())
	}
	// A member that has not heard of the rotation goes on, and the others read it.
	late := mustSeal(t, old, here(), "late")
	wantOpen(t, k, here(), late, "late", true)
	wantOpen(t, old, here(), late, "late", false)
}

func TestE25Retire(t *testing.T) {
	one := newRing(t, 1)
	sealed := mustSeal(t, one, here(), "one")
	two := rotate(t, one)
	if _, err := two.Retire(2); fault.KindOf(err) != fault.Conflict {
		t.Errorf("Retire active = %v; want Conflict", err)
	}
	if _, err := two.Retire(9); fault.KindOf(err) != fault.NotFound {
		t.Errorf("Retire unknown = %v; want NotFound", err)
	}
	k, err := two.Retire(1)
	if err != nil {
		t.Fatal(err)
	}
	var unknown *seal.UnknownKeyError
	if _, _, err := k.Open(here(), sealed); !errors.As(err, &unknown) || unknown.ID != 1 {
		t.Errorf("Open under the retired key = %v", err)
	}
	wantOpen(t, two, here(), sealed, "one", true)
	if next := rotate(t, k); next.Active() != 3 {
		t.Errorf("the key after is %d; want 3: a retired id is never given again", next.Active())
	}
}

func TestStatusListsKeysInOrder(t *testing.T) {
	one := newRing(t, 1)
	mustSeal(t, one, here(), "x")
	three := rotate(t, rotate(t, one))
	three.AddSeals(5)
	later := start().Add(time.Hour)
	want := []seal.KeyStatus{
		{ID: 1, Created: start(), Seals: 1}, {ID: 2, Created: later}, {ID: 3, Created: later, Seals: 5, Active: true},
	}
	if got := three.Status(); !slices.Equal(got, want) {
		t.Errorf("Status = %+v; want %+v", got, want)
	}
}

func TestSealsAreTakenOnceAndStayCounted(t *testing.T) {
	k := newRing(t, 1)
	k.AddSeals(40)
	mustSeal(t, k, here(), "x")
	mustSeal(t, k, here(), "y")
	for i, want := range []uint64{2, 0} {
		if got := k.TakeSeals(); got != want {
			t.Errorf("TakeSeals, time %d = %d; want %d", i+1, got, want)
		}
		if total := k.Status()[0].Seals; total != 42 {
			t.Errorf("total = %d; want 42", total)
		}
	}
}

func TestNoSealIsLostToConcurrentTakers(t *testing.T) {
	const workers, each = 8, 500
	k := newRing(t, 1)
	taken := make(chan uint64, workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			var n uint64
			for i := range each {
				if _, err := k.Seal(here(), nil); err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					n += k.TakeSeals()
				}
			}
			taken <- n
		})
	}
	wg.Wait()
	close(taken)
	sum := k.TakeSeals()
	for n := range taken {
		sum += n
	}
	if total := k.Status()[0].Seals; sum != workers*each || total != workers*each {
		t.Errorf("taken %d, total %d; want %d", sum, total, workers*each)
	}
}

func TestSealsCountInEveryCopy(t *testing.T) {
	old := newRing(t, 1)
	k := rotate(t, old)
	mustSeal(t, old, here(), "by a writer that still holds the old keyring")
	if got := k.Status()[0].Seals; got != 1 {
		t.Errorf("key 1 has %d seals; want 1", got)
	}
}

func TestDue(t *testing.T) {
	day := 24 * time.Hour
	cases := []struct {
		name  string
		seals uint64
		age   time.Duration
		want  bool
	}{
		{"new", 0, 0, false},
		{"a seal before the limit", 1<<30 - 1, day, false},
		{"at the limit of seals", 1 << 30, 0, true},
		{"a second before the limit of age", 0, 90*day - time.Second, false},
		{"at the limit of age", 0, 90 * day, true},
		{"clock set back", 0, -day, false},
	}
	for _, c := range cases {
		k := newRing(t, 1)
		k.AddSeals(c.seals)
		if got := k.Due(start().Add(c.age)); got != c.want {
			t.Errorf("%s: Due = %v", c.name, got)
		}
		if c.want && rotate(t, k).Due(start().Add(2*time.Hour)) {
			t.Errorf("%s: still due after rotation", c.name)
		}
	}
}

func TestUnsavedSealsCountTowardsDue(t *testing.T) {
	k := newRing(t, 1)
	k.AddSeals(seal.MaxSeals - 1)
	if k.Due(start()) {
		t.Fatal("due too early")
	}
	mustSeal(t, k, here(), "the last one")
	if !k.Due(start()) {
		t.Error("not due")
	}
}
