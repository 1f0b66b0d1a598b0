package storetest

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

func casCases() []conformance {
	c := need{cas: true, versions: true}
	cm := need{cas: true, versions: true, metadata: true}
	return []conformance{
		{"E02_twenty_creators", c, twentyCreators},
		{"E02_no_lost_update", c, noLostUpdate},
		{"E03_cas_on_deleted", c, casOnDeleted},
		{"E04_cas_required_by_key", cm, casRequiredByKey},
		{"E04_cas_required_by_mount", need{cas: true, versions: true, mount: true}, casRequiredByMount},
		{"K7_cas_mismatch_carries_current", c, casMismatch},
		{"K8_cas_zero_creates", cm, casZeroCreates},
		{"K27_key_cannot_waive_the_mount", need{cas: true, metadata: true, mount: true}, keyCannotWaive},
	}
}

func twentyCreators(e *env) {
	const writers = 20
	errs := make([]error, writers)
	e.together(writers, func(i int) {
		_, errs[i] = e.Store.Put(e.ctx, e.ref("p"), secret.Stored(fmt.Appendf(nil, `{"k":"%d"}`, i)), ptr(int64(0)))
	})
	winner := -1
	for i, err := range errs {
		if err == nil {
			if winner >= 0 {
				e.t.Fatalf("writers %d and %d both created the key", winner, i)
			}
			winner = i
			continue
		}
		e.fails(err, fault.CASMismatch, "put by a losing writer")
	}
	if winner < 0 {
		e.t.Fatal("no writer created the key")
	}
	e.equal("version", e.holds("p", 0, fmt.Sprintf(`{"k":"%d"}`, winner)).Version.Version, 1)
}

func noLostUpdate(e *env) {
	const writers, rounds = 5, 6
	e.put("p", `{"n":"0"}`)
	var lost atomic.Int64
	e.together(writers, func(int) {
		for range rounds {
			if err := e.increment(); err != nil {
				lost.Add(1)
				e.t.Errorf("increment: %v", err)
				return
			}
		}
	})
	if lost.Load() > 0 {
		e.t.FailNow()
	}
	s := e.holds("p", 0, fmt.Sprintf(`{"n":"%d"}`, writers*rounds))
	e.equal("version", s.Version.Version, writers*rounds+1)
}

// increment adds one to the counter at p: read, then write under check-and-set
// until no other writer came between.
func (e *env) increment() error {
	for {
		s, err := e.get("p", 0)
		if err != nil {
			return err
		}
		text, _ := s.Value.Field("n")
		n, err := strconv.Atoi(string(text.Reveal()[1 : len(text.Reveal())-1]))
		if err != nil {
			return err
		}
		next := secret.Stored(fmt.Appendf(nil, `{"n":"%d"}`, n+1))
		_, err = e.Store.Put(e.ctx, e.ref("p"), next, &s.Version.Version)
		if fault.KindOf(err) != fault.CASMismatch || err == nil {
			return err
		}
	}
}

// together runs n workers at once and waits for all.
func (e *env) together(n int, work func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-gate
			work(i)
		})
	}
	close(gate)
	wg.Wait()
}

func casOnDeleted(e *env) {
	e.putTimes("p", 2)
	e.remove("p")
	_, err := e.tryPut("p", `{}`, ptr(int64(0)))
	e.fails(err, fault.CASMismatch, "put with cas 0 over a deleted version")
	v, err := e.tryPut("p", `{}`, ptr(int64(2)))
	e.ok(err, "put with the current version")
	e.equal("version", v.Version, 3)
}

func casRequiredByKey(e *env) {
	e.change("p", secret.MetaChange{CASRequired: ptr(true)})
	_, err := e.tryPut("p", `{}`, nil)
	e.fails(err, fault.CASRequired, "put without cas")
	e.equal("versions", e.meta("p").Current, 0)
	_, err = e.tryPut("p", `{}`, ptr(int64(0)))
	e.ok(err, "put with cas")
	_, err = e.tryPut("p", `{}`, nil)
	e.fails(err, fault.CASRequired, "second put without cas")
	e.equal("versions", e.meta("p").Current, 1)
}

func casRequiredByMount(e *env) {
	e.Mount(secret.MountSettings{CASRequired: true})
	_, err := e.tryPut("p", `{}`, nil)
	e.fails(err, fault.CASRequired, "put without cas")
	e.refuses("p", 0, fault.NotFound)
	_, err = e.tryPut("p", `{}`, ptr(int64(0)))
	e.ok(err, "put with cas")
}

func casMismatch(e *env) {
	e.putTimes("p", 2)
	for _, cas := range []int64{-1, 0, 1, 3} {
		_, err := e.tryPut("p", `{"k":"new"}`, &cas)
		e.fails(err, fault.CASMismatch, "put with another version")
		if e.Can.Transactional { // outside servers do not say which version is current
			e.equal("current version in the error", e.info(err).Current, 2)
		}
	}
	_, err := e.tryPut("new", `{}`, ptr(int64(1)))
	e.fails(err, fault.CASMismatch, "put with cas 1 on a new key")
	e.refuses("new", 0, fault.NotFound)
	e.equal("latest", e.holds("p", 0, `{"k":"v"}`).Version.Version, 2)
}

func casZeroCreates(e *env) {
	_, err := e.tryPut("new", `{}`, ptr(int64(0)))
	e.ok(err, "put with cas 0 on a new key")
	e.change("bare", secret.MetaChange{Merge: map[string]*string{"owner": ptr("me")}})
	v, err := e.tryPut("bare", `{}`, ptr(int64(0)))
	e.ok(err, "put with cas 0 on a key with metadata alone")
	e.equal("version", v.Version, 1)
}

func keyCannotWaive(e *env) {
	e.Mount(secret.MountSettings{CASRequired: true})
	e.change("p", secret.MetaChange{CASRequired: ptr(false)})
	_, err := e.tryPut("p", `{}`, nil)
	e.fails(err, fault.CASRequired, "put without cas")
}
