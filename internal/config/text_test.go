package config

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30": 30 * time.Second, "0": 0, "1m30s": 90 * time.Second, "10ms": 10 * time.Millisecond, "168h": 168 * time.Hour,
		"9223372036": 9223372036 * time.Second,
	} {
		var d time.Duration
		if err := setText(reflect.ValueOf(&d).Elem(), text); err != nil || d != want {
			t.Errorf("%q reads %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "-1", "-1s", "1.5", "5 m", "7d", "9223372037", "1e3", "soon"} {
		d := time.Duration(math.MaxInt64)
		if err := setText(reflect.ValueOf(&d).Elem(), text); err == nil || d != math.MaxInt64 {
			t.Errorf("%q reads %v", text, d)
		}
	}
}

func TestWholeNumbers(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "7": 7, "-3": -3, "007": 7} {
		var n int
		if err := setText(reflect.ValueOf(&n).Elem(), text); err != nil || n != want {
			t.Errorf("%q reads %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "1.0", "0x10", "1_000", "9223372036854775808", " 1"} {
		var n int
		if err := setText(reflect.ValueOf(&n).Elem(), text); err == nil {
			t.Errorf("%q reads %d", text, n)
		}
	}
}

func TestLists(t *testing.T) {
	for text, want := range map[string][]string{
		"": {}, " ": {}, ",": {}, "a": {"a"}, " a , b,,": {"a", "b"}, "a b": {"a b"},
	} {
		var got []string
		if err := setText(reflect.ValueOf(&got).Elem(), text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q reads %#v, %v", text, got, err)
		}
	}
}

func TestPairsLieOverWhatIsThere(t *testing.T) {
	before := map[string]string{"a": "1", "b": "2"}
	after := before
	if err := setText(reflect.ValueOf(&after).Elem(), "b=3, c = x=y"); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"a": "1", "b": "3", "c": "x=y"}; !reflect.DeepEqual(after, want) {
		t.Errorf("pairs read %v", after)
	}
	if before["b"] != "2" {
		t.Error("the map that was there has changed")
	}
	if err := setText(reflect.ValueOf(&after).Elem(), "b"); err == nil {
		t.Error("a pair without = was accepted")
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		tag   reflect.StructTag
		value any
		fine  bool
	}{
		{`min:"1" max:"5"`, 1, true}, {`min:"1" max:"5"`, 5, true}, {`min:"1" max:"5"`, 0, false}, {`min:"1" max:"5"`, 6, false},
		{`min:"1s"`, time.Second, true}, {`min:"1s"`, time.Second - 1, false}, {`max:"1m"`, time.Minute + 1, false},
		{`oneof:"a b"`, "a", true}, {`oneof:"a b"`, "", true}, {`oneof:"a b"`, "c", false}, {`oneof:"a b"`, "A", false},
		{`oneof:"a b" default:"a"`, "", false}, {`oneof:"a b" dev:"a"`, "", false}, {`oneof:"a b" serve:"a"`, "", true},
	} {
		if err := inBounds(reflect.ValueOf(c.value), c.tag, Dev); (err == nil) != c.fine {
			t.Errorf("%v under %s: %v", c.value, c.tag, err)
		}
	}
}

func TestExpressionForms(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "1", "EMPTY": ""}[name]
		return v, ok
	}
	for text, want := range map[string]string{
		"${{ENV:A}}": "1", "${{ENV:A:2}}": "1", "${{ENV:B:2}}": "2", "${{ENV:B:}}": "", "${{ENV:EMPTY:2}}": "",
		"${{ENV:B:https://x:1}}": "https://x:1", "${{ ENV:A }}": "1",
	} {
		if got, err := expand(text, env); err != nil || got != want || !isExpression(text) {
			t.Errorf("%s is %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"${{ENV:B}}", "${{ENV:}}", "${{ENV::x}}", "${{FILE:}}", "${{FILE:/no/such}}", "${{}}", "${{env:A}}", "${{A}}"} {
		if got, err := expand(text, env); err == nil || strings.Contains(err.Error(), text) {
			t.Errorf("%s is %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"${ENV:A}", "x${{ENV:A}}", "${{ENV:A}}x", "{{ENV:A}}", ""} {
		if isExpression(text) {
			t.Errorf("%q counts as an expression", text)
		}
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.255.0.9": true, "::1": true, "localhost": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "::": false, "10.0.0.1": false, "localhost.example.org": false, "127.0.0.1.example.org": false,
	} {
		if loopback(host) != want {
			t.Errorf("loopback(%q) is %v", host, !want)
		}
	}
}

func TestCanonicalNames(t *testing.T) {
	for name, want := range map[string]string{
		"openbao-prod": "openbao-prod", "Vault-Prod": "hashicorp-prod", "hashicorp-a-b": "hashicorp-a-b", "vault": "vault", "vaulted-x": "vaulted-x",
	} {
		if got := canonicalName(name); got != want {
			t.Errorf("%s reads %s", name, got)
		}
	}
}
