package secrets_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secrets"
)

// summary shows each item as "status code version".
func summary(out secrets.BulkDone) []string {
	var s []string
	for _, i := range out.Items {
		s = append(s, fmt.Sprintf("%s %s %d", i.Status, i.Code, i.Version))
	}
	return s
}

func TestBulkRunsInOrder(t *testing.T) {
	w := newWorld(t, nil)
	w.decider.deny = func(r policy.Request) bool { return r.URI.Path == "denied" }
	ops := []secrets.Op{
		{Op: "set", URI: inside, Value: value(t, `{"a":1}`)},
		{Op: "set", URI: inside + "#b", Value: value(t, `2`)}, // was decided as a creation, is an update
		{Op: "rotate", URI: inside, Value: value(t, `{"c":1}`)},
		{Op: "delete", URI: "coffer+kv2://secret/denied"},
		{Op: "delete", URI: inside},
		{Op: "undelete", URI: inside, Versions: []int64{3}},
		{Op: "undelete", URI: "coffer+kv2://secret/unknown", Versions: []int64{1}},
		{Op: "destroy", URI: inside, Versions: []int64{1}},
		{Op: "destroy", URI: inside, Versions: []int64{}},
		{Op: "set", URI: "nonsense", Value: value(t, `1`)},
		{Op: "set", URI: inside},
		{Op: "destroy", URI: inside + "#b"},
		{Op: "destroy", URI: "coffer+kv2://secret/unknown"},
	}
	out, err := w.Bulk(t.Context(), w.alice(), secrets.Bulk{Ops: ops})
	want := []string{
		"ok  1", "ok  2", "ok  3", "error SECRET_AUTHZ_FAILED 0", "ok  0", "ok  0", "error SECRET_NOT_FOUND 0", "ok  0",
		"error EMPTY_VERSIONS 0", "error ILLEGAL_SEGMENT 0", "error BAD_REQUEST 0", "error FRAGMENT_NOT_ALLOWED 0", "ok  0",
	}
	if got := summary(out); err != nil || !slices.Equal(got, want) {
		t.Errorf("\n got %q %v\nwant %q", got, err, want)
	}
	w.holds(inside, `{"c":1}`)
	if w.decider.batch[0] != 9 { // all that can be decided, in one batch before the first effect
		t.Errorf("batches %v", w.decider.batch)
	}
	w.told(event.SecretUpdated, event.SecretUpdated, event.SecretRotated, event.SecretDeleted, event.SecretUndeleted, event.SecretVersionDestroyed)
}

func TestBulkStops(t *testing.T) {
	w := newWorld(t, nil)
	out, err := w.Bulk(t.Context(), w.alice(), secrets.Bulk{StopOnError: true, Ops: []secrets.Op{
		{Op: "set", URI: inside, Value: value(t, `{"a":1}`)},
		{Op: "undelete", URI: inside + "/none", Versions: []int64{1}},
		{Op: "delete", URI: inside},
	}})
	if got := summary(out); err != nil || !slices.Equal(got, []string{"ok  1", "error SECRET_NOT_FOUND 0", "skipped  0"}) {
		t.Errorf("%q %v", got, err)
	}
	w.holds(inside, `{"a":1}`)
}

func TestBulkThatIsWrongRunsNothing(t *testing.T) {
	w := newWorld(t, nil)
	set := secrets.Op{Op: "set", URI: inside, Value: value(t, `{}`)}
	for _, ops := range [][]secrets.Op{nil, slices.Repeat([]secrets.Op{set}, 101), {set, {Op: "read", URI: inside}}, {set, {}}} {
		_, err := w.Bulk(t.Context(), w.alice(), secrets.Bulk{Ops: ops})
		refused(t, err, fault.Invalid, "BAD_REQUEST")
	}
	w.holds(inside, "")
	w.recorded("SECRET_READ final false SECRET_NOT_FOUND")
}

// A repetition changes nothing, and is on record as what it repeats.
func TestBulkHappensOnce(t *testing.T) {
	w := newWorld(t, nil)
	in := secrets.Bulk{Call: secrets.Call{Once: key("k", "print")}, Ops: []secrets.Op{
		{Op: "set", URI: inside, Value: value(t, `{"a":1}`)},
		{Op: "undelete", URI: inside + "/none", Versions: []int64{1}},
	}}
	for i := range 2 {
		out, err := w.Bulk(t.Context(), w.alice(), in)
		if got := summary(out); err != nil || out.Replayed != (i == 1) || !slices.Equal(got, []string{"ok  1", "error SECRET_NOT_FOUND 0"}) {
			t.Errorf("%+v %q %v", out, got, err)
		}
	}
	w.recorded(
		"SECRET_UPDATED attempt false", "SECRET_UPDATED outcome true",
		"SECRET_UNDELETED attempt false", "SECRET_UNDELETED outcome false SECRET_NOT_FOUND",
		"SECRET_UPDATED final true", "SECRET_UNDELETED final false SECRET_NOT_FOUND",
	)
	w.audit.Fail(true)
	_, err := w.Bulk(t.Context(), w.alice(), in)
	refused(t, err, fault.Unavailable, "AUDIT_UNAVAILABLE")
	w.audit.Fail(false)
	in.Once = key("k", "another")
	_, err = w.Bulk(t.Context(), w.alice(), in)
	refused(t, err, fault.Precondition, "IDEMPOTENCY_KEY_REUSED")
	w.recorded("SECRET_UPDATED final false IDEMPOTENCY_KEY_REUSED", "SECRET_UNDELETED final false IDEMPOTENCY_KEY_REUSED")
	w.told(event.SecretUpdated)
}

