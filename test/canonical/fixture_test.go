package canonical

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const scheme = "coffer+kv2://"

// fresh is the URI of a secret that nobody has used.
func fresh(name string) string { return scheme + "secret/" + unique(name) }

func unique(name string) string { return fmt.Sprintf("%s-%d", name, the.names.Add(1)) }

// versions writes n versions {"token":"<marker>-1"} and on.
func (s *server) versions(t testing.TB, name string, n int, ws ...with) string {
	t.Helper()
	uri := fresh(name)
	for i := 1; i <= n; i++ {
		if got := s.put(t, uri, obj{"token": mark(fmt.Sprint(i))}, ws...); got != i {
			t.Fatalf("version %d, want %d", got, i)
		}
	}
	return uri
}

func (s *server) current(t testing.TB, uri string) int {
	t.Helper()
	a := s.get(t, "/metadata/detail", q{"uri": uri})
	if a.status == 404 {
		return 0
	}
	return a.want(t, 200).number(t, "current_version")
}

// coffer runs the program to its end.
func coffer(t testing.TB, env []string, args ...string) (out, log string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), the.binary, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = &o, &e, append(plainEnv(), env...), the.dir
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// token mints a token of the server's issuer.
func (s *server) token(t testing.TB, args ...string) string {
	t.Helper()
	out, log, code := coffer(t, nil, append([]string{"token", "--data-dir", s.dir}, args...)...)
	if code != 0 {
		t.Fatalf("coffer token: %s", log)
	}
	return strings.TrimSpace(out)
}

// as is a caller by name and groups.
func (s *server) as(t testing.TB, sub string, args ...string) with {
	t.Helper()
	return bearer(s.token(t, append([]string{"--sub", sub}, args...)...))
}

// auditFile gives the records of the audit file that match all of the given members.
func (s *server) auditFile(t testing.TB, where obj) []map[string]any {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(s.dir, "audit.jsonl"))
	if err != nil {
		matches, _ := filepath.Glob(filepath.Join(s.dir, "*"))
		t.Fatalf("%v; there is %v", err, matches)
	}
	var out []map[string]any
lines:
	for line := range bytes.Lines(body) {
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("audit line %q: %v", line, err)
		}
		for name, want := range where {
			if r[name] != want {
				continue lines
			}
		}
		out = append(out, r)
	}
	return out
}

// metric is the sum of a metric's series whose text holds all of the given parts.
func (s *server) metric(t testing.TB, name string, parts ...string) float64 {
	t.Helper()
	a := s.raw(t, "GET", "/metrics", nil).want(t, 200)
	sum := 0.0
lines:
	for line := range strings.Lines(string(a.body)) {
		series, number, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, part := range parts {
			if !strings.Contains(series, part) {
				continue lines
			}
		}
		var v float64
		if _, err := fmt.Sscan(number, &v); err != nil {
			t.Fatalf("metric %q", line)
		}
		sum += v
	}
	return sum
}

func configFile(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "coffer.yaml")
	write(t, file, text)
	return file
}
