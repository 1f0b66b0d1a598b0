package canonical

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

//go:embed openapi.yaml
var document string

// OpenAPI gives the OpenAPI 3.1 document of the door as it was written, in YAML.
// The caller owns the slice.
func OpenAPI() []byte { return []byte(document) }

// OpenAPIJSON renders the document as JSON, members sorted. It parses on every
// call: a server keeps the result.
func OpenAPIJSON() ([]byte, error) {
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(document), &doc); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	out, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("render the OpenAPI document: %w", err)
	}
	return out, nil
}