func key(name, body string) *secrets.Once {
	return &secrets.Once{Method: "POST", Route: "/r", Key: name, Fingerprint: []byte(body)}
}

func TestEveryMutationHappensOnce(t *testing.T) {
	for _, base := range []string{inside, outside} {
		w := newWorld(t, nil)
		w.write(base, `{"a":1}`)
		ctx, p, call := t.Context(), w.alice(), func(name string) secrets.Call { return secrets.Call{Once: key(name, name)} }
		for name, do := range map[string]func() (bool, string, error){
			"put": func() (bool, string, error) {
				out, err := w.Put(ctx, p, secrets.Write{Call: call("put"), URI: base + "/put", Value: value(t, `{"a":1}`)})
				return out.Replayed, fmt.Sprint(out.URI, out.Version, out.Old, out.Ref), err
			},
			"rotate": func() (bool, string, error) {
				out, err := w.Rotate(ctx, p, secrets.Write{Call: call("rotate"), URI: base, Value: value(t, `{"b":1}`)})
				return out.Replayed, fmt.Sprint(out.URI, out.Version, out.Old, out.Ref), err
			},
			"owner": func() (bool, string, error) {
				out, err := w.SetOwner(ctx, p, secrets.Ownership{Call: call("owner"), URI: base, Owner: "o"})
				return out.Replayed, fmt.Sprint(out.URI, out.Owner, out.Custom), err
			},
			"copy": func() (bool, string, error) {
				out, err := w.Copy(ctx, p, secrets.Transfer{Call: call("copy"), From: base, To: base + "/copy"})
				return out.Replayed, fmt.Sprint(out.From, out.To, out.Version), err
			},
			"undelete": func() (bool, string, error) {
				out, err := w.Undelete(ctx, p, secrets.Versions{Call: call("undelete"), URI: base, Versions: []int64{1, 8}})
				return out.Replayed, fmt.Sprint(out.URI, out.Versions, out.Ignored), err
			},
			"delete": func() (bool, string, error) {
				out, err := w.Delete(ctx, p, secrets.Removal{Call: call("delete"), URI: base + "/none", Destroy: true})
				return out.Replayed, fmt.Sprint(out.URI, out.Destroyed), err
			},
		} {
			again, first, err := do()
			if err != nil || again {
				t.Errorf("%s: %v, replayed %t", name, err, again)
			}
			told := len(w.events())
			again, second, err := do()
			if err != nil || !again || second != first {
				t.Errorf("%s again: %v, replayed %t\n%s\n%s", name, err, again, first, second)
			}
			if n := len(w.events()); n != told {
				t.Errorf("%s again told %d events", name, n-told)
			}
		}
	}
}

// The result of one subject is not another's, and a result lasts a day.
func TestOnceIsPerSubjectAndDay(t *testing.T) {
	w := newWorld(t, nil)
	in := secrets.Write{Call: secrets.Call{Once: key("k", "p")}, URI: inside, Value: value(t, `{"a":1}`)}
	for i, c := range []struct {
		subject string
		wait    time.Duration
		version int64
	}{
		{w.alice().Subject, 0, 1}, {w.alice().Subject, 0, 1}, {w.bob().Subject, 0, 2},
		{w.alice().Subject, 24*time.Hour - time.Second, 1}, {w.alice().Subject, time.Second, 3},
	} {
		shared.clock.move(c.wait)
		out, err := w.Put(t.Context(), w.caller(c.subject), in)
		if err != nil || out.Version != c.version {
			t.Errorf("step %d: %+v %v", i, out, err)
		}
	}
	w.decider.deny = denying(policy.Write)
	_, err := w.Put(t.Context(), w.alice(), in) // a right that is lost is lost for the repetition too
	refused(t, err, fault.Forbidden, "SECRET_AUTHZ_FAILED")
}

// Only successes are kept; where nobody knows, the repetition says so.
func TestOnceAndFailure(t *testing.T) {
	w := newWorld(t, nil)
	in := secrets.Write{Call: secrets.Call{Once: key("k", "p")}, URI: outside, Value: value(t, `{"a":1}`)}
	w.outside.set("put", fault.New(fault.ProviderFailed, "no"))
	_, err := w.Put(t.Context(), w.alice(), in)
	refused(t, err, fault.ProviderFailed, "VAULT_OPERATION_ERROR")
	w.outside.set("put", fault.New(fault.Timeout, "slow"))
	_, err = w.Put(t.Context(), w.alice(), in)
	refused(t, err, fault.Timeout, "VAULT_TIMEOUT")
	w.outside.set("put", nil)
	_, err = w.Put(t.Context(), w.alice(), in)
	refused(t, err, fault.Conflict, "IDEMPOTENCY_OUTCOME_UNKNOWN")
	w.holds(outside, "")
}
