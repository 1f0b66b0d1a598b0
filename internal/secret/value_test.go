package secret_test

import (
	"bytes"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

const canary = "canary-9d2e"

func parse(t *testing.T, text string) secret.Value {
	t.Helper()
	v, err := secret.ParseValue([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// tells looks for the canary as text, as hexadecimal and as a list of bytes.
func tells(out string) bool {
	plain := []byte(canary)
	return strings.Contains(out, canary) || strings.Contains(strings.ToLower(out), hex.EncodeToString(plain)) ||
		strings.Contains(out, strings.Trim(fmt.Sprint(plain), "[]")) ||
		strings.Contains(strings.ToLower(out), strings.Trim(fmt.Sprintf("%#v", plain[:4]), "[]byte{}"))
}

func TestCanaryDetectorWorks(t *testing.T) {
	for _, out := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprint([]byte(canary)), fmt.Sprintf("%#v", []byte(canary))} {
		if !tells(out) {
			t.Errorf("the canary is not seen in %s", out)
		}
	}
}

func TestValueIsNeverPrinted(t *testing.T) {
	v := parse(t, `{"k":"`+canary+`"}`)
	type hidden struct{ inner secret.Value }
	type nested struct {
		h hidden
		p *secret.Value
	}
	shapes := map[string]any{
		"value": v, "pointer": &v, "slice": []secret.Value{v}, "map": map[string]secret.Value{"k": v},
		"secret": secret.Secret{Value: v}, "unexported field": hidden{v}, "unexported fields": nested{hidden{v}, &v},
		"pointer to unexported": &hidden{v}, "slice of unexported": []hidden{{v}}, "interface": any(v), "array": [1]secret.Value{v},
	}
	for name, shape := range shapes {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%c", "%U", "%t", "%e", "%p", "%z", "%w", "%10.2v", "%!", "no verb"} {
			if out := fmt.Sprintf(verb, shape); tells(out) {
				t.Errorf("%s tells the %s: %s", verb, name, out)
			}
		}
		if out := fmt.Sprint(shape) + fmt.Sprintln(shape); tells(out) {
			t.Errorf("print tells the %s: %s", name, out)
		}
		if raw, err := json.Marshal(shape); err == nil && tells(string(raw)) {
			t.Errorf("json tells the %s: %s", name, raw)
		}
		if raw, err := xml.Marshal(shape); err == nil && tells(string(raw)) {
			t.Errorf("xml tells the %s: %s", name, raw)
		}
		if out := logged(shape); tells(out) {
			t.Errorf("slog tells the %s: %s", name, out)
		}
	}
	for _, shown := range []string{fmt.Sprintf("%v", v), fmt.Sprintf("%#v", v), v.String(), v.GoString(), v.LogValue().String()} {
		if shown != "[redacted]" {
			t.Errorf("shows as %q", shown)
		}
	}
	var marshaler encoding.TextMarshaler = v
	if text, err := marshaler.MarshalText(); err != nil || string(text) != "[redacted]" {
		t.Errorf("text is %q, %v", text, err)
	}
	if string(v.Reveal()) != `{"k":"`+canary+`"}` {
		t.Error("Reveal is the way out")
	}
}

func logged(v any) string {
	var text, lines bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", "v", v, slog.Group("g", "v", v))
	slog.New(slog.NewJSONHandler(&lines, nil)).Info("x", "v", v, slog.Group("g", "v", v))
	return text.String() + lines.String()
}

func TestParseValue(t *testing.T) {
	if v := parse(t, " {\"a\" : 1.0 ,\n\"b\":\"<&>\"} "); string(v.Reveal()) != `{"a":1.0,"b":"<&>"}` {
		t.Errorf("compact form is %s", v.Reveal())
	}
	for _, in := range []string{`5`, `"x"`, `[]`, `null`, ``, `{"a":1,"a":2}`, `{"a":` + nestedArrays(64) + `}`} {
		if _, err := secret.ParseValue([]byte(in)); !errors.Is(err, fault.Invalid) {
			t.Errorf("%.30s: %v", in, err)
		}
	}
	if v, err := secret.ParseAny([]byte(` 5 `)); err != nil || string(v.Reveal()) != "5" || v.IsObject() {
		t.Errorf("scalar: %v", err)
	}
}

func TestValueSizeLimit(t *testing.T) { // E21
	sized := func(n int) []byte { return []byte(`{"k":"` + strings.Repeat("x", n-8) + `"}`) }
	v, err := secret.ParseValue(append(sized(secret.MaxValue), ' ', '\n'))
	if err != nil || v.Storable() != nil {
		t.Errorf("exactly the limit: %v", err)
	}
	_, err = secret.ParseValue(sized(secret.MaxValue + 1))
	if !errors.Is(err, fault.TooLarge) || !errors.Is(secret.Stored(sized(secret.MaxValue+1)).Storable(), fault.TooLarge) {
		t.Errorf("one byte more: %v", err)
	}
	if _, err = v.With("l", parse(t, `{}`)); !errors.Is(err, fault.TooLarge) {
		t.Errorf("grown over the limit: %v", err)
	}
}

func TestStorable(t *testing.T) {
	for _, v := range []secret.Value{{}, secret.Stored(nil), secret.Stored([]byte("5")), secret.Stored([]byte("[1]"))} {
		if err := v.Storable(); fault.CodeOf(err) != "OBJECT_REQUIRED" {
			t.Errorf("%s: %v", v.Reveal(), err)
		}
	}
}

func TestValueMembers(t *testing.T) {
	v := parse(t, `{"b":1e3,"a":{"x":null},"<&>":"<&>"}`)
	if got := v.Names(); !slices.Equal(got, []string{"<&>", "a", "b"}) {
		t.Errorf("names are %q", got)
	}
	if f, ok := v.Field("b"); !ok || string(f.Reveal()) != "1e3" {
		t.Error("a number lost its literal")
	}
	if f, ok := v.Field("absent"); ok || !f.IsZero() {
		t.Error("an absent member was found")
	}
	field, _ := v.Field("a")
	w, err := v.With("b", field)
	if err != nil || string(w.Reveal()) != `{"<&>":"<&>","a":{"x":null},"b":{"x":null}}` {
		t.Errorf("with: %s, %v", w.Reveal(), err)
	}
	if w, err = w.Without("a"); err != nil || string(w.Reveal()) != `{"<&>":"<&>","b":{"x":null}}` {
		t.Errorf("without: %s, %v", w.Reveal(), err)
	}
	if w, err = w.Without("absent"); err != nil || len(w.Names()) != 2 {
		t.Errorf("without an absent member: %v", err)
	}
	if string(v.Reveal()) != `{"b":1e3,"a":{"x":null},"<&>":"<&>"}` {
		t.Error("a value was changed in place")
	}
}

func TestValueWithLimits(t *testing.T) {
	fresh, err := secret.Value{}.With("k", secret.Stored([]byte("1")))
	if err != nil || string(fresh.Reveal()) != `{"k":1}` {
		t.Errorf("a zero value: %s, %v", fresh.Reveal(), err)
	}
	scalar := secret.Stored([]byte("5"))
	if _, err := scalar.With("k", fresh); fault.CodeOf(err) != "OBJECT_REQUIRED" {
		t.Errorf("member of a scalar: %v", err)
	}
	if _, ok := scalar.Field("k"); ok || scalar.Names() != nil {
		t.Error("a scalar has members")
	}
	deepest, err := secret.ParseAny([]byte(nestedArrays(secret.MaxDepth)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.With("k", deepest); !errors.Is(err, fault.Invalid) {
		t.Errorf("nesting over the limit: %v", err)
	}
	if _, err := fresh.With("k", secret.Value{}); !errors.Is(err, fault.Invalid) {
		t.Errorf("a member without a value: %v", err)
	}
}
