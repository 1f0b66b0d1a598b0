package telemetry

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"time"
)

const redacted = "[redacted]"

// Logger writes JSON lines to w, from level upwards, and redacts: attributes whose
// name speaks of something secret (see sensitive) lose their value at any depth,
// inside structs and maps too, and texts lose what looks like a credential. Escaping
// keeps one entry on one line. It is the last net, not a licence: secrets do not
// belong into a log call. Safe for concurrent use; level may change at any time.
func Logger(w io.Writer, level *slog.LevelVar) *slog.Logger {
	r := redactor{scrub: newScrubber()}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: r.attr}))
}

type redactor struct{ scrub *scrubber }

// attr sees every attribute but groups, the message included. Time and level are ours.
func (r redactor) attr(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return a
	}
	for _, g := range groups {
		if sensitive(g) {
			return slog.String(a.Key, redacted)
		}
	}
	if sensitive(a.Key) {
		return slog.String(a.Key, redacted)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(r.scrub.text(a.Value.String()))
	case slog.KindAny:
		a.Value = r.any(a.Value.Any())
	}
	return a
}

// any shows errors by their text and everything else by its JSON, redacted.
func (r redactor) any(v any) slog.Value {
	switch v := v.(type) {
	case nil:
		return slog.AnyValue(nil)
	case []byte, json.RawMessage:
		return slog.StringValue(redacted) // bytes are payload, and base64 would hide it from the scrubber
	case error:
		return slog.StringValue(r.scrub.text(v.Error()))
	case json.Number, time.Time, time.Duration:
		return slog.AnyValue(v)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return slog.StringValue("[not loggable]")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return slog.StringValue("[not loggable]")
	}
	return slog.AnyValue(r.tree(tree))
}

func (r redactor) tree(v any) any {
	switch v := v.(type) {
	case string:
		return r.scrub.text(v)
	case []any:
		for i := range v {
			v[i] = r.tree(v[i])
		}
	case map[string]any:
		for k := range v {
			if sensitive(k) {
				v[k] = redacted
			} else {
				v[k] = r.tree(v[k])
			}
		}
	}
	return v
}

// sensitive says whether a name speaks of something secret, whatever its case and
// its separators. It rather takes too much: "token_count" is redacted as well.
func sensitive(name string) bool {
	plain := strings.Map(func(c rune) rune {
		switch {
		case c == '_' || c == '-' || c == '.' || c == ' ':
			return -1
		case c >= 'A' && c <= 'Z':
			return c + ('a' - 'A')
		}
		return c
	}, name)
	for _, word := range [...]string{
		"password", "passwd", "passphrase", "token", "secret", "authorization", "cookie",
		"kubeconfig", "privatekey", "apikey", "credential", "assertion", "dpop", "salt",
	} {
		if strings.Contains(plain, word) {
			return true
		}
	}
	return strings.HasPrefix(plain, "value") || strings.HasSuffix(plain, "value") ||
		strings.HasSuffix(plain, "values") || plain == "jwt" || plain == "jwk"
}
