package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/coffer-dev/coffer/internal/fault"
)

const redacted = "[redacted]"

// Value is the JSON of one version, numbers with the literal they came with.
// However it is printed, logged or marshalled it shows as [redacted]; Reveal is
// the only way out. The zero Value holds nothing. A Value is immutable.
//
// The bytes stand behind two pointers because fmt calls no method of a Value in an
// unexported field, nor for a wrong verb: it then prints what one pointer leads to,
// which is an address.
type Value struct{ json **[]byte }

// ParseValue takes one JSON object, as KV v2 stores it. It refuses other JSON,
// duplicate members and nesting over MaxDepth (Invalid) and more than MaxValue
// bytes (TooLarge). The size counts the compact form.
func ParseValue(data []byte) (Value, error) {
	v, err := ParseAny(data)
	if err != nil {
		return Value{}, err
	}
	if !v.IsObject() {
		return Value{}, objectRequired()
	}
	return v, nil
}

// ParseAny is ParseValue for any JSON value: a YAML node may hold a scalar.
func ParseAny(data []byte) (Value, error) {
	if err := CheckJSON(data, MaxDepth); err != nil {
		return Value{}, err
	}
	raw, err := compact(data)
	if err != nil {
		return Value{}, err
	}
	if len(raw) > MaxValue {
		return Value{}, tooLarge()
	}
	return Stored(raw), nil
}

// Stored wraps bytes that ParseValue accepted before they were stored.
func Stored(raw []byte) Value {
	p := &raw
	return Value{json: &p}
}

// Storable is what every back end asks of a value before it writes: Invalid unless
// it is an object, TooLarge over MaxValue.
func (v Value) Storable() error {
	if !v.IsObject() {
		return objectRequired()
	}
	if len(v.Reveal()) > MaxValue {
		return tooLarge()
	}
	return nil
}

func objectRequired() error {
	return fault.Coded(fault.Invalid, "OBJECT_REQUIRED", "value must be a JSON object")
}

func tooLarge() error {
	return fault.Coded(fault.TooLarge, "VALUE_TOO_LARGE", "value is larger than %d bytes", MaxValue)
}

// Reveal gives the JSON bytes; the caller must not change them.
func (v Value) Reveal() []byte {
	if v.json == nil {
		return nil
	}
	return **v.json
}

// IsObject says whether the JSON is an object.
func (v Value) IsObject() bool { return !v.IsZero() && v.Reveal()[0] == '{' }

// IsZero says whether there is no value at all.
func (v Value) IsZero() bool { return len(v.Reveal()) == 0 }

// Field gives one member of an object.
func (v Value) Field(name string) (Value, bool) {
	m, err := v.members()
	if err != nil {
		return Value{}, false
	}
	raw, ok := m[name]
	if !ok {
		return Value{}, false
	}
	return Stored(raw), true
}

// Names lists the members of an object, sorted bytewise.
func (v Value) Names() []string {
	m, err := v.members()
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// With gives a copy in which one member is set; a zero receiver counts as {}. The
// member must hold a value and leave the copy within MaxDepth (Invalid) and
// MaxValue (TooLarge).
func (v Value) With(name string, field Value) (Value, error) {
	m, err := v.members()
	if err != nil {
		return Value{}, err
	}
	if err := CheckJSON(field.Reveal(), MaxDepth-1); err != nil {
		return Value{}, err
	}
	m[name] = field.Reveal()
	return fromMembers(m)
}

// Without gives a copy that lacks one member.
func (v Value) Without(name string) (Value, error) {
	m, err := v.members()
	if err != nil {
		return Value{}, err
	}
	delete(m, name)
	return fromMembers(m)
}

// Equal compares the JSON bytes.
func (v Value) Equal(o Value) bool { return bytes.Equal(v.Reveal(), o.Reveal()) }

func (v Value) members() (map[string]json.RawMessage, error) {
	m := map[string]json.RawMessage{}
	if v.IsZero() {
		return m, nil
	}
	if !v.IsObject() || json.Unmarshal(v.Reveal(), &m) != nil {
		return nil, fault.Coded(fault.Invalid, "OBJECT_REQUIRED", "value is not an object")
	}
	return m, nil
}

func fromMembers(m map[string]json.RawMessage) (Value, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return Value{}, fault.New(fault.Invalid, "value cannot be encoded")
	}
	raw := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if len(raw) > MaxValue {
		return Value{}, tooLarge()
	}
	return Stored(raw), nil
}

// String hides the value.
func (Value) String() string { return redacted }

// GoString hides the value from %#v.
func (Value) GoString() string { return redacted }

// Format hides the value from every other verb.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the value from slog.
func (Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the value from an encoder that meets it by accident.
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText hides the value from text encoders.
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
