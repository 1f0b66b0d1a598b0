package audit_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
)

// full gives a record with every member drawn.
func full(t *rapid.T) audit.Record {
	var r audit.Record
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]*`),
				rapid.SampledFrom([]string{"", "\x7f", "a\nb", "\u2028", "\xff\xfe", `"\`, "<&>"})).Draw(t, v.Type().Field(i).Name))
		case reflect.Int64:
			f.SetInt(rapid.Int64().Draw(t, v.Type().Field(i).Name))
		case reflect.Bool:
			f.SetBool(rapid.Bool().Draw(t, v.Type().Field(i).Name))
		}
	}
	r.Time = time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	return r
}

// members gives names in order with their decoded values.
func members(t interface{ Fatalf(string, ...any) }, data []byte) (names []string, values map[string]any) {
	if err := json.Unmarshal(data, &values); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	_, _ = dec.Token()
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatalf("%v", err)
		}
		names = append(names, name.(string))
		if _, err := dec.Token(); err != nil {
			t.Fatalf("%v", err)
		}
	}
	return names, values
}

func TestAppendJSONEqualsEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := full(t)
		got := r.AppendJSON([]byte("before"))
		reference, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("%v", err)
		}
		got, ok := bytes.CutPrefix(got, []byte("before"))
		if !ok || bytes.ContainsAny(got, "\n\r\x00\x7f") && !bytes.ContainsAny(reference, "\n\r\x00\x7f") {
			t.Fatalf("prefix lost or raw control character: %q", got)
		}
		gotNames, gotValues := members(t, got)
		wantNames, wantValues := members(t, reference)
		if !reflect.DeepEqual(gotNames, wantNames) || !reflect.DeepEqual(gotValues, wantValues) {
			t.Fatalf("\n got %s\nwant %s", got, reference)
		}
	})
}

func TestRecordHasTheContractsMembersAlone(t *testing.T) {
	allowed := strings.Fields(`audit_id phase ts tenant_id system_id workflow_run_id node_id subject act action event
		purpose purpose_of_use effect resource_ref resource_arn decision_id policy_version classification kv_version
		lease_id lease_ttl cnf_jkt mtls_thumbprint token_jti correlation_id success error_code cached sampled`)
	r := audit.Record{}
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Int64:
			f.SetInt(1)
		}
	}
	names, _ := members(t, r.AppendJSON(nil))
	if !reflect.DeepEqual(names, allowed) {
		t.Errorf("members %v, want %v", names, allowed)
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	r := audittest.Sample("0b2cbd3e-6f0a-4b55-9a3c-2c5a5a0c7d11")
	b.Run("ours", func(b *testing.B) {
		var buf []byte
		b.ReportAllocs()
		for b.Loop() {
			buf = r.AppendJSON(buf[:0])
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
