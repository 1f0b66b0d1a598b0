package yamlfile

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"go.yaml.in/yaml/v3"
)

// toValue renders an expanded node as JSON, members in the order of the file.
func toValue(n *yaml.Node) (secret.Value, error) {
	raw, err := appendJSON(nil, n)
	if err != nil {
		return secret.Value{}, err
	}
	return secret.ParseAny(raw)
}

func appendJSON(out []byte, n *yaml.Node) ([]byte, error) {
	if len(out) > secret.MaxValue {
		return nil, fault.New(fault.TooLarge, "value is larger than %d bytes", secret.MaxValue)
	}
	var err error
	switch n.Kind {
	case yaml.MappingNode:
		out = append(out, '{')
		for i, pair := range slices.Collect(slices.Chunk(n.Content, 2)) {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendText(out, pair[0].Value), ':')
			if out, err = appendJSON(out, pair[1]); err != nil {
				return nil, err
			}
		}
		return append(out, '}'), nil
	case yaml.SequenceNode:
		out = append(out, '[')
		for i, item := range n.Content {
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = appendJSON(out, item); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	}
	return appendScalar(out, n)
}

// appendScalar keeps the literal of a number that JSON can read; timestamps and
// the like are text.
func appendScalar(out []byte, n *yaml.Node) ([]byte, error) {
	switch n.ShortTag() {
	case "!!null":
		return append(out, "null"...), nil
	case "!!bool":
		var b bool
		if n.Decode(&b) != nil {
			return nil, refuse(n, "not a boolean")
		}
		return strconv.AppendBool(out, b), nil
	case "!!int", "!!float":
		if jsonNumber(n.Value) {
			return append(out, n.Value...), nil
		}
		return appendNumber(out, n)
	}
	return appendText(out, n.Value), nil
}

// appendNumber takes what YAML writes and JSON does not: hexadecimal, octal,
// underscores, a leading plus or point.
func appendNumber(out []byte, n *yaml.Node) ([]byte, error) {
	var i int64
	var u uint64
	var f float64
	switch {
	case n.Decode(&i) == nil && n.ShortTag() == "!!int":
		return strconv.AppendInt(out, i, 10), nil
	case n.Decode(&u) == nil && n.ShortTag() == "!!int":
		return strconv.AppendUint(out, u, 10), nil
	case n.Decode(&f) != nil || math.IsNaN(f) || math.IsInf(f, 0):
		return nil, refuse(n, "not a number that JSON knows")
	}
	return strconv.AppendFloat(out, f, 'g', -1, 64), nil
}

func jsonNumber(s string) bool {
	return s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s))
}

func appendText(out []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return append(out, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// fromJSON makes the node of a JSON value, members in their order.
func fromJSON(raw []byte) (*yaml.Node, error) {
	if err := secret.CheckJSON(raw, secret.MaxDepth); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return next(dec)
}

func next(dec *json.Decoder) (*yaml.Node, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, fault.New(fault.Invalid, "JSON is malformed")
	}
	switch v := tok.(type) {
	case json.Delim:
		return nested(dec, v)
	case json.Number:
		return number(v.String()), nil
	case bool:
		return scalar("!!bool", strconv.FormatBool(v)), nil
	case string:
		return text(v), nil
	}
	return scalar("!!null", "null"), nil
}

func nested(dec *json.Decoder, open json.Delim) (*yaml.Node, error) {
	n := newMap()
	if open == '[' {
		n = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	}
	for dec.More() {
		child, err := next(dec) // a member's name comes as a node of text
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, child)
	}
	_, err := dec.Token() // the closing bracket
	return n, err
}

// number keeps the literal; one that YAML would take for text is tagged.
func number(literal string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: literal}
	if n.Tag = n.ShortTag(); n.Tag != "!!int" && n.Tag != "!!float" {
		n.Tag = "!!float"
	}
	return n
}

// text is quoted where a plain or block form might not give the same text back.
func text(s string) *yaml.Node {
	n := scalar("!!str", s)
	if !secret.Printable(s) || strings.TrimSpace(s) != s {
		n.Style = yaml.DoubleQuotedStyle
	}
	if block(s) {
		n.Style = yaml.LiteralStyle
	}
	return n
}

// block says whether s is lines that a person would write as a block, such as a
// PEM file: no empty line, no space at either end of one.
func block(s string) bool {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	return len(lines) > 1 && !slices.ContainsFunc(lines, func(l string) bool {
		return l == "" || strings.TrimSpace(l) != l || !secret.Printable(l)
	})
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

func newMap() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"} }
