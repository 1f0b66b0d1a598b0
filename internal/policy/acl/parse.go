package acl

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"
	"github.com/hashicorp/hcl/hcl/scanner"
	hclstrconv "github.com/hashicorp/hcl/hcl/strconv"
	"github.com/hashicorp/hcl/hcl/token"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

// MaxText is the size limit of a policy's text, in bytes.
const MaxText = 64 << 10

// maxDepth bounds the nesting: a policy needs five levels, and the foreign parser's
// work grows with the square of the depth, to minutes within MaxText.
const maxDepth = 8

// Policy is one parsed policy. It is immutable.
type Policy struct {
	Name  string
	rules []rule
}

// rule is one path block, its path without the leading slash.
type rule struct {
	path string
	caps Capability
}

// Parse reads a policy's HCL or JSON text, of at most MaxText bytes. What
// cannot be enforced is refused rather than ignored: unknown keys, parameter limits,
// wrapping TTLs, MFA, control groups, expiry and templates. Every refusal is Invalid,
// says "failed to parse policy" and where, and repeats nothing of the text. The name
// is kept as given.
func Parse(name, text string) (*Policy, error) {
	if len(text) > MaxText {
		return nil, refuse(token.Pos{}, "text is larger than %d bytes", MaxText)
	}
	list, err := syntax(text)
	if err != nil {
		return nil, err
	}
	p := &Policy{Name: name}
	for _, item := range list.Items {
		key, ok := keyOf(item, 0)
		switch {
		case ok && key == "name":
			continue
		case !ok || key != "path":
			return nil, refuse(item.Pos(), "only path blocks are allowed at the top")
		}
		r, err := readRule(item)
		if err != nil {
			return nil, err
		}
		p.rules = append(p.rules, r)
	}
	return p, nil
}

// syntax gives the top-level items. The foreign JSON parser stops reading at the end
// of the first object and lets duplicates pass, so JSON is checked before it.
func syntax(text string) (*ast.ObjectList, error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		if err := secret.CheckJSON([]byte(text), maxDepth); err != nil {
			return nil, refuse(token.Pos{}, "text is not a JSON object without duplicate members")
		}
	} else if at, deep := tooDeep(text); deep {
		return nil, refuse(at, "nested too deep")
	}
	file, err := hcl.Parse(text)
	if err != nil {
		var at *parser.PosError
		if errors.As(err, &at) {
			return nil, refuse(at.Pos, "syntax error")
		}
		return nil, refuse(token.Pos{}, "syntax error or duplicate argument")
	}
	list, ok := file.Node.(*ast.ObjectList)
	if !ok {
		return nil, refuse(token.Pos{}, "text has no root object")
	}
	return list, nil
}

// tooDeep counts brackets with the parser's own scanner.
func tooDeep(text string) (token.Pos, bool) {
	sc := scanner.New([]byte(text))
	sc.Error = func(token.Pos, string) {} // the parser meets it again
	depth := 0
	for tok := sc.Scan(); tok.Type != token.EOF; tok = sc.Scan() {
		switch tok.Type {
		case token.LBRACE, token.LBRACK:
			depth++
		case token.RBRACE, token.RBRACK:
			depth = max(depth-1, 0)
		}
		if depth > maxDepth {
			return tok.Pos, true
		}
	}
	return token.Pos{}, false
}

func readRule(item *ast.ObjectItem) (rule, error) {
	if len(item.Keys) != 2 {
		return rule{}, refuse(item.Pos(), "a path block names exactly one path")
	}
	path, ok := keyOf(item, 1)
	if !ok {
		return rule{}, refuse(item.Pos(), "path is not a text")
	}
	path = strings.TrimPrefix(path, "/")
	switch {
	case strings.Contains(path, "+*"):
		return rule{}, refuse(item.Pos(), "'+*' is forbidden in a path")
	case strings.Contains(path, "{{") || strings.Contains(path, "}}"):
		return rule{}, refuse(item.Pos(), "templates are not supported")
	}
	body, ok := item.Val.(*ast.ObjectType)
	if !ok {
		return rule{}, refuse(item.Pos(), "a path block needs a body")
	}
	caps, err := readBody(body.List)
	return rule{path: path, caps: caps}, err
}

// readBody unites capabilities = [...] and the older policy = "...".
func readBody(list *ast.ObjectList) (Capability, error) {
	var caps Capability
	seen := map[string]bool{}
	for _, item := range list.Items {
		key, ok := keyOf(item, 0)
		if !ok || len(item.Keys) != 1 || seen[key] {
			return 0, refuse(item.Pos(), "a member of a path block is unreadable or given twice")
		}
		seen[key] = true
		var more Capability
		var err error
		switch {
		case key == "comment":
		case key == "capabilities":
			more, err = readCapabilities(item)
		case key == "policy":
			more, err = readLegacy(item)
		case unenforced(key):
			err = refuse(item.Pos(), "%s is not supported", key)
		default:
			err = refuse(item.Pos(), "unknown member of a path block")
		}
		if err != nil {
			return 0, err
		}
		caps |= more
	}
	return caps.settle(), nil
}

// unenforced names what other servers limit a rule with and this one does not.
func unenforced(key string) bool {
	switch key {
	case "allowed_parameters", "denied_parameters", "required_parameters", "min_wrapping_ttl", "max_wrapping_ttl",
		"mfa_methods", "control_group", "pagination_limit", "list_scan_response_keys_filter_path", "expiration":
		return true
	}
	return false
}

func readCapabilities(item *ast.ObjectItem) (Capability, error) {
	list, ok := item.Val.(*ast.ListType)
	if !ok {
		return 0, refuse(item.Pos(), "capabilities is not a list")
	}
	var caps Capability
	for _, node := range list.List {
		word, ok := textOf(node)
		one, known := capabilityOf(word)
		if !ok || !known {
			return 0, refuse(node.Pos(), "invalid capability")
		}
		caps |= one
	}
	return caps, nil
}

func readLegacy(item *ast.ObjectItem) (Capability, error) {
	word, ok := textOf(item.Val)
	caps, known := legacy(word)
	if !ok || !known {
		return 0, refuse(item.Pos(), "invalid policy word")
	}
	return caps, nil
}

func keyOf(item *ast.ObjectItem, i int) (string, bool) {
	if i >= len(item.Keys) {
		return "", false
	}
	return unquote(item.Keys[i].Token)
}

func textOf(node ast.Node) (string, bool) {
	lit, ok := node.(*ast.LiteralType)
	if !ok {
		return "", false
	}
	return unquote(lit.Token)
}

// unquote reads a text token; the parser's own way panics on a bad escape.
func unquote(t token.Token) (string, bool) {
	switch {
	case t.Type == token.IDENT:
		return t.Text, true
	case t.Type != token.STRING:
		return "", false
	case t.JSON:
		var s string
		err := json.Unmarshal([]byte(t.Text), &s)
		return s, err == nil
	}
	s, err := hclstrconv.Unquote(t.Text)
	return s, err == nil
}

func refuse(at token.Pos, format string, args ...any) error {
	f := fault.New(fault.Invalid, format, args...)
	if at.Line > 0 {
		return fault.New(fault.Invalid, "failed to parse policy: line %d: %s", at.Line, f.Detail)
	}
	return fault.New(fault.Invalid, "failed to parse policy: %s", f.Detail)
}
