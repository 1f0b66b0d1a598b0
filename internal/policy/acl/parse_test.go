package acl

import (
	"errors"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
)

func TestParseAccepts(t *testing.T) {
	const all = "create,delete,list,patch,read,scan,sudo,update"
	for _, c := range []struct{ name, text, path, want string }{
		{"hcl", `path "a/b" { capabilities = ["read", "list"] }`, "a/b", "list,read"},
		{"trailing comma and comments", "# c\n// d\n/* e */ path \"a/b\" {\n capabilities = [\"read\",]\n comment = \"x\"\n}", "a/b", "read"},
		{"crlf", "name = \"n\"\r\npath \"a/b\" {\r\n capabilities = [\"read\"]\r\n}\r\n", "a/b", "read"},
		{"every", `path "a/b" { capabilities = ["create","read","update","patch","delete","list","scan","sudo"] }`, "a/b", all},
		{"deny alone", `path "a/b" { capabilities = ["read","deny"] }`, "a/b", "deny"},
		{"none", `path "a/b" { capabilities = [] }`, "a/b", "deny"},
		{"empty body", `path "a/b" {}`, "a/b", "deny"},
		{"old read", `path "a/b" { policy = "read" }`, "a/b", "list,read"},
		{"old write", `path "a/b" { policy = "write" }`, "a/b", "create,delete,list,read,update"},
		{"old sudo", `path "a/b" { policy = "sudo" }`, "a/b", "create,delete,list,read,sudo,update"},
		{"old deny wins", `path "a/b" { policy = "deny" capabilities = ["read"] }`, "a/b", "deny"},
		{"old and new", `path "a/b" { policy = "read" capabilities = ["update"] }`, "a/b", "list,read,update"},
		{"json", `{"path":{"a/b":{"capabilities":["read"]}}}`, "a/b", "read"},
		{"json escapes", `{"path":{"a\u002fb":{"capabilities":["re\u0061d"]}}}`, "a/b", "read"},
		{"json list", `{"path":[{"x":{"policy":"deny"}},{"a/b":{"policy":"read"}}]}`, "a/b", "list,read"},
		{"json name", ` {"name":"n","path":{"a/b":{"policy":"read"},"c":{}}}`, "a/b", "list,read"},
		{"quotes", `path "a/\"b" { capabilities = ["read"] }`, `a/"b`, "read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse("p", c.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := Compile(p).Capabilities(c.path).String(); got != c.want || p.Name != "p" {
				t.Errorf("%s gives %s, want %s", c.path, got, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	body := func(s string) string { return `path "canary/x" { capabilities = ["read"] ` + s + ` }` }
	for _, c := range []struct{ name, text, detail string }{
		{"A7 plus star", `path "canary/+*" { capabilities = ["read"] }`, "line 1: '+*' is forbidden in a path"},
		{"A7 capability", `path "canary" { capabilities = ["zzz"] }`, "line 1: invalid capability"},
		{"A7 syntax", `path {`, ""},
		{"syntax, no brace", "\npath \"canary\"", ""},
		{"syntax, illegal", "path \"canary\" { capabilities = [`read`] }", ""},
		{"line", "# one\n\npath \"canary\" { capabilities = [\"fly\"] }", "line 3: invalid capability"},
		{"capability case", `path "canary" { capabilities = ["Read"] }`, "invalid capability"},
		{"capability number", `path "canary" { capabilities = [1] }`, "invalid capability"},
		{"capability beside deny", `path "canary" { capabilities = ["deny", "zzz"] }`, "invalid capability"},
		{"capabilities text", `path "canary" { capabilities = "read" }`, "capabilities is not a list"},
		{"old word", `path "canary" { policy = "admin" }`, "invalid policy word"},
		{"old word list", `path "canary" { policy = ["read"] }`, "invalid policy word"},
		{"heredoc", "path \"canary\" {\n policy = <<EOF\nread\nEOF\n}", "invalid policy word"},
		{"top key", `canary = 1`, "only path blocks are allowed at the top"},
		{"top json", `{"canary":{"a":{}}}`, "only path blocks are allowed at the top"},
		{"no path", `path { capabilities = ["read"] }`, "exactly one path"},
		{"two paths", `path "a" "canary" { capabilities = ["read"] }`, "exactly one path"},
		{"path no body", `path = "canary"`, "exactly one path"},
		{"json list body", `{"path":{"canary":[1]}}`, "exactly one path"},
		{"unknown member", body(`canary = 1`), "unknown member"},
		{"nested member", body(`x "canary" {}`), "unreadable or given twice"},
		{"twice", body(`capabilities = ["deny"]`), ""},
		{"twice in other spelling", body(`"capabilities" = ["deny"]`), "unreadable or given twice"},
		{"template", `path "canary/{{identity.entity.id}}/*" { capabilities = ["read"] }`, "templates are not supported"},
		{"half template", `path "canary/}}" { capabilities = ["read"] }`, "templates are not supported"},
		{"escape", `path "canary\q" { capabilities = ["read"] }`, ""},
		{"nul", "path \"canary\x00\" { capabilities = [\"read\"] }", ""},
		{"not utf-8", "path \"canary\xff\" { capabilities = [\"read\"] }", ""},
		{"json duplicate", `{"path":{"canary":{"capabilities":["deny"],"capabilities":["read"]}}}`, "without duplicate members"},
		{"json trailing", `{"path":{}} path "canary" { capabilities = ["read"] }`, "without duplicate members"},
		{"json deep", strings.Repeat(`{"path":`, 20) + "1" + strings.Repeat("}", 20), "without duplicate members"},
		{"lists deep", "canary = " + strings.Repeat("[", MaxText-20), "nested too deep"},
		{"blocks deep", strings.Repeat("canary {", MaxText/10), "nested too deep"},
		{"deep behind closed ones", strings.Repeat("}", 99) + strings.Repeat("[", MaxText-200), ""},
		{"json list", `[{"path":{}}]`, ""},
		{"json null name", `{"path":null}`, "exactly one path"},
		{"E35 allowed_parameters", body(`allowed_parameters = { "canary" = [] }`), "allowed_parameters is not supported"},
		{"denied_parameters", body(`denied_parameters = { "*" = [] }`), "denied_parameters is not supported"},
		{"required_parameters", body(`required_parameters = ["canary"]`), "required_parameters is not supported"},
		{"min_wrapping_ttl", body(`min_wrapping_ttl = "1s"`), "min_wrapping_ttl is not supported"},
		{"max_wrapping_ttl", body(`max_wrapping_ttl = 90`), "max_wrapping_ttl is not supported"},
		{"mfa_methods", body(`mfa_methods = ["canary"]`), "mfa_methods is not supported"},
		{"E35 control_group", body(`control_group = { ttl = "1h" }`), "control_group is not supported"},
		{"control_group block", body(`control_group { factor "canary" { } }`), "control_group is not supported"},
		{"pagination_limit", body(`pagination_limit = 5`), "pagination_limit is not supported"},
		{"filter path", body(`list_scan_response_keys_filter_path = "canary"`), "list_scan_response_keys_filter_path is not supported"},
		{"E35 expiration", body(`expiration = "2031-01-01T00:00:00Z"`), "expiration is not supported"},
		{"too long", `path "canary" {} #` + strings.Repeat("x", MaxText), "larger than 65536 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse("p", c.text)
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || p != nil {
				t.Fatalf("got %v, want Invalid", err)
			}
			if !strings.HasPrefix(f.Detail, "failed to parse policy: ") || !strings.Contains(f.Detail, c.detail) {
				t.Errorf("detail %q", f.Detail)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("error repeats the text: %v", err)
			}
		})
	}
}

func TestParseTakesTheWholeLimit(t *testing.T) {
	text := `path "a" { capabilities = ["read"] } #`
	text += strings.Repeat("x", MaxText-len(text))
	if _, err := Parse("p", text); err != nil {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`path "a" { capabilities = ["read"] }`, `{"path":{"a":{"policy":"read"}}}`, `path {`, `path "a\q" {}`,
		"path \"a\" {\n policy = <<EOF\nread\nEOF\n}", `path "${a}" = { }`, `{"path":[{"a":[]}]}`, `name = 1`, "{", "\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("p", text)
		if err != nil {
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || !strings.HasPrefix(f.Detail, "failed to parse policy: ") {
				t.Fatalf("unclassified: %v", err)
			}
			return
		}
		a := Compile(p)
		for _, r := range p.rules {
			if strings.HasPrefix(r.path, "//") || r.caps&Deny != 0 && r.caps != Deny {
				t.Fatalf("rule %+v is not settled", r)
			}
			_ = a.Capabilities(r.path)
		}
	})
}
