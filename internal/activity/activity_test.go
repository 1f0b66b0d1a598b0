package activity_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/coffer-dev/coffer/internal/activity"
	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

// log holds a few events of different topics, per tenant.
type log struct{ asked string }

func (l *log) ReadLog(_ context.Context, tenant string, after int64, _ int) (event.Page, error) {
	l.asked = tenant
	var page event.Page
	for i, topic := range []string{event.TopicKV, "groups", event.TopicKV} {
		if seq := int64(i + 1); seq > after {
			body, err := event.Event{Topic: topic, Name: fmt.Sprintf("E%d", seq)}.Encode()
			if err != nil {
				return page, err
			}
			page.List = append(page.List, event.Entry{Sequence: seq, Body: body})
		}
	}
	return page, nil
}

func (*log) End(context.Context) (int64, error) { return 3, nil }

func (*log) Ring(context.Context, string) <-chan struct{} { return nil }

// reader takes events until it has enough.
type reader struct {
	names []string
	most  int
}

var errEnough = errors.New("enough")

func (r *reader) Event(e activity.Event) error {
	if r.names = append(r.names, e.Name); len(r.names) == r.most {
		return errEnough
	}
	return nil
}

func (*reader) Gap(activity.Gap) error { return nil }

func TestWhoMayLook(t *testing.T) {
	user := identity.Principal{Tenant: "dev", Subject: "u", Roles: []string{"user", "administrator", "Admin"}}
	admin := identity.Principal{Tenant: "dev", Subject: "a", Roles: []string{"admin"}}
	for _, c := range []struct {
		adminOnly bool
		p         identity.Principal
		ok        bool
	}{
		{false, user, true}, {false, identity.Anonymous("dev"), true}, {false, identity.Principal{}, false},
		{true, user, false}, {true, admin, true}, {true, identity.Anonymous("dev"), false}, {true, identity.Principal{Roles: []string{"admin"}}, false},
	} {
		s := activity.New(activity.Config{Tenant: "dev", Log: &log{}, Ring: audit.NewRing(10), AdminOnly: c.adminOnly})
		_, end := s.End(t.Context(), c.p)
		_, _, page := s.Audit(t.Context(), c.p, activity.Query{}, 0, 10)
		follow := s.Follow(t.Context(), c.p, 0, &reader{most: 1})
		for what, err := range map[string]error{"admit": s.Admit(c.p), "end": end, "audit": page, "follow": follow} {
			if c.ok && err != nil && !errors.Is(err, errEnough) || !c.ok && !errors.Is(err, fault.Forbidden) {
				t.Errorf("%s of %s (admins only: %t): %v", what, c.p.Subject, c.adminOnly, err)
			}
		}
	}
}

func TestFollowShowsSecretsOfTheTenant(t *testing.T) {
	l := &log{}
	s := activity.New(activity.Config{Tenant: "dev", Log: l})
	p := identity.Principal{Tenant: "other", Subject: "u"}
	r := &reader{most: 2}
	if err := s.Follow(t.Context(), p, 0, r); !errors.Is(err, errEnough) || fmt.Sprint(r.names) != "[E1 E3]" || l.asked != "dev" {
		t.Errorf("%v of %s: %v", r.names, l.asked, err)
	}
	if end, err := s.End(t.Context(), p); end != 3 || err != nil {
		t.Error(end, err)
	}
}

func TestAuditShowsTheTenant(t *testing.T) {
	ring := audit.NewRing(10)
	for i, tenant := range []string{"dev", "other", "dev"} {
		ring.Add(audit.Record{ID: fmt.Sprint(i), Tenant: tenant, Subject: "s"})
	}
	s := activity.New(activity.Config{Tenant: "dev", Ring: ring})
	p := identity.Principal{Tenant: "dev", Subject: "u"}
	items, total, err := s.Audit(t.Context(), p, activity.Query{Tenant: "other"}, 0, 1) // whatever the query says
	if err != nil || total != 2 || len(items) != 1 || items[0].ID != "2" {
		t.Errorf("%+v of %d %v", items, total, err)
	}
}
