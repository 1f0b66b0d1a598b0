package secrets_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secrets"
)

func (w *world) move(from, to string) error {
	_, err := w.Move(w.Context(), w.alice(), secrets.Transfer{From: from, To: to})
	return err
}

func TestMoveBetweenAllBackEnds(t *testing.T) {
	bases := []string{inside, outside, file}
	for _, from := range bases {
		for _, to := range bases {
			w := newWorld(t, nil)
			to += "-moved"
			w.write(from, `{"a":1,"b":{"c":2}}`)
			if err := w.move(from+"#a", to+"#x"); err != nil {
				t.Errorf("%s to %s: %v", from, to, err)
			}
			w.holds(from, `{"b":{"c":2}}`)
			w.holds(to, `{"x":1}`)
			if err := w.move(from, to+"/whole"); err != nil {
				t.Errorf("%s to %s: %v", from, to, err)
			}
			w.holds(from, "")
			w.holds(to+"/whole", `{"b":{"c":2}}`)
			if err := w.move(to+"/whole#b", to+"/inner"); err != nil {
				t.Errorf("%s to %s: %v", from, to, err)
			}
			w.holds(to+"/inner", `{"c":2}`)
		}
	}
}

func TestMoveWithinOneSecret(t *testing.T) {
	for _, base := range []string{inside, outside} {
		w := newWorld(t, nil)
		w.write(base, `{"a":1,"b":2}`)
		out, err := w.Move(t.Context(), w.alice(), secrets.Transfer{From: base + "#a", To: base + "#c"})
		if err != nil || out.Version != 2 {
			t.Errorf("%s: %+v %v", base, out, err)
		}
		w.holds(base, `{"b":2,"c":1}`) // one version, and no member lost
		e := w.told(event.SecretUpdated, event.SecretMoved)[1]
		if e.SourceRef == "" || e.SourceRef == e.ResourceRef {
			t.Errorf("event %+v", e)
		}
	}
}

// A move must not take away what it has just written.
func TestOverlap(t *testing.T) {
	w := newWorld(t, nil)
	for _, base := range []string{inside, outside, file} {
		w.write(base, `{"a":{"b":1}}`)
		for _, c := range []struct {
			from, to string
			copies   bool
		}{
			{base, base, false}, {base + "#a", base + "#a", false}, {base, base + "#a", true}, {base + "#a", base, true},
		} {
			in := secrets.Transfer{From: c.from, To: c.to, Overwrite: true}
			_, err := w.Move(t.Context(), w.alice(), in)
			refused(t, err, fault.Invalid, "SAME_SOURCE_AND_TARGET")
			if !c.copies {
				_, err = w.Copy(t.Context(), w.alice(), in)
				refused(t, err, fault.Invalid, "SAME_SOURCE_AND_TARGET")
			}
		}
		w.holds(base, `{"a":{"b":1}}`)
	}
	for _, c := range [][2]string{{file + "#a", file + "/a"}, {file + "/a", file + "#a"}, {file, file + "/a/deeper"}, {file + "/a", file}} {
		_, err := w.Move(t.Context(), w.alice(), secrets.Transfer{From: c[0], To: c[1], Overwrite: true})
		refused(t, err, fault.Invalid, "SAME_SOURCE_AND_TARGET")
	}
	w.holds(file, `{"a":{"b":1}}`)
	_, err := w.Copy(t.Context(), w.alice(), secrets.Transfer{From: inside, To: "hashicorp+kv2://secret/app/api"})
	refused(t, err, fault.Invalid, "SAME_SOURCE_AND_TARGET")
}

func TestOverwrite(t *testing.T) {
	for _, to := range []string{inside, outside, file} {
		w := newWorld(t, nil)
		source := "coffer+kv2://secret/source"
		w.write(source, `{"a":1}`)
		w.write(to, `{"old":1}`)
		for _, target := range []string{to, to + "#old"} {
			_, err := w.Copy(t.Context(), w.alice(), secrets.Transfer{From: source, To: target})
			refused(t, err, fault.Exists, "ALREADY_EXISTS")
		}
		if _, err := w.Copy(t.Context(), w.alice(), secrets.Transfer{From: source, To: to + "#new"}); err != nil {
			t.Error(err)
		}
		w.holds(to+"#new", `{"a":1}`)
		w.holds(to+"#old", `1`)
		if _, err := w.Copy(t.Context(), w.alice(), secrets.Transfer{From: source, To: to, Overwrite: true}); err != nil {
			t.Error(err)
		}
		w.holds(to, `{"a":1}`)
		w.holds(source, `{"a":1}`)
	}
}

