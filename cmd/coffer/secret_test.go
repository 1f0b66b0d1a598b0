package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/api/apitest"
	"github.com/coffer-dev/coffer/api/canonical"
)

const secretCanary = "canary-2b8e"

// standIn is a server that records a request and gives one answer. Both are held
// against the document.
type standIn struct {
	t      *testing.T
	doc    *apitest.Validator
	url    string
	status int
	answer string
	header http.Header // of the answer
	got    *http.Request
	body   string
}

func newStandIn(t *testing.T) *standIn {
	t.Helper()
	s := &standIn{t: t, doc: apitest.New(t, canonical.OpenAPI())}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.doc.Request(s.t, r, body)
	s.got, s.body = r, string(body)
	h := w.Header()
	h.Set("X-Correlation-ID", "c")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	maps.Copy(h, s.header)
	s.doc.Response(s.t, r, &http.Response{StatusCode: s.status, Header: h}, []byte(s.answer))
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.answer)
}

// call runs a verb on secrets; in is its standard input.
func (s *standIn) call(in string, args ...string) (code int, out, errs string) {
	s.t.Helper()
	var o, e bytes.Buffer
	env := map[string]string{"COFFER_ADDRESS": s.url, "COFFER_TOKEN": "t-1"}
	code = run(s.t.Context(), append([]string{"secret"}, args...), console{
		in: strings.NewReader(in), out: &o, err: &e,
		env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	return code, o.String(), e.String()
}

const (
	short = "secret/app/api"
	full  = "coffer+kv2://secret/app/api"
)

func TestSecretVerbs(t *testing.T) {
	s := newStandIn(t)
	ref := strings.Repeat("r", 43)
	const versions = `[{"version":2,"created_time":"2026-01-03T15:04:05Z","deletion_time":"","destroyed":false},` +
		`{"version":1,"created_time":"2026-01-02T15:04:05Z","deletion_time":"2026-01-03T00:00:00Z","destroyed":true}]`
	done := `{"status":"ok","uri":"` + full + `","versions":[1,2],"ignored":[]}`
	moved := `{"status":"ok","fromUri":"` + full + `","toUri":"` + full + `2","version":1}`
	for _, c := range []struct{ args, answer, request, body, out string }{
		{
			"put " + short + "#k --value 1 --if-version 0", `{"status":"ok","uri":"` + full + `#k","version":3,"resource_ref":"` + ref + `"}`,
			"POST /api/secrets", `{"uri":"` + full + `#k","value":1}`, "URI                            VERSION\n" + full + "#k  3\n",
		},
		{
			"rotate " + short + " --field a=b", `{"status":"rotated","uri":"` + full + `","old_version":null,"new_version":1,"resource_ref":"` + ref + `"}`,
			"POST /api/secrets/rotate", `{"uri":"` + full + `","value":{"a":"b"}}`, "URI                          OLD  NEW\n" + full + "  -    1\n",
		},
		{
			"versions " + short, `{"uri":"` + full + `","current_version":2,"versions":` + versions + `}`,
			"GET /api/secrets/versions?uri=" + full, "",
			"VERSION  CREATED               DELETED               DESTROYED\n" +
				"2        2026-01-03T15:04:05Z  -                     no\n1        2026-01-02T15:04:05Z  2026-01-03T00:00:00Z  yes\n",
		},
		{
			"metadata " + short, `{"uri":"` + full + `","current_version":2,"oldest_version":1,"max_versions":10,"versions":` + versions + `,"custom_metadata":{"owner":"me"}}`,
			"GET /api/secrets/metadata/detail?uri=" + full, "",
			"uri              " + full + "\ncurrent version  2\noldest version   1\nversions kept    10\nowner            me\n",
		},
		{
			"delete " + short, `{"status":"ok","uri":"` + full + `","destroyed":false}`,
			"DELETE /api/secrets?uri=" + full, "", "URI                          DESTROYED\n" + full + "  no\n",
		},
		{"undelete " + short + " --versions 1,2", done, "POST /api/secrets/undelete", `{"uri":"` + full + `","versions":[1,2]}`, "URI                          VERSIONS  IGNORED\n" + full + "  1,2       -\n"},
		{"destroy " + short + " --versions 1 --versions 2", done, "POST /api/secrets/destroy-versions", `{"uri":"` + full + `","versions":[1,2]}`, "URI                          VERSIONS  IGNORED\n" + full + "  1,2       -\n"},
		{
			"destroy " + short + " --all", `{"status":"ok","uri":"` + full + `","destroyed":true}`,
			"DELETE /api/secrets?destroy=true&uri=" + full, "", "URI                          DESTROYED\n" + full + "  yes\n",
		},
		{
			"copy " + short + " " + short + "2 --overwrite", moved, "POST /api/secrets/copy",
			`{"fromUri":"` + full + `","toUri":"` + full + `2","overwrite":true}`, "FROM                         TO                            VERSION\n" + full + "  " + full + "2  1\n",
		},
		{
			"move yaml://secret/a " + short + "2", moved, "POST /api/secrets/move",
			`{"fromUri":"yaml://secret/a","toUri":"` + full + `2"}`, "FROM                         TO                            VERSION\n" + full + "  " + full + "2  1\n",
		},
		{
			"owner " + short + " team", `{"uri":"` + full + `","owner":"team","custom_metadata":{"owner":"team"}}`,
			"POST /api/secrets/metadata/owner", `{"uri":"` + full + `","owner":"team"}`, "URI                          OWNER\n" + full + "  team\n",
		},
		{
			"list secret/app", `{"items":[{"uri":"` + full + `","path":"secret/app/api"}],"total":1,"offset":0,"limit":100}`,
			"GET /api/secrets/search?prefix=coffer+kv2://secret/app&q=", "", "URI\n" + full + "\n",
		},
		{
			"search tok --prefix secret/app", `{"items":[{"uri":"` + full + `","path":"secret/app/api","matched":["path","key"],"keys":["token"]}],"total":1,"offset":0,"limit":100}`,
			"GET /api/secrets/search?prefix=coffer+kv2://secret/app&q=tok", "", "URI                          MATCHED   KEYS\n" + full + "  path,key  token\n",
		},
	} {
		s.status, s.answer = 200, c.answer
		code, out, errs := s.call("", strings.Fields(c.args)...)
		if code != exitOK || out != c.out || errs != "" {
			t.Errorf("%s: exit %d\n%s%s\nwant\n%s", c.args, code, out, errs, c.out)
			continue
		}
		request := s.got.Method + " " + s.got.URL.Path
		if q := s.got.URL.Query(); len(q) > 0 {
			request += "?"
			for i, name := range []string{"destroy", "prefix", "q", "uri"} {
				if v, ok := q[name]; ok {
					request += map[bool]string{true: "&"}[i > 0 && !strings.HasSuffix(request, "?")] + name + "=" + v[0]
				}
			}
		}
		if request != c.request || s.body != c.body {
			t.Errorf("%s: sent %s %s\nwant %s %s", c.args, request, s.body, c.request, c.body)
		}
		if s.got.Header.Get("Authorization") != "Bearer t-1" || s.got.Header.Get("User-Agent") != "coffer/devel" {
			t.Errorf("%s: headers %v", c.args, s.got.Header)
		}
		if strings.Contains(c.args, "--if-version 0") != (s.got.Header.Get("If-Match") == `"0"`) {
			t.Errorf("%s: If-Match %q", c.args, s.got.Header.Get("If-Match"))
		}

		// As JSON it is the answer itself, or all pages of it in one.
		code, out, errs = s.call("", append(strings.Fields(c.args), "--output", "json")...)
		var got, want map[string]any
		if code != exitOK || errs != "" || json.Unmarshal([]byte(out), &got) != nil || json.Unmarshal([]byte(c.answer), &want) != nil {
			t.Errorf("%s: exit %d\n%s%s", c.args, code, out, errs)
		}
		for _, member := range []string{"uri", "version", "versions", "items", "toUri", "owner"} {
			a, _ := json.Marshal(got[member])
			b, _ := json.Marshal(want[member])
			if !bytes.Equal(a, b) {
				t.Errorf("%s: %s is %s, want %s", c.args, member, a, b)
			}
		}
	}
}

func TestSecretGet(t *testing.T) {
	s := newStandIn(t)
	s.status = 200
	for _, c := range []struct{ args, answer, out string }{
		{"get " + short + "#k", `{"value":"s3cr3t\n"}`, "s3cr3t\n"},
		{"get " + short + "#k", `{"value":"s3cr3t"}`, "s3cr3t"},
		{"get " + short + "#k -o json", `{"value":"a\"<b>"}`, `"a\"<b>"` + "\n"},
		{"get " + short + "#k", `{"value":1.0}`, "1.0\n"},
		{"get " + short + "#k", `{"value":null}`, "null\n"},
		{"get " + short, `{"a":9007199254740993}`, "{\n  \"a\": 9007199254740993\n}\n"},
		{"get " + short + " --output json", `{"a":1.0}`, `{"a":1.0}` + "\n"},
		{"get " + short + " --version 2", `{}`, "{}\n"},
	} {
		s.answer = c.answer
		if code, out, errs := s.call("", strings.Fields(c.args)...); code != exitOK || out != c.out || errs != "" {
			t.Errorf("%s: exit %d, %q, %q, want %q", c.args, code, out, errs, c.out)
		}
		if s.got.URL.Query().Get("version") != map[bool]string{true: "2"}[strings.Contains(c.args, "--version")] {
			t.Errorf("%s: %s", c.args, s.got.URL)
		}
	}
}

func TestSecretValueSources(t *testing.T) {
	s := newStandIn(t)
	s.status, s.answer = 200, `{"status":"ok","uri":"`+full+`","version":1,"resource_ref":"`+strings.Repeat("r", 43)+`"}`
	file := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(file, []byte("{\"pem\": \"x\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in   string
		args []string
		want string
	}{
		{"", []string{short + "#k", "--value", `{"k":1.0}`}, `{"k":1.0}`},
		{"", []string{short + "#k", "--value", `null`}, `null`},
		{"", []string{short, "--field", "a=1", "--field", "b=x=y"}, `{"a":"1","b":"x=y"}`},
		{"", []string{short, "--field", `q"=<é>`}, `{"q\"":"<é>"}`},
		{"", []string{short, "--field", "a="}, `{"a":""}`},
		{"", []string{short, "--file", file}, `{"pem":"x"}`},
		{"", []string{short + "#k", "--file", file}, `"{\"pem\": \"x\"}\n"`},
		{"", []string{short + "#k", "--file", file, "--json"}, `{"pem":"x"}`},
		{"typed\n", []string{short + "#k", "-"}, `"typed"`},
		{"two\n\n", []string{short + "#k"}, `"two\n"`},
		{"", []string{short + "#k"}, `""`},
		{`{"a":1}`, []string{short}, `{"a":1}`},
		{` 7 `, []string{short + "#k", "-", "--json"}, `7`},
	} {
		code, _, errs := s.call(c.in, append([]string{"put"}, c.args...)...)
		want := `{"uri":"` + fullURI(c.args[0]) + `","value":` + c.want + `}`
		if code != exitOK || s.body != want {
			t.Errorf("%q %q: exit %d, %s\nsent %s\nwant %s", c.args, c.in, code, errs, s.body, want)
		}
	}
}

func TestSecretUsage(t *testing.T) {
	s := newStandIn(t)
	for _, line := range []string{
		"", "get", "get a b", "gett x", "put", "put a b", "put a b c", "put a - --value 1", "put a - --field k=v",
		"put a --value 1 --field k=v", "put a --file x --value 1", "list", "search", "owner a", "copy a", "move a",
		"undelete a", "undelete a --versions x", "destroy a", "destroy a --all --versions 1", "get a --output xml",
		"get a --version x", "delete", "versions", "metadata", "rotate",
	} {
		code, out, errs := s.call("", strings.Fields(line)...)
		if code != exitUsage || out != "" || !strings.HasPrefix(errs, "coffer: ") {
			t.Errorf("secret %s: exit %d, %q, %q", line, code, out, errs)
		}
	}
	if s.got != nil {
		t.Error("a request was sent")
	}
}

// A failure says message and code, exits 1, and repeats no value and no token.
func TestSecretFailures(t *testing.T) {
	s := newStandIn(t)
	s.status, s.answer = 404, `{"error":"Not Found","code":"SECRET_NOT_FOUND","message":"no such secret"}`
	if code, out, errs := s.call("", "get", short); code != exitFailure || out != "" || errs != "coffer: no such secret (SECRET_NOT_FOUND)\n" {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	s.status, s.answer = 412, `{"error":"Precondition Failed","code":"PRECONDITION_FAILED","message":"another version is current"}`
	missing := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		in   string
		args []string
	}{
		{secretCanary, []string{"put", short + "#k", "--if-version", "1"}},
		{secretCanary, []string{"put", short}},                                                      // no JSON
		{"", []string{"put", short, "--value", secretCanary}},                                       // no JSON
		{"", []string{"put", short, "--field", secretCanary}},                                       // no name
		{"", []string{"put", short, "--field", "a=" + secretCanary, "--field", "a=b"}},              // twice
		{"", []string{"put", short, "--file", missing}},                                             // no file
		{strings.Repeat(secretCanary, 1+maxInput/len(secretCanary)), []string{"put", short + "#k"}}, // too much
		{"", []string{"get", short, "--address", "nowhere"}},
		{"", []string{"get", short, "--address", "nowhere", "--token", secretCanary}},
	} {
		code, out, errs := s.call(c.in, c.args...)
		if code != exitFailure || out != "" || !strings.HasPrefix(errs, "coffer: ") || strings.Contains(errs, secretCanary) {
			t.Errorf("%q: exit %d, %q, %q", c.args, code, out, errs)
		}
	}
}

func TestSecretTruncatedListing(t *testing.T) {
	s := newStandIn(t)
	s.status, s.answer = 200, `{"items":[{"uri":"`+full+`","path":"secret/app/api"}],"total":1,"offset":0,"limit":100,"truncated":true}`
	code, out, errs := s.call("", "list", "secret")
	if code != exitFailure || !strings.Contains(out, full) || !strings.Contains(errs, "did not visit every path") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	if _, out, _ := s.call("", "search", "a", "-o", "json"); !strings.Contains(out, `"truncated":true`) {
		t.Error(out)
	}
	s.answer = `{"items":[],"total":0,"offset":0,"limit":100}`
	if code, out, _ := s.call("", "list", "secret", "-o", "json"); code != exitOK || out != `{"items":[],"truncated":false}`+"\n" {
		t.Error(code, out)
	}
}

func TestSecretConnection(t *testing.T) {
	s := newStandIn(t)
	s.status, s.answer = 200, `{}`
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
		want string
	}{
		"flag":         {map[string]string{"COFFER_TOKEN": "env", "COFFER_TOKEN_FILE": file, "COFFER_ADDRESS": "http://127.0.0.1:1"}, []string{"--token", "flag", "--address", s.url}, "Bearer flag"},
		"variable":     {map[string]string{"COFFER_TOKEN": "env", "COFFER_TOKEN_FILE": file, "COFFER_ADDRESS": s.url}, nil, "Bearer env"},
		"file":         {map[string]string{"COFFER_TOKEN_FILE": file, "COFFER_ADDRESS": s.url}, nil, "Bearer from-file"},
		"none":         {map[string]string{"COFFER_ADDRESS": s.url}, nil, ""},
		"missing file": {map[string]string{"COFFER_TOKEN_FILE": file + "x", "COFFER_ADDRESS": s.url}, nil, "-"},
	} {
		s.got = nil
		code, _, errs := call(t, c.env, append([]string{"secret", "get", short}, c.args...)...)
		switch {
		case c.want == "-":
			if code != exitFailure || s.got != nil {
				t.Errorf("%s: exit %d, %s", name, code, errs)
			}
		case code != exitOK || s.got.Header.Get("Authorization") != c.want:
			t.Errorf("%s: exit %d, %s, %v", name, code, errs, s.got)
		}
	}
}

func TestSecretCompletion(t *testing.T) {
	_, out, _ := call(t, nil, "__complete", "secret", "get", "--output", "")
	if !strings.Contains(out, "human\njson\n") {
		t.Error(out)
	}
	if _, out, _ := call(t, nil, "__complete", "secret", "des"); !strings.Contains(out, "destroy") {
		t.Error(out)
	}
}
