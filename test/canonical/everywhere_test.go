package canonical

import "testing"

// place is one way to name a secret to the door.
type place struct {
	name string
	call func(t testing.TB, s *server, uri string, ws ...with) answer
}

// everywhere lists every endpoint that takes a URI, and each side of a transfer.
func everywhere() []place {
	const other = scheme + "secret/elsewhere/x"
	get := func(path, name string) place {
		return place{"GET " + path, func(t testing.TB, s *server, uri string, ws ...with) answer {
			return s.get(t, path, q{name: uri, "q": "x"}, ws...)
		}}
	}
	post := func(path string, body func(uri string) obj) place {
		return place{"POST " + path, func(t testing.TB, s *server, uri string, ws ...with) answer {
			return s.post(t, path, body(uri), ws...)
		}}
	}
	return []place{
		post("", func(u string) obj { return obj{"uri": u, "value": obj{"a": 1}} }),
		get("", "uri"),
		get("/value", "uri"),
		{"DELETE", func(t testing.TB, s *server, uri string, ws ...with) answer { return s.del(t, q{"uri": uri}, ws...) }},
		post("/rotate", func(u string) obj { return obj{"uri": u, "value": obj{"a": 1}} }),
		get("/metadata", "prefix"),
		get("/keys", "uri"),
		get("/metadata/detail", "uri"),
		get("/versions", "uri"),
		post("/undelete", func(u string) obj { return obj{"uri": u, "versions": []int{1}} }),
		post("/destroy-versions", func(u string) obj { return obj{"uri": u, "versions": []int{1}} }),
		post("/metadata/owner", func(u string) obj { return obj{"uri": u, "owner": "team"} }),
		post("/copy", func(u string) obj { return obj{"fromUri": u, "toUri": other, "overwrite": true} }),
		{"POST /copy target", post("/copy", func(u string) obj { return obj{"fromUri": other, "toUri": u} }).call},
		post("/move", func(u string) obj { return obj{"fromUri": u, "toUri": other, "overwrite": true} }),
		{"POST /move target", post("/move", func(u string) obj { return obj{"fromUri": other, "toUri": u} }).call},
		get("/search", "prefix"),
	}
}

// items are the five operations of a bulk on one URI.
func items(uri string) []obj {
	return []obj{
		{"op": "set", "uri": uri, "value": obj{"a": 1}},
		{"op": "delete", "uri": uri},
		{"op": "undelete", "uri": uri, "versions": []int{1}},
		{"op": "destroy", "uri": uri},
		{"op": "rotate", "uri": uri, "value": obj{"a": 1}},
	}
}

// bulkResult is the answer of a bulk.
type bulkResult struct {
	Results []struct {
		Index      int    `json:"index"`
		Op         string `json:"op"`
		URI        string `json:"uri"`
		Status     string `json:"status"`
		Version    *int   `json:"version"`
		HTTPStatus int    `json:"http_status"`
		Code       string `json:"code"`
		Message    string `json:"message"`
	} `json:"results"`
	Succeeded, Failed, Skipped int
}

func (s *server) bulk(t testing.TB, body obj, ws ...with) (out bulkResult) {
	t.Helper()
	s.post(t, "/bulk", body, ws...).want(t, 200).json(t, &out)
	return out
}
