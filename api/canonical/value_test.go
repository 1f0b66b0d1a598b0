package canonical_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/api/canonical"
)

const canary = "canary-7f3a"

func TestAValueIsNeverPrinted(t *testing.T) {
	v := canonical.Text(canary)
	type hidden struct{ v canonical.Value }
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v, "in", canonical.WriteRequest{URI: "u", Value: v})
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p"} {
		log.WriteString(fmt.Sprintf(verb, v) + fmt.Sprintf(verb, &v) + fmt.Sprintf(verb, hidden{v}) +
			fmt.Sprintf(verb, canonical.BulkOperation{Value: v}))
	}
	hex := fmt.Sprintf("%x", canary)
	if s := log.String(); strings.Contains(s, canary) || strings.Contains(s, hex) || !strings.Contains(s, "[redacted]") {
		t.Fatal(s)
	}
}

func TestErrorsRepeatNothing(t *testing.T) {
	_, err := canonical.JSON([]byte(canary))
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Fatalf("JSON: %v", err)
	}
	var n int
	if err := canonical.Text(canary).Into(&n); err == nil || strings.Contains(err.Error(), canary) {
		t.Fatalf("Into: %v", err)
	}
	if err := (canonical.Value{}).Into(&n); err == nil {
		t.Fatal("an absent value was decoded")
	}
}

func TestAValueKeepsItsText(t *testing.T) {
	for _, text := range []string{`null`, `9007199254740993`, `{"a":1.0,"b":[true,"x<&>"]}`, `""`} {
		v, err := canonical.JSON([]byte(" " + text + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		var back canonical.FragmentResponse
		if err := json.Unmarshal([]byte(`{"value":`+text+`}`), &back); err != nil {
			t.Fatal(err)
		}
		if string(v.Reveal()) != text || string(back.Value.Reveal()) != text || v.IsZero() || back.Value.IsZero() {
			t.Errorf("%s became %s and %s", text, v.Reveal(), back.Value.Reveal())
		}
	}
}

func TestText(t *testing.T) {
	const odd = "a\"b\\c\n<&>\u2028é"
	if got, ok := canonical.Text(odd).Text(); !ok || got != odd {
		t.Fatalf("%q, %v", got, ok)
	}
	for _, text := range []string{`1`, `null`, `{"a":"b"}`} {
		v, err := canonical.JSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := v.Text(); ok {
			t.Errorf("%s is no string", text)
		}
	}
	if _, ok := (canonical.Value{}).Text(); ok {
		t.Error("an absent value is no string")
	}
}

func TestAnAbsentValueIsNotSent(t *testing.T) {
	if out, err := json.Marshal(canonical.WriteRequest{URI: "u"}); err == nil {
		t.Fatalf("sent as %s", out)
	}
	out, err := json.Marshal(canonical.BulkOperation{Op: canonical.OpDelete, URI: "u"})
	if err != nil || string(out) != `{"op":"delete","uri":"u"}` {
		t.Fatalf("%s, %v", out, err)
	}
	var in canonical.WriteRequest
	if err := json.Unmarshal([]byte(`{"uri":"u"}`), &in); err != nil || !in.Value.IsZero() {
		t.Fatalf("%v, %v", in.Value.IsZero(), err)
	}
}

func TestTruth(t *testing.T) {
	for text, want := range map[string]string{
		`true`: "true", `"True"`: "true", `false`: "false", `"False"`: "false",
		`"true"`: "", `1`: "", `null`: "", `"no"`: "",
	} {
		var got canonical.Truth
		err := json.Unmarshal([]byte(text), &got)
		if (err == nil) != (want != "") || err == nil && fmt.Sprint(bool(got)) != want {
			t.Errorf("%s: %v, %v, want %q", text, got, err, want)
		}
	}
}

func TestIfMatch(t *testing.T) {
	for text, want := range map[string]canonical.IfMatch{
		`"*"`: "*", `"\"3\""`: `"3"`, `"3"`: `"3"`, `3`: `"3"`, `0`: `"0"`, `"\"0\""`: `"0"`,
		`-1`: "", `1.0`: "", `"01"`: "", `"W/\"3\""`: "", `true`: "", `""`: "", `"\""`: "", `"\"*\""`: "",
		`9223372036854775808`: "",
	} {
		var got canonical.IfMatch
		err := json.Unmarshal([]byte(text), &got)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
}
