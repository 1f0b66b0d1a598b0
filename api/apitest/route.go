package apitest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// template is one path of the document. A parameter is a whole segment, and matches
// one segment of the escaped path, so that an escaped slash stays in it.
type template struct {
	text     string
	segments []string
	item     *openapi3.PathItem
}

// templates sorts literal segments before parameters: the first match counts.
func templates(doc *openapi3.T) []template {
	var out []template
	for path, item := range doc.Paths.Map() {
		out = append(out, template{text: path, segments: strings.Split(path, "/"), item: item})
	}
	slices.SortFunc(out, func(a, b template) int {
		// '{' sorts behind every character of a literal segment but '|', '}' and '~'.
		return slices.Compare(a.segments, b.segments)
	})
	return out
}

// find gives the path of the document that a request is for, nil when none is.
func (v *Validator) find(req *http.Request) (*template, map[string]string) {
	segments := strings.Split(req.URL.EscapedPath(), "/")
	for i := range v.paths {
		if params, ok := v.paths[i].match(segments); ok {
			return &v.paths[i], params
		}
	}
	return nil, nil
}

func (p *template) match(segments []string) (map[string]string, bool) {
	if len(segments) != len(p.segments) {
		return nil, false
	}
	params := map[string]string{}
	for i, want := range p.segments {
		got, err := url.PathUnescape(segments[i])
		name, isParam := strings.CutPrefix(want, "{")
		switch {
		case err != nil:
			return nil, false
		case isParam && got != "":
			params[strings.TrimSuffix(name, "}")] = got
		case got != want:
			return nil, false
		}
	}
	return params, true
}
