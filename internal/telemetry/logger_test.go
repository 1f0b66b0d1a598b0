package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/telemetry"
)

const canary = "c4n4ryc4n4ry"

// logged gives what one call of log writes.
func logged(t *testing.T, log func(*slog.Logger)) string {
	t.Helper()
	var out bytes.Buffer
	log(telemetry.Logger(&out, &slog.LevelVar{}))
	if !json.Valid(out.Bytes()) || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("not one JSON line: %q", out.String())
	}
	return out.String()
}

type login struct {
	User     string
	Password string
	Nested   map[string]any
}

func TestC53CanariesNeverReachTheLog(t *testing.T) {
	value, err := secret.ParseValue([]byte(`{"k":"` + canary + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	jwt := "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ" + canary + "In0." + canary
	pem := "-----BEGIN EC PRIVATE KEY-----\n" + canary + "\n-----END EC PRIVATE KEY-----"
	for name, log := range map[string]func(*slog.Logger){
		"typed value":        func(l *slog.Logger) { l.Info("m", "x", value) },
		"typed value in any": func(l *slog.Logger) { l.Info("m", "x", []any{value, &value}) },
		"struct field":       func(l *slog.Logger) { l.Info("m", "x", login{Password: canary}) },
		"deep map": func(l *slog.Logger) {
			l.Info("m", "x", login{Nested: map[string]any{"a": []any{map[string]any{"Private-Key": canary}}}})
		},
		"group":              func(l *slog.Logger) { l.Info("m", slog.Group("credentials", "a", canary)) },
		"group below group":  func(l *slog.Logger) { l.WithGroup("token").Info("m", slog.Group("x", "a", canary)) },
		"with":               func(l *slog.Logger) { l.With("api-key", canary).Info("m") },
		"number":             func(l *slog.Logger) { l.Info("m", "passphrase", 4711, "x", canary[:0]) },
		"bytes":              func(l *slog.Logger) { l.Info("m", "x", []byte(canary)) },
		"raw JSON":           func(l *slog.Logger) { l.Info("m", "x", json.RawMessage(`"`+canary+`"`)) },
		"bearer in message":  func(l *slog.Logger) { l.Info("sent Authorization: Bearer " + canary) },
		"bearer, other case": func(l *slog.Logger) { l.Info("m", "x", "bEARER  "+canary) },
		"basic":              func(l *slog.Logger) { l.Info("m", "x", "Basic "+canary+"==") },
		"dpop":               func(l *slog.Logger) { l.Info("m", "x", "DPoP "+canary) },
		"JWT":                func(l *slog.Logger) { l.Info("m", "x", "got "+jwt+" from there") },
		"JWT in error":       func(l *slog.Logger) { l.Info("m", "err", fmt.Errorf("parse %w", errors.New(jwt))) },
		"JWT in fault":       func(l *slog.Logger) { l.Info("m", "err", fault.Wrap(fault.Invalid, errors.New(jwt), "x")) },
		"store token":        func(l *slog.Logger) { l.Info("m", "x", "hvs."+canary) },
		"URL userinfo":       func(l *slog.Logger) { l.Info("m", "x", "https://bob:"+canary+"@example.org/a") },
		"PEM":                func(l *slog.Logger) { l.Info("m", "x", pem) },
		"PEM cut short":      func(l *slog.Logger) { l.Info("m", "x", pem[:45]) },
	} {
		t.Run(name, func(t *testing.T) {
			if out := logged(t, log); strings.Contains(out, canary) || strings.Contains(out, "4711") {
				t.Errorf("canary in %s", out)
			}
		})
	}
}

func TestSensitiveNames(t *testing.T) {
	for _, name := range strings.Fields(`password PASSWORD newPassword token access_token Secret client-secret
		value Value oldValue values authorization Cookie set-cookie kubeConfig kube_config private_key privateKey
		PRIVATE-KEY X-Vault-Token api_key credential jwt tenant_salt`) {
		if out := logged(t, func(l *slog.Logger) { l.Info("m", name, canary) }); strings.Contains(out, canary) {
			t.Errorf("%s is not redacted", name)
		}
	}
	for _, name := range strings.Fields(`subject tenant door route status correlation_id err kid took evaluation`) {
		if out := logged(t, func(l *slog.Logger) { l.Info("m", name, canary) }); !strings.Contains(out, canary) {
			t.Errorf("%s is redacted", name)
		}
	}
}

func TestLogKeepsWhatIsHarmless(t *testing.T) {
	out := logged(t, func(l *slog.Logger) {
		l.Warn("request done, basic checks passed", "status", 404, "took", 2*time.Second, "big", json.Number("9007199254740993"),
			"err", fault.New(fault.NotFound, "no such secret"), "tree", map[string]any{"n": 1, "list": []string{"a"}}, "none", nil,
			"url", "https://example.org/a@b")
	})
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"level": "WARN", "msg": "request done, basic checks passed", "status": "404", "took": "2e+09",
		"err": "not found: no such secret", "tree": "map[list:[a] n:1]", "none": "<nil>", "url": "https://example.org/a@b",
	} {
		if fmt.Sprint(got[key]) != want {
			t.Errorf("%s is %v, want %s", key, got[key], want)
		}
	}
	if !strings.Contains(out, "9007199254740993") {
		t.Errorf("number changed: %s", out)
	}
	if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(got["time"])); err != nil {
		t.Errorf("time: %v", err)
	}
	if out := logged(t, func(l *slog.Logger) { l.Info("m", "x", func() {}) }); !strings.Contains(out, "not loggable") {
		t.Errorf("a function is logged as %s", out)
	}
}

func TestControlCharactersAreEscaped(t *testing.T) {
	for _, c := range []string{"\n", "\r", "\x00", "\x1b[31m", "\x7f", "\u0085", "\u009b", "\u202e", "\u200b", "\u2028"} {
		out := logged(t, func(l *slog.Logger) { l.Info("a"+c+"b", "x", "a"+c+"b", "y", []string{c}) })
		if strings.Contains(strings.TrimSuffix(out, "\n"), c) {
			t.Errorf("%q stands raw in %q", c, out)
		}
	}
	if out := logged(t, func(l *slog.Logger) { l.Info("grüße 東京") }); !strings.Contains(out, "grüße 東京") {
		t.Errorf("letters were escaped: %s", out)
	}
}

func TestLevelFollowsTheVariable(t *testing.T) {
	var out bytes.Buffer
	level := &slog.LevelVar{}
	l := telemetry.Logger(&out, level)
	l.Debug("hidden")
	level.Set(slog.LevelDebug)
	l.Debug("shown")
	if s := out.String(); strings.Contains(s, "hidden") || !strings.Contains(s, "shown") {
		t.Errorf("logged %s", s)
	}
}

func BenchmarkRequestLine(b *testing.B) {
	l := telemetry.Logger(discard{}, &slog.LevelVar{})
	b.ReportAllocs()
	for b.Loop() {
		l.Info("request", "door", "canonical", "route", "/api/secrets/value", "status", 200,
			"correlation_id", "0b2cbd3e-6f0a-4b55-9a3c-2c5a5a0c7d11", "took", time.Millisecond)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
