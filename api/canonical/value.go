package canonical

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// errNoValue refuses to send a body whose value nobody set; null is a value.
var errNoValue = errors.New("the value is missing")

// Value is the JSON of a secret on its way. It prints and logs as [redacted];
// Reveal, Text and Into are the ways out. Only encoding/json sees through it, for a
// wire type exists to be sent. The zero Value is absent, which is not null. A Value
// is immutable and safe for concurrent use.
//
// The bytes stand behind a pointer because fmt calls no method of a Value in an
// unexported field: it then prints an address.
type Value struct{ json *[]byte }

// JSON makes a Value of one JSON text, numbers kept as written. The error of a text
// that is none repeats nothing of it.
func JSON(text []byte) (Value, error) {
	if !json.Valid(text) {
		return Value{}, errors.New("the value is not valid JSON")
	}
	own := bytes.Clone(bytes.TrimSpace(text))
	return Value{json: &own}, nil
}

// Text makes a Value of a string. Bytes that are no UTF-8 become U+FFFD, as in any
// JSON string.
func Text(s string) Value {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string in a buffer always encodes
	own := bytes.TrimSpace(buf.Bytes())
	return Value{json: &own}
}

// IsZero says whether there is no value at all; null is one.
func (v Value) IsZero() bool { return v.json == nil }

// Reveal gives the JSON text; the caller must not change it.
func (v Value) Reveal() []byte {
	if v.json == nil {
		return nil
	}
	return *v.json
}

// Text gives the string that a JSON string holds, and whether it is one.
func (v Value) Text() (s string, ok bool) {
	raw := v.Reveal()
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

// Into decodes the value as encoding/json does. Its error repeats nothing of it.
func (v Value) Into(target any) error {
	if err := json.Unmarshal(v.Reveal(), target); err != nil {
		return fmt.Errorf("the value does not fit %T", target)
	}
	return nil
}

// MarshalJSON gives the value as it is; an absent one is an error.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.json == nil {
		return nil, errNoValue
	}
	return *v.json, nil
}

// UnmarshalJSON keeps the text, null included.
func (v *Value) UnmarshalJSON(text []byte) error {
	own := bytes.Clone(text)
	v.json = &own
	return nil
}

// String hides the value.
func (v Value) String() string { return redacted }

// Format hides the value under every verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the value from slog.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }
