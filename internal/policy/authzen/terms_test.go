package authzen

import (
	"encoding/json"
	"testing"
	"time"
)

var asked = question{resource: "coffer+kv2://secret/a#k", action: "execute"}

func cerbosSaid(obligations string) string {
	return `{"cerbos.response":{"results":[{"resource":{"id":"coffer+kv2://secret/a#k"},
		"outputs":[{"action":"execute","src":"r","val":{"obligations":` + obligations + `}}]}]}}`
}

func TestObligationShapes(t *testing.T) {
	minute := terms{hasTTL: true, ttl: time.Minute, maxUses: 3}
	for context, want := range map[string]terms{
		`{}`:                                        {},
		`{"obligations":null}`:                      {},
		`{"obligations":[]}`:                        {},
		`{"obligations":{"ttl_s":null}}`:            {},
		`{"obligations":{"ttl_s":60}}`:              {hasTTL: true, ttl: time.Minute},
		`{"obligations":{"ttl_seconds":60.0}}`:      {hasTTL: true, ttl: time.Minute},
		`{"obligations":{"ttl":6e1}}`:               {hasTTL: true, ttl: time.Minute},
		`{"obligations":{"ttl_s":60,"max_uses":3}}`: minute,
		`{"obligations":[{"id":"ttl","parameters":{"ttl_s":60}},{"type":"max_uses","properties":{"value":3}}]}`:                                                      minute,
		`{"obligations":[{"id":"o1","type":"ttl","parameters":{"ttl_s":60,"max_uses":3}}]}`:                                                                          minute,
		`{"obligations":[{"id":"max_uses","type":"limit","parameters":{"max_uses":3}}]}`:                                                                             {maxUses: 3},
		cerbosSaid(`{"ttl_s":60,"max_uses":3}`):                                                                                                                      minute,
		cerbosSaid(`[{"id":"wrap_ttl","parameters":{"value":9}}]`):                                                                                                   {wrapTTL: 9},
		`{"obligations":{"classification":"pii"}}`:                                                                                                                   {classification: "pii"},
		`{"obligations":{"cnf_binding":"jkt:a"}}`:                                                                                                                    {binding: "jkt:a"},
		`{"obligations":{"cnf_binding":{"x5t#S256":"b"}}}`:                                                                                                           {binding: "x5t#S256:b"},
		`{"obligations":{"must_revalidate_on":["policy_version"]}}`:                                                                                                  {},
		`{"obligations":{"must_revalidate_on":["policy_version","always"]}}`:                                                                                         {once: true},
		`{"cerbos.response":{"results":[{"resource":{"id":"coffer+kv2://secret/b"},"outputs":[{"val":{"obligations":{"mfa":1}}}]}]}}`:                                {},
		`{"cerbos.response":{"results":[{"resource":{"id":"coffer+kv2://secret/a#k"},"outputs":[{"action":"write","val":{"obligations":{"mfa":1}}},{"val":"x"}]}]}}`: {},
		`{"obligations":{"ttl_s":90,"max_uses":3},"cerbos.response":{"results":[{"outputs":[{"val":{"obligations":{"ttl_s":60,"max_uses":7}}}]}]}}`:                  minute,
	} {
		got, err := readTerms(decodeObject(t, context), asked)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", context, got, err, want)
		}
	}
}

func TestObligationsThatDeny(t *testing.T) {
	for _, context := range []string{
		`{"obligations":{"mfa":true}}`,
		`{"obligations":{"mfa":null}}`,
		`{"obligations":{"TTL_S":60}}`,
		`{"obligations":"ttl"}`,
		`{"obligations":7}`,
		`{"obligations":["ttl"]}`,
		`{"obligations":[{"id":"mfa"}]}`,
		`{"obligations":[{"id":"ttl"}]}`,
		`{"obligations":[{"id":"ttl","parameters":{}}]}`,
		`{"obligations":[{"id":"ttl","parameters":{"ttl_s":60,"mfa":true}}]}`,
		`{"obligations":[{"id":"ttl","parameters":[60]}]}`,
		`{"obligations":[{"id":"ttl","ttl_s":60}]}`,
		`{"obligations":[{"id":7,"parameters":{"ttl_s":60}}]}`,
		`{"obligations":{"ttl_s":-1}}`,
		`{"obligations":{"ttl_s":1.5}}`,
		`{"obligations":{"ttl_s":"60"}}`,
		`{"obligations":{"ttl_s":1e300}}`,
		`{"obligations":{"ttl_s":[60]}}`,
		`{"obligations":{"max_uses":0}}`,
		`{"obligations":{"max_uses":true}}`,
		`{"obligations":{"wrap_ttl":0}}`,
		`{"obligations":{"classification":""}}`,
		`{"obligations":{"classification":"a\nb"}}`,
		`{"obligations":{"cnf_binding":{}}}`,
		`{"obligations":{"cnf_binding":{"jkt":"a","x5t#S256":"b"}}}`,
		`{"obligations":{"cnf_binding":{"jkt":""}}}`,
		`{"obligations":{"must_revalidate_on":{"a":1}}}`,
		`{"obligations":{"classification":"a"},"cerbos.response":{"results":[{"outputs":[{"val":{"obligations":{"classification":"b"}}}]}]}}`,
		`{"cerbos.response":{"results":[{"outputs":{}}]}}`,
		`{"cerbos.response":"x"}`,
		cerbosSaid(`{"mfa":true}`),
	} {
		if got, err := readTerms(decodeObject(t, context), asked); err == nil {
			t.Errorf("%s is permitted: %+v", context, got)
		}
	}
	wanting := asked
	wanting.outputs = true
	for _, context := range []string{
		`{}`, `{"cerbos.response":null}`, `{"cerbos.response":{}}`,
		`{"cerbos.response":{"results":[{"resource":{"id":"coffer+kv2://secret/b"}}]}}`,
	} {
		if _, err := readTerms(decodeObject(t, context), wanting); err == nil {
			t.Errorf("a permit without the outputs that were asked for stands: %s", context)
		}
	}
	if _, err := readTerms(decodeObject(t, cerbosSaid(`{}`)), wanting); err != nil {
		t.Errorf("outputs without obligations: %v", err)
	}
}

func decodeObject(t *testing.T, text string) object {
	t.Helper()
	o, ok := readObject(json.RawMessage(text))
	if !ok {
		t.Fatalf("test writes no object: %s", text)
	}
	return o
}
