package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// call runs a command line with the given environment.
func call(t *testing.T, env map[string]string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, console{
		in: strings.NewReader(""), out: &o, err: &e,
		env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	return code, o.String(), e.String()
}

func TestExitCodes(t *testing.T) {
	for line, want := range map[string]int{
		"version":                      exitOK,
		"help":                         exitOK,
		"--help":                       exitOK,
		"help config check":            exitOK,
		"config reference":             exitOK,
		"config check --mode dev":      exitOK,
		"config check":                 exitFailure, // serve lacks everything
		"config check --mode sideways": exitFailure,
		"config check --config none":   exitFailure,
		"":                             exitUsage,
		"config":                       exitUsage,
		"confg":                        exitUsage,
		"config chek":                  exitUsage,
		"version --loud":               exitUsage,
		"version now":                  exitUsage,
		"config check --config":        exitUsage,
		"completion tcsh":              exitUsage,
	} {
		code, out, errs := call(t, nil, strings.Fields(line)...)
		if code != want {
			t.Errorf("coffer %s exits %d, want %d\n%s%s", line, code, want, out, errs)
		}
		if code != exitOK && (out != "" || !strings.HasPrefix(errs, "coffer: ")) {
			t.Errorf("coffer %s: output %q, errors %q", line, out, errs)
		}
		if code == exitOK && (out == "" || errs != "") {
			t.Errorf("coffer %s: output %q, errors %q", line, out, errs)
		}
	}
}

func TestVersion(t *testing.T) {
	if _, out, _ := call(t, nil, "version"); !strings.HasPrefix(out, "coffer devel (go") {
		t.Fatalf("version prints %q", out)
	}
}

func TestConfigCheckReportsAllAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "coffer.yaml")
	if err := os.WriteFile(file, []byte("nope: 1\ndata_dir: /d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, errs := call(t, map[string]string{"VAULT_TIMEOUT": "soon"}, "config", "check", "--config", file)
	for _, path := range []string{"nope", "vault.timeout", "kek.active", "audit.file", "secrets.require_auth"} {
		if !strings.Contains(errs, path+": ") {
			t.Errorf("%s is not reported:\n%s", path, errs)
		}
	}
}

func TestReferenceIsAValidFile(t *testing.T) {
	_, reference, _ := call(t, nil, "config", "reference")
	file := filepath.Join(t.TempDir(), "coffer.yaml")
	if err := os.WriteFile(file, []byte(reference), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := call(t, nil, "config", "check", "--mode", "dev", "--config", file); code != exitOK {
		t.Fatal(errs)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if code, out, errs := call(t, nil, "completion", shell); code != exitOK || !strings.Contains(out, "coffer") {
			t.Errorf("%s: exit %d, %d bytes, %s", shell, code, len(out), errs)
		}
	}
}

func TestFailureOfAVerbIsNoUsageError(t *testing.T) {
	cause := errors.New("disk full")
	inner := group("outer", "", &cobra.Command{Use: "verb", RunE: func(*cobra.Command, []string) error { return cause }})
	inner.SetArgs([]string{"verb"})
	var failed failure
	if err := inner.Execute(); !errors.As(err, &failed) || !errors.Is(err, cause) {
		t.Fatalf("verb's error arrives as %v", err)
	}
}

func TestEveryVerbIsDescribed(t *testing.T) {
	_, help, _ := call(t, nil, "help")
	for _, cmd := range verbs(console{}) {
		if cmd.Short == "" || !strings.Contains(help, cmd.Short) {
			t.Errorf("%s is not in the help", cmd.Name())
		}
	}
}
