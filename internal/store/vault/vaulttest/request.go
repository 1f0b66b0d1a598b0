package vaulttest

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest/wire"
)

// maxBody bounds a request body, in bytes: a value of the largest size, every byte
// of it escaped, and what stands around it.
const maxBody = 8 << 20

const mergePatch = "application/merge-patch+json"

// operation is what a request does, whatever method and query said so.
type operation uint8

const (
	read operation = iota
	write
	remove
	list
	scan
	patch
)

// request is one call, parsed.
type request struct {
	op        operation
	head      bool   // HEAD, which only sys/health takes
	path      string // below /v1/, decoded once
	rest      string // what the endpoint was not told by its own path
	mount     string
	namespace string
	token     string
	query     url.Values
	body      wire.Fields
	wrapTTL   time.Duration
	session   session
}

// parseRequest reads the form of a call; the request is returned with a refusal,
// too, because the answer is written for it.
func parseRequest(w http.ResponseWriter, r *http.Request) (*request, *reply) {
	req := &request{query: r.URL.Query(), token: token(r), head: r.Method == http.MethodHead,
		namespace: strings.Trim(r.Header.Get("X-Vault-Namespace"), "/")}
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	if !ok {
		return req, refuse(http.StatusNotFound)
	}
	req.path = path
	if !cleanPath(r.URL.EscapedPath()) {
		return req, refuse(http.StatusBadRequest, "path is not clean")
	}
	if req.op, ok = operationOf(r, req.query); !ok || req.head && path != "sys/health" {
		return req, refuse(http.StatusMethodNotAllowed)
	}
	if bad := contentType(r, req.op); bad != nil {
		return req, bad
	}
	if req.op == write || req.op == patch {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return req, refuse(http.StatusRequestEntityTooLarge, "request body too large")
		}
		if err != nil || len(body) > 0 && json.Unmarshal(body, &req.body) != nil {
			return req, refuse(http.StatusBadRequest, "failed to decode JSON input: not a JSON object")
		}
	}
	if text := r.Header.Get("X-Vault-Wrap-TTL"); text != "" {
		if req.wrapTTL, ok = wire.Duration(text); !ok || req.wrapTTL < 0 {
			return req, refuse(http.StatusBadRequest, "error parsing X-Vault-Wrap-TTL")
		}
	}
	return req, nil
}

func token(r *http.Request) string {
	if t := r.Header.Get("X-Vault-Token"); t != "" {
		return t
	}
	t, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return t
}

// cleanPath refuses what a server would redirect or decode: dots, empty segments
// and an escaped slash.
func cleanPath(escaped string) bool {
	if strings.Contains(strings.ToLower(escaped), "%2f") {
		return false
	}
	for i, seg := range strings.Split(strings.TrimSuffix(escaped, "/"), "/") {
		plain, err := url.PathUnescape(seg)
		if err != nil || plain == "." || plain == ".." || plain == "" && i > 0 {
			return false
		}
	}
	return true
}

func operationOf(r *http.Request, query url.Values) (operation, bool) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		switch {
		case truth(query.Get("list")):
			return list, true
		case truth(query.Get("scan")):
			return scan, true
		}
		return read, true
	case http.MethodPost, http.MethodPut:
		return write, true
	case http.MethodPatch:
		return patch, true
	case http.MethodDelete:
		return remove, true
	case "LIST":
		return list, true
	case "SCAN":
		return scan, true
	}
	return read, false
}

// truth takes the servers' forms of true, such as the "True" that Python clients send.
func truth(text string) bool {
	yes, err := strconv.ParseBool(text)
	return err == nil && yes
}

func contentType(r *http.Request, op operation) *reply {
	if op != patch {
		return nil
	}
	given := r.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(given); err == nil && media == mergePatch {
		return nil
	}
	return refuse(http.StatusUnsupportedMediaType,
		"PATCH requires Content-Type of "+mergePatch+", provided "+given)
}

// queryInteger reads a number of the query; absent or empty is 0.
func (r *request) queryInteger(name string) (int64, error) {
	text := r.query.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, wire.BadField(name)
	}
	return n, nil
}
