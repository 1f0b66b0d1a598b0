package seal

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Format hides the keys from every verb of package fmt.
func (Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String hides the keys.
func (Keyring) String() string { return redacted }

// GoString hides the keys from %#v.
func (Keyring) GoString() string { return redacted }

// LogValue hides the keys from slog.
func (Keyring) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the keys from an encoder that meets them by accident.
func (Keyring) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText hides the keys from text encoders.
func (Keyring) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format hides the key from every verb of package fmt.
func (*dataKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON hides the key from JSON encoders.
func (*dataKey) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
