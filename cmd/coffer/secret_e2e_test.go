package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/client/clienttest"
)

// The verbs against a real Coffer: what one writes the others find.
func TestSecretVerbsEndToEnd(t *testing.T) {
	server := clienttest.Start(t, "SECRETS_API_REQUIRE_AUTH=true", "SECRETS_ENFORCE_SCOPES=true")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(server.Token(clienttest.Caller{Subject: "alice"})+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"COFFER_ADDRESS": server.URL, "COFFER_TOKEN_FILE": token}
	everything := new(bytes.Buffer) // but what get prints
	secret := func(in, line string) (int, string, string) {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"secret"}, strings.Fields(line)...), console{
			in: strings.NewReader(in), out: &out, err: &errs,
			env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		})
		if !strings.HasPrefix(line, "get ") {
			everything.Write(out.Bytes())
		}
		everything.Write(errs.Bytes())
		return code, out.String(), errs.String()
	}
	for _, c := range []struct {
		in, line string
		code     int
		want     string // is in the output, or in the errors of a failure
	}{
		{secretCanary + "\n", "put " + short + "#token", exitOK, full + "#token  1"},
		{"", "get " + short + "#token", exitOK, secretCanary},
		{"", "put " + short + "#user --value 7 --if-version 1", exitOK, full + "#user  2"},
		{"", "put " + short + "#user --value 8 --if-version 1", exitFailure, "(PRECONDITION_FAILED)"},
		{"", "get " + short + " -o json", exitOK, `{"token":"` + secretCanary + `","user":7}` + "\n"},
		{"", "get " + short + " --version 1 -o json", exitOK, `{"token":"` + secretCanary + `"}` + "\n"},
		{"", "rotate " + short + " --field token=new", exitOK, full + "  2    3"},
		{"", "list secret", exitOK, "URI\n" + full + "\n"},
		{"", "search TOK", exitOK, full + "  key      token"},
		{"", "versions " + short, exitOK, "3        2"},
		{"", "owner " + short + " team-a", exitOK, "team-a"},
		{"", "metadata " + short, exitOK, "owner            team-a"},
		{"", "delete " + short, exitOK, "no"},
		{"", "get " + short, exitFailure, "(SECRET_NOT_FOUND)"},
		{"", "get " + short + " --version 3", exitFailure, "(SECRET_VERSION_DELETED)"},
		{"", "undelete " + short + " --versions 3", exitOK, "3         -"},
		{"", "destroy " + short + " --versions 1,99", exitOK, "99"},
		{"", "copy " + short + "?version=2 " + short + "-old", exitOK, full + "-old  1"},
		{"", "move " + short + " " + short + "-old", exitFailure, "(ALREADY_EXISTS)"},
		{"", "move " + short + " " + short + "-old --overwrite", exitOK, full + "-old  2"},
		{"", "destroy " + short + "-old --all", exitOK, "yes"},
		{"", "get " + short + "-old", exitFailure, "(SECRET_NOT_FOUND)"},
		{"", "get other/a", exitFailure, "(TENANT_MOUNT_MISMATCH)"},
		{"", "put " + short + " --value 1", exitFailure, "(OBJECT_REQUIRED)"},
		{"", "list secret --token none", exitFailure, "(UNAUTHENTICATED)"},
	} {
		code, out, errs := secret(c.in, c.line)
		shown := out
		if c.code != exitOK {
			shown = errs
		}
		if code != c.code || !strings.Contains(shown, c.want) {
			t.Errorf("secret %s: exit %d\n%s%s\nwant %d, %s", c.line, code, out, errs, c.code, c.want)
		}
	}
	if strings.Contains(everything.String(), secretCanary) {
		t.Error("the value was printed by a verb that is not get")
	}
	_, out, _ := secret("", "list secret -o json")
	var found hits
	if err := json.Unmarshal([]byte(out), &found); err != nil || len(found.Items) != 1 {
		t.Errorf("%s, %v", out, err)
	}
}