func TestTransferRefusals(t *testing.T) {
	w := newWorld(t, nil)
	w.write(inside, `{"a":1}`)
	w.write(inside, `{"a":2}`)
	one := int64(1)
	for _, c := range []struct {
		in   secrets.Transfer
		move bool
		kind fault.Kind
		code string
	}{
		{secrets.Transfer{From: inside + "?version=1", To: inside + "2"}, true, fault.Invalid, "VERSION_NOT_ALLOWED"},
		{secrets.Transfer{From: inside, To: inside + "2?version=1"}, false, fault.Invalid, "VERSION_NOT_ALLOWED"},
		{secrets.Transfer{From: inside + "#a", To: inside + "2"}, false, fault.Invalid, "OBJECT_REQUIRED"},
		{secrets.Transfer{From: inside + "#z", To: inside + "2"}, true, fault.NotFound, "SECRET_NOT_FOUND"},
		{secrets.Transfer{From: inside + "?version=7", To: inside + "2"}, false, fault.VersionNotFound, "SECRET_VERSION_NOT_FOUND"},
		{secrets.Transfer{From: file + "?version=1", To: inside + "2"}, false, fault.Unsupported, "UNSUPPORTED_OPERATION"},
		{secrets.Transfer{From: inside, To: file, Match: secrets.Match{Any: true}}, false, fault.Unsupported, "UNSUPPORTED_OPERATION"},
		{secrets.Transfer{From: inside, To: inside + "2", Match: secrets.Match{Version: &one}}, true, fault.Precondition, "PRECONDITION_FAILED"},
		{secrets.Transfer{From: "x", To: inside}, false, fault.Invalid, "ILLEGAL_SEGMENT"},
		{secrets.Transfer{From: inside, To: "x"}, false, fault.Invalid, "ILLEGAL_SEGMENT"},
		{secrets.Transfer{From: "openbao://secret/a", To: inside}, false, fault.Unsupported, "UNSUPPORTED_OPERATION"},
		{secrets.Transfer{From: inside, To: "openbao://secret/a"}, false, fault.Unsupported, "UNSUPPORTED_OPERATION"},
	} {
		do := w.Copy
		if c.move {
			do = w.Move
		}
		_, err := do(t.Context(), w.alice(), c.in)
		refused(t, err, c.kind, c.code)
	}
	if out, err := w.Copy(t.Context(), w.alice(), secrets.Transfer{From: inside + "?version=1", To: inside + "2"}); err != nil || out.Version != 1 {
		t.Errorf("%+v %v", out, err)
	}
	w.holds(inside+"2", `{"a":1}`)
	w.holds(inside, `{"a":2}`)
}

func TestMoveIsOneEventAndKeepsTheID(t *testing.T) {
	w := newWorld(t, nil)
	w.write(inside, `{"a":1}`)
	id := func(side string) string { return strings.SplitN(strings.SplitN(side, `"id":"`, 2)[1], `"`, 2)[0] }
	if err := w.move(inside, inside+"2"); err != nil {
		t.Fatal(err)
	}
	w.write(inside, `{"b":1}`)
	events := w.told(event.SecretUpdated, event.SecretMoved, event.SecretUpdated)
	first, moved, again := id(string(events[0].New)), events[1], id(string(events[2].New))
	if id(string(moved.Old)) != first || id(string(moved.New)) != first || again == first {
		t.Errorf("ids %s, %s -> %s, %s", first, moved.Old, moved.New, again)
	}
	if !strings.Contains(string(moved.Old), `"uri":"`+inside+`"`) || !strings.Contains(string(moved.New), `"uri":"`+inside+`2"`) {
		t.Errorf("%s -> %s", moved.Old, moved.New)
	}
	w.write(inside, `{"b":2}`)
	w.audit.Reset()
	// A member that is moved leaves another object behind, and a whole map moved
	// into a member is not its target's identity.
	if err := w.move(inside, inside+"2#in"); err != nil {
		t.Fatal(err)
	}
	events = w.told(event.SecretUpdated, event.SecretMoved, event.SecretUpdated, event.SecretUpdated, event.SecretMoved, event.SecretDeleted)
	if id(string(events[4].New)) != first || string(events[5].New) != "{}" {
		t.Errorf("%s, %s", events[4].New, events[5].New)
	}
	records := w.recorded(
		"SECRET_READ attempt false", "SECRET_MOVED attempt false", "SECRET_DELETED attempt false",
		"SECRET_READ outcome true", "SECRET_MOVED outcome true", "SECRET_DELETED outcome true",
	)
	if records[3].KVVersion != 3 || records[4].KVVersion != 2 { // each its own
		t.Errorf("versions %d, %d", records[3].KVVersion, records[4].KVVersion)
	}
	w.holds(inside+"2", `{"a":1,"in":{"b":2}}`)
}

