package config

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a configured credential. However it is printed, logged or marshalled it
// shows as [redacted]; Reveal is the only way out. The zero Secret is none.
type Secret struct{ text string }

// NewSecret wraps a credential.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal gives the credential.
func (s Secret) Reveal() string { return s.text }

// IsZero says whether there is none.
func (s Secret) IsZero() bool { return s.text == "" }

// String hides the credential.
func (Secret) String() string { return redacted }

// GoString hides the credential from %#v.
func (Secret) GoString() string { return redacted }

// Format hides the credential from every other verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the credential from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the credential from JSON and text encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalYAML hides the credential from YAML encoders.
func (Secret) MarshalYAML() (any, error) { return redacted, nil }