func TestTransferNeedsEveryRight(t *testing.T) {
	for _, p := range []policy.Purpose{policy.Read, policy.Write, policy.Delete} {
		w := newWorld(t, nil)
		w.write(inside, `{"a":1}`)
		w.decider.deny = denying(p)
		refused(t, w.move(inside, inside+"2"), fault.Forbidden, "SECRET_AUTHZ_FAILED")
		w.decider.deny = nil
		w.holds(inside, `{"a":1}`)
		w.holds(inside+"2", "")
	}
}

// A move that fails within the engine has no effect at all.
func TestMoveIsAtomic(t *testing.T) {
	w := newWorld(t, nil)
	w.write(inside, `{"a":1}`)
	w.write(inside+"2", `{"b":1}`)
	refused(t, w.move(inside, inside+"2"), fault.Exists, "ALREADY_EXISTS")
	w.holds(inside, `{"a":1}`)
	w.holds(inside+"2", `{"b":1}`)
	w.told(event.SecretUpdated, event.SecretUpdated)
}

func TestMoveAcrossThatOnlyCopies(t *testing.T) {
	w := newWorld(t, nil)
	w.write(outside, `{"a":1}`)
	w.outside.set("delete", fault.New(fault.Timeout, "slow"))
	err := w.move(outside, inside)
	var copied *secrets.Copied
	if !errors.As(err, &copied) {
		t.Fatalf("%v", err)
	}
	refused(t, err, fault.ProviderFailed, "VAULT_OPERATION_ERROR")
	w.holds(inside, `{"a":1}`)
	w.holds(outside, `{"a":1}`)
}

// What came after the copy stays.
func TestMoveAcrossKeepsWhatCameMeanwhile(t *testing.T) {
	w := newWorld(t, nil)
	w.write(outside, `{"a":1}`)
	w.outside.once("delete", func() { w.write(outside, `{"a":2}`) })
	if err := w.move(outside, inside); err != nil {
		t.Fatal(err)
	}
	w.holds(outside, `{"a":2}`)
	w.holds(inside, `{"a":1}`)

	w.outside.once("put", func() { w.write(outside+"#sibling", `1`) })
	if err := w.move(outside+"#a", inside+"#b"); err != nil {
		t.Fatal(err)
	}
	w.holds(outside, `{"sibling":1}`)

	w.write(outside, `{"a":3}`)
	w.outside.once("put", func() { w.write(outside+"#a", `4`) })
	var copied *secrets.Copied
	if err := w.move(outside+"#a", inside+"#c"); !errors.As(err, &copied) {
		t.Errorf("a member that changed was taken away: %v", err)
	}
	w.holds(outside, `{"a":4}`)
}

func TestTransferIsDecidedAnewWhenTheTargetAppears(t *testing.T) {
	for _, to := range []string{inside + "2", outside} {
		w := newWorld(t, nil)
		w.write(inside, `{"a":1}`)
		w.decider.deny = func(r policy.Request) bool {
			return r.Known && r.Purpose == policy.Write && r.Principal.Subject == w.bob().Subject
		}
		came := false
		w.decider.after = func(r policy.Request) {
			if r.Principal.Subject == w.bob().Subject && r.Purpose == policy.Write && !came {
				came = true
				w.write(to, `{"mine":1}`)
			}
		}
		_, err := w.Copy(t.Context(), w.bob(), secrets.Transfer{From: inside, To: to, Overwrite: true})
		refused(t, err, fault.Forbidden, "SECRET_AUTHZ_FAILED")
		w.holds(to, `{"mine":1}`)
	}
}
